//! JSON Schemas of plugins: bounded, without anything from the network, and fast to check against.

use std::sync::OnceLock;

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

use super::{Object, check};

/// A larger schema is an attack, or a burden on every model that reads it.
const LARGEST: usize = 256 << 10;
/// How many values it may hold.
const MOST_VALUES: usize = 20_000;
/// How deep it may be nested.
const DEEPEST: usize = 64;
/// How many mistakes are told at once.
const MOST_MISTAKES: usize = 5;

/// A schema that is checked to be harmless. It is compiled when it is first needed.
pub struct Schema {
    value: Object,
    validator: OnceLock<Result<Validator, String>>,
}

impl Schema {
    /// Reads a schema and refuses what could hurt whoever checks against it.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.len() > LARGEST {
            return Err(format!("{} bytes are more than {LARGEST}", text.len()));
        }
        let value = match serde_json::from_str(text) {
            Ok(Value::Object(value)) => value,
            Ok(_) => return Err("it is no JSON object".to_owned()),
            Err(error) => return Err(format!("it is no JSON: {error}")),
        };
        let whole = Value::Object(value.clone());
        check_shape(&whole, 0, &mut 0)?;
        check::check_texts(&whole)?;
        Ok(Self { value, validator: OnceLock::new() })
    }

    /// A schema of arguments, which always are an object.
    pub(super) fn of_arguments(text: &str) -> Result<Self, String> {
        let schema = Self::new(text)?;
        if schema.value.get("type").and_then(Value::as_str) != Some("object") {
            return Err("its `type` must be `object`".to_owned());
        }
        Ok(schema)
    }

    pub fn value(&self) -> &Object {
        &self.value
    }

    /// Compiles it, so that what is wrong with it is told before it is needed.
    pub fn compile(&self) -> Result<(), String> {
        self.validator().map(drop)
    }

    /// Says what does not fit, and where.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        let validator = self.validator()?;
        if validator.is_valid(value) {
            return Ok(());
        }
        let mistakes = validator.iter_errors(value).take(MOST_MISTAKES).map(|mistake| {
            let place = mistake.instance_path().to_string();
            let place = place.trim_start_matches('/');
            if place.is_empty() { mistake.to_string() } else { format!("`{place}`: {mistake}") }
        });
        Err(mistakes.collect::<Vec<_>>().join("; "))
    }

    /// Takes a `null` for an argument that may be left out, and cannot be `null`, as left out.
    pub fn forget_nulls(&self, arguments: &mut Object) {
        if !arguments.values().any(Value::is_null) {
            return;
        }
        let required = self.value.get("required").and_then(Value::as_array);
        let is_required = |name: &str| required.is_some_and(|it| it.iter().any(|it| it == name));
        let properties = self.value.get("properties");
        let kind = |name: &str| properties?.get(name)?.get("type")?.as_str();
        arguments.retain(|name, value| {
            !value.is_null() || is_required(name) || kind(name).is_none_or(|kind| kind == "null")
        });
    }

    fn validator(&self) -> Result<&Validator, String> {
        let compile = || {
            jsonschema::options()
                .with_draft(Draft::Draft202012)
                .with_pattern_options(PatternOptions::regex())
                .build(&Value::Object(self.value.clone()))
                .map_err(|error| format!("it is no JSON Schema: {error}"))
        };
        self.validator.get_or_init(compile).as_ref().map_err(Clone::clone)
    }
}

fn check_shape(value: &Value, depth: usize, seen: &mut usize) -> Result<(), String> {
    *seen += 1;
    if depth > DEEPEST {
        return Err(format!("it is nested deeper than {DEEPEST}"));
    }
    if *seen > MOST_VALUES {
        return Err(format!("it holds more than {MOST_VALUES} values"));
    }
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| check_shape(item, depth + 1, seen)),
        Value::Object(object) => object.iter().try_for_each(|(key, item)| {
            if matches!(key.as_str(), "$ref" | "$dynamicRef") {
                check_reference(item)?;
            }
            check_shape(item, depth + 1, seen)
        }),
        _ => Ok(()),
    }
}

fn check_reference(reference: &Value) -> Result<(), String> {
    match reference.as_str() {
        Some(reference) if !reference.starts_with('#') => {
            Err(format!("it refers to `{reference}`, which is not inside it"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_harmful_schema_is_refused() {
        let deep = "{\"not\":".repeat(10_000) + "{}" + &"}".repeat(10_000);
        let wide = json!({"type": "object", "anyOf": vec![json!({}); 100_000]}).to_string();
        let remote = json!({"$ref": "http://127.0.0.1/x"}).to_string();
        for harmful in [deep.as_str(), &wide, &remote, "[]", "{"] {
            assert!(Schema::new(harmful).is_err());
        }
    }

    #[test]
    fn nothing_that_a_schema_names_is_fetched() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let there = format!("http://{}/schema", listener.local_addr().unwrap());
        let within = json!({"a": {"$ref": "#/$defs/a"}, "b": {"$ref": "#b"}});
        for schema in [
            json!({"$schema": there, "type": "object"}),
            json!({"$id": there, "type": "object", "properties": within, "$defs": {"a": {}}}),
            json!({"type": "object", "allOf": [{"$id": there, "$ref": "#/nowhere"}]}),
            json!({"type": "object", "$vocabulary": {there.as_str(): true}}),
            json!({"type": "object", "$ref": there}),
            json!({"type": "object", "not": {"$dynamicRef": there}}),
        ] {
            // Whether it is taken or refused is another question.
            let _ = Schema::new(&schema.to_string()).map(|it| it.check(&json!({"a": 1, "b": 2})));
        }
        assert!(listener.accept().is_err(), "somebody asked for it");
    }

    #[test]
    fn a_pattern_takes_no_longer_than_its_text() {
        let schema = json!({"type": "object", "properties": {"a": {"pattern": "^(a+)+$"}}});
        let schema = Schema::new(&schema.to_string()).unwrap();
        assert!(schema.check(&json!({"a": "a".repeat(50_000) + "!"})).is_err());
    }

    #[test]
    fn a_null_for_what_may_be_left_out_is_left_out() {
        let schema = json!({
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "string"}, "c": {"type": "null"}},
            "required": ["b"],
        });
        let schema = Schema::new(&schema.to_string()).unwrap();
        let mut arguments = json!({"a": null, "b": null, "c": null}).as_object().unwrap().clone();
        schema.forget_nulls(&mut arguments);
        assert_eq!(Value::Object(arguments), json!({"b": null, "c": null}));
    }
}

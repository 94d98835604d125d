//! JSON Schemas from Rust types, as short as they can be said.

use schemars::{JsonSchema, Schema, generate::SchemaSettings, transform::Transform};
use serde_json::{Map, Value, json};

/// The schema of a type, everything inline, without titles.
pub fn of<T: JsonSchema>() -> Value {
    said::<T>(SchemaSettings::draft2020_12(), Terse { keeps_null: false })
}

fn said<T: JsonSchema>(settings: SchemaSettings, mut terse: Terse) -> Value {
    let settings = settings.with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    terse.transform(&mut schema);
    schema.to_value()
}

/// The schema of a tool's arguments, and the doc comment that describes the tool.
///
/// An argument that the tool does not know is an error: a model that misspells one should hear it.
pub(crate) fn of_arguments<T: JsonSchema>() -> (Value, String) {
    let mut schema = of::<T>();
    let mut description = String::new();
    if let Value::Object(object) = &mut schema {
        if let Some(Value::String(text)) = object.remove("description") {
            description = text;
        }
        object.entry("properties").or_insert_with(|| Map::new().into());
        object.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    (schema, description)
}

/// The schema of a structured result. MCP wants an object there; what is none is answered as text.
///
/// An `Option` is left out where its field says so, and else is `null`.
pub(crate) fn of_output<T: JsonSchema>() -> Option<Value> {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = said::<T>(settings, Terse { keeps_null: true });
    let object = schema.as_object_mut()?;
    object.remove("description");
    (object.get("type").and_then(Value::as_str) == Some("object")).then_some(schema)
}

/// The same schema, which takes all arguments together under a name as well.
///
/// `anyOf` would say it more plainly, but there are models whose interface refuses it at the top of a schema.
pub(crate) fn or_wrapped(mut schema: Value, name: &str) -> Value {
    let Some(object) = schema.as_object_mut() else { return schema };
    let whole = json!({"type": "object", "description": "Leave this out. For clients that wrap all arguments."});
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        properties.insert(name.to_owned(), whole);
    }
    if let Some(required) = object.remove("required") {
        object.insert("if".to_owned(), json!({"required": [name]}));
        object.insert("else".to_owned(), json!({"required": required}));
    }
    schema
}

/// Leaves out what only costs the model's attention: titles, number formats, and `null` for what may be left out.
struct Terse {
    /// Whether `null` stays where a property is always there.
    keeps_null: bool,
}

impl Transform for Terse {
    fn transform(&mut self, schema: &mut Schema) {
        schema.remove("title");
        if schema.get("type").is_some_and(is_number) {
            schema.remove("format");
        }
        if self.keeps_null {
            forget_null_in_optional(schema);
        } else {
            forget_null(schema);
        }
        schemars::transform::transform_subschemas(self, schema);
    }
}

fn forget_null_in_optional(schema: &mut Schema) {
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    for (name, property) in properties {
        let always = required.iter().any(|it| it == name);
        if let (false, Ok(property)) = (always, <&mut Schema>::try_from(property)) {
            forget_null(property);
        }
    }
}

fn is_number(kind: &Value) -> bool {
    let number = |kind: &Value| matches!(kind.as_str(), Some("integer" | "number"));
    number(kind) || kind.as_array().is_some_and(|kinds| kinds.iter().any(number))
}

/// `Option<T>` is a `T` that may be left out; the host takes a `null` there as left out.
fn forget_null(schema: &mut Schema) {
    if let Some(Value::Array(kinds)) = schema.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [kind] = kinds.as_slice() {
            let kind = kind.clone();
            schema.insert("type".to_owned(), kind);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("enum") {
        choices.retain(|choice| !choice.is_null());
    }
    let Some(Value::Array(choices)) = schema.get_mut("anyOf") else { return };
    choices.retain(|choice| choice.get("type").and_then(Value::as_str) != Some("null"));
    if let [Value::Object(only)] = choices.as_slice() {
        let only = only.clone();
        schema.remove("anyOf");
        for (key, value) in only {
            schema.ensure_object().entry(key).or_insert(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(JsonSchema)]
    #[allow(dead_code, reason = "only its schema is of interest")]
    struct Sample {
        /// How many.
        count: Option<u32>,
        mode: Option<Mode>,
        name: String,
    }

    #[derive(JsonSchema)]
    #[serde(rename_all = "lowercase")]
    #[allow(dead_code, reason = "only its schema is of interest")]
    enum Mode {
        Fast,
        Slow,
    }

    #[test]
    fn a_schema_says_what_is_needed_and_no_more() {
        let (schema, _) = of_arguments::<Sample>();
        let expected = serde_json::json!({
            "type": "object",
            "properties": {
                "count": {"description": "How many.", "type": "integer", "minimum": 0},
                "mode": {"type": "string", "enum": ["fast", "slow"]},
                "name": {"type": "string"},
            },
            "required": ["name"],
            "additionalProperties": false,
        });
        assert_eq!(schema, expected);
    }

    #[derive(JsonSchema)]
    #[allow(dead_code, reason = "only its schema is of interest")]
    struct Answer {
        #[schemars(skip_serializing_if = "Option::is_none")]
        left_out: Option<u32>,
        always: Option<u32>,
        mode: Option<Mode>,
    }

    #[test]
    fn what_an_output_always_has_may_be_null() {
        let properties = &of_output::<Answer>().unwrap()["properties"];
        assert_eq!(properties["left_out"]["type"], "integer");
        assert_eq!(properties["always"]["type"], json!(["integer", "null"]));
        assert_eq!(properties["mode"]["enum"], json!(["fast", "slow", null]));
    }

    #[test]
    fn arguments_may_stand_under_a_name() {
        let schema = or_wrapped(of_arguments::<Sample>().0, "all");
        assert_eq!(schema["properties"]["all"]["type"], "object");
        assert_eq!(schema["if"], json!({"required": ["all"]}));
        assert_eq!(schema["else"], json!({"required": ["name"]}));
        assert_eq!(schema.get("required"), None);
        let fits = |arguments: Value| jsonschema::is_valid(&schema, &arguments);
        assert!(fits(json!({"name": "ann", "count": 1})));
        assert!(fits(json!({"all": {"name": "ann"}})));
        assert!(!fits(json!({"count": 1})));
        assert!(!fits(json!({"name": "ann", "other": 1})));
        assert!(!fits(json!({"all": "ann"})));
    }

    #[test]
    fn only_an_object_is_structured() {
        assert_eq!(of_output::<String>(), None);
        assert!(of_output::<Sample>().is_some());
    }
}

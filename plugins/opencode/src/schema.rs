//! JSON Schemas of what a run is to give: which ones are understood, and whether a value fits.
//!
//! What is understood is checked to the letter, and a schema that says more is refused: a run must not succeed with a value that
//! nobody has looked at.

use serde_json::{Map, Value};

/// What only describes.
const WORDS: [&str; 14] = [
    "$schema",
    "$id",
    "$comment",
    "$defs",
    "definitions",
    "title",
    "description",
    "default",
    "examples",
    "example",
    "format",
    "deprecated",
    "readOnly",
    "writeOnly",
];
/// What says something of values.
const RULES: [&str; 24] = [
    "type",
    "enum",
    "const",
    "properties",
    "required",
    "additionalProperties",
    "minProperties",
    "maxProperties",
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "anyOf",
    "oneOf",
    "allOf",
    "not",
];
/// A schema that is deeper is a mistake, or leads to itself.
const DEEPEST: usize = 64;
/// As many mistakes are told.
const MOST_TOLD: usize = 5;
/// How far a quotient may be from a whole number.
const CLOSE: f64 = 1e-9;

/// Whether a schema can be checked. Fails with the part of it that cannot.
pub(crate) fn check(schema: &Value) -> Result<(), String> {
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        return Err("`schema` must be a JSON Schema with `\"type\": \"object\"`".to_owned());
    }
    understood(schema, schema, "", 0)
}

/// Whether a value fits a schema that can be checked. Fails with what does not fit.
pub(crate) fn fits(schema: &Value, value: &Value) -> Result<(), String> {
    let mut wrong = Wrong { root: schema, told: Vec::new() };
    wrong.look(schema, value, "", 0);
    if wrong.told.is_empty() { Ok(()) } else { Err(wrong.told.join("; ")) }
}

fn understood(root: &Value, schema: &Value, place: &str, depth: usize) -> Result<(), String> {
    let rules = match schema {
        Value::Bool(_) => return Ok(()),
        Value::Object(rules) => rules,
        _ => return Err(format!("`schema{place}` is no JSON Schema")),
    };
    if depth > DEEPEST {
        return Err(format!("`schema` is deeper than {DEEPEST}"));
    }
    for (name, rule) in rules {
        let place = format!("{place}/{name}");
        let name = name.as_str();
        match name {
            "$ref" => {
                let target = rule.as_str().and_then(|path| resolved(root, path));
                target.ok_or_else(|| format!("`schema{place}` leads nowhere within the schema"))?;
            }
            "properties" | "$defs" | "definitions" => {
                for (name, schema) in object(rule, &place)? {
                    understood(root, schema, &format!("{place}/{name}"), depth + 1)?;
                }
            }
            "items" | "additionalProperties" | "not" => understood(root, rule, &place, depth + 1)?,
            "prefixItems" | "anyOf" | "oneOf" | "allOf" => {
                for schema in array(rule, &place)? {
                    understood(root, schema, &place, depth + 1)?;
                }
            }
            "enum" | "required" => drop(array(rule, &place)?),
            _ if WORDS.contains(&name) || RULES.contains(&name) => {}
            _ => {
                return Err(format!(
                    "`schema{place}` is not understood: leave `{name}` out, and say it in `description`"
                ));
            }
        }
    }
    Ok(())
}

fn object<'a>(rule: &'a Value, place: &str) -> Result<&'a Map<String, Value>, String> {
    rule.as_object().ok_or_else(|| format!("`schema{place}` is no object"))
}

fn array<'a>(rule: &'a Value, place: &str) -> Result<&'a Vec<Value>, String> {
    rule.as_array().ok_or_else(|| format!("`schema{place}` is no array"))
}

fn resolved<'a>(root: &'a Value, path: &str) -> Option<&'a Value> {
    root.pointer(path.strip_prefix('#')?)
}

/// What does not fit.
struct Wrong<'a> {
    root: &'a Value,
    told: Vec<String>,
}

impl<'a> Wrong<'a> {
    fn tell(&mut self, place: &str, why: impl std::fmt::Display) {
        if self.told.len() < MOST_TOLD {
            let place = if place.is_empty() { "/" } else { place };
            self.told.push(format!("`{place}` {why}"));
        }
    }

    fn look(&mut self, schema: &'a Value, value: &Value, place: &str, depth: usize) {
        let rules = match schema {
            Value::Object(rules) => rules,
            Value::Bool(false) => return self.tell(place, "may not be there"),
            _ => return,
        };
        if depth > DEEPEST {
            return self.tell(place, "is deeper than can be checked");
        }
        if let Some(target) =
            rules.get("$ref").and_then(Value::as_str).and_then(|path| resolved(self.root, path))
        {
            self.look(target, value, place, depth + 1);
        }
        self.plain(rules, value, place);
        self.combined(rules, value, place, depth);
        match value {
            Value::Object(members) => self.members(rules, members, place, depth),
            Value::Array(items) => self.items(rules, items, place, depth),
            Value::String(text) => self.text(rules, text, place),
            Value::Number(number) => self.number(rules, number.as_f64().unwrap_or(f64::NAN), place),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn plain(&mut self, rules: &Map<String, Value>, value: &Value, place: &str) {
        let kinds: Vec<_> = match rules.get("type") {
            Some(Value::String(kind)) => vec![kind.as_str()],
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if !kinds.is_empty() && !kinds.iter().any(|kind| is_of(kind, value)) {
            self.tell(place, format!("is no {}", kinds.join(" or ")));
        }
        let choices = rules.get("enum").and_then(Value::as_array);
        if choices.is_some_and(|choices| !choices.iter().any(|choice| same(choice, value))) {
            self.tell(place, "is none of the values that `enum` names");
        }
        if rules.get("const").is_some_and(|only| !same(only, value)) {
            self.tell(place, "is not the value that `const` names");
        }
    }

    fn combined(
        &mut self,
        rules: &'a Map<String, Value>,
        value: &Value,
        place: &str,
        depth: usize,
    ) {
        let list = |name: &str| rules.get(name).and_then(Value::as_array);
        for schema in list("allOf").into_iter().flatten() {
            self.look(schema, value, place, depth + 1);
        }
        let root = self.root;
        let fitting = |schemas: &'a Vec<Value>| {
            let fits = |schema: &&'a Value| {
                let mut wrong = Wrong { root, told: Vec::new() };
                wrong.look(schema, value, place, depth + 1);
                wrong.told.is_empty()
            };
            schemas.iter().filter(fits).count()
        };
        if list("anyOf").is_some_and(|schemas| fitting(schemas) == 0) {
            self.tell(place, "fits nothing of `anyOf`");
        }
        if let Some(count) = list("oneOf").map(fitting).filter(|count| *count != 1) {
            self.tell(place, format!("fits {count} of `oneOf`, and not one"));
        }
        if let Some(schema) = rules.get("not") {
            let mut wrong = Wrong { root, told: Vec::new() };
            wrong.look(schema, value, place, depth + 1);
            if wrong.told.is_empty() {
                self.tell(place, "fits what `not` forbids");
            }
        }
    }

    fn members(
        &mut self,
        rules: &'a Map<String, Value>,
        members: &Map<String, Value>,
        place: &str,
        depth: usize,
    ) {
        let required = rules.get("required").and_then(Value::as_array).into_iter().flatten();
        for name in required.filter_map(Value::as_str).filter(|name| !members.contains_key(*name)) {
            self.tell(place, format!("lacks `{name}`"));
        }
        let known = rules.get("properties").and_then(Value::as_object);
        for (name, value) in members {
            let place = format!("{place}/{name}");
            let own = known.and_then(|known| known.get(name));
            if let Some(schema) = own.or_else(|| rules.get("additionalProperties")) {
                self.look(schema, value, &place, depth + 1);
            }
        }
        self.count(rules, ["minProperties", "maxProperties"], members.len(), "members", place);
    }

    fn items(&mut self, rules: &'a Map<String, Value>, items: &[Value], place: &str, depth: usize) {
        let first = rules.get("prefixItems").and_then(Value::as_array);
        for (number, item) in items.iter().enumerate() {
            let own = first.and_then(|first| first.get(number)).or_else(|| rules.get("items"));
            if let Some(schema) = own {
                self.look(schema, item, &format!("{place}/{number}"), depth + 1);
            }
        }
        self.count(rules, ["minItems", "maxItems"], items.len(), "items", place);
        let unique = rules.get("uniqueItems") == Some(&Value::Bool(true));
        let again =
            |(number, item): (usize, &Value)| items.iter().take(number).any(|it| same(it, item));
        if unique && items.iter().enumerate().any(again) {
            self.tell(place, "has an item twice");
        }
    }

    fn text(&mut self, rules: &Map<String, Value>, text: &str, place: &str) {
        self.count(rules, ["minLength", "maxLength"], text.chars().count(), "characters", place);
    }

    fn count(
        &mut self,
        rules: &Map<String, Value>,
        [least, most]: [&str; 2],
        count: usize,
        of: &str,
        place: &str,
    ) {
        let bound = |name: &str| rules.get(name).and_then(Value::as_u64);
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        if bound(least).is_some_and(|bound| count < bound)
            || bound(most).is_some_and(|bound| count > bound)
        {
            self.tell(place, format!("has {count} {of}, which `{least}` or `{most}` forbids"));
        }
    }

    fn number(&mut self, rules: &Map<String, Value>, number: f64, place: &str) {
        let bound = |name: &str| rules.get(name).and_then(Value::as_f64);
        let wrong = [
            ("minimum", bound("minimum").is_some_and(|bound| number < bound)),
            ("maximum", bound("maximum").is_some_and(|bound| number > bound)),
            ("exclusiveMinimum", bound("exclusiveMinimum").is_some_and(|bound| number <= bound)),
            ("exclusiveMaximum", bound("exclusiveMaximum").is_some_and(|bound| number >= bound)),
            ("multipleOf", bound("multipleOf").is_some_and(|of| !is_multiple(number, of))),
        ];
        for (name, _) in wrong.iter().filter(|(_, wrong)| *wrong) {
            self.tell(place, format!("is a number that `{name}` forbids"));
        }
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => false,
    }
}

/// To JSON Schema, 1 and 1.0 are the same.
fn same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

fn is_multiple(number: f64, of: f64) -> bool {
    let quotient = number / of;
    (quotient - quotient.round()).abs() < CLOSE
}

#[cfg(test)]
mod tests;

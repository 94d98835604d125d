//! Text of YAML as values: bounded, without tags, and with its merge keys merged.

use std::{cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use windlass_sdk::Error;

/// More text than this is no Compose file.
pub(crate) const MOST_BYTES: usize = 1 << 20;
/// How many values a file may have once its aliases are resolved: a few lines of aliases make billions.
const MOST_VALUES: usize = 100_000;
/// How many bytes of text they may have together, for the same reason.
const MOST_TEXT: usize = 4 << 20;

/// The one document of a text.
pub(crate) fn parse(text: &str, name: &str) -> Result<Value, Error> {
    if text.len() > MOST_BYTES {
        return Err(Error::invalid(format!("`{name}` has more than {MOST_BYTES} bytes")));
    }
    let budget = Budget { values: Cell::new(MOST_VALUES), text: Cell::new(MOST_TEXT) };
    let value = Seed(&budget)
        .deserialize(serde_yaml_ng::Deserializer::from_str(text))
        .map_err(|error| Error::invalid(format!("`{name}` is no YAML that is taken: {error}")))?;
    merged(value)
}

/// What is left for a document.
struct Budget {
    values: Cell<usize>,
    text: Cell<usize>,
}

impl Budget {
    fn take<E: serde::de::Error>(&self, text: usize) -> Result<(), E> {
        let values = self.values.get().checked_sub(1);
        let text = self.text.get().checked_sub(text);
        let (Some(values), Some(text)) = (values, text) else {
            return Err(E::custom("it comes to too many values: are there aliases of aliases?"));
        };
        self.values.set(values);
        self.text.set(text);
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Seed<'a>(&'a Budget);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// A tag arrives as an enum, for which there is no method here: it is refused.
impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value without a tag")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        self.0.take(0)?;
        Ok(Value::Null)
    }

    /// A text without any value.
    fn visit_none<E: serde::de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Value, E> {
        self.0.take(0)?;
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        self.0.take(0)?;
        Ok(value.into())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        self.0.take(0)?;
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        self.0.take(0)?;
        Ok(Number::from_f64(value).map_or_else(|| value.to_string().into(), Value::Number))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        self.0.take(value.len())?;
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        self.0.take(0)?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        self.0.take(0)?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key_seed(self)? {
            let Some(key) = scalar(&key) else {
                return Err(A::Error::custom("a key is a text"));
            };
            let value = entries.next_value_seed(self)?;
            if map.insert(key.clone(), value).is_some() {
                return Err(A::Error::custom(format!("`{key}` is there twice")));
            }
        }
        Ok(map.into())
    }
}

/// A value that is no list and no map, as text.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Puts what `<<` names into the map that it stands in, where that does not say otherwise.
fn merged(value: Value) -> Result<Value, Error> {
    match value {
        Value::Array(items) => {
            Ok(items.into_iter().map(merged).collect::<Result<Vec<_>, _>>()?.into())
        }
        Value::Object(mut map) => {
            let sources = match map.remove("<<") {
                None => Vec::new(),
                Some(Value::Array(sources)) => sources,
                Some(source) => vec![source],
            };
            let mut whole = Map::new();
            for (key, value) in map {
                whole.insert(key, merged(value)?);
            }
            for source in sources {
                let Value::Object(source) = merged(source)? else {
                    return Err(Error::invalid(
                        "`<<` merges maps: name the anchor of one, or a list of such",
                    ));
                };
                for (key, value) in source {
                    whole.entry(key).or_insert(value);
                }
            }
            Ok(whole.into())
        }
        scalar => Ok(scalar),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn refused(text: &str, because: &str) {
        let error = parse(text, "it").unwrap_err();
        assert!(error.message.contains(because), "{}", error.message);
    }

    #[test]
    fn scalars_are_what_yaml_says() {
        let value = parse("a: 1\nb: 0440\nc: true\nd: ~\ne: '1'\nf: 1.5\n5: x\ng: yes", "it");
        let expected = json!({
            "a": 1, "b": "0440", "c": true, "d": null, "e": "1", "f": 1.5, "5": "x", "g": "yes",
        });
        assert_eq!(value.unwrap(), expected);
    }

    #[test]
    fn merge_keys_are_merged_also_in_chains_and_lists() {
        let text = "x-a: &a {one: 1, two: 2}\nx-b: &b {<<: *a, two: 3}\nc: {<<: *b, four: 4}\n\
            d: {<<: [*a, {five: 5, one: 0}], two: {<<: {six: 6}}}";
        let value = parse(text, "it").unwrap();
        assert_eq!(value["c"], json!({"one": 1, "two": 3, "four": 4}));
        assert_eq!(value["d"], json!({"one": 1, "two": {"six": 6}, "five": 5}));
    }

    #[test]
    fn what_would_blow_up_is_refused() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let before = format!("*a{}, ", level - 1).repeat(10);
            bomb.push_str(&format!("a{level}: &a{level} [{before}]\n"));
        }
        refused(&bomb, "no YAML that is taken");
        let long = "y".repeat(MOST_BYTES / 2);
        refused(&format!("a: &a {long}\nb: [{}]", "*a, ".repeat(20)), "too many values");
        refused(&"[".repeat(10_000), "no YAML that is taken");
        refused(&"a".repeat(MOST_BYTES + 1), "more than 1048576 bytes");
    }

    #[test]
    fn what_is_not_plain_is_refused() {
        refused("a: 1\na: 2", "`a` is there twice");
        refused("a: !reset null", "a value without a tag");
        refused("{[1, 2]: 3}", "a key is a text");
        refused("a: {<<: 5}", "`<<` merges maps");
        refused("a: 1\n---\nb: 2", "no YAML that is taken");
        refused("a: *nobody", "no YAML that is taken");
    }
}

//! Whether lists and sizes that a plugin asks for lie within those that are granted.

use toml::{Table, Value};

/// A key that does not grant all that is asked for.
#[derive(Debug, PartialEq)]
pub(super) struct Beyond {
    pub(super) key: String,
    pub(super) what: String,
    /// What would be enough: what is granted, and that.
    pub(super) value: Value,
}

/// What of the asked is beyond the granted, key by key.
pub(super) fn beyond(asked: &Table, granted: &Table) -> Vec<Beyond> {
    let compare = |(key, asked): (&String, &Value)| {
        let (what, value) = more(key, asked, granted.get(key))?;
        Some(Beyond { key: key.clone(), what, value })
    };
    asked.iter().filter_map(compare).collect()
}

/// What is missing, in words, and what would be enough. None: nothing is.
pub(super) fn more(key: &str, asked: &Value, granted: Option<&Value>) -> Option<(String, Value)> {
    match (asked, granted) {
        (Value::Array(asked), _) => {
            let granted = granted.and_then(Value::as_array).cloned().unwrap_or_default();
            let all = granted.iter().any(|it| it.as_str() == Some("*"));
            let missing: Vec<_> = asked.iter().filter(|it| !granted.contains(it) && !all).collect();
            if missing.is_empty() {
                return None;
            }
            let names: Vec<_> = missing.iter().map(|it| it.to_string().replace('"', "`")).collect();
            let enough = granted.iter().chain(missing).cloned().collect();
            Some((format!("`{key}` with {}", names.join(", ")), Value::Array(enough)))
        }
        // Nothing granted is no bound.
        (Value::Integer(_) | Value::Float(_), Some(granted)) if number(asked) > number(granted) => {
            Some((format!("`{key}` of {asked}, more than {granted}"), asked.clone()))
        }
        (Value::Boolean(false), Some(Value::Boolean(true))) if key == "pinned" => {
            Some(("images without a digest".to_owned(), asked.clone()))
        }
        _ => None,
    }
}

#[allow(clippy::cast_precision_loss, reason = "sizes that people write")]
fn number(value: &Value) -> f64 {
    value.as_float().or_else(|| value.as_integer().map(|it| it as f64)).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(asked: &str, granted: &str, expected: &[(&str, &str)]) {
        let found = beyond(&asked.parse().unwrap(), &granted.parse().unwrap());
        let told: Vec<_> = found.iter().map(|it| (it.what.clone(), it.value.to_string())).collect();
        let told: Vec<_> =
            told.iter().map(|(what, value)| (what.as_str(), value.as_str())).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn lists_and_sizes_are_compared() {
        check("names = ['a']", "names = ['*']", &[]);
        check("names = ['a', 'b']", "names = ['b']", &[("`names` with `a`", "[\"b\", \"a\"]")]);
        check("names = ['a']", "", &[("`names` with `a`", "[\"a\"]")]);
        check("memory_mib = 5", "", &[]);
        check("memory_mib = 5", "memory_mib = 4", &[("`memory_mib` of 5, more than 4", "5")]);
        check("cpus = 0.5", "cpus = 1", &[]);
    }
}

//! Arguments without what is secret.

use serde_json::Value;

/// What a key with one of these in it holds is left out.
const WORDS: [&str; 7] = ["password", "token", "secret", "key", "auth", "credentials", "private"];
const REDACTED: &str = "***REDACTED***";
/// Longer texts are cut: the hash of the arguments says which they were.
const LONGEST: usize = 2 << 10;
/// Shorter secrets stand in every other text by chance.
const SHORTEST: usize = 4;

/// The same without what is secret by the name of its key, or because it is one of these values.
pub fn redacted(value: &Value, secrets: &[&str]) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| {
                let lower = key.to_lowercase();
                let is_secret = WORDS.iter().any(|word| lower.contains(word));
                let value = if is_secret && !value.is_null() {
                    REDACTED.into()
                } else {
                    redacted(value, secrets)
                };
                (key.clone(), value)
            })
            .collect(),
        Value::Array(items) => items.iter().map(|item| redacted(item, secrets)).collect(),
        Value::String(text) => Value::String(plain(text, secrets)),
        other => other.clone(),
    }
}

fn plain(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|it| it.len() >= SHORTEST) {
        if text.contains(*secret) {
            text = text.replace(secret, REDACTED);
        }
    }
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_secret_is_left_out_wherever_it_stands() {
        let arguments = json!({
            "name": "web",
            "environment": {"DB_PASSWORD": "a", "PORT": 80, "URL": "http://u:hunter22@h"},
            "list": [{"ApiKey": "b"}, "hunter22"],
            "token": null,
        });
        let told = redacted(&arguments, &["hunter22", "x"]);
        assert_eq!(
            told,
            json!({
                "name": "web",
                "environment": {"DB_PASSWORD": REDACTED, "PORT": 80, "URL": "http://u:***REDACTED***@h"},
                "list": [{"ApiKey": REDACTED}, REDACTED],
                "token": null,
            })
        );
        let long = redacted(&json!("ü".repeat(LONGEST)), &[]);
        assert!(long.as_str().unwrap().len() <= LONGEST + 3);
    }
}

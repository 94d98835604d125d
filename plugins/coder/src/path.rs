//! Paths of Coder's interface. What a caller names stays one step of them, whatever it is.

use windlass_sdk::Error;

use crate::error;

/// A longer name is none of Coder's.
const LONGEST_NAME: usize = 128;

/// A name or an id as one step of a path.
pub(crate) fn step(field: &str, name: &str) -> Result<String, Error> {
    let outside = |it: char| {
        matches!(it, '/' | '\\' | '?' | '#' | '%' | '"') || it.is_whitespace() || it.is_control()
    };
    if name.is_empty()
        || name == "."
        || name.contains("..")
        || name.contains(outside)
        || name.len() > LONGEST_NAME
    {
        let message =
            format!("`{field}` is neither an id nor a name in Coder: `list_all_agents` shows both");
        return Err(error::of_field(field, message));
    }
    Ok(encoded(name))
}

/// The same where only an id will do.
pub(crate) fn id_step<'a>(field: &str, id: &'a str) -> Result<&'a str, Error> {
    if is_id(id) {
        return Ok(id);
    }
    let message = format!(
        "`{field}` is no id of Coder's, such as `6f1a3c58-7a14-4a67-9a55-2f3f6c1d0b01`: `list_all_agents` shows them"
    );
    Err(error::of_field(field, message))
}

/// Whether it is the UUID of something.
pub(crate) fn is_id(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').map(str::len).collect();
    let plain = |it: char| it == '-' || it.is_ascii_hexdigit();
    parts == [8, 4, 4, 4, 12] && text.chars().all(plain)
}

/// Percent-encoded, but for what never needs it.
pub(crate) fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_step_of_the_path() {
        assert_eq!(step("user", "fix-it_2.0").unwrap(), "fix-it_2.0");
        assert_eq!(step("user", "größe:@&=").unwrap(), "gr%C3%B6%C3%9Fe%3A%40%26%3D");
        let outside = [
            "",
            ".",
            "..",
            "a..b",
            "../../users/me/keys?x=",
            "a/b",
            "a\\b",
            "a?b",
            "a#b",
            "%2e%2e",
            "a b",
            "a\nb",
            "a\"b",
        ];
        for name in outside {
            let error = step("agent_id", name).unwrap_err();
            assert_eq!(
                error.details.unwrap(),
                r#"{"error_code":"VALIDATION_ERROR","field":"agent_id"}"#
            );
        }
        assert!(step("user", &"x".repeat(LONGEST_NAME + 1)).is_err());
    }

    #[test]
    fn an_id_is_a_uuid() {
        assert!(is_id("6f1a3c58-7a14-4a67-9a55-2f3f6c1d0b01"));
        for wrong in [
            "",
            "fix-login",
            "6f1a3c58-7a14-4a67-9a55-2f3f6c1d0b0g",
            "6f1a3c587a144a679a552f3f6c1d0b01",
        ] {
            assert!(!is_id(wrong), "{wrong}");
            assert!(id_step("workspace_id", wrong).is_err());
        }
    }
}

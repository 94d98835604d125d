//! What stands in a configuration, which the environment may have filled in.

use schemars::JsonSchema;
use serde::Deserialize;

/// A number, or the text of a variable that is one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Number {
    Number(f64),
    Text(String),
}

impl Number {
    /// The number, if it is from `least` to `most`.
    pub fn between(&self, least: f64, most: f64) -> Option<f64> {
        let number = match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
        };
        number.filter(|number| (least..=most).contains(number))
    }

    /// So many seconds in milliseconds. None: it is no time, or none that ever comes.
    pub fn as_ms(&self) -> Option<u64> {
        let ms = (self.between(f64::MIN_POSITIVE, 1e9)? * 1000.0).ceil();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is positive and small"
        )]
        Some(ms as u64)
    }

    /// As it was written.
    pub fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Number;

    #[track_caller]
    fn check(written: &str, expected: Option<u64>) {
        let number: Number = serde_json::from_str(written).unwrap();
        assert_eq!(number.as_ms(), expected, "{written}");
    }

    #[test]
    fn seconds_are_numbers_or_their_text() {
        check("0.05", Some(50));
        check("\" 7 \"", Some(7_000));
        check("0.0001", Some(1));
        for wrong in ["\"soon\"", "0", "-1", "\"\"", "1e12"] {
            check(wrong, None);
        }
    }
}

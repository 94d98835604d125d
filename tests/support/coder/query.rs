//! What stands behind a path's question mark, and the words of a search.

use super::answer::{Answer, Answered, invalid};

/// Names and values of a query, decoded.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(text: &str) -> Self {
        let pair = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decoded(&name.replace('+', " ")), decoded(&value.replace('+', " ")))
        };
        Self(text.split('&').filter(|part| !part.is_empty()).map(pair).collect())
    }

    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// A number, or what stands for none.
    pub(super) fn number(&self, name: &str, absent: u64) -> Result<u64, Answer> {
        let value = self.get(name);
        if value.is_empty() {
            return Ok(absent);
        }
        let detail = format!("Query param {name:?} must be a valid integer: {value:?}");
        value.parse().map_err(|_| invalid("Query parameters have invalid values.", name, &detail))
    }

    /// The `key:value` words of `q`, of which only these keys are known.
    pub(super) fn search(&self, known: &[&str]) -> Result<Vec<(String, String)>, Answer> {
        let words = words(self.get("q"));
        for (key, _) in &words {
            if !known.contains(&key.as_str()) {
                let detail = format!("{key:?} is not a valid query param");
                return Err(invalid("Invalid search query.", "q", &detail));
            }
        }
        Ok(words)
    }
}

/// A word without a key is a part of the name. Quotes hold a value together.
fn words(text: &str) -> Vec<(String, String)> {
    let mut quoted = false;
    let ends = |it: char| {
        quoted ^= it == '"';
        it == ' ' && !quoted
    };
    let words: Vec<_> = text.split(ends).filter(|word| !word.is_empty()).collect();
    let split = |word: &&str| {
        let (key, value) = word.split_once(':').unwrap_or(("name", word));
        (key.to_lowercase(), value.trim_matches('"').to_lowercase())
    };
    words.iter().map(split).collect()
}

/// What a path or query says with its percent signs resolved.
pub(super) fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut decoded, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match hex.filter(|_| bytes[at] == b'%') {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// The part of a list of JSON texts that a page is.
pub(super) fn page(
    texts: Vec<std::sync::Arc<str>>,
    query: &Query,
    most: u64,
) -> Result<Vec<std::sync::Arc<str>>, Answer> {
    let offset = query.number("offset", 0)?;
    let limit = match query.number("limit", 0)? {
        0 => most,
        limit => limit.min(most),
    };
    let (offset, limit) = (offset as usize, limit as usize);
    Ok(texts.into_iter().skip(offset).take(limit).collect())
}

/// `{"name":[…],"count":n}` of texts that are JSON already.
pub(super) fn listed(name: &str, texts: &[std::sync::Arc<str>], count: usize) -> Answered {
    let body = format!("{{\"{name}\":[{}],\"count\":{count}}}", texts.join(","));
    Ok(Answer::text(200, "application/json; charset=utf-8", body))
}

//! Bytes as text in JSON: as they are where they are UTF-8, as base64 where they are not.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::Error;

use crate::error;

/// Text that needs more than this many bytes of JSON for each of its own is shorter as base64.
const LONGEST_ESCAPES: usize = 3;

// How bytes are written: as they are, or what is no text. The schemas are shorter without it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub(crate) enum Encoding {
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "base64")]
    Base64,
}

/// The bytes, and how they are written.
pub(crate) fn written(bytes: Vec<u8>) -> (String, Encoding) {
    match String::from_utf8(bytes) {
        Ok(text) if is_worth_it(&text) => (text, Encoding::Utf8),
        Ok(text) => (STANDARD.encode(text), Encoding::Base64),
        Err(error) => (STANDARD.encode(error.as_bytes()), Encoding::Base64),
    }
}

/// The bytes that are written so.
pub(crate) fn read(content: String, encoding: Encoding) -> Result<Vec<u8>, Error> {
    match encoding {
        Encoding::Utf8 => Ok(content.into_bytes()),
        Encoding::Base64 => from_base64(&content),
    }
}

pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn from_base64(text: &str) -> Result<Vec<u8>, Error> {
    let broken = text.contains(|letter: char| letter.is_ascii_whitespace());
    let joined = broken.then(|| text.split_ascii_whitespace().collect::<String>());
    STANDARD
        .decode(joined.as_deref().unwrap_or(text))
        .map_err(|error| error::validation(format!("it is no base64: {error}")))
}

/// How many bytes at the end begin a character that is not whole. What is no UTF-8 at all has no such end.
pub(crate) fn unfinished(bytes: &[u8]) -> usize {
    let first = bytes.len().saturating_sub(3);
    let last = bytes.get(first..).unwrap_or_default();
    let start = last.iter().rposition(|&byte| byte & 0b1100_0000 != 0b1000_0000);
    let Some(tail) = start.and_then(|start| last.get(start..)) else { return 0 };
    match std::str::from_utf8(tail) {
        Err(error) if error.error_len().is_none() => tail.len(),
        _ => 0,
    }
}

fn is_worth_it(text: &str) -> bool {
    let controls = text.bytes().filter(|byte| *byte < 0x20 && !b"\n\r\t".contains(byte)).count();
    text.len() + 5 * controls <= (LONGEST_ESCAPES * text.len()).max(64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: &str, encoding: Encoding) {
        let (content, how) = written(bytes.to_vec());
        assert_eq!((content.as_str(), how), (expected, encoding));
        assert_eq!(read(content, how).unwrap(), bytes);
    }

    #[test]
    fn every_byte_comes_back() {
        check(b"", "", Encoding::Utf8);
        check("grün\n".as_bytes(), "grün\n", Encoding::Utf8);
        check(b"\x1b[1mbold\x1b[0m", "\x1b[1mbold\x1b[0m", Encoding::Utf8);
        check(b"\xff\x00\x01", "/wAB", Encoding::Base64);
        check(&[0; 15], &"A".repeat(20), Encoding::Base64);
    }

    #[test]
    fn base64_may_be_broken_into_lines() {
        assert_eq!(from_base64("aGVs\nbG8=\r\n").unwrap(), b"hello");
        assert!(from_base64("aGVsbG8").is_err());
        assert!(from_base64("…").is_err());
    }

    #[test]
    fn an_end_is_unfinished_where_more_bytes_would_make_it_a_character() {
        assert_eq!(unfinished("ü".as_bytes()), 0);
        assert_eq!(unfinished(b"a\xc3"), 1);
        assert_eq!(unfinished(b"\xe2\x82"), 2);
        assert_eq!(unfinished(b"\xf0\x9f\x98"), 3);
        assert_eq!(unfinished("😀".as_bytes()), 0);
        assert_eq!(unfinished(b"\xff"), 0);
        assert_eq!(unfinished(b"\x80\x80\x80"), 0);
        assert_eq!(unfinished(b"\xc3a"), 0);
        assert_eq!(unfinished(b""), 0);
    }
}

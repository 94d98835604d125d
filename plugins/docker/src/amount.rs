//! Times and sizes as people write them: `1m30s`, `512m`, `0.5`. Pure.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use windlass_sdk::Error;

use crate::error::validation;

/// A value that models write now as a string, now as a number.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Scalar {
    Text(String),
    Whole(i64),
    Fraction(f64),
    Truth(bool),
}

/// A length of time, and how many milliseconds it is.
const TIMES: [(&str, f64); 6] =
    [("us", 0.001), ("ms", 1.0), ("s", 1e3), ("m", 6e4), ("h", 3.6e6), ("d", 8.64e7)];

/// A letter before the `b` of bytes, and how many it means.
const SIZES: [(char, u64); 4] = [('k', 1 << 10), ('m', 1 << 20), ('g', 1 << 30), ('t', 1 << 40)];

/// Milliseconds: `30s`, `1m30s`, `500ms`, or a number of seconds.
pub(crate) fn duration_ms(field: &str, text: &str) -> Result<u64, Error> {
    match milliseconds(text.trim()) {
        Some(ms) if ms.is_finite() && ms >= 0.0 => Ok(ms.round() as u64),
        _ => Err(validation(
            field,
            format!("`{field}` is `{text}`: give a time such as `30s`, `1m30s` or `500ms`"),
        )),
    }
}

fn milliseconds(text: &str) -> Option<f64> {
    if let Ok(seconds) = number(text) {
        return Some(seconds * 1e3);
    }
    let (mut rest, mut total) = (text, 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|it: char| !it.is_ascii_digit() && it != '.')?;
        let (count, after) = rest.split_at_checked(digits)?;
        let letters = after.find(|it: char| !it.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(letters)?;
        let (_, factor) = TIMES.iter().find(|(name, _)| *name == unit)?;
        total += number(count).ok()? * factor;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

/// Bytes: `512m`, `1.5g`, `64KiB`, or a number of them.
pub(crate) fn bytes(field: &str, text: &str) -> Result<u64, Error> {
    size(text.trim()).ok_or_else(|| {
        validation(
            field,
            format!(
                "`{field}` is `{text}`: give a size such as `512m`, `1.5g` or a number of bytes"
            ),
        )
    })
}

fn size(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let bare = lower.strip_suffix("ib").or_else(|| lower.strip_suffix('b')).unwrap_or(&lower);
    let unit =
        SIZES.iter().find_map(|&(letter, factor)| Some((bare.strip_suffix(letter)?, factor)));
    let (count, factor) = unit.unwrap_or((bare, 1));
    let bytes = number(count.trim_end()).ok()? * factor as f64;
    (bytes >= 0.0 && bytes < u64::MAX as f64).then_some(bytes as u64)
}

/// Billionths of a processor: `0.5`, `2`.
pub(crate) fn nano_cpus(field: &str, text: &str) -> Result<u64, Error> {
    match number(text.trim()) {
        Ok(cpus) if cpus > 0.0 && cpus < 1e6 => Ok((cpus * 1e9).round() as u64),
        _ => Err(validation(
            field,
            format!("`{field}` is `{text}`: give a number of processors above zero, such as `0.5`"),
        )),
    }
}

/// Digits with at most one point. What else Rust takes for a number, such as `inf`, is none here.
fn number(text: &str) -> Result<f64, ()> {
    let plain = text.starts_with(|it: char| it.is_ascii_digit() || it == '.')
        && text.chars().all(|it| it.is_ascii_digit() || it == '.');
    if plain { text.parse().map_err(|_| ()) } else { Err(()) }
}

/// Shorter than the schemas of its variants. There are models whose interface refuses a list of types in the place of one.
impl JsonSchema for Scalar {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]})
    }
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(text),
            Self::Whole(number) => number.fmt(formatter),
            Self::Fraction(number) => number.fmt(formatter),
            Self::Truth(truth) => truth.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_people_write_it() {
        let check = |text: &str, ms| assert_eq!(duration_ms("it", text).ok(), ms, "{text}");
        check("30s", Some(30_000));
        check("1m30s", Some(90_000));
        check("1h2m3s4ms", Some(3_723_004));
        check("2.5s", Some(2_500));
        check("30", Some(30_000));
        check("0.5", Some(500));
        check("0", Some(0));
        check("1500us", Some(2));
        for wrong in ["", "s", "-1s", "1x", "1s2", "inf", "1e3", "1.2.3s", "1 s", "nan", "ms"] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_size_is_read_as_people_write_it() {
        let check = |text: &str, count| assert_eq!(bytes("it", text).ok(), count, "{text}");
        check("512m", Some(512 << 20));
        check("512MB", Some(512 << 20));
        check("512MiB", Some(512 << 20));
        check("1.5g", Some(3 << 29));
        check("64k", Some(64 << 10));
        check("100", Some(100));
        check("100b", Some(100));
        check("1 gb", Some(1 << 30));
        for wrong in ["", "m", "-1", "1x", "inf", "9999999999999t", "b"] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_share_of_a_processor_is_above_zero() {
        let check = |text: &str, nano| assert_eq!(nano_cpus("it", text).ok(), nano, "{text}");
        check("0.5", Some(500_000_000));
        check("2", Some(2_000_000_000));
        for wrong in ["0", "-1", "", "all", "inf"] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_scalar_is_whatever_was_written() {
        let check = |json: &str, text: &str| {
            let scalar: Scalar = serde_json::from_str(json).unwrap();
            assert_eq!(scalar.to_string(), text);
        };
        check("\"a\"", "a");
        check("80", "80");
        check("0.5", "0.5");
        check("true", "true");
    }
}

//! A value and where it stands, as what it should be: texts, numbers, flags, lists, sizes, times.
//!
//! What variables were put into is a text, so whatever should be a number or a flag may be written as a text.

use serde_json::Value;
use windlass_sdk::Error;

use super::yaml::scalar;

/// A value, and the path of keys that leads to it.
#[derive(Clone, Debug)]
pub(crate) struct Node<'a> {
    pub(crate) value: &'a Value,
    pub(crate) path: String,
}

impl<'a> Node<'a> {
    pub(crate) fn new(value: &'a Value, path: impl Into<String>) -> Self {
        Self { value, path: path.into() }
    }

    /// That it is wrong, and why.
    pub(crate) fn wrong(&self, why: impl AsRef<str>) -> Error {
        Error::invalid(format!("`{}`: {}", self.path, why.as_ref()))
    }

    /// What stands under a key. What is null is not there.
    pub(crate) fn get(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(Self::new(value, self.below(key)))
    }

    fn below(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// What stands under a key that must be there.
    pub(crate) fn need(&self, key: &str) -> Result<Self, Error> {
        self.get(key).ok_or_else(|| self.wrong(format!("`{key}` is missing")))
    }

    pub(crate) fn text(&self) -> Result<String, Error> {
        scalar(self.value).ok_or_else(|| self.wrong("it is a text"))
    }

    /// The text under a key, if there is one.
    pub(crate) fn text_at(&self, key: &str) -> Result<Option<String>, Error> {
        self.get(key).map(|it| it.text()).transpose()
    }

    pub(crate) fn flag(&self) -> Result<bool, Error> {
        match self.text()?.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" | "1" => Ok(true),
            "false" | "no" | "off" | "n" | "0" => Ok(false),
            _ => Err(self.wrong("it is `true` or `false`")),
        }
    }

    /// The flag under a key; what is not there is false.
    pub(crate) fn flag_at(&self, key: &str) -> Result<bool, Error> {
        self.get(key).map_or(Ok(false), |it| it.flag())
    }

    pub(crate) fn number<T: std::str::FromStr>(&self) -> Result<T, Error> {
        self.text()?.trim().parse().map_err(|_| self.wrong("it is no number that fits"))
    }

    pub(crate) fn number_at<T: std::str::FromStr>(&self, key: &str) -> Result<Option<T>, Error> {
        self.get(key).map(|it| it.number()).transpose()
    }

    /// The items of a list, each with its place.
    pub(crate) fn items(&self) -> Result<Vec<Self>, Error> {
        let Value::Array(items) = self.value else { return Err(self.wrong("it is a list")) };
        let numbered = items.iter().enumerate();
        Ok(numbered.map(|(at, item)| Self::new(item, format!("{}[{at}]", self.path))).collect())
    }

    pub(crate) fn items_at(&self, key: &str) -> Result<Vec<Self>, Error> {
        self.get(key).map_or(Ok(Vec::new()), |it| it.items())
    }

    /// The items of a list, or the one that stands without a list.
    pub(crate) fn one_or_more_at(&self, key: &str) -> Result<Vec<Self>, Error> {
        match self.get(key) {
            Some(node) if node.value.is_array() => node.items(),
            one => Ok(one.into_iter().collect()),
        }
    }

    /// The texts of a list, or of the one that stands without a list.
    pub(crate) fn texts_at(&self, key: &str) -> Result<Vec<String>, Error> {
        self.one_or_more_at(key)?.iter().map(Self::text).collect()
    }

    /// The entries of a map, those too that are null.
    pub(crate) fn entries(&self) -> Result<Vec<(&'a str, Self)>, Error> {
        let Value::Object(map) = self.value else { return Err(self.wrong("it is a map")) };
        Ok(map
            .iter()
            .map(|(key, value)| (key.as_str(), Self::new(value, self.below(key))))
            .collect())
    }

    pub(crate) fn entries_at(&self, key: &str) -> Result<Vec<(&'a str, Self)>, Error> {
        self.get(key).map_or(Ok(Vec::new()), |it| it.entries())
    }

    /// Names and values, from a map or from a list of `name=value`. None: the name stands alone.
    pub(crate) fn pairs(&self) -> Result<Vec<(String, Option<String>)>, Error> {
        if self.value.is_array() {
            let split = |item: Self| {
                let text = item.text()?;
                Ok(match text.split_once('=') {
                    Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                    None => (text, None),
                })
            };
            return self.items()?.into_iter().map(split).collect();
        }
        let named = |(name, node): (&str, Self)| {
            let value = if node.value.is_null() { None } else { Some(node.text()?) };
            Ok((name.to_owned(), value))
        };
        self.entries()?.into_iter().map(named).collect()
    }

    /// The same, where a name that stands alone has an empty value.
    pub(crate) fn pairs_at(&self, key: &str) -> Result<Vec<(String, String)>, Error> {
        let pairs = self.get(key).map_or(Ok(Vec::new()), |it| it.pairs())?;
        Ok(pairs.into_iter().map(|(name, value)| (name, value.unwrap_or_default())).collect())
    }

    /// A number of bytes: `512m`, `1.5gb`, or a number alone. A kilobyte has 1,024, as everywhere in the engine.
    pub(crate) fn bytes(&self) -> Result<u64, Error> {
        bytes(&self.text()?).ok_or_else(|| self.wrong("it is a size such as `512m`"))
    }

    pub(crate) fn bytes_at(&self, key: &str) -> Result<Option<u64>, Error> {
        self.get(key).map(|it| it.bytes()).transpose()
    }

    /// A time in milliseconds: `1m30s`, `500ms`.
    pub(crate) fn ms(&self) -> Result<u64, Error> {
        ms(&self.text()?).ok_or_else(|| self.wrong("it is a time such as `1m30s`"))
    }

    pub(crate) fn ms_at(&self, key: &str) -> Result<Option<u64>, Error> {
        self.get(key).map(|it| it.ms()).transpose()
    }
}

fn bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.trim_end_matches(|sign: char| sign.is_ascii_alphabetic() || sign == ' ');
    let factor: u64 = match text.strip_prefix(digits)?.trim() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        _ => return None,
    };
    if !digits.chars().all(|sign| sign.is_ascii_digit() || sign == '.') {
        return None;
    }
    if let Ok(whole) = digits.parse::<u64>() {
        return whole.checked_mul(factor);
    }
    let number = digits.parse::<f64>().ok().filter(|it| (0.0..1e12).contains(it))?;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "it is positive, and parts of a byte do not matter"
    )]
    Some((number * factor as f64) as u64)
}

fn ms(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    if rest == "0" {
        return Some(0);
    }
    let mut total = 0.0_f64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|sign: char| !sign.is_ascii_digit() && sign != '.')?;
        let (number, after) = rest.split_at(end);
        let (unit, after) = match after.find(|sign: char| sign.is_ascii_digit()) {
            Some(end) => after.split_at(end),
            None => (after, ""),
        };
        let factor = match unit {
            "ns" => 1e-6,
            "us" | "µs" => 1e-3,
            "ms" => 1.0,
            "s" => 1e3,
            "m" => 6e4,
            "h" => 3.6e6,
            "d" => 8.64e7,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * factor;
        rest = after;
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is positive, and was compared with a bound"
    )]
    (total < 1e15).then(|| total.round() as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sizes_are_those_of_the_engine() {
        assert_eq!(bytes("1024"), Some(1024));
        assert_eq!(bytes("512m"), Some(512 << 20));
        assert_eq!(bytes("1.5gb"), Some(3 << 29));
        assert_eq!(bytes("2 KiB"), Some(2048));
        assert_eq!(bytes("0b"), Some(0));
        for wrong in ["", "m", "5x", "-1", "1e5", "99999999999999999999", "99999999999t"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn times_are_those_of_compose() {
        assert_eq!(ms("1m30s"), Some(90_000));
        assert_eq!(ms("1h5m30s20ms"), Some(3_930_020));
        assert_eq!(ms("1.5s"), Some(1_500));
        assert_eq!(ms("40us"), Some(0));
        assert_eq!(ms("0"), Some(0));
        for wrong in ["", "5", "s", "1x", "1s2", "-1s", "1..2s", "99999999999999999999h"] {
            assert_eq!(ms(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        let value = json!({"a": {"b": [1, {"c": "x"}]}});
        let node = Node::new(&value, "");
        let items = node.get("a").unwrap().items_at("b").unwrap();
        let error = items.last().unwrap().number_at::<u32>("c").unwrap_err();
        assert_eq!(error.message, "`a.b[1].c`: it is no number that fits");
        assert!(items.first().unwrap().flag().unwrap());
    }

    #[test]
    fn pairs_are_maps_or_lists() {
        let value = json!({"map": {"a": 1, "b": null}, "list": ["a=1=2", "b"]});
        let node = Node::new(&value, "");
        let pairs = |key: &str| node.get(key).unwrap().pairs().unwrap();
        let text = |it: &str| Some(it.to_owned());
        assert_eq!(pairs("map"), [("a".to_owned(), text("1")), ("b".to_owned(), None)]);
        assert_eq!(pairs("list"), [("a".to_owned(), text("1=2")), ("b".to_owned(), None)]);
    }
}

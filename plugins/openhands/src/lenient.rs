//! Reading JSON that somebody hostile may have written: what is of no interest is passed over and never held, however it
//! looks, and texts are cut. A document of a megabyte would else become values of a hundred.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use crate::trajectory::shortened;

/// A longer text is cut.
const LONGEST: usize = 16 << 10;

/// A text; anything else is none. `true` and `false` are texts as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) Option<String>);

/// An object; anything else is an empty one.
#[derive(Debug, Default)]
pub(crate) struct Part<T>(pub(crate) T);

/// A list, of which each item is looked at by itself and then forgotten. Anything else is an empty one.
pub(crate) trait Items {
    type Item: for<'de> Deserialize<'de>;

    /// Takes the next one.
    fn take(&mut self, item: Self::Item);

    /// Takes a text that stands in place of the list.
    fn take_text(&mut self, _: &str) {}
}

impl Word {
    /// The text, without the space around it, if there is any.
    pub(crate) fn text(&self) -> Option<&str> {
        self.0.as_deref().map(str::trim).filter(|text| !text.is_empty())
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Words)
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Part<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Parts(PhantomData)).map(Part)
    }
}

/// Reads a list item by item.
pub(crate) fn read_items<'de, D: Deserializer<'de>, T: Items + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    deserializer.deserialize_any(Lists(PhantomData))
}

struct Words;
struct Parts<T>(PhantomData<T>);
struct Lists<T>(PhantomData<T>);

/// What each of them does with what it does not want.
macro_rules! pass_over {
    ($nothing:expr; $($method:ident($kind:ty)),*) => {
        $(fn $method<E: Error>(self, _: $kind) -> Result<Self::Value, E> {
            Ok($nothing)
        })*

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok($nothing)
        }
    };
}

impl<'de> Visitor<'de> for Words {
    type Value = Word;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("anything")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Word, E> {
        Ok(Word(Some(shortened(text, LONGEST))))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Word, E> {
        Ok(Word(Some(value.to_string())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Word, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Word(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Word, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Word(None))
    }

    pass_over!(Word(None); visit_i64(i64), visit_u64(u64), visit_f64(f64));
}

impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for Parts<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(entries))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<T, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(T::default())
    }

    pass_over!(T::default(); visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));
}

impl<'de, T: Items + Default> Visitor<'de> for Lists<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("anything")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<T, A::Error> {
        let mut taken = T::default();
        while let Some(item) = items.next_element()? {
            taken.take(item);
        }
        Ok(taken)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<T, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(T::default())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        let mut taken = T::default();
        taken.take_text(text);
        Ok(taken)
    }

    pass_over!(T::default(); visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: Option<&str>) {
        let word: Word = serde_json::from_str(json).unwrap();
        assert_eq!(word.0.as_deref(), expected, "{json}");
    }

    #[test]
    fn anything_is_read_and_only_texts_are_kept() {
        check("\"a\"", Some("a"));
        check("false", Some("false"));
        for other in ["1", "-1", "1.5", "null", "[1,[\"a\"]]", "{\"a\":{\"b\":1}}"] {
            check(other, None);
        }
        let long: Word = serde_json::from_str(&format!("\"{}\"", "x".repeat(1 << 20))).unwrap();
        assert!(long.0.unwrap().len() <= LONGEST + 3);
    }
}

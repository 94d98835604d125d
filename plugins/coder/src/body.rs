//! Answers as they come in: small ones are read whole, long ones piece by piece.

use std::{
    fmt,
    io::{self, Chain, Cursor, Read as _},
    marker::PhantomData,
};

use serde::{
    Deserialize,
    de::{
        DeserializeOwned, DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
    },
};
use windlass_sdk::http::{Reader, Response};

/// What is longer is never held as a whole. Thousands of agents are shorter, and what is whole is read three times as fast.
const WHOLE: u64 = 8 << 20;

/// The body of an answer.
pub(crate) enum Body<'a> {
    Whole(Vec<u8>),
    Long(Chain<Cursor<Vec<u8>>, Reader<'a>>),
}

impl<'a> Body<'a> {
    pub(crate) fn of(answer: &'a Response) -> io::Result<Self> {
        let mut begin = Vec::new();
        let mut reader = answer.reader();
        reader.by_ref().take(WHOLE).read_to_end(&mut begin)?;
        let is_whole = begin.len() as u64 != WHOLE;
        Ok(if is_whole { Self::Whole(begin) } else { Self::Long(Cursor::new(begin).chain(reader)) })
    }

    pub(crate) fn parse<T: DeserializeOwned>(self) -> serde_json::Result<T> {
        match self {
            Self::Whole(bytes) => serde_json::from_slice(&bytes),
            Self::Long(reader) => serde_json::from_reader(reader),
        }
    }

    /// Gives each element of a list, which stands alone or as a field of an object; and what the object says of how many
    /// there are in all.
    pub(crate) fn each<T: DeserializeOwned>(
        self,
        field: &'static str,
        take: &mut dyn FnMut(T),
    ) -> serde_json::Result<Option<u64>> {
        let elements = Elements { field, take, kind: PhantomData };
        match self {
            Self::Whole(bytes) => {
                let mut from = serde_json::Deserializer::from_slice(&bytes);
                let count = elements.deserialize(&mut from)?;
                from.end().map(|()| count)
            }
            Self::Long(reader) => {
                let mut from = serde_json::Deserializer::from_reader(reader);
                let count = elements.deserialize(&mut from)?;
                from.end().map(|()| count)
            }
        }
    }
}

struct Elements<'a, T> {
    field: &'static str,
    take: &'a mut dyn FnMut(T),
    kind: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Elements<'_, T> {
    type Value = Option<u64>;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Option<u64>, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Elements<'_, T> {
    type Value = Option<u64>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a list, or an object with the list `{}`", self.field)
    }

    fn visit_unit<E>(self) -> Result<Option<u64>, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Option<u64>, A::Error> {
        while let Some(element) = elements.next_element()? {
            (self.take)(element);
        }
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Option<u64>, A::Error> {
        let (mut found, mut count) = (false, None);
        while let Some(field) = fields.next_key::<String>()? {
            if field == self.field {
                found = true;
                let kind = PhantomData;
                fields.next_value_seed(Elements {
                    field: self.field,
                    take: &mut *self.take,
                    kind,
                })?;
            } else if field == "count" {
                count = fields.next_value()?;
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        if found { Ok(count) } else { Err(A::Error::missing_field(self.field)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&[u32]>) {
        let mut found = Vec::new();
        let read = Body::Whole(text.into()).each("all", &mut |number: u32| found.push(number));
        assert_eq!(read.is_ok().then_some(found.as_slice()), expected, "{text}");
    }

    #[test]
    fn elements_come_from_a_list_wherever_it_stands() {
        check("[1, 2]", Some(&[1, 2]));
        check(r#"{"count": 2, "all": [1, 2], "more": [3]}"#, Some(&[1, 2]));
        check(r#"{"all": null}"#, Some(&[]));
        check("null", Some(&[]));
        check(r#"{"message": "no"}"#, None);
        check("[1, 2", None);
        check("[1] 2", None);
        check("<html>", None);
    }
}

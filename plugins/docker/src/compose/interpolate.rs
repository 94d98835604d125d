//! Variables in values: `$NAME`, `${NAME}` and its forms with a default, an alternative or an error.
//!
//! Where a variable comes from is the caller's.

use std::collections::BTreeSet;

use serde_json::Value;
use windlass_sdk::Error;

/// How deep a default may hold another variable.
const DEEPEST: usize = 20;
/// A text that variables make longer than this is no value of a Compose file.
const LONGEST: usize = 1 << 20;

/// Puts the values of variables in place, and notes those that are not set.
pub(crate) struct Interpolation<'a> {
    pub(crate) lookup: &'a dyn Fn(&str) -> Option<String>,
    /// Names of variables that are not set and have no default.
    pub(crate) unset: BTreeSet<String>,
    /// How much text the values may still grow by.
    pub(crate) room: usize,
}

impl<'a> Interpolation<'a> {
    pub(crate) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup, unset: BTreeSet::new(), room: 4 * LONGEST }
    }

    /// A value with all its texts interpolated. Keys are as they are.
    pub(crate) fn value(&mut self, value: Value, path: &str) -> Result<Value, Error> {
        Ok(match value {
            Value::String(text) => Value::String(self.text(&text, path)?),
            Value::Array(items) => {
                let numbered = items.into_iter().enumerate();
                let items = numbered.map(|(at, item)| self.value(item, &format!("{path}[{at}]")));
                items.collect::<Result<Vec<_>, _>>()?.into()
            }
            Value::Object(map) => {
                let entries = map.into_iter().map(|(key, value)| {
                    let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    Ok((key, self.value(value, &below)?))
                });
                Value::Object(entries.collect::<Result<_, Error>>()?)
            }
            scalar => scalar,
        })
    }

    /// A text interpolated.
    pub(crate) fn text(&mut self, text: &str, path: &str) -> Result<String, Error> {
        if !text.contains('$') {
            return Ok(text.to_owned());
        }
        self.expand(text, 0).map_err(|why| Error::invalid(format!("`{path}`: {why}")))
    }

    fn expand(&mut self, text: &str, depth: usize) -> Result<String, String> {
        if depth > DEEPEST {
            return Err("its variables are nested too deeply".to_owned());
        }
        let mut whole = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            let (before, from) = rest.split_at(at);
            whole.push_str(before);
            let after = from.strip_prefix('$').unwrap_or_default();
            rest = self.one(after, &mut whole, depth)?;
        }
        whole.push_str(rest);
        self.room = match self.room.checked_sub(whole.len()) {
            Some(room) if whole.len() <= LONGEST => room,
            _ => return Err("its variables make too long a text".to_owned()),
        };
        Ok(whole)
    }

    /// What comes after a `$`: adds what it stands for, and gives what follows.
    fn one<'t>(
        &mut self,
        after: &'t str,
        whole: &mut String,
        depth: usize,
    ) -> Result<&'t str, String> {
        if let Some(rest) = after.strip_prefix('$') {
            whole.push('$');
            return Ok(rest);
        }
        if let Some(inner) = after.strip_prefix('{') {
            let end = closing(inner)
                .ok_or_else(|| format!("`${after}` has no `}}`: write `$$` for a dollar sign"))?;
            let (inner, rest) = inner.split_at(end);
            let value = self.braced(inner, depth)?;
            whole.push_str(&value);
            return Ok(rest.strip_prefix('}').unwrap_or(rest));
        }
        let name = leading_name(after);
        if name.is_empty() {
            return Err(format!("`${after}` names no variable: write `$$` for a dollar sign"));
        }
        let value = self.plain(name);
        whole.push_str(&value);
        Ok(after.strip_prefix(name).unwrap_or_default())
    }

    fn plain(&mut self, name: &str) -> String {
        (self.lookup)(name).unwrap_or_else(|| {
            self.unset.insert(name.to_owned());
            String::new()
        })
    }

    fn braced(&mut self, inner: &str, depth: usize) -> Result<String, String> {
        let name = leading_name(inner);
        let rest = inner.strip_prefix(name).unwrap_or_default();
        if name.is_empty() {
            return Err(format!("`${{{inner}}}` names no variable"));
        }
        let value = (self.lookup)(name);
        let (colon, rest) = rest.strip_prefix(':').map_or((false, rest), |rest| (true, rest));
        let found = value.filter(|value| !colon || !value.is_empty());
        let mut signs = rest.chars();
        let (sign, word) = (signs.next(), signs.as_str());
        match sign {
            None if !colon => Ok(self.plain(name)),
            Some('-') => found.map_or_else(|| self.expand(word, depth + 1), Ok),
            Some('+') => found.map_or_else(|| Ok(String::new()), |_| self.expand(word, depth + 1)),
            Some('?') => match found {
                Some(value) => Ok(value),
                None => Err(self.missing(name, word, depth)?),
            },
            _ => Err(format!(
                "`${{{inner}}}` is no form that is known: `-`, `+` or `?` stands after the name, each with a `:` before it or without"
            )),
        }
    }

    fn missing(&mut self, name: &str, word: &str, depth: usize) -> Result<String, String> {
        let why = self.expand(word, depth + 1)?;
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        Ok(format!("the variable `{name}` is required, give it in `environment`{why}"))
    }
}

fn leading_name(text: &str) -> &str {
    let is_first = |sign: char| sign.is_ascii_alphabetic() || sign == '_';
    if !text.starts_with(is_first) {
        return "";
    }
    let end = text.find(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_');
    text.split_at(end.unwrap_or(text.len())).0
}

/// Where the `}` is that closes what was opened before this text.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    let mut signs = text.char_indices().peekable();
    while let Some((at, sign)) = signs.next() {
        match sign {
            '$' if signs.next_if(|(_, next)| *next == '$').is_some() => {}
            '$' if signs.next_if(|(_, next)| *next == '{').is_some() => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lookup(name: &str) -> Option<String> {
        match name {
            "SET" => Some("value".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut interpolation = Interpolation::new(&lookup);
        assert_eq!(interpolation.text(text, "it").unwrap(), expected, "{text}");
    }

    #[track_caller]
    fn refused(text: &str, because: &str) {
        let error = Interpolation::new(&lookup).text(text, "services.web.image").unwrap_err();
        assert!(error.message.contains(because), "{}", error.message);
        assert!(error.message.starts_with("`services.web.image`: "), "{}", error.message);
    }

    #[test]
    fn each_form_is_what_compose_has() {
        check("$SET-${SET}", "value-value");
        check("a${EMPTY}b$NONE", "ab");
        check("${SET-x} ${EMPTY-x} ${NONE-x}", "value  x");
        check("${SET:-x} ${EMPTY:-x} ${NONE:-x}", "value x x");
        check("${SET+x} ${EMPTY+x} ${NONE+x}", "x x ");
        check("${SET:+x} ${EMPTY:+x} ${NONE:+x}", "x  ");
        check("${SET?x} ${EMPTY?x} ${SET:?x}", "value  value");
        check("$$SET $${SET} 5$$", "$SET ${SET} 5$");
        check("${NONE:-${SET}s} ${NONE-${A:-${B:-deep}}}", "values deep");
        check("${NONE:-a}}", "a}");
        check("${NONE:-http://x:80/?a=b}", "http://x:80/?a=b");
    }

    #[test]
    fn what_is_missing_or_no_form_is_an_error_at_its_place() {
        refused(
            "${NONE:?say which}",
            "the variable `NONE` is required, give it in `environment`: say which",
        );
        refused("${EMPTY:?}", "the variable `EMPTY` is required, give it in `environment`");
        refused("${NONE?${SET}}", ": value");
        refused("${SET", "has no `}`");
        refused("a $ b", "names no variable");
        refused("${}", "names no variable");
        refused("${SET!x}", "is no form that is known");
        refused("${SET:}", "is no form that is known");
        refused(&"${A:-".repeat(40), "has no `}`");
        refused(&format!("{}{}", "${A:-".repeat(40), "}".repeat(40)), "nested too deeply");
    }

    #[test]
    fn values_are_interpolated_wherever_they_are_and_keys_are_not() {
        let mut interpolation = Interpolation::new(&lookup);
        let value = json!({"$SET": ["$SET", 5, {"a": "${NONE}"}]});
        let expected = json!({"$SET": ["value", 5, {"a": ""}]});
        assert_eq!(interpolation.value(value, "").unwrap(), expected);
        assert_eq!(interpolation.unset.into_iter().collect::<Vec<_>>(), ["NONE"]);
    }

    #[test]
    fn values_cannot_grow_without_end() {
        let long = |_: &str| Some("x".repeat(LONGEST / 2));
        let mut interpolation = Interpolation::new(&long);
        assert!(interpolation.text("$A$A$A", "it").is_err());
        let many: Vec<_> = (0..100).map(|_| json!("$A")).collect();
        assert!(interpolation.value(many.into(), "it").is_err());
    }
}

//! Files of variables, as `.env` and `env_file` are: `NAME=value`, quotes, comments, and variables in values.

use std::collections::BTreeMap;

use windlass_sdk::Error;

use super::interpolate::Interpolation;

/// The variables of a file. None: the name stands alone, and its value comes from elsewhere.
pub(crate) type Variables = BTreeMap<String, Option<String>>;

/// More is a mistake, or a file that multiplies itself.
const LARGEST: usize = 4 << 20;

/// Reads a file's text. Its values may name variables of `lookup`, and those that stand above them.
pub(crate) fn parse(
    text: &str,
    name: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Variables, Error> {
    let mut variables = Variables::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut line, mut size) = (1, 0);
    while !rest.is_empty() {
        let before = rest;
        if let Some((key, value, after)) = entry(rest).map_err(|why| wrong(name, line, why))? {
            let value = match value {
                None => None,
                Some(Written::Literal(text)) => Some(text),
                Some(Written::Open(text)) => {
                    let known = |wanted: &str| {
                        lookup(wanted).or_else(|| variables.get(wanted).cloned().flatten())
                    };
                    Some(Interpolation::new(&known).text(&text, &format!("{name}: {key}"))?)
                }
            };
            size += value.as_ref().map_or(0, String::len);
            if size > LARGEST {
                return Err(wrong(name, line, "the values together are more than 4 MiB"));
            }
            variables.insert(key, value);
            rest = after;
        } else {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
        }
        let read = before.len() - rest.len();
        line += before.split_at(read).0.matches('\n').count();
    }
    Ok(variables)
}

/// A value as it is written.
enum Written {
    /// In single quotes: as it stands.
    Literal(String),
    /// With variables to be put in place.
    Open(String),
}

fn wrong(name: &str, line: usize, why: &str) -> Error {
    Error::invalid(format!("`{name}`, line {line}: {why}"))
}

/// A name, its value, and the text after both.
type Entry<'a> = (String, Option<Written>, &'a str);

/// The entry that a text starts with, and what follows it. None: the line is empty or a comment.
fn entry(text: &str) -> Result<Option<Entry<'_>>, &'static str> {
    let line = text.split('\n').next().unwrap_or_default();
    let trimmed = line.trim();
    if trimmed.is_empty() || trimmed.starts_with('#') {
        return Ok(None);
    }
    let (key, is_given) = match line.split_once('=') {
        Some((key, _)) => (key, true),
        None => (line, false),
    };
    let begun = text.split_at(key.len()).1;
    let key = key.trim();
    let key = key.strip_prefix("export ").unwrap_or(key).trim();
    if key.is_empty() || key.contains(char::is_whitespace) {
        return Err("a line is `NAME=value`, a name alone, or a comment after `#`");
    }
    if !is_given {
        let after = text.split_once('\n').map_or("", |(_, after)| after);
        return Ok(Some((key.to_owned(), None, after)));
    }
    let value = begun.strip_prefix('=').unwrap_or(begun);
    let value = value.trim_start_matches([' ', '\t']);
    let (value, after) = written(value)?;
    Ok(Some((key.to_owned(), Some(value), after)))
}

fn written(value: &str) -> Result<(Written, &str), &'static str> {
    if let Some(quoted) = value.strip_prefix('\'') {
        let (inner, after) = quoted.split_once('\'').ok_or("a `'` is not closed")?;
        return Ok((Written::Literal(inner.to_owned()), next_line(after)));
    }
    if let Some(quoted) = value.strip_prefix('"') {
        let (inner, after) = double_quoted(quoted).ok_or("a `\"` is not closed")?;
        return Ok((Written::Open(inner), next_line(after)));
    }
    let (line, after) = value.split_once('\n').unwrap_or((value, ""));
    let end = line.find(" #").or_else(|| line.find("\t#")).unwrap_or(line.len());
    let line = if line.starts_with('#') { "" } else { line.split_at(end).0 };
    Ok((Written::Open(line.trim().to_owned()), after))
}

fn next_line(text: &str) -> &str {
    text.split_once('\n').map_or("", |(_, after)| after)
}

/// What stands before the next quote, with its escapes resolved.
fn double_quoted(text: &str) -> Option<(String, &str)> {
    let mut whole = String::new();
    let mut signs = text.char_indices();
    while let Some((at, sign)) = signs.next() {
        match sign {
            '"' => return Some((whole, text.split_at(at + 1).1)),
            '\\' => match signs.next()?.1 {
                'n' => whole.push('\n'),
                'r' => whole.push('\r'),
                't' => whole.push('\t'),
                // A dollar sign that names no variable.
                '$' => whole.push_str("$$"),
                other => whole.push(other),
            },
            other => whole.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        (name == "HOST").then(|| "there".to_owned())
    }

    #[test]
    fn a_file_is_read_as_compose_does() {
        let text = "\u{feff}# a comment\n\nA=1\nexport B = two words # why\nC='$HOST # \nsecond'\r\n\
            D=\"${HOST}\\n\\$x \\\"q\\\"\"\nE=${A}-${HOST:-x}\nF=\nG\nH=a#b\nA=3\nI=#none";
        let variables = parse(text, ".env", &lookup).unwrap();
        let expected = [
            ("A", Some("3")),
            ("B", Some("two words")),
            ("C", Some("$HOST # \nsecond")),
            ("D", Some("there\n$x \"q\"")),
            ("E", Some("1-there")),
            ("F", Some("")),
            ("G", None),
            ("H", Some("a#b")),
            ("I", Some("")),
        ];
        let found: Vec<_> =
            variables.iter().map(|(key, it)| (key.as_str(), it.as_deref())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_cannot_be_read_is_named_by_its_line() {
        let error = parse("A=1\nB='x\n\nC=2", "a.env", &lookup).unwrap_err();
        assert_eq!(error.message, "`a.env`, line 2: a `'` is not closed");
        let error = parse("A='x\ny'\nno name=1", "a.env", &lookup).unwrap_err();
        assert!(error.message.starts_with("`a.env`, line 3: a line is"), "{}", error.message);
    }
}

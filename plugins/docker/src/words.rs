//! Commands and environments, as tools are told of them. Pure.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use windlass_sdk::{Error, types::Value};

use crate::{amount::Scalar, error::validation};

/// A command: a line or its words.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Words {
    Line(String),
    Each(Vec<String>),
}

impl Words {
    /// The words, which a line has where a shell would part it.
    pub(crate) fn split(&self, field: &str) -> Result<Vec<String>, Error> {
        let words = match self {
            Self::Each(words) => Some(words.clone()),
            Self::Line(line) => parted(line),
        };
        words.ok_or_else(|| {
            validation(
                field,
                format!("`{field}` has a quote without a second one: give a list of words"),
            )
        })
    }
}

/// The words of a line, as a shell parts them. A `#` begins no comment: in a command it is a word like any other.
pub(crate) fn parted(line: &str) -> Option<Vec<String>> {
    let (mut plain, mut quote, mut is_start) = (String::new(), None, true);
    let mut signs = line.chars();
    while let Some(sign) = signs.next() {
        if sign == '#' && quote.is_none() && is_start {
            plain.push('\\');
        }
        plain.push(sign);
        is_start = quote.is_none() && sign.is_whitespace();
        match (sign, quote) {
            ('\\', None | Some('"')) => plain.extend(signs.next()),
            ('\'' | '"', None) => quote = Some(sign),
            (sign, Some(open)) if sign == open => quote = None,
            _ => {}
        }
    }
    shlex::split(&plain)
}

/// Variables with these values.
pub(crate) fn plain(values: &BTreeMap<String, Scalar>) -> Result<Vec<(String, Value)>, Error> {
    let named = |(name, value): (&String, &Scalar)| {
        Ok((variable("environment", name)?, Value::Plain(value.to_string())))
    };
    values.iter().map(named).collect()
}

/// Variables whose values are the secrets of these names.
pub(crate) fn secret(secrets: &BTreeMap<String, String>) -> Result<Vec<(String, Value)>, Error> {
    let named = |(name, secret): (&String, &String)| {
        Ok((variable("secrets", name)?, Value::Secret(secret.clone())))
    };
    secrets.iter().map(named).collect()
}

/// The name of a variable, which the engine would take for more if it held a `=`.
fn variable(field: &str, name: &str) -> Result<String, Error> {
    if name.is_empty() || name.contains(['=', '\0']) {
        let message = format!("`{field}` has a variable `{name}`: give a name without `=`");
        return Err(validation(field, message));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_parted_as_a_shell_does() {
        let words = Words::Line("nginx -g 'daemon off;'".to_owned());
        assert_eq!(words.split("command").unwrap(), ["nginx", "-g", "daemon off;"]);
        assert!(Words::Line("'a".to_owned()).split("command").is_err());
        let line = r#"run #1 a#b "it's # in" \# 'x' #"#;
        let words = Words::Line(line.to_owned()).split("command").unwrap();
        assert_eq!(words, ["run", "#1", "a#b", "it's # in", "#", "x", "#"]);
    }

    #[test]
    fn a_variable_is_a_name_and_a_value() {
        let values = |name: &str| BTreeMap::from([(name.to_owned(), Scalar::Whole(3))]);
        let read = plain(&values("A")).unwrap();
        assert!(
            matches!(read.as_slice(), [(name, Value::Plain(value))] if name == "A" && value == "3")
        );
        for wrong in ["", "A=B", "A\0"] {
            assert!(plain(&values(wrong)).is_err(), "{wrong}");
        }
    }
}

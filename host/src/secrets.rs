//! Secrets: where they come from, and the one place that holds their values.
//!
//! No function here gives a value to a plugin: [`Secrets::value`] is for the doors.

use std::{collections::BTreeMap, env, fmt, fs, path::PathBuf};

use anyhow::{Context as _, bail};
use serde::Deserialize;

/// Where a secret's value is to be found.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub enum Reference {
    Environment(String),
    File(PathBuf),
}

/// The values of one plugin's secrets, by name.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// Fetches every value; one that is missing is an error that names its key.
    pub fn fetch(plugin: &str, references: &BTreeMap<String, Reference>) -> anyhow::Result<Self> {
        let fetch = |(name, reference): (&String, &Reference)| {
            let value =
                reference.fetch().with_context(|| format!("plugins.{plugin}.secrets.{name}"))?;
            Ok((name.clone(), value))
        };
        Ok(Self(references.iter().map(fetch).collect::<anyhow::Result<_>>()?))
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

impl Reference {
    fn fetch(&self) -> anyhow::Result<String> {
        let value = match self {
            Self::Environment(name) => env::var(name)
                .with_context(|| format!("the environment variable `{name}` is not set"))?,
            Self::File(path) => fs::read_to_string(path)
                .with_context(|| format!("cannot read `{}`", path.display()))?,
        };
        let value = value.trim();
        if value.is_empty() {
            bail!("the value is empty");
        }
        Ok(value.to_owned())
    }
}

impl TryFrom<String> for Reference {
    type Error = &'static str;

    fn try_from(written: String) -> Result<Self, Self::Error> {
        let variable = written.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        match (variable, written.strip_prefix("file:")) {
            (Some(name), _) => Ok(Self::Environment(name.to_owned())),
            (None, Some(path)) => Ok(Self::File(path.into())),
            (None, None) => Err(
                "a secret is written as a reference, `${NAME}` for an environment variable or `file:/path` for a file, and not as its value",
            ),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(formatter, "${{{name}}}"),
            Self::File(path) => write!(formatter, "file:{}", path.display()),
        }
    }
}

/// Replaces every `${NAME}` by that environment variable, and `${NAME:-text}` by the text where it is not set.
pub fn expand(text: &str) -> anyhow::Result<String> {
    let Some((before, rest)) = text.split_once("${") else { return Ok(text.to_owned()) };
    let (name, after) = rest.split_once('}').with_context(|| format!("`{text}` has no `}}`"))?;
    let (name, otherwise) = match name.split_once(":-") {
        Some((name, otherwise)) => (name, Some(otherwise)),
        None => (name, None),
    };
    let set = env::var(name).ok().filter(|value| !value.is_empty() || otherwise.is_none());
    let value = set.or_else(|| otherwise.map(str::to_owned));
    let value = value.with_context(|| format!("the environment variable `{name}` is not set"))?;
    Ok(format!("{before}{value}{}", expand(after)?))
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let told = expand(text).unwrap_or_else(|error| format!("{error:#}"));
        assert_eq!(told, expected, "{text}");
    }

    /// No test sets a variable: others read the environment meanwhile. Cargo sets one, and nobody the other.
    #[test]
    fn variables_are_replaced_wherever_they_stand() {
        check("plain $ {text}", "plain $ {text}");
        check("", "");
        check("${CARGO_PKG_NAME}", "windlass");
        check("a-${CARGO_PKG_NAME}-${CARGO_PKG_NAME}.b", "a-windlass-windlass.b");
        check("${CARGO_PKG_NAME:-x}", "windlass");
        check("${WINDLASS_NOWHERE:-x}/${WINDLASS_NOWHERE:-y}", "x/y");
        check("${WINDLASS_NOWHERE:-}", "");
        check("${WINDLASS_NOWHERE:-a:-b}", "a:-b");
        check("${WINDLASS_NOWHERE:-a b,c}", "a b,c");
        check("${WINDLASS_NOWHERE}", "the environment variable `WINDLASS_NOWHERE` is not set");
        check("${WINDLASS_NOWHERE-x}", "the environment variable `WINDLASS_NOWHERE-x` is not set");
        check("a${CARGO_PKG_NAME", "`a${CARGO_PKG_NAME` has no `}`");
    }

    #[test]
    fn what_a_variable_holds_is_not_read_again() {
        check("${WINDLASS_NOWHERE:-${CARGO_PKG_NAME}", "${CARGO_PKG_NAME");
    }
}

//! Secrets: where they come from, and the one place that holds their values.
//!
//! No function here gives a value to a plugin: [`Values::value`] is for the doors.

mod file;
mod hidden;

use std::{
    collections::{BTreeMap, VecDeque},
    env, fmt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, ensure};
use arc_swap::ArcSwap;
use serde::Deserialize;

use file::File;

pub use hidden::{hide, masked};

/// How many values that were replaced are masked still. What was replaced more often opens nothing any more, and
/// each one makes masking slower.
const MOST_EARLIER: usize = 64;

/// Where a secret's value is to be found.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub enum Reference {
    Environment(String),
    File(PathBuf),
}

/// The secrets of one plugin. Clones share what they know.
#[derive(Clone, Default)]
pub struct Secrets(Arc<Shared>);

#[derive(Default)]
struct Shared {
    files: Mutex<Vec<File>>,
    values: ArcSwap<Values>,
}

/// The values of one plugin's secrets at one moment, by name.
#[derive(Clone, Default)]
pub struct Values {
    current: BTreeMap<String, String>,
    /// What they took the place of, oldest first.
    earlier: VecDeque<String>,
}

impl Reference {
    /// The value, for what is none of a plugin's.
    pub fn fetch(&self) -> anyhow::Result<String> {
        let value = match self {
            Self::Environment(name) => variable(name)?,
            Self::File(path) => File::new("", String::new(), path).read()?.0,
        };
        hide(&value);
        Ok(value)
    }
}

impl Secrets {
    /// Fetches every value; one that is missing is an error that names its key.
    pub fn fetch(plugin: &str, references: &BTreeMap<String, Reference>) -> anyhow::Result<Self> {
        let (mut files, mut values) = (Vec::new(), Values::default());
        for (name, reference) in references {
            let key = format!("plugins.{plugin}.secrets.{name}");
            let value = match reference {
                Reference::Environment(name) => variable(name).context(key)?,
                Reference::File(path) => {
                    let (value, file) = File::new(name, key.clone(), path).read().context(key)?;
                    files.extend(file);
                    value
                }
            };
            hide(&value);
            values.current.insert(name.clone(), value);
        }
        Ok(Self(Arc::new(Shared {
            files: Mutex::new(files),
            values: ArcSwap::from_pointee(values),
        })))
    }

    /// The same, with what the plugin had before it was loaded again: answers may still hold it.
    #[must_use]
    pub fn after(self, before: &Self) -> Self {
        let mut values = Values::clone(&self.known());
        before.known().all().for_each(|value| values.retire(value));
        self.0.values.store(Arc::new(values));
        self
    }

    /// The values, after a look at the files of which another one may have been written meanwhile.
    pub fn look(&self) -> Arc<Values> {
        let mut files = self.0.files.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.known();
        let mut values = None;
        for file in files.iter_mut() {
            if let Some(value) = file.changed()
                && known.value(file.name()) != Some(&*value)
            {
                hide(&value);
                values.get_or_insert_with(|| Values::clone(&known)).replace(file.name(), value);
                file.tell_of_change();
            }
        }
        let Some(values) = values.map(Arc::new) else { return known };
        self.0.values.store(values.clone());
        values
    }

    /// The values as of the last look. The same ones are at the same address.
    pub fn known(&self) -> Arc<Values> {
        self.0.values.load_full()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.known().current.keys()).finish()
    }
}

impl Values {
    pub fn value(&self, name: &str) -> Option<&str> {
        self.current.get(name).map(String::as_str)
    }

    /// All that nobody may see, also what was replaced, which comes first.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.earlier.iter().chain(self.current.values()).map(String::as_str)
    }

    fn replace(&mut self, name: &str, value: String) {
        if let Some(before) = self.current.insert(name.to_owned(), value) {
            self.retire(&before);
        }
    }

    /// Keeps a value that counts no more, unless it does under another name.
    fn retire(&mut self, value: &str) {
        if self.current.values().any(|known| known == value) {
            return;
        }
        self.earlier.retain(|known| known != value);
        self.earlier.push_back(value.to_owned());
        if self.earlier.len() > MOST_EARLIER {
            self.earlier.pop_front();
        }
    }
}

fn variable(name: &str) -> anyhow::Result<String> {
    let value =
        env::var(name).with_context(|| format!("the environment variable `{name}` is not set"))?;
    trimmed(&value)
}

/// The value alone: editors end files with a line break.
fn trimmed(text: &str) -> anyhow::Result<String> {
    let value = text.trim();
    ensure!(!value.is_empty(), "the value is empty");
    Ok(value.to_owned())
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
    use super::*;

    #[test]
    fn as_many_values_are_remembered_as_are_worth_it() {
        let mut values = Values::default();
        (0..100).for_each(|number| values.replace("token", number.to_string()));
        values.replace("token", "50".to_owned());
        values.replace("other", "7".to_owned());
        let all: Vec<_> = values.all().map(str::to_owned).collect();
        let (earlier, current) = all.split_at(MOST_EARLIER);
        assert_eq!(current, ["7", "50"]);
        assert_eq!(earlier.first().unwrap(), "36");
        assert_eq!(earlier.last().unwrap(), "99");
        assert_eq!(values.value("token"), Some("50"));
    }

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

//! Git's configuration files: read, filtered, written back. Pure.
//!
//! Whoever works in a workspace can write its `.git/config`, and there git finds programs to run (`core.fsmonitor`, filters,
//! helpers) and files to read (`include.path`). So git never reads it: it gets what [`Config::allowed`] lets through.

use std::ops::Range;

use windlass_sdk::Error;

use crate::{Address, failure::validation};

/// No real one is longer.
pub const LONGEST: u32 = 64 << 10;
/// What is let through of sections without a name of their own. None of it is a program or a path.
const ALLOWED: &[(&str, &[&str])] = &[
    (
        "core",
        &[
            "repositoryformatversion",
            "filemode",
            "ignorecase",
            "precomposeunicode",
            "symlinks",
            "autocrlf",
            "eol",
            "safecrlf",
            "logallrefupdates",
            "abbrev",
        ],
    ),
    ("extensions", &["objectformat", "refstorage", "noop"]),
    ("user", &["name", "email"]),
    ("push", &["default", "autosetupremote", "followtags"]),
    ("pull", &["rebase", "ff"]),
    ("merge", &["ff", "conflictstyle", "renames"]),
    ("diff", &["algorithm", "renames", "mnemonicprefix"]),
    ("fetch", &["prune", "prunetags"]),
    ("init", &["defaultbranch"]),
];
/// What would be pushed without being named, or by force, is for whoever pushes to say.
const OF_REMOTES: &[&str] = &["url", "pushurl", "fetch", "tagopt", "prune", "prunetags"];
const OF_BRANCHES: &[&str] = &["remote", "merge", "rebase", "description"];

/// A configuration file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    pub entries: Vec<Entry>,
}

/// One line of it, or several that are continued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// In lower case.
    pub section: String,
    /// What stands in quotes after the section.
    pub subsection: Option<String>,
    /// In lower case.
    pub key: String,
    pub value: String,
    /// Where it stands, counted from 0.
    pub lines: Range<usize>,
    /// Whether the head of its section stands in the same line.
    pub beside_head: bool,
}

impl Config {
    /// Reads a file as git does.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let lines: Vec<&str> = text.trim_start_matches('\u{feff}').split('\n').collect();
        let (mut config, mut head, mut number) = (Self::default(), None, 0);
        while let Some(line) = lines.get(number) {
            let first = number;
            let wrong = || {
                validation(format!(
                    "`.git/config` cannot be read: line {} makes no sense",
                    first + 1
                ))
            };
            let mut rest = line.trim_start();
            let beside_head = rest.starts_with('[');
            if beside_head {
                let (section, after) = read_head(rest).ok_or_else(wrong)?;
                (head, rest) = (Some(section), after.trim_start());
            }
            number += 1;
            if rest.is_empty() || rest.starts_with(['#', ';']) {
                continue;
            }
            let ((section, subsection), (key, rest)) =
                head.clone().zip(read_key(rest)).ok_or_else(wrong)?;
            let (value, more) =
                read_value(rest, lines.get(number..).unwrap_or_default()).ok_or_else(wrong)?;
            number += more;
            config.entries.push(Entry {
                section,
                subsection,
                key,
                value,
                lines: first..number,
                beside_head,
            });
        }
        Ok(config)
    }

    /// All values of a key.
    pub fn values<'a>(
        &'a self,
        section: &'a str,
        subsection: Option<&'a str>,
        key: &'a str,
    ) -> impl Iterator<Item = &'a str> {
        let here = move |entry: &&Entry| {
            entry.section == section
                && entry.subsection.as_deref() == subsection
                && entry.key == key
        };
        self.entries.iter().filter(here).map(|entry| entry.value.as_str())
    }

    /// The value of a key that counts: the last one.
    pub fn value<'a>(
        &'a self,
        section: &'a str,
        subsection: Option<&'a str>,
        key: &'a str,
    ) -> Option<&'a str> {
        self.values(section, subsection, key).last()
    }

    /// The names of the remotes that have an address.
    pub fn remotes(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for entry in
            self.entries.iter().filter(|entry| entry.section == "remote" && entry.key == "url")
        {
            if let Some(name) = entry.subsection.as_deref().filter(|name| !names.contains(name)) {
                names.push(name);
            }
        }
        names
    }

    /// What git may know of it.
    #[must_use]
    pub fn allowed(&self) -> Self {
        let entries = self.entries.iter().filter(|entry| entry.is_allowed()).cloned();
        let allowed = Self { entries: entries.collect() };
        // A branch may name its remote by address, too.
        let remotes = allowed.remotes();
        let known = |entry: &&Entry| {
            entry.section != "branch"
                || entry.key != "remote"
                || entry.value == "."
                || remotes.contains(&entry.value.as_str())
        };
        Self { entries: allowed.entries.iter().filter(known).cloned().collect() }
    }

    /// As a file.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut head = None;
        for entry in &self.entries {
            let here = (entry.section.as_str(), entry.subsection.as_deref());
            if head != Some(here) {
                text.push_str(&crate::writing::head(here.0, here.1));
                head = Some(here);
            }
            text.push_str(&crate::writing::line(&entry.key, &entry.value));
        }
        text
    }
}

impl Entry {
    fn is_allowed(&self) -> bool {
        if self.value.contains(char::is_control) {
            return false;
        }
        match (self.section.as_str(), self.subsection.as_deref()) {
            ("remote", Some(name)) => {
                is_plain(name) && OF_REMOTES.contains(&self.key.as_str()) && self.is_safe_remote()
            }
            ("branch", Some(_)) => OF_BRANCHES.contains(&self.key.as_str()),
            (section, None) => {
                let known = ALLOWED.iter().find(|(known, _)| *known == section);
                known.is_some_and(|(_, keys)| keys.contains(&self.key.as_str()))
            }
            _ => false,
        }
    }

    fn is_safe_remote(&self) -> bool {
        match self.key.as_str() {
            "url" | "pushurl" => Address::new(&self.value).is_ok(),
            "tagopt" => matches!(self.value.as_str(), "--tags" | "--no-tags"),
            _ => !self.value.starts_with('-'),
        }
    }
}

/// Whether it is good as the name of a remote.
pub(crate) fn is_plain(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    let starts = name.starts_with(|letter: char| letter.is_ascii_alphanumeric());
    starts && name.len() <= 100 && name.bytes().all(fits) && !name.contains("..")
}

type Head = (String, Option<String>);

/// `[section]`, `[section "sub"]` or `[section.sub]`, and what comes after it.
fn read_head(text: &str) -> Option<(Head, &str)> {
    let text = text.strip_prefix('[')?;
    let end =
        text.find(|letter: char| !letter.is_ascii_alphanumeric() && !"-.".contains(letter))?;
    let (name, rest) = text.split_at(end);
    let name = name.to_ascii_lowercase();
    if let Some(rest) = rest.strip_prefix(']') {
        let (section, subsection) = match name.split_once('.') {
            Some((section, subsection)) => (section.to_owned(), Some(subsection.to_owned())),
            None => (name, None),
        };
        return Some(((section, subsection), rest));
    }
    let mut letters = rest.trim_start_matches([' ', '\t']).strip_prefix('"')?.chars();
    let mut subsection = String::new();
    loop {
        match letters.next()? {
            '"' => break,
            '\\' => subsection.push(letters.next()?),
            letter => subsection.push(letter),
        }
    }
    Some(((name, Some(subsection)), letters.as_str().strip_prefix(']')?))
}

/// A key in lower case, and what comes after it.
fn read_key(text: &str) -> Option<(String, &str)> {
    let end = text
        .find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-')
        .unwrap_or(text.len());
    let (key, rest) = text.split_at(end);
    key.starts_with(|letter: char| letter.is_ascii_alphabetic())
        .then(|| (key.to_ascii_lowercase(), rest))
}

/// A value, and how many lines after its own belong to it. A key alone means yes.
fn read_value(rest: &str, following: &[&str]) -> Option<(String, usize)> {
    let rest = rest.trim_start_matches([' ', '\t']);
    let Some(rest) = rest.strip_prefix('=') else {
        let ended = rest.trim().is_empty() || rest.starts_with(['#', ';']);
        return ended.then(|| ("true".to_owned(), 0));
    };
    let mut following = following.iter();
    let (mut value, mut solid, mut quoted, mut more) = (String::new(), 0, false, 0);
    let mut letters = rest.trim_start().chars();
    loop {
        match letters.next() {
            None | Some('\r') if letters.as_str().is_empty() => break,
            Some('"') => quoted = !quoted,
            Some('#' | ';') if !quoted => break,
            Some('\\') => match letters.next() {
                None => {
                    letters = following.next()?.chars();
                    more += 1;
                    continue;
                }
                Some(letter) => value.push(escaped(letter)?),
            },
            Some(letter) => {
                value.push(letter);
                if !quoted && matches!(letter, ' ' | '\t') {
                    continue;
                }
            }
            None => break,
        }
        solid = value.len();
    }
    value.truncate(solid);
    (!quoted).then_some((value, more))
}

fn escaped(letter: char) -> Option<char> {
    Some(match letter {
        '"' | '\\' => letter,
        'n' => '\n',
        't' => '\t',
        'b' => '\u{8}',
        _ => return None,
    })
}

#[cfg(test)]
mod tests;

//! Which arguments git may be given. Pure.

use windlass_sdk::Error;

use crate::{failure::validation, table::TABLE};

/// The sub-commands of S1.
pub(crate) const DEFAULT_COMMANDS: [&str; 9] =
    ["add", "commit", "push", "pull", "status", "checkout", "branch", "log", "diff"];
/// Where the repository's files are, as git sees them.
const WORKSPACE: &str = "/workspace";

/// Sub-commands whose first word is a remote repository. Who that may be is checked when it is looked for.
const TALKING: &[&str] = &["fetch", "pull", "push"];

/// An argument that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    /// An option by its whole name, and its value.
    Option(&'static str, Option<String>),
    /// A revision, a remote or a path.
    Word(String),
    /// `--`: what follows are paths.
    Paths,
}

/// What may be given to a sub-command. None: git has one of that name perhaps, but nobody looked at it.
pub(crate) fn of(subcommand: &str) -> Option<impl Iterator<Item = &'static str> + Clone> {
    let (_, groups) = TABLE.iter().find(|(name, _)| *name == subcommand)?;
    Some(groups.iter().flat_map(|group| group.iter().copied()))
}

/// Reads the arguments of a sub-command. What is not in its table is refused, however it is written.
pub(crate) fn read(subcommand: &str, words: &[String]) -> Result<Vec<Argument>, Error> {
    let mut read = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            read.push(Argument::Paths);
            for path in words.by_ref() {
                check_place(path)?;
                read.push(Argument::Word(path.clone()));
            }
        } else if let Some(name) = word.strip_prefix("--") {
            read.push(long(subcommand, name, &mut words)?);
        } else if word.len() > 1 && word.starts_with('-') {
            cluster(subcommand, word, &mut words, &mut read)?;
        } else {
            let names_peer = TALKING.contains(&subcommand) && !read.iter().any(is_word);
            if !names_peer {
                check_place(word)?;
            }
            read.push(Argument::Word(word.clone()));
        }
    }
    Ok(read)
}

fn is_word(argument: &Argument) -> bool {
    matches!(argument, Argument::Word(_))
}

/// As git is given it: just what was understood, and in no other form.
pub(crate) fn written(arguments: &[Argument]) -> Vec<String> {
    let mut words = Vec::new();
    for argument in arguments {
        match argument {
            Argument::Option("-#", Some(number)) => words.push(format!("-{number}")),
            Argument::Option(name, None) => words.push((*name).to_owned()),
            Argument::Option(name, Some(value)) if name.starts_with("--") => {
                words.push(format!("{name}={value}"));
            }
            // An empty value cannot stand beside its option.
            Argument::Option(name, Some(value)) if value.is_empty() => {
                words.extend([(*name).to_owned(), String::new()]);
            }
            Argument::Option(name, Some(value)) => words.push(format!("{name}{value}")),
            Argument::Word(word) => words.push(word.clone()),
            Argument::Paths => words.push("--".to_owned()),
        }
    }
    words
}

type Words<'a> = std::slice::Iter<'a, String>;

fn long(subcommand: &str, text: &str, rest: &mut Words<'_>) -> Result<Argument, Error> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    let wrong = || refused(subcommand, &format!("--{name}"));
    let (known, takes) = find(subcommand, &format!("--{name}")).ok_or_else(wrong)?;
    let value = match (takes, value) {
        (Takes::Nothing, Some(_)) => {
            return Err(validation(format!("the option `{known}` takes no value")));
        }
        (Takes::Value, None) => Some(next(known, rest)?),
        (_, value) => value,
    };
    Ok(Argument::Option(known, value))
}

/// Short options, of which several may stand behind one hyphen.
fn cluster(
    subcommand: &str,
    word: &str,
    rest: &mut Words<'_>,
    read: &mut Vec<Argument>,
) -> Result<(), Error> {
    let text = word.get(1..).unwrap_or_default();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let (known, _) = find(subcommand, "-#").ok_or_else(|| refused(subcommand, word))?;
        read.push(Argument::Option(known, Some(text.to_owned())));
        return Ok(());
    }
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let name = format!("-{letter}");
        let (known, takes) = find(subcommand, &name).ok_or_else(|| refused(subcommand, &name))?;
        let after = letters.as_str();
        let value = match takes {
            Takes::Nothing => None,
            Takes::Value if after.is_empty() => Some(next(known, rest)?),
            Takes::Maybe if after.is_empty() => None,
            Takes::Value | Takes::Maybe => Some(after.to_owned()),
        };
        read.push(Argument::Option(known, value));
        if takes != Takes::Nothing {
            break;
        }
    }
    Ok(())
}

fn next(name: &str, rest: &mut Words<'_>) -> Result<String, Error> {
    let wanting = || validation(format!("the option `{name}` needs a value"));
    rest.next().cloned().ok_or_else(wanting)
}

#[derive(Clone, Copy, PartialEq)]
enum Takes {
    Nothing,
    Value,
    Maybe,
}

/// The option of exactly this name. Git takes unambiguous beginnings as well: here they are nothing.
fn find(subcommand: &str, name: &str) -> Option<(&'static str, Takes)> {
    of(subcommand)?.find_map(|row| {
        let (known, takes) = match row.strip_suffix("[=]") {
            Some(known) => (known, Takes::Maybe),
            None => match row.strip_suffix('=') {
                Some(known) => (known, Takes::Value),
                None => (row, Takes::Nothing),
            },
        };
        (known == name).then_some((known, takes))
    })
}

fn refused(subcommand: &str, name: &str) -> Error {
    let names = of(subcommand).into_iter().flatten();
    let mut names: Vec<_> =
        names.map(|row| row.trim_end_matches("[=]").trim_end_matches('=')).collect();
    names.sort_unstable();
    names.dedup();
    validation(format!(
        "Option '{}' of '{subcommand}' is not allowed in this context. Allowed options: {}",
        name.escape_debug(),
        names.join(", ")
    ))
}

/// Refuses paths that lead out of the workspace. Some sub-commands would look there, and git does not always say no.
pub fn check_place(word: &str) -> Result<(), Error> {
    let inside =
        word.strip_prefix(WORKSPACE).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let relative = if inside { word.get(WORKSPACE.len()..).unwrap_or_default() } else { word };
    let mut depth = 0_i32;
    for part in relative.split('/') {
        depth += match part {
            "" | "." => 0,
            ".." => -1,
            _ => 1,
        };
        if depth < 0 {
            return Err(outside(word));
        }
    }
    if word.starts_with('/') && !inside {
        return Err(outside(word));
    }
    Ok(())
}

fn outside(word: &str) -> Error {
    validation(format!("`{}` leads out of the repository", word.escape_debug()))
}

/// Refuses what is no name of a branch, or would be taken for an option.
pub fn check_branch(name: &str) -> Result<(), Error> {
    let wrong = name.is_empty()
        || name.len() > 200
        || name.starts_with(['-', '/'])
        || name.ends_with(['/', '.'])
        || name == "@"
        || name == "HEAD"
        || name.contains(|letter: char| letter.is_control() || " ~^:?*[\\".contains(letter))
        || ["..", "@{", "//"].iter().any(|part| name.contains(part))
        || name.split('/').any(|part| part.starts_with('.') || part.ends_with(".lock"));
    if wrong {
        return Err(validation(format!("`{}` is no name of a branch", name.escape_debug())));
    }
    Ok(())
}

/// Refuses what would be taken for an option.
pub fn check_revision(revision: &str) -> Result<(), Error> {
    if revision.is_empty()
        || revision.starts_with('-')
        || revision.len() > 500
        || revision.contains(char::is_control)
    {
        return Err(validation(format!("`{}` is no revision", revision.escape_debug())));
    }
    Ok(())
}

#[cfg(test)]
mod tests;

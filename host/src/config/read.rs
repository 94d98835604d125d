//! Reading TOML so that a mistake is told with its file, its line and what was probably meant.

use std::{fs, path::Path};

use anyhow::{Context as _, anyhow, bail};
use serde::de::DeserializeOwned;

/// How unlike a misspelt key may be what it is taken for.
const LIKENESS: f64 = 0.7;

pub(super) fn file(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path)
        .with_context(|| format!("cannot read the configuration `{}`", path.display()))
}

/// What is wrong with a value that could be read, with the line on which it stands.
pub(super) fn at(text: &str, path: &Path, key: &str, value: &str, why: &str) -> anyhow::Error {
    let quoted =
        |line: &&str| ['"', '\''].iter().any(|it| line.contains(&format!("{it}{value}{it}")));
    let origin = path.display();
    match text.lines().zip(1..).find(|(line, _)| quoted(line)) {
        Some((_, number)) => anyhow!("{origin}:{number}: `{key}`: {why}"),
        None => anyhow!("{origin}: `{key}`: {why}"),
    }
}

/// Reads TOML that came from `origin`, which only names it in messages.
pub fn from_text<T: DeserializeOwned>(text: &str, origin: &str) -> anyhow::Result<T> {
    let error = match toml::from_str(text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let start = error.span().map_or(0, |span| span.start);
    let (line, key) = place(text, start);
    let message = error.message().trim();
    match suggestion(message) {
        Some(meant) => bail!("{origin}:{line}: {message}; did you mean `{meant}`?"),
        None if key.is_empty() => bail!("{origin}:{line}: {message}"),
        None => bail!("{origin}:{line}: `{key}`: {message}"),
    }
}

/// Reads a value that stands alone, such as a default.
pub fn parse<T: DeserializeOwned>(text: &str) -> anyhow::Result<T> {
    from_text(text, "built-in configuration")
}

/// The line of this offset, and the key on it. Never the value, which may be a secret.
fn place(text: &str, offset: usize) -> (usize, &str) {
    let before = text.get(..offset).unwrap_or_default();
    let number = before.matches('\n').count() + 1;
    let line = text.lines().nth(number - 1).unwrap_or_default();
    (number, line.split_once('=').map_or("", |(key, _)| key.trim()))
}

/// The known key that is most like the unknown one, from serde's "unknown field `a`, expected one of `b`, `c`".
fn suggestion(message: &str) -> Option<String> {
    let (unknown, known) = message.strip_prefix("unknown field `")?.split_once('`')?;
    let names = known.split('`').skip(1).step_by(2);
    let likeness = |name: &str| strsim::jaro_winkler(unknown, name);
    let best = names.max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) >= LIKENESS).then(|| best.to_owned())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::from_text;
    use crate::config::Config;

    #[track_caller]
    fn check(text: &str, expected: &Expect) {
        let error = from_text::<Config>(text, "windlass.toml").expect_err("it is wrong");
        expected.assert_eq(&error.to_string());
    }

    #[test]
    fn a_mistake_is_told_with_line_and_suggestion() {
        check(
            "[server]\nread_onyl = true",
            &expect![
                "windlass.toml:2: unknown field `read_onyl`, expected one of `read_only`, `tools`, `exclude_tools`, `meta_tools`, `concurrent_calls`, `waiting_calls`, `waiting_seconds`, `pinned_plugins`; did you mean `read_only`?"
            ],
        );
        check(
            "[plugins.git.grants]\nstore = 'yes'",
            &expect![[
                r#"windlass.toml:2: `store`: invalid type: string "yes", expected a boolean"#
            ]],
        );
        check("[plugins.git\n", &expect!["windlass.toml:1: unclosed table, expected `]`"]);
        check(
            "[plugins.git.secrets]\ntoken = 'hunter2'",
            &expect![
                "windlass.toml:2: `token`: a secret is written as a reference, `${NAME}` for an environment variable or `file:/path` for a file, and not as its value"
            ],
        );
    }
}

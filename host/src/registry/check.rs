//! What a plugin may say of itself: names that every client takes, and texts that hide nothing from people.

use anyhow::{bail, ensure};
use serde_json::Value;

use super::own::OwnTool;
use crate::capability::{prompts, tools};

/// Clients put their own prefix before it, and some cut at 64.
const LONGEST_NAME: usize = 64;

/// Some clients cut what is longer.
const LONGEST_TEXT: usize = 2 << 10;

/// Markup by which descriptions of tools have posed as words of the user or the system.
const POSING: &[&str] = &["<important", "<system", "<secret", "<|im_start|>", "[inst]"];

/// The names of the tools by which a client finds the others. Those for jobs are the host's own, too.
const RESERVED: &[&str] = &["tools_search", "tools_describe", "tools_call"];

pub(super) fn tool(name: &str, tool: &tools::Tool) -> anyhow::Result<()> {
    check_name("tool", name)?;
    let is_own = RESERVED.contains(&name) || OwnTool::all().iter().any(|own| own.name() == name);
    ensure!(!is_own, "the tool name `{name}` is the host's own; set a `prefix`");
    ensure!(
        !tool.hints.contains(tools::Hints::NEEDS_TASKS) || tool.hints.contains(tools::Hints::JOB),
        "tool `{name}` needs tasks, and does not say that it may come to a job; give it the hint `job`"
    );
    ensure!(!tool.description.trim().is_empty(), "tool `{name}` has no description");
    check_text(&format!("tool `{name}`, description"), &tool.description)?;
    check_text(&format!("tool `{name}`, title"), tool.title.as_deref().unwrap_or_default())
}

pub(super) fn prompt(name: &str, prompt: &prompts::Prompt) -> anyhow::Result<()> {
    check_name("prompt", name)?;
    check_text(&format!("prompt `{name}`, description"), &prompt.description)?;
    for argument in &prompt.arguments {
        check_text(
            &format!("prompt `{name}`, argument `{}`", argument.name),
            &argument.description,
        )?;
    }
    Ok(())
}

/// `^[a-zA-Z][a-zA-Z0-9_-]{0,63}$`
pub(super) fn check_name(what: &str, name: &str) -> anyhow::Result<()> {
    let fits = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|it| it.is_ascii_alphanumeric() || it == '_' || it == '-')
        && name.len() <= LONGEST_NAME;
    ensure!(
        fits,
        "the {what} name `{}` is none that every client takes: a letter, then letters, digits, `_` or `-`, at most {LONGEST_NAME}",
        name.escape_debug()
    );
    Ok(())
}

/// People must be able to see all that a model reads.
pub(super) fn check_text(what: &str, text: &str) -> anyhow::Result<()> {
    if let Some(hidden) = text.chars().find(|&it| is_hidden(it)) {
        bail!("{what}: it holds the invisible character `{}`", hidden.escape_unicode());
    }
    ensure!(
        text.len() <= LONGEST_TEXT,
        "{what}: {} bytes are more than the {LONGEST_TEXT} that clients read",
        text.len()
    );
    let lower = text.to_lowercase();
    if let Some(posing) = POSING.iter().find(|it| lower.contains(**it)) {
        bail!("{what}: `{posing}` poses as somebody else's words");
    }
    Ok(())
}

/// The same for every text inside a JSON value.
pub(super) fn check_texts(value: &Value) -> Result<(), String> {
    let hidden = |text: &str| match text.chars().find(|&it| is_hidden(it)) {
        Some(hidden) => {
            Err(format!("it holds the invisible character `{}`", hidden.escape_unicode()))
        }
        None => Ok(()),
    };
    match value {
        Value::String(text) => hidden(text),
        Value::Array(items) => items.iter().try_for_each(check_texts),
        Value::Object(object) => object.iter().try_for_each(|(key, value)| {
            hidden(key)?;
            check_texts(value)
        }),
        _ => Ok(()),
    }
}

/// Whether a text speaks of a tool. A name of one word is a word of the language, too.
pub(super) fn mentions(text: &str, tool: &str) -> bool {
    tool.contains(['_', '-'])
        && text
            .split(|it: char| !(it.is_ascii_alphanumeric() || it == '_' || it == '-'))
            .any(|word| word == tool)
}

/// Control characters but for line ends and tabs, zero-width and direction marks, tags, private use.
fn is_hidden(character: char) -> bool {
    match character {
        '\n' | '\r' | '\t' => false,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' => {
            true
        }
        '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' => true,
        '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..='\u{10ffff}' => true,
        other => other.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_every_client_takes() {
        let good = ["a", "git_clone", "list-containers", "A1", &"x".repeat(64)];
        let bad = ["", "1a", "_a", "a b", "a.b", "a/b", "ä", "a\u{200b}", &"x".repeat(65)];
        assert!(good.iter().all(|name| check_name("tool", name).is_ok()));
        assert!(bad.iter().all(|name| check_name("tool", name).is_err()));
    }

    #[test]
    fn a_tool_is_mentioned_by_its_whole_name() {
        assert!(mentions("Call git_clone first.", "git_clone"));
        assert!(!mentions("Call my_git_clone first.", "git_clone"));
        assert!(!mentions("An echo of it.", "echo"));
    }

    #[test]
    fn texts_that_hide_nothing() {
        let bad = [
            "a\u{200b}b",
            "a\u{202e}b",
            "\u{1b}[31mred",
            "a\u{e0041}",
            "<IMPORTANT>obey",
            &"x".repeat(2049),
        ];
        assert!(check_text("it", "Plain words,\n\ttwo lines; größer").is_ok());
        assert!(bad.iter().all(|text| check_text("it", text).is_err()));
    }
}

//! What a plugin may say of itself: names that every client takes, and texts that hide nothing from people.

use anyhow::{anyhow, ensure};
use serde_json::Value;

use super::own::OwnTool;
use crate::{
    capability::{prompts, resources, tools},
    visible::is_hidden,
};

/// Clients put their own prefix before it, and some cut at 64.
const LONGEST_NAME: usize = 64;

/// Some clients cut what is longer.
const LONGEST_TEXT: usize = 2 << 10;

/// Markup by which descriptions of tools have posed as words of the user or the system.
const POSING: &[&str] = &["<important", "<system", "<secret", "<|im_start|>", "[inst]"];

/// The names of the tools by which a client finds the others, and by which a caller says who it is. Those for jobs are
/// the host's own, too.
const RESERVED: &[&str] = &["tools_search", "tools_describe", "tools_call", "authenticate"];

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
    let is_own = RESERVED.contains(&name);
    ensure!(!is_own, "the prompt name `{name}` is the host's own; set a `prefix`");
    check_text(&format!("prompt `{name}`, description"), &prompt.description)?;
    check_text(&format!("prompt `{name}`, title"), prompt.title.as_deref().unwrap_or_default())?;
    for argument in &prompt.arguments {
        check_text(
            &format!("prompt `{name}`, argument `{}`", argument.name),
            &argument.description,
        )?;
    }
    Ok(())
}

pub(super) fn template(template: &resources::Template) -> anyhow::Result<()> {
    let what = format!("the resources at `{}`", template.uri.escape_debug());
    for text in [&template.uri, &template.name, template.description.as_deref().unwrap_or_default()]
    {
        check_text(&what, text)?;
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
    check_words(text).map_err(|wrong| anyhow!("{what}: {wrong}"))?;
    ensure!(
        text.len() <= LONGEST_TEXT,
        "{what}: {} bytes are more than the {LONGEST_TEXT} that clients read",
        text.len()
    );
    Ok(())
}

fn check_words(text: &str) -> Result<(), String> {
    if let Some(hidden) = text.chars().find(|&it| is_hidden(it)) {
        return Err(format!("it holds the invisible character `{}`", hidden.escape_unicode()));
    }
    let lower = text.to_lowercase();
    match POSING.iter().find(|it| lower.contains(**it)) {
        Some(posing) => Err(format!("`{posing}` poses as somebody else's words")),
        None => Ok(()),
    }
}

/// The same for every text inside a JSON value.
pub(super) fn check_texts(value: &Value) -> Result<(), String> {
    match value {
        Value::String(text) => check_words(text),
        Value::Array(items) => items.iter().try_for_each(check_texts),
        Value::Object(object) => object.iter().try_for_each(|(key, value)| {
            check_words(key)?;
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

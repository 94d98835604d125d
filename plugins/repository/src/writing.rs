//! How what git changed in its copy of the configuration gets into the repository's own file. Pure.

use crate::config::{Config, Entry};

/// The head of a section as a line.
pub(crate) fn head(section: &str, subsection: Option<&str>) -> String {
    match subsection {
        None => format!("[{section}]\n"),
        Some(name) => {
            format!("[{section} \"{}\"]\n", name.replace('\\', "\\\\").replace('"', "\\\""))
        }
    }
}

/// A key and its value as a line.
pub(crate) fn line(key: &str, value: &str) -> String {
    let mut written = String::new();
    for letter in value.chars() {
        match letter {
            '"' | '\\' => written.extend(['\\', letter]),
            '\n' => written.push_str("\\n"),
            '\t' => written.push_str("\\t"),
            '\u{8}' => written.push_str("\\b"),
            letter => written.push(letter),
        }
    }
    format!("\t{key} = \"{written}\"\n")
}

/// The file with the changes that git made in its copy. None: it made none.
///
/// Only keys that git may know are changed, and all else stays as it is, comments too.
pub(crate) fn merged(original: &str, before: &Config, after: &Config) -> Option<String> {
    let after = after.allowed();
    let mut changed: Vec<&Entry> = Vec::new();
    for entry in before.entries.iter().chain(&after.entries) {
        let (old, new) = (of(before, entry), of(&after, entry));
        if old != new && !changed.iter().any(|known| same(known, entry)) {
            changed.push(entry);
        }
    }
    if changed.is_empty() {
        return None;
    }
    let goes = |entry: &&Entry| !entry.beside_head && changed.iter().any(|it| same(it, entry));
    let parsed = Config::parse(original).ok()?;
    let gone: Vec<_> =
        parsed.entries.iter().filter(goes).flat_map(|entry| entry.lines.clone()).collect();
    let lines = original.split('\n').enumerate();
    let kept: Vec<_> =
        lines.filter(|(number, _)| !gone.contains(number)).map(|(_, line)| line).collect();
    let mut text = kept.join("\n");
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let entries = after.entries.iter().filter(|entry| changed.iter().any(|it| same(it, entry)));
    text.push_str(&Config { entries: entries.cloned().collect() }.text());
    Some(text)
}

fn of<'a>(config: &'a Config, entry: &'a Entry) -> Vec<&'a str> {
    config.values(&entry.section, entry.subsection.as_deref(), &entry.key).collect()
}

fn same(one: &Entry, other: &Entry) -> bool {
    (&one.section, &one.subsection, &one.key) == (&other.section, &other.subsection, &other.key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGINAL: &str = "# mine\n[core]\n\tbare = false\n[alias]\n\tx = !touch y\n[branch \"a\"]\n\tremote = origin\n\tmerge = refs/heads/a\n[remote \"origin\"]\n\turl = https://example.com/a\n";

    #[track_caller]
    fn check(change: impl FnOnce(&mut String), expected: Option<&str>) {
        let before = Config::parse(ORIGINAL).unwrap().allowed();
        let mut text = before.text();
        change(&mut text);
        let after = Config::parse(&text).unwrap();
        assert_eq!(merged(ORIGINAL, &before, &after).as_deref(), expected);
    }

    #[test]
    fn only_what_git_changed_is_written() {
        check(|_| {}, None);
        check(
            |text| text.push_str("[branch \"b\"]\n\tremote = origin\n"),
            Some(&format!("{ORIGINAL}[branch \"b\"]\n\tremote = \"origin\"\n")),
        );
        check(|text| text.push_str("[core]\n\tfsmonitor = x\n[alias]\n\ty = z\n"), None);
        let gone = ORIGINAL.replace("\tremote = origin\n\tmerge = refs/heads/a\n", "");
        check(
            |text| *text = "[remote \"origin\"]\n\turl = https://example.com/a\n".to_owned(),
            Some(&gone),
        );
    }
}

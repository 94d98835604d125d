//! How grants and lists are shown.

use toml::{Table, Value};

use crate::{config::Grants, plugin::Imports};

/// Grants as lines of `[plugins.<name>.grants]`, as short as they can be written.
pub(super) fn grant_lines(grants: &Grants) -> anyhow::Result<Vec<String>> {
    Ok(lines(&table(grants)?))
}

/// A ready table for `windlass.toml`.
pub(in crate::command) fn snippet(name: &str, lines: &[String]) -> String {
    format!("[plugins.{name}.grants]\n{}\n", lines.join("\n"))
}

pub(super) fn table(grants: &Grants) -> anyhow::Result<Table> {
    Ok(Table::try_from(grants)?)
}

/// One line for each key. Those of a table stand behind its name, so that each can be read by itself.
pub(super) fn lines(table: &Table) -> Vec<String> {
    let lines = table.iter().flat_map(|(key, value)| match value {
        Value::Table(inner) if !inner.is_empty() => {
            inner.iter().map(|(inner, value)| line(&format!("{key}.{inner}"), value)).collect()
        }
        _ => vec![line(key, value)],
    });
    lines.collect()
}

pub(super) fn line(key: &str, value: &Value) -> String {
    match value {
        Value::Array(items) => {
            format!("{key} = [{}]", items.iter().map(short).collect::<Vec<_>>().join(", "))
        }
        Value::Table(table) if !table.is_empty() => {
            let item = |(name, value): (&String, &Value)| {
                format!("{} = {}", Value::from(name.as_str()), short(value))
            };
            format!("{key} = {{ {} }}", table.iter().map(item).collect::<Vec<_>>().join(", "))
        }
        _ => format!("{key} = {value}"),
    }
}

/// A place of which nothing else is said is only its name.
fn short(item: &Value) -> String {
    match item {
        Value::Table(table) if table.len() == 1 => {
            table.get("to").map_or_else(|| item.to_string(), Value::to_string)
        }
        _ => item.to_string(),
    }
}

/// `store: get, put`, one line for each interface.
pub(in crate::command) fn imports_of(imports: &Imports) -> Vec<String> {
    let interface = |(name, functions): &(String, Vec<String>)| {
        if functions.is_empty() {
            name.clone()
        } else {
            format!("{name}: {}", functions.join(", "))
        }
    };
    let mut lines: Vec<_> = imports.interfaces.iter().map(interface).collect();
    if imports.wasi {
        lines
            .push("wasi: clocks, randomness, output into the log; no files, no network".to_owned());
    }
    lines
}

/// Lines beside a word.
pub(in crate::command) fn section(word: &str, lines: &[String]) -> String {
    let none = ["none".to_owned()];
    let lines = if lines.is_empty() { &none } else { lines };
    let words = std::iter::once(word).chain(std::iter::repeat(""));
    let lines = lines.iter().flat_map(|line| line.lines());
    words.zip(lines).map(|(word, line)| format!("  {word:12}  {line}\n")).collect()
}

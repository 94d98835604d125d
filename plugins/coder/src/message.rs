//! What was said in a chat: a page of messages after the other, newest first, as entries of a log.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ask::Coder,
    entry::{Choice, Entry},
    error::Trouble,
};

/// How many messages are asked for at a time.
const PAGE: usize = 100;
/// How many pages are asked for at most. The next answer goes on from there.
const MOST_PAGES: usize = 50;
/// As much of what a tool was told and said as is shown.
const LONGEST_PART: usize = 500;

#[derive(Deserialize)]
struct Messages {
    messages: Vec<Message>,
    #[serde(default)]
    has_more: bool,
}

#[derive(Deserialize)]
struct Message {
    id: i64,
    #[serde(default)]
    role: String,
    created_at: Option<String>,
    #[serde(default)]
    content: Vec<Part>,
}

/// A piece of a message.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    text: String,
    tool_name: String,
    args: Value,
    result: Value,
    is_error: bool,
    file_name: String,
}

/// What can be said in a chat.
#[derive(Serialize)]
pub(crate) struct Text<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    text: &'a str,
}

impl<'a> Text<'a> {
    pub(crate) fn new(text: &'a str) -> [Self; 1] {
        [Self { kind: "text", text }]
    }
}

/// Reads backwards until enough is found.
pub(crate) fn read(coder: &Coder, chat: &str, mut choice: Choice) -> Result<Choice, Trouble> {
    let mut before = choice.before;
    for _ in 0..MOST_PAGES {
        let after = before.map(|before| format!("&before_id={before}")).unwrap_or_default();
        let page: Messages = coder.get(&format!("{chat}/messages?limit={PAGE}{after}"))?;
        let oldest = page.messages.last().map(|message| message.id);
        for message in page.messages {
            if !choice.take_older(message.entry()) {
                return Ok(choice);
            }
        }
        // What does not go back goes round in circles.
        let goes_back = oldest.is_some() && (before.is_none() || oldest < before);
        if !page.has_more || !goes_back {
            return Ok(choice);
        }
        before = oldest;
    }
    choice.stop_at(before);
    Ok(choice)
}

impl Message {
    fn entry(self) -> Entry {
        let level = match self.content.iter().any(|part| part.is_error) {
            true => "error",
            false if self.content.iter().all(|part| part.kind == "reasoning") => "debug",
            false => "info",
        };
        let parts: Vec<_> = self.content.iter().filter_map(Part::line).collect();
        let kind = if self.role == "user" { "input" } else { "output" };
        Entry::said(self.id, kind, level, parts.join("\n"), self.created_at)
    }
}

impl Part {
    fn line(&self) -> Option<String> {
        let shown = |value: &Value| match value {
            Value::Null => String::new(),
            Value::String(text) => shortened(text, LONGEST_PART),
            value => shortened(&value.to_string(), LONGEST_PART),
        };
        match self.kind.as_str() {
            "tool-call" => Some(format!("{}({})", self.tool_name, shown(&self.args))),
            "tool-result" => Some(format!("{}: {}", self.tool_name, shown(&self.result))),
            "file" | "file-reference" => Some(format!("[file {}]", self.file_name)),
            _ if self.text.is_empty() => None,
            _ => Some(self.text.clone()),
        }
    }
}

/// The beginning of a text, as so many characters.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(message: Value, expected: (&str, &str, &str)) {
        let entry = serde_json::from_value::<Message>(message).unwrap().entry();
        let shown = serde_json::to_value(entry.shown("a")).unwrap();
        let told = [&shown["metadata"]["type"], &shown["level"], &shown["message"]];
        assert_eq!(told.map(|it| it.as_str().unwrap()), [expected.0, expected.1, expected.2]);
    }

    #[test]
    fn a_message_is_an_entry() {
        check(
            json!({"id": 1, "role": "user", "content": [{"type": "text", "text": "Fix it"}]}),
            ("input", "info", "Fix it"),
        );
        check(
            json!({"id": 2, "role": "assistant", "content": [
                {"type": "reasoning", "text": "Hm."},
                {"type": "tool-call", "tool_name": "ls", "args": {"path": "."}},
                {"type": "source", "url": "x"},
            ]}),
            ("output", "info", "Hm.\nls({\"path\":\".\"})"),
        );
        check(
            json!({"id": 3, "role": "tool", "content": [
                {"type": "tool-result", "tool_name": "ls", "result": "no such file", "is_error": true},
            ]}),
            ("output", "error", "ls: no such file"),
        );
        check(
            json!({"id": 4, "role": "assistant", "content": [{"type": "reasoning", "text": "Hm."}]}),
            ("output", "debug", "Hm."),
        );
    }
}

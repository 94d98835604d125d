//! Events of a conversation with the agent-server, as lines that people read.

use serde::{Deserialize, Deserializer};

use crate::{
    lenient::{Items, Part, Word, read_items},
    trajectory::shortened,
};

/// A longer text is cut, and what went wrong is told at more length.
const LONGEST_TEXT: usize = 400;
const LONGEST_ERROR: usize = 4000;
/// A page has no more.
const MOST: usize = 100;

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) line: String,
    /// What went wrong, where it says that.
    pub(crate) error: Option<String>,
}

/// A page of events, as they stand there.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Page {
    #[serde(deserialize_with = "read_items")]
    items: Listed,
}

#[derive(Default)]
struct Listed(Vec<Event>);

/// What is looked at of an event.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Told {
    kind: Word,
    source: Word,
    timestamp: Word,
    tool_name: Word,
    error: Word,
    code: Word,
    detail: Word,
    key: Word,
    value: Word,
    action: Part<Action>,
    observation: Part<Saying>,
    llm_message: Part<Saying>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Action {
    command: Word,
    message: Word,
    path: Word,
    thought: Word,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Saying {
    content: Content,
}

/// Text, or pieces of it.
#[derive(Default)]
struct Content(String);

/// The texts of pieces, one after the other.
#[derive(Default)]
struct Joined(String);

#[derive(Default, Deserialize)]
#[serde(default)]
struct Piece {
    text: Word,
}

impl Page {
    pub(crate) fn events(self) -> Vec<Event> {
        self.items.0
    }
}

impl Items for Listed {
    type Item = Part<Told>;

    fn take(&mut self, Part(told): Part<Told>) {
        if self.0.len() < MOST {
            self.0.extend(told.event());
        }
    }
}

impl Items for Joined {
    type Item = Part<Piece>;

    fn take(&mut self, Part(piece): Part<Piece>) {
        if self.0.len() < LONGEST_TEXT {
            self.0.push_str(piece.text.text().unwrap_or_default());
            self.0.push('\n');
        }
    }

    fn take_text(&mut self, text: &str) {
        self.0 = shortened(text, LONGEST_TEXT);
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Joined(text) = read_items(deserializer)?;
        Ok(Self(text))
    }
}

impl Told {
    fn event(&self) -> Option<Event> {
        let kind = self.kind.text()?;
        let text = |word: &Word| word.text().unwrap_or_default().to_owned();
        let mut error = None;
        let said = match kind {
            "MessageEvent" => self.llm_message.0.content.0.clone(),
            "ActionEvent" => {
                let Part(Action { command, message, path, thought }) = &self.action;
                let what = [command, message, path, thought].into_iter().find_map(Word::text);
                format!("{} {}", text(&self.tool_name), what.unwrap_or_default())
            }
            "ObservationEvent" => self.observation.0.content.0.clone(),
            "AgentErrorEvent" => text(&self.error),
            "ConversationErrorEvent" => {
                let code = self.code.text().unwrap_or("error");
                let said = format!("{code}: {}", text(&self.detail));
                error = Some(shortened(&said, LONGEST_ERROR));
                said
            }
            "ConversationStateUpdateEvent" => match self.key.text() {
                Some("execution_status") => text(&self.value),
                _ => return None,
            },
            "SystemPromptEvent" | "StreamingDeltaEvent" => return None,
            _ => String::new(),
        };
        let (time, source) = (text(&self.timestamp), text(&self.source));
        let said = shortened(said.trim(), LONGEST_TEXT);
        let line = format!("{time} {source} {kind}: {said}");
        Some(Event { line: shortened(line.trim(), 2 * LONGEST_TEXT), error })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_becomes_a_line() {
        let page = json!({"items": [
            {"kind": "MessageEvent", "source": "user", "timestamp": "t", "llm_message": {"content": [{"type": "text", "text": "do it"}]}},
            {"kind": "ActionEvent", "source": "agent", "timestamp": "t", "tool_name": "terminal", "action": {"command": "ls"}},
            {"kind": "ObservationEvent", "source": "environment", "timestamp": "t", "observation": {"content": "a.txt"}},
            {"kind": "ConversationErrorEvent", "code": "LLMBadRequestError", "detail": "no"},
            {"kind": "ConversationStateUpdateEvent", "key": "execution_status", "value": "error"},
            {"kind": "ConversationStateUpdateEvent", "key": "stats", "value": {}},
            {"kind": "SystemPromptEvent"},
            7, {}, {"kind": 1},
        ]});
        let read = |page: &serde_json::Value| {
            serde_json::from_str::<Part<Page>>(&page.to_string()).unwrap().0.events()
        };
        let events = read(&page);
        let lines: Vec<_> = events.iter().map(|event| event.line.as_str()).collect();
        assert_eq!(
            lines,
            [
                "t user MessageEvent: do it",
                "t agent ActionEvent: terminal ls",
                "t environment ObservationEvent: a.txt",
                "ConversationErrorEvent: LLMBadRequestError: no",
                "ConversationStateUpdateEvent: error",
            ]
        );
        let errors: Vec<_> = events.iter().filter_map(|event| event.error.as_deref()).collect();
        assert_eq!(errors, ["LLMBadRequestError: no"]);
        for nonsense in [json!(null), json!([]), json!({"items": 7}), json!({"items": [[]]})] {
            assert_eq!(read(&nonsense), [], "{nonsense}");
        }
    }
}

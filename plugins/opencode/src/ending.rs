//! Whether a run has ended, and as what: read from the last message of opencode's model.
//!
//! Neither a status of 200 nor an idle session says that a run went well, or that it has begun.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A message with what it is made of.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Message {
    pub(crate) info: Info,
    pub(crate) parts: Vec<Part>,
}

/// What is said of a message.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Info {
    pub(crate) id: String,
    #[serde(rename = "sessionID")]
    pub(crate) session: String,
    pub(crate) role: String,
    #[serde(rename = "parentID")]
    pub(crate) parent: String,
    pub(crate) time: Time,
    pub(crate) finish: Option<String>,
    pub(crate) error: Option<Failure>,
    pub(crate) structured: Option<Value>,
    pub(crate) tokens: Option<Tokens>,
    pub(crate) cost: f64,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Time {
    pub(crate) completed: Option<u64>,
}

/// How much the model read and wrote.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub(crate) struct Tokens {
    pub(crate) input: f64,
    pub(crate) output: f64,
}

/// What went wrong, as opencode tells it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(crate) struct Failure {
    pub(crate) name: String,
    pub(crate) data: Told,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(crate) struct Told {
    pub(crate) message: String,
}

/// A piece of a message.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Part {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) text: String,
}

/// What a run has come to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ending {
    /// It goes on.
    None,
    Completed,
    Failed(String),
    /// Somebody ended it.
    Aborted,
}

impl Info {
    /// Whether the model wrote it for the run that this message began. Where opencode makes its memory shorter, it goes on under
    /// a message of its own; ids grow with time, and one run of a session follows another.
    pub(crate) fn is_of(&self, message: &str) -> bool {
        self.role == "assistant" && (self.parent == message || self.id.as_str() > message)
    }

    /// What it says of the run's end. It may have ended only when the session is idle, besides.
    pub(crate) fn ending(&self) -> Ending {
        if let Some(error) = &self.error {
            return if error.is_abort() { Ending::Aborted } else { Ending::Failed(error.text()) };
        }
        if self.time.completed.is_none() {
            return Ending::None;
        }
        if self.structured.is_some() {
            return Ending::Completed;
        }
        match self.finish.as_deref() {
            Some("stop") => Ending::Completed,
            Some("tool-calls" | "unknown" | "other") => Ending::None,
            Some("length") => Ending::Failed(
                "the model's answer is longer than `output_tokens` lets it be".to_owned(),
            ),
            Some(other) => Ending::Failed(format!("the model stopped early: {other}")),
            // An abort between two tries of a failing model leaves no more than this.
            None => Ending::Aborted,
        }
    }
}

impl Message {
    /// What the model says in it.
    pub(crate) fn text(&self) -> String {
        let texts = self.parts.iter().filter(|part| part.kind == "text" && !part.text.is_empty());
        texts.map(|part| part.text.as_str()).collect::<Vec<_>>().join("\n")
    }
}

impl Failure {
    /// Whether somebody ended it.
    pub(crate) fn is_abort(&self) -> bool {
        self.name == "MessageAbortedError"
    }

    /// As it is told to people.
    pub(crate) fn text(&self) -> String {
        match (self.name.as_str(), self.data.message.trim()) {
            ("", "") => "opencode says only that it failed".to_owned(),
            (name, "") => name.to_owned(),
            ("", message) => message.to_owned(),
            (name, message) => format!("{name}: {message}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(info: Value, expected: Ending) {
        let info: Info = serde_json::from_value(info).unwrap();
        assert_eq!(info.ending(), expected);
    }

    #[test]
    fn the_last_message_says_what_a_run_came_to() {
        let done = json!({"created": 1, "completed": 2});
        check(json!({"time": {"created": 1}}), Ending::None);
        check(json!({"time": {"created": 1}, "finish": "stop"}), Ending::None);
        check(json!({"time": done, "finish": "stop"}), Ending::Completed);
        check(json!({"time": done, "finish": "tool-calls"}), Ending::None);
        check(
            json!({"time": done, "finish": "tool-calls", "structured": {"a": 1}}),
            Ending::Completed,
        );
        check(json!({"time": done}), Ending::Aborted);
        let aborted = json!({"name": "MessageAbortedError", "data": {"message": "Aborted"}});
        check(json!({"time": done, "error": aborted}), Ending::Aborted);
        let refused =
            json!({"name": "APIError", "data": {"message": "scripted", "statusCode": 400}});
        check(
            json!({"time": done, "error": refused}),
            Ending::Failed("APIError: scripted".to_owned()),
        );
        check(
            json!({"time": done, "error": {}}),
            Ending::Failed("opencode says only that it failed".to_owned()),
        );
        assert!(
            matches!(serde_json::from_value::<Info>(json!({"time": done, "finish": "length"})).unwrap().ending(), Ending::Failed(why) if why.contains("output_tokens"))
        );
    }

    #[test]
    fn messages_of_a_run_answer_the_one_that_began_it() {
        let info = |role: &str, parent: &str, id: &str| Info {
            role: role.to_owned(),
            parent: parent.to_owned(),
            id: id.to_owned(),
            ..Info::default()
        };
        assert!(info("assistant", "msg_5", "msg_1").is_of("msg_5"));
        assert!(info("assistant", "msg_6", "msg_7").is_of("msg_5"));
        assert!(!info("assistant", "msg_3", "msg_4").is_of("msg_5"));
        assert!(!info("user", "", "msg_7").is_of("msg_5"));
    }

    #[test]
    fn what_the_model_says_is_its_text() {
        let message = json!({"info": {}, "parts": [
            {"type": "step-start"}, {"type": "text", "text": "a"}, {"type": "tool", "tool": "bash"},
            {"type": "reasoning", "text": "hm"}, {"type": "text", "text": "b"},
        ]});
        let message: Message = serde_json::from_value(message).unwrap();
        assert_eq!(message.text(), "a\nb");
    }
}

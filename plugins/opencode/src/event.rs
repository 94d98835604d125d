//! Events of opencode's server, as far as a run has to do with them.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::ending::{Failure, Info};

/// What happened in a session.
#[derive(Debug)]
pub(crate) enum Event {
    /// A message is there, or has changed.
    Message(Box<Info>),
    Tool(Tool),
    /// The model has said something to its end.
    Said {
        message: String,
        text: String,
    },
    /// The model writes, or thinks.
    Writing,
    /// The model failed, and is asked again.
    Retry {
        attempt: u64,
        why: String,
    },
    Busy,
    Idle,
    Failed(Failure),
    Permission(Box<Request>),
    /// A question was answered.
    Answered,
    /// The agent asks a person something.
    Question(String),
    Edited(String),
}

/// A tool that the agent uses.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tool {
    /// The use, which has one state after the other.
    pub(crate) call: String,
    pub(crate) name: String,
    pub(crate) status: String,
    /// What it is about, or how it failed.
    pub(crate) about: String,
}

/// A permission that opencode wants.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Request {
    pub(crate) id: String,
    pub(crate) permission: String,
    pub(crate) patterns: Vec<String>,
    pub(crate) tool: Option<Use>,
}

/// Which use of a tool a permission is for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Use {
    #[serde(rename = "messageID")]
    pub(crate) message: String,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    properties: Map<String, Value>,
}

/// What an event says of this session. None: nothing of interest.
pub(crate) fn read(text: &str, session: &str) -> Option<Event> {
    let Envelope { kind, properties } = serde_json::from_str(text).ok()?;
    let property = |name: &str| properties.get(name);
    let inside =
        |name: &str| property(name).and_then(|it| it.get("sessionID")).and_then(Value::as_str);
    let own = property("sessionID")
        .and_then(Value::as_str)
        .or_else(|| inside("info"))
        .or_else(|| inside("part"));
    // An agent may have others work for it, each in a session of its own below this one; and nobody else is in the server.
    if own != Some(session) {
        return below(&kind, &properties);
    }
    Some(match kind.as_str() {
        "message.updated" => Event::Message(parsed(property("info")?)?),
        "message.part.updated" => part(property("part")?)?,
        "message.part.delta" => Event::Writing,
        "session.status" => status(property("status")?)?,
        "session.idle" => Event::Idle,
        "session.error" => Event::Failed(parsed(property("error")?)?),
        _ => return below(&kind, &properties),
    })
}

/// What an event says whichever session it is of.
fn below(kind: &str, properties: &Map<String, Value>) -> Option<Event> {
    let word =
        |name: &str| properties.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(match kind {
        "permission.asked" => Event::Permission(parsed(&Value::Object(properties.clone()))?),
        "permission.replied" | "question.replied" | "question.rejected" => Event::Answered,
        "question.asked" => Event::Question(word("id")),
        "file.edited" => Event::Edited(word("file")),
        "message.part.delta" => Event::Writing,
        "message.part.updated" => part(properties.get("part")?).map(|_| Event::Writing)?,
        _ => return None,
    })
}

fn parsed<T: for<'de> Deserialize<'de>>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}

fn status(status: &Value) -> Option<Event> {
    Some(match status["type"].as_str()? {
        "idle" => Event::Idle,
        "busy" => Event::Busy,
        "retry" => {
            let why = status["message"].as_str().unwrap_or_default().to_owned();
            Event::Retry { attempt: status["attempt"].as_u64().unwrap_or_default(), why }
        }
        _ => return None,
    })
}

fn part(part: &Value) -> Option<Event> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match part["type"].as_str()? {
        "tool" => {
            let state = &part["state"];
            let about = [
                &state["error"],
                &state["title"],
                &state["input"]["command"],
                &state["input"]["filePath"],
            ];
            let about =
                about.into_iter().find_map(|it| it.as_str().filter(|text| !text.is_empty()));
            Some(Event::Tool(Tool {
                call: word(&part["callID"]),
                name: word(&part["tool"]),
                status: word(&state["status"]),
                about: about.unwrap_or_default().to_owned(),
            }))
        }
        "text" if part["time"]["end"].is_u64() => {
            Some(Event::Said { message: word(&part["messageID"]), text: word(&part["text"]) })
        }
        "text" | "reasoning" | "step-finish" | "patch" | "compaction" => Some(Event::Writing),
        // A step starts again at each try of a failing model: that is no sign of life.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(kind: &str, properties: Value) -> Option<String> {
        let text = json!({"id": "evt_1", "type": kind, "properties": properties}).to_string();
        read(&text, "ses_1").map(|event| format!("{event:?}"))
    }

    #[track_caller]
    fn check(kind: &str, properties: Value, expected: &str) {
        let told = told(kind, properties).unwrap_or_default();
        assert!(told.starts_with(expected) && (!told.is_empty() || expected.is_empty()), "{told}");
    }

    #[test]
    fn events_say_what_happens_in_the_session() {
        check(
            "message.updated",
            json!({"sessionID": "ses_1", "info": {"id": "msg_1", "role": "user"}}),
            "Message(Info { id: \"msg_1\"",
        );
        check(
            "message.updated",
            json!({"info": {"id": "msg_1", "sessionID": "ses_1"}}),
            "Message(",
        );
        check("message.part.delta", json!({"sessionID": "ses_1", "delta": "x"}), "Writing");
        check("session.idle", json!({"sessionID": "ses_1"}), "Idle");
        check("session.status", json!({"sessionID": "ses_1", "status": {"type": "busy"}}), "Busy");
        let retry = json!({"sessionID": "ses_1", "status": {"type": "retry", "attempt": 2, "message": "no", "next": 7}});
        check("session.status", retry, "Retry { attempt: 2, why: \"no\" }");
        let failed = json!({"sessionID": "ses_1", "error": {"name": "UnknownError", "data": {"message": "no"}}});
        check(
            "session.error",
            failed,
            "Failed(Failure { name: \"UnknownError\", data: Told { message: \"no\" } })",
        );
        let asked = json!({"id": "per_1", "sessionID": "ses_1", "permission": "bash", "patterns": ["ls"], "metadata": {}, "always": [], "tool": {"messageID": "msg_2", "callID": "c"}});
        check("permission.asked", asked, "Permission(Request { id: \"per_1\"");
        check(
            "question.asked",
            json!({"id": "que_1", "sessionID": "ses_1"}),
            "Question(\"que_1\")",
        );
        check("file.edited", json!({"file": "/workspace/a"}), "Edited(\"/workspace/a\")");
    }

    #[test]
    fn tools_and_texts_are_parts() {
        let tool = |state: Value| json!({"part": {"type": "tool", "sessionID": "ses_1", "tool": "bash", "callID": "c", "state": state}});
        let running = tool(json!({"status": "running", "input": {"command": "ls"}}));
        check(
            "message.part.updated",
            running,
            "Tool(Tool { call: \"c\", name: \"bash\", status: \"running\", about: \"ls\" })",
        );
        let failed = tool(json!({"status": "error", "error": "no", "title": "t"}));
        check(
            "message.part.updated",
            failed,
            "Tool(Tool { call: \"c\", name: \"bash\", status: \"error\", about: \"no\" })",
        );
        let text = |time: Value| json!({"part": {"type": "text", "sessionID": "ses_1", "messageID": "msg_2", "text": "hi", "time": time}});
        check(
            "message.part.updated",
            text(json!({"start": 1, "end": 2})),
            "Said { message: \"msg_2\", text: \"hi\" }",
        );
        check("message.part.updated", text(json!({"start": 1})), "Writing");
        let start = json!({"part": {"type": "step-start", "sessionID": "ses_1"}});
        assert_eq!(told("message.part.updated", start), None);
    }

    #[test]
    fn a_session_below_lives_and_asks_for_this_one() {
        check("message.part.delta", json!({"sessionID": "ses_2", "delta": "x"}), "Writing");
        let part = json!({"type": "tool", "sessionID": "ses_2", "tool": "bash", "callID": "c", "state": {"status": "running"}});
        check("message.part.updated", json!({"part": part}), "Writing");
        let asked = json!({"id": "per_1", "sessionID": "ses_2", "permission": "bash"});
        check("permission.asked", asked, "Permission(Request { id: \"per_1\"");
        assert_eq!(told("message.updated", json!({"sessionID": "ses_2", "info": {}})), None);
    }

    #[test]
    fn other_sessions_and_other_events_are_passed_over() {
        assert_eq!(told("session.idle", json!({"sessionID": "ses_2"})), None);
        assert_eq!(told("server.heartbeat", json!({})), None);
        assert_eq!(told("server.connected", json!({"sessionID": "ses_1"})), None);
        assert_eq!(told("message.updated", json!({"sessionID": "ses_1", "info": 7})), None);
        for nonsense in ["", "7", "{}", "{\"type\": \"session.idle\", \"properties\": []}"] {
            assert!(read(nonsense, "ses_1").is_none(), "{nonsense}");
        }
    }
}

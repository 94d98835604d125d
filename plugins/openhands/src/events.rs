//! Events of a conversation with the agent-server, as lines that people read.

use serde_json::Value;

use crate::trajectory::shortened;

/// A longer text is cut.
const LONGEST_TEXT: usize = 400;

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) line: String,
    /// What went wrong, where it says that.
    pub(crate) error: Option<String>,
}

/// The events of a page, as they stand there.
pub(crate) fn read(page: &Value) -> Vec<Event> {
    page["items"].as_array().into_iter().flatten().filter_map(event).collect()
}

fn event(event: &Value) -> Option<Event> {
    let kind = event["kind"].as_str()?;
    let mut error = None;
    let said = match kind {
        "MessageEvent" => text_of(&event["llm_message"]["content"]),
        "ActionEvent" => {
            let action = &event["action"];
            let name = event["tool_name"].as_str().unwrap_or_default();
            let what = ["command", "message", "path", "thought"]
                .iter()
                .find_map(|key| action[key].as_str());
            format!("{name} {}", what.unwrap_or_default())
        }
        "ObservationEvent" => text_of(&event["observation"]["content"]),
        "AgentErrorEvent" => event["error"].as_str().unwrap_or_default().to_owned(),
        "ConversationErrorEvent" => {
            let (code, detail) = (event["code"].as_str(), event["detail"].as_str());
            let said = format!("{}: {}", code.unwrap_or("error"), detail.unwrap_or_default());
            error = Some(shortened(&said, LONGEST_TEXT * 10));
            said
        }
        "ConversationStateUpdateEvent" => match event["key"].as_str() {
            Some("execution_status") => event["value"].as_str().unwrap_or_default().to_owned(),
            _ => return None,
        },
        "SystemPromptEvent" | "StreamingDeltaEvent" => return None,
        _ => String::new(),
    };
    let time = event["timestamp"].as_str().unwrap_or_default();
    let source = event["source"].as_str().unwrap_or_default();
    let said = shortened(said.trim(), LONGEST_TEXT);
    Some(Event { line: format!("{time} {source} {kind}: {said}").trim().to_owned(), error })
}

/// Text, or pieces of it.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(pieces) => {
            let texts = pieces.iter().filter_map(|piece| piece["text"].as_str());
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
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

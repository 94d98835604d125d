//! What is said in a chat.

use serde_json::{Value, json};

use super::{
    answer::{Answer, Answered, refused},
    chats::{self, Chat, MODEL},
    query::Query,
    world::{ANN, World, moment},
};

/// How many messages a page holds if nobody says.
const PAGE: u64 = 50;

#[derive(Clone)]
pub(super) struct Message {
    pub(super) id: i64,
    role: &'static str,
    content: Value,
    time: u64,
}

impl Message {
    pub(super) fn of_user(id: i64, text: String, time: u64) -> Self {
        let content = json!([{"type": "text", "text": text}]);
        Self { id, role: "user", content, time }
    }

    pub(super) fn of_assistant(id: i64, text: &str, time: u64) -> Self {
        let content = json!([
            {"type": "reasoning", "text": "What would help?"},
            {"type": "text", "text": text},
        ]);
        Self { id, role: "assistant", content, time }
    }

    pub(super) fn with_id(self, id: i64) -> Self {
        Self { id, ..self }
    }

    /// A call of a tool and what came of it.
    pub(super) fn of_tool(id: i64, tool: &str, time: u64) -> [Self; 2] {
        let call = json!([{
            "type": "tool-call", "text": "", "tool_call_id": "call_1", "tool_name": tool,
            "args": {"command": "cargo test"},
        }]);
        let result = json!([{
            "type": "tool-result", "text": "", "tool_call_id": "call_1", "tool_name": tool,
            "result": {"exit_code": 0},
        }]);
        [
            Self { id, role: "assistant", content: call, time },
            Self { id: id + 1, role: "tool", content: result, time },
        ]
    }
}

/// The text of what a request says. None: it says nothing.
pub(super) fn text_of(content: &Value) -> Option<String> {
    let parts = content.as_array()?.iter();
    let texts: Vec<_> = parts.filter_map(|part| part["text"].as_str()).collect();
    Some(texts.join("\n")).filter(|text| !text.is_empty())
}

/// The newest first.
pub(super) fn list(chat: &Chat, query: &Query) -> Answered {
    let (after, before) = (query.number("after_id", 0)?, query.number("before_id", u64::MAX)?);
    let limit = match query.number("limit", PAGE)? {
        0 => PAGE,
        limit => limit,
    };
    let fits = |it: &&Message| (it.id as u64) > after && (it.id as u64) < before;
    let found: Vec<_> = chat.messages.iter().rev().filter(fits).collect();
    let has_more = found.len() as u64 > limit;
    let page = found.into_iter().take(limit as usize).map(|it| shown(&chat.id, it));
    Ok(Answer::json(
        200,
        &json!({
            "messages": page.collect::<Value>(),
            "queued_messages": chat.queued.iter().map(|it| queued(&chat.id, it)).collect::<Value>(),
            "has_more": has_more,
        }),
    ))
}

pub(super) fn add(world: &mut World, place: usize, body: &Value) -> Answered {
    let text = text_of(&body["content"]).ok_or_else(|| refused(400, "Content is required."))?;
    let now = world.pass();
    let chat = &mut world.chats[place];
    if chat.archived {
        return Err(refused(409, "Chat is archived."));
    }
    let id = chat.messages.len() as i64 + 1;
    let message = Message::of_user(id, text, now);
    let busy = !matches!(chat.turn.status(), "waiting" | "error");
    if busy && body["busy_behavior"] != "interrupt" {
        let id = chat.queued.len() as i64 + 1;
        let message = message.with_id(id);
        chat.queued.push_back(message.clone());
        let shown = queued(&chat.id, &message);
        return Ok(Answer::json(200, &json!({"queued": true, "queued_message": shown})));
    }
    let shown = shown(&chat.id, &message);
    chat.messages.push(message);
    chats::begin(world, place);
    Ok(Answer::json(200, &json!({"queued": false, "message": shown})))
}

fn shown(chat: &str, it: &Message) -> Value {
    let mut shown = json!({
        "id": it.id, "chat_id": chat, "created_at": moment(it.time), "role": it.role,
        "content": it.content, "model_config_id": MODEL,
    });
    if it.role == "user" {
        shown["created_by"] = ANN.id.into();
    }
    if it.role == "assistant" {
        shown["usage"] = json!({"input_tokens": 1_000, "output_tokens": 50, "total_tokens": 1_050});
    }
    shown
}

fn queued(chat: &str, it: &Message) -> Value {
    json!({"id": it.id, "chat_id": chat, "created_at": moment(it.time), "content": it.content})
}

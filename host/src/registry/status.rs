//! A job as clients read of it: one object, and its schema.

use serde_json::{Value, json};

use crate::{
    capability::types::{Question, Questions},
    jobs::{Board, Record, State},
    time::iso,
};

pub(super) fn state_of(name: &str) -> Option<State> {
    State::ALL.into_iter().find(|state| state.name() == name)
}

/// What is known of a job. What does not apply is left out.
pub(super) fn status(record: &Record) -> Value {
    let mut status = json!({
        "job_id": record.id,
        "plugin": record.owner,
        "kind": record.kind,
        "title": record.title,
        "state": record.state.name(),
        "attempt": record.attempt,
        "progress": {"done": record.done, "total": record.total},
        "message": record.message,
        "created_at": iso(record.created),
        "updated_at": iso(record.updated),
    });
    let failure = record.failure.as_ref();
    let optional = [
        ("jobs_before", record.before.map(Value::from)),
        ("tool", record.tool.as_deref().map(Value::from)),
        ("started_at", record.started.map(|at| iso(at).into())),
        ("ended_at", record.ended.map(|at| iso(at).into())),
        ("error", failure.map(|it| json!({"code": it.code, "message": it.message}))),
        ("asks", Board::open_questions(record).as_ref().map(asks)),
        ("advice", advice(record).map(Value::from)),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            status[name] = value;
        }
    }
    status
}

/// What to do, where that is not plain from the state.
fn advice(record: &Record) -> Option<&'static str> {
    match record.state {
        State::InputRequired => Some(
            "it waits for the answer to what it asks: `job_wait` puts that to the user where the client can; a client that cannot be asked has to leave it to one that can, or cancel the job",
        ),
        State::Queued | State::Running if record.cancel_asked => Some("it is being canceled"),
        State::Queued | State::Running => Some("`job_wait` waits for its end"),
        State::Completed => Some("`job_result` gives its result"),
        State::Failed | State::Canceled => None,
    }
}

fn asks(open: &Questions) -> Value {
    let ask = |(name, question): &(String, Question)| match question {
        Question::Form(form) => {
            let schema: Value = serde_json::from_str(&form.schema).unwrap_or_default();
            json!({"name": name, "kind": "form", "message": form.message, "schema": schema})
        }
        Question::Sample(_) => json!({"name": name, "kind": "sample"}),
        Question::Roots => json!({"name": name, "kind": "roots"}),
    };
    open.ask.iter().map(ask).collect()
}

pub(super) fn schema() -> Value {
    let text = json!({"type": "string"});
    let time = json!({"type": "string", "format": "date-time"});
    let number = json!({"type": ["number", "null"]});
    let ask = json!({
        "type": "object",
        "properties": {"name": text, "kind": text, "message": text, "schema": {}},
        "required": ["name", "kind"],
    });
    let code = json!({"type": "object", "properties": {"code": text, "message": text}});
    json!({
        "type": "object",
        "properties": {
            "job_id": text,
            "plugin": text,
            "kind": text,
            "title": text,
            "tool": text,
            "state": {"type": "string", "enum": State::ALL.map(State::name)},
            "jobs_before": {"type": "integer", "description": "How many jobs wait before it for a place."},
            "attempt": {"type": "integer"},
            "progress": {"type": "object", "properties": {"done": {"type": "number"}, "total": number}},
            "message": text,
            "created_at": time,
            "started_at": time,
            "updated_at": time,
            "ended_at": time,
            "error": code,
            "asks": {"type": "array", "items": ask},
            "advice": text,
        },
        "required": ["job_id", "plugin", "kind", "title", "state", "attempt", "progress", "message", "created_at", "updated_at"],
    })
}

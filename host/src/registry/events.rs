//! `audit-logs`: the record of what happened, for those who may read it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Registry,
    own::{done, read},
};
use crate::{
    audit::{self, Kind},
    capability::{
        tools::Outcome,
        types::{Code, Error},
    },
    database::TrailQuery,
    time::of_text,
};

pub(super) const DESCRIPTION: &str = "Lists what was done through this host and by whom, the latest first: calls with their arguments, what is secret left out, with their outcome and effects.";
/// How many where the arguments do not say it.
const LISTED: u32 = 100;

#[derive(Deserialize)]
struct Wanted {
    username: Option<String>,
    tool_name: Option<String>,
    event_type: Option<String>,
    status: Option<String>,
    start_time: Option<String>,
    end_time: Option<String>,
    before: Option<i64>,
    limit: Option<u32>,
}

pub(super) fn input() -> Value {
    let text = |what: &str| json!({"type": "string", "description": what});
    let time = |what: &str| json!({"type": "string", "format": "date-time", "description": what});
    let kinds = Kind::ALL.map(Kind::name);
    let properties = json!({
        "username": text("Only of this caller."),
        "tool_name": text("Only of this tool."),
        "event_type": {"type": "string", "enum": kinds, "description": "Only of this kind."},
        "status": {"type": "string", "enum": ["success", "error"], "description": "Only with this outcome."},
        "start_time": time("Only from this time on."),
        "end_time": time("Only before this time."),
        "before": {"type": "integer", "description": "Only those before the one with this `seq`."},
        "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": LISTED, "description": "How many at most."},
    });
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

pub(super) fn output() -> Value {
    let event = json!({
        "type": "object",
        "required": ["seq", "timestamp", "event_type", "username", "tool_name", "status"],
    });
    let events = json!({"type": "array", "items": event});
    json!({"type": "object", "properties": {"events": events}, "required": ["events"]})
}

impl Registry {
    /// Events of the record that fit the arguments.
    pub(super) async fn events(&self, arguments: &str) -> Result<Outcome, Error> {
        let wanted: Wanted = read(arguments)?;
        let query = TrailQuery {
            kind: wanted.event_type,
            caller: wanted.username,
            tool: wanted.tool_name,
            status: wanted.status,
            since: wanted.start_time.map(|it| time(&it)).transpose()?,
            until: wanted.end_time.map(|it| time(&it)).transpose()?,
            before: wanted.before,
            limit: wanted.limit.unwrap_or(LISTED),
        };
        let Some(place) = self.doors.audit.place().cloned() else {
            let message = "nothing is recorded: `audit.enabled` is false";
            return Err(Error::new(Code::Unavailable, message));
        };
        let listed = tokio::task::spawn_blocking(move || audit::list(&place, &query)).await;
        let failed =
            |why: String| Error::new(Code::Unavailable, format!("it cannot be read: {why}"));
        let listed = listed.map_err(|error| failed(error.to_string()))?;
        let events = listed.map_err(|error| failed(format!("{error:#}")))?;
        Ok(done(&json!({"events": events})))
    }
}

fn time(text: &str) -> Result<i64, Error> {
    match of_text(text) {
        0 => Err(Error::invalid(format!("`{text}` is no time such as 2026-01-31T12:00:00Z"))),
        ms => Ok(i64::try_from(ms).unwrap_or(i64::MAX)),
    }
}

//! `get_agent_execution_logs`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use windlass_sdk::{Call, Hints, Result, Tool};

use crate::{
    LOOKS,
    api::{Coder, Place},
};

/// Shows what an agent was told and what it said, oldest first.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct GetAgentExecutionLogs {
    /// Who owns the agent: a name, an id, or `me`.
    user: String,
    /// The agent's id, or the name of its task.
    agent_id: String,
    /// Only entries of this level: debug, info, warning, error or critical.
    level: Option<String>,
    /// Only so many of the newest entries.
    #[schemars(range(min = 1))]
    limit: Option<usize>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Logs {
    success: bool,
    data: Vec<LogEntry>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct LogEntry {
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    level: Level,
    message: String,
    agent_id: String,
    task_id: String,
    /// `type` is `input` for what the agent was told, and `output` for what it said.
    metadata: Map<String, Value>,
}

#[derive(Clone, Copy, Debug, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Level {
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

/// What Coder answers.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    logs: Vec<Entry>,
}

/// An entry, as Coder tells it. Each generation leaves out other parts.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    id: Value,
    #[serde(rename = "type")]
    kind: Option<String>,
    content: Option<String>,
    message: Option<String>,
    time: Option<String>,
    timestamp: Option<String>,
    level: Option<String>,
}

impl Tool for GetAgentExecutionLogs {
    const NAME: &'static str = "get_agent_execution_logs";
    const TITLE: Option<&'static str> = Some("Get an agent's logs");
    const HINTS: Hints = LOOKS;
    type Output = Logs;

    fn run(self, call: &Call) -> Result<Logs> {
        let place = Place::of(&self.user, &self.agent_id)?;
        let answer: Answer = Coder::of(call)?.of_agent(&place, "/logs")?;
        Ok(Logs { success: true, data: self.choose(answer.logs) })
    }
}

impl GetAgentExecutionLogs {
    fn choose(&self, entries: Vec<Entry>) -> Vec<LogEntry> {
        let wanted = self.level.as_deref().map(Level::named);
        let entries = entries.into_iter().map(|entry| entry.of(&self.agent_id));
        let mut chosen: Vec<_> =
            entries.filter(|it| wanted.is_none_or(|level| level == it.level)).collect();
        if let Some(limit) = self.limit {
            chosen.drain(..chosen.len().saturating_sub(limit));
        }
        chosen
    }
}

impl Entry {
    fn of(self, agent: &str) -> LogEntry {
        let metadata = [("id", self.id), ("type", self.kind.into())];
        let told = metadata.into_iter().filter(|(_, value)| !value.is_null());
        LogEntry {
            timestamp: self.time.or(self.timestamp),
            level: self.level.as_deref().map_or(Level::Info, Level::named),
            message: self.content.or(self.message).unwrap_or_default(),
            agent_id: agent.to_owned(),
            task_id: agent.to_owned(),
            metadata: told.map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }
}

impl Level {
    /// A level that is unknown counts as information, which is all that Coder's tasks have.
    fn named(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "debug" => Self::Debug,
            "warning" | "warn" => Self::Warning,
            "error" => Self::Error,
            "critical" | "fatal" => Self::Critical,
            _ => Self::Info,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(level: Option<&str>, limit: Option<usize>, expected: &str) {
        let level = level.map(str::to_owned);
        let tool = GetAgentExecutionLogs { user: "me".into(), agent_id: "1".into(), level, limit };
        let entries = json!([
            {"id": 0, "type": "input", "content": "go", "time": "t0"},
            {"id": 1, "type": "output", "content": "went", "time": "t1"},
            {"message": "slow", "timestamp": "t2", "level": "WARN"},
            {"content": "broke", "level": "fatal"},
        ]);
        let chosen = tool.choose(serde_json::from_value(entries).unwrap());
        let messages: Vec<_> = chosen.iter().map(|entry| entry.message.as_str()).collect();
        assert_eq!(messages.join(" "), expected);
    }

    #[test]
    fn the_newest_entries_of_a_level_are_chosen() {
        check(None, None, "go went slow broke");
        check(None, Some(2), "slow broke");
        check(None, Some(9), "go went slow broke");
        check(Some("info"), None, "go went");
        check(Some("information"), Some(1), "went");
        check(Some("Warning"), None, "slow");
        check(Some("critical"), None, "broke");
        check(Some("debug"), None, "");
    }
}

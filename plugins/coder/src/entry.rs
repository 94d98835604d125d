//! One entry of a log, as each part of Coder tells it, and which of many are shown.

use std::collections::VecDeque;

use chrono::DateTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An answer of more would be none: the host lets through so much. The rest is on the next page.
const MOST_BYTES: usize = 1 << 20;
/// What an entry has beside its text, about.
const ENTRY_BYTES: usize = 250;

/// One entry, as callers see it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct LogEntry {
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    level: Level,
    pub(crate) message: String,
    agent_id: String,
    task_id: String,
    /// `type` is `input` for what the agent was told, and `output` for what it said.
    metadata: Map<String, Value>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Debug,
    #[default]
    Info,
    Warning,
    Error,
    Critical,
}

/// An entry, as Coder tells it. Each part and each generation leaves out others.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Entry {
    id: i64,
    #[serde(rename = "type")]
    kind: Option<String>,
    content: Option<String>,
    message: Option<String>,
    output: Option<String>,
    time: Option<String>,
    timestamp: Option<String>,
    created_at: Option<String>,
    level: Option<String>,
    log_level: Option<String>,
    /// What was done, where it is the log of a build.
    stage: Option<String>,
}

/// Which entries are wanted, and those of them that came last.
#[derive(Clone)]
pub(crate) struct Choice {
    pub(crate) level: Option<Level>,
    /// Milliseconds since 1970.
    pub(crate) since: Option<i64>,
    /// Only entries with a smaller number.
    pub(crate) before: Option<i64>,
    limit: usize,
    kept: VecDeque<Entry>,
    bytes: usize,
    /// How far it was looked, where that is not the oldest entry that is kept.
    looked_to: Option<i64>,
    /// Whether there were more than are kept.
    is_cut: bool,
}

impl Choice {
    pub(crate) fn new(limit: usize) -> Self {
        let kept = VecDeque::new();
        let (level, since, before, looked_to) = (None, None, None, None);
        Self { level, since, before, limit, kept, bytes: 0, looked_to, is_cut: false }
    }

    /// Takes one entry; they come oldest first.
    pub(crate) fn take(&mut self, entry: Entry) {
        if !self.wants(&entry) {
            return;
        }
        self.bytes += entry.len();
        self.kept.push_back(entry);
        while self.kept.len() > self.limit || self.bytes > MOST_BYTES && self.kept.len() > 1 {
            let oldest = self.kept.pop_front();
            self.bytes -= oldest.map_or(0, |it| it.len());
            self.is_cut = true;
        }
    }

    /// The same for entries that come newest first. Whether more are wanted.
    pub(crate) fn take_older(&mut self, entry: Entry) -> bool {
        if self.since.is_some_and(|since| entry.ms().is_some_and(|ms| ms < since)) {
            return false;
        }
        if !self.wants(&entry) {
            return true;
        }
        self.bytes += entry.len();
        if self.kept.len() == self.limit || self.bytes > MOST_BYTES && !self.kept.is_empty() {
            self.is_cut = true;
            return false;
        }
        self.kept.push_front(entry);
        true
    }

    fn wants(&self, entry: &Entry) -> bool {
        self.before.is_none_or(|before| entry.id < before)
            && self.level.is_none_or(|level| level == entry.level())
            && self.since.is_none_or(|since| entry.ms().is_none_or(|ms| ms >= since))
    }

    /// There are more, from this number down, and they were not looked at.
    pub(crate) fn stop_at(&mut self, id: Option<i64>) {
        (self.is_cut, self.looked_to) = (id.is_some(), id);
    }

    /// Where the next page ends: the number that all of its entries are below.
    pub(crate) fn next_before(&self) -> Option<i64> {
        let oldest = self.looked_to.or_else(|| self.kept.front().map(|entry| entry.id));
        oldest.filter(|_| self.is_cut)
    }

    pub(crate) fn shown(self, agent: &str) -> Vec<LogEntry> {
        self.kept.into_iter().map(|entry| entry.shown(agent)).collect()
    }
}

impl Entry {
    pub(crate) fn said(
        id: i64,
        kind: &str,
        level: &str,
        content: String,
        time: Option<String>,
    ) -> Self {
        let (kind, level) = (Some(kind.to_owned()), Some(level.to_owned()));
        Self { id, kind, level, content: Some(content), time, ..Self::default() }
    }

    fn level(&self) -> Level {
        self.level.as_deref().or(self.log_level.as_deref()).map_or(Level::Info, Level::named)
    }

    fn len(&self) -> usize {
        let texts = [&self.content, &self.message, &self.output];
        texts.into_iter().flatten().map(String::len).sum::<usize>() + ENTRY_BYTES
    }

    fn ms(&self) -> Option<i64> {
        [&self.time, &self.timestamp, &self.created_at]
            .into_iter()
            .flatten()
            .find_map(|it| ms_of(it))
    }

    pub(crate) fn shown(self, agent: &str) -> LogEntry {
        let level = self.level();
        let facts = [
            ("id", Value::from(self.id)),
            ("type", self.kind.into()),
            ("stage", self.stage.into()),
        ];
        let facts = facts.into_iter().filter(|(_, value)| !value.is_null());
        LogEntry {
            timestamp: self.time.or(self.timestamp).or(self.created_at),
            level,
            message: self.content.or(self.message).or(self.output).unwrap_or_default(),
            agent_id: agent.to_owned(),
            task_id: agent.to_owned(),
            metadata: facts.map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }
}

impl LogEntry {
    /// Whether the agent said it, as far as is known.
    pub(crate) fn is_output(&self) -> bool {
        self.metadata.get("type").is_none_or(|kind| kind == "output")
    }
}

impl Level {
    /// A level that is unknown counts as information, which is all that Coder's tasks have.
    pub(crate) fn named(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "debug" | "trace" => Self::Debug,
            "warning" | "warn" => Self::Warning,
            "error" => Self::Error,
            "critical" | "fatal" => Self::Critical,
            _ => Self::Info,
        }
    }
}

/// A time in Coder's words, in milliseconds since 1970.
pub(crate) fn ms_of(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text.trim()).ok().map(|time| time.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entries() -> Vec<Entry> {
        let entries = json!([
            {"id": 0, "type": "input", "content": "go", "time": "2026-05-01T08:00:00Z"},
            {"id": 1, "type": "output", "content": "went", "time": "2026-05-01T10:00:01.5+02:00"},
            {"id": 2, "message": "slow", "timestamp": "2026-05-01T08:00:02Z", "level": "WARN"},
            {"id": 3, "output": "broke", "created_at": "2026-05-01T08:00:03Z", "log_level": "fatal"},
        ]);
        serde_json::from_value(entries).unwrap()
    }

    #[track_caller]
    fn check(choice: Choice, expected: (&str, Option<i64>)) {
        let mut older = choice.clone();
        let mut choice = choice;
        entries().into_iter().for_each(|entry| choice.take(entry));
        let _ = entries().into_iter().rev().all(|entry| older.take_older(entry));
        for choice in [choice, older] {
            let next = choice.next_before();
            let told: Vec<_> = choice.shown("a").into_iter().map(|entry| entry.message).collect();
            assert_eq!((told.join(" ").as_str(), next), expected);
        }
    }

    #[test]
    fn entries_that_are_too_long_together_come_on_several_pages() {
        let entry = |id| Entry::said(id, "output", "info", "x".repeat(MOST_BYTES / 3), None);
        let (mut choice, mut older) = (Choice::new(9), Choice::new(9));
        (0..4).for_each(|id| choice.take(entry(id)));
        let _ = (0..4).rev().all(|id| older.take_older(entry(id)));
        assert_eq!((choice.next_before(), older.next_before()), (Some(2), Some(2)));
        let mut choice = Choice::new(9);
        choice.take(Entry::said(7, "output", "info", "x".repeat(2 * MOST_BYTES), None));
        assert_eq!((choice.next_before(), choice.shown("a").len()), (None, 1));
    }

    #[test]
    fn the_newest_entries_that_are_wanted_are_kept() {
        let level = |name| Choice { level: Some(Level::named(name)), ..Choice::new(9) };
        check(Choice::new(9), ("go went slow broke", None));
        check(Choice::new(4), ("go went slow broke", None));
        check(Choice::new(2), ("slow broke", Some(2)));
        check(Choice { before: Some(2), ..Choice::new(1) }, ("went", Some(1)));
        check(Choice { before: Some(1), ..Choice::new(1) }, ("go", None));
        check(level("information"), ("go went", None));
        check(level("Warning"), ("slow", None));
        check(level("critical"), ("broke", None));
        check(level("debug"), ("", None));
        let since = ms_of("2026-05-01T08:00:01.500Z");
        check(Choice { since, ..Choice::new(9) }, ("went slow broke", None));
    }
}

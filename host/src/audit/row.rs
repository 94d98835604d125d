//! What is recorded of one thing that happened.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{chain, redact::redacted};
use crate::{
    database::{Link, Mark, TrailRow},
    plugin::{Digest, hex},
};

/// Larger arguments stand in the record by their hash alone.
const LARGEST: usize = 64 << 10;
/// Names that anybody can make up are cut here.
const LONGEST_NAME: usize = 200;

/// What happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A tool was called, and what came of it.
    #[default]
    ToolExecution,
    /// A destructive tool is about to be called.
    ToolStart,
    /// A resource was read, or a prompt asked for.
    Reading,
    /// A job has run, or ended.
    Job,
    /// Somebody came in, or did not.
    Authentication,
    /// An operator did something, or the host began, ended, or read its configuration.
    Admin,
}

/// A row, before it has its place in the chain.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Event {
    #[serde(skip)]
    pub kind: Kind,
    #[serde(skip)]
    pub caller: String,
    #[serde(skip)]
    pub tool: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub plugin: String,
    /// Of the plugin's component.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Of what the operator wants.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub policy: String,
    #[serde(skip)]
    pub arguments: Arguments,
    /// Why it was not done, or not all of it. None: it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What was done, with the ids of what it was done to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<String>,
    pub duration_us: u64,
    /// How much was answered.
    pub bytes: u64,
}

/// What something was called with.
#[derive(Clone, Debug, Default)]
pub enum Arguments {
    #[default]
    None,
    /// JSON.
    Text(String),
    /// Of what is too large to be kept until it is written.
    Hash(String),
}

impl Arguments {
    pub fn new(text: String) -> Self {
        if text.len() > LARGEST { Self::Hash(hash(&text)) } else { Self::Text(text) }
    }
}

impl Kind {
    pub const ALL: [Self; 6] = [
        Self::ToolExecution,
        Self::ToolStart,
        Self::Reading,
        Self::Job,
        Self::Authentication,
        Self::Admin,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::ToolExecution => "tool_execution",
            Self::ToolStart => "tool_start",
            Self::Reading => "reading",
            Self::Job => "job",
            Self::Authentication => "authentication",
            Self::Admin => "admin",
        }
    }
}

impl Event {
    pub fn new(kind: Kind, caller: &str, tool: &str) -> Self {
        let cut = |text: &str| {
            let end = text.floor_char_boundary(LONGEST_NAME);
            text.get(..end).unwrap_or_default().to_owned()
        };
        Self { kind, caller: cut(caller), tool: cut(tool), ..Self::default() }
    }

    /// The same with why it was not done.
    #[must_use]
    pub fn failed(self, error: impl Into<String>) -> Self {
        Self { error: Some(error.into()), ..self }
    }

    /// Its row after another, without what is secret.
    pub(super) fn row(&self, before: &Link, time: i64, secrets: &[&str]) -> TrailRow {
        let mark = Mark {
            kind: self.kind.name().to_owned(),
            caller: self.caller.clone(),
            tool: self.tool.clone(),
            status: if self.error.is_none() { "success" } else { "error" }.to_owned(),
        };
        let body = self.body(secrets);
        let seq = before.seq + 1;
        let hash = chain::hash(&before.hash, seq, time, &mark, &body);
        TrailRow { seq, time, mark, body, hash }
    }

    fn body(&self, secrets: &[&str]) -> String {
        let mut body = serde_json::to_value(self).unwrap_or_default();
        // By value alone: an error's text has no keys, and the names of keys here are our own.
        if let Some(fields) = body.as_object_mut() {
            for value in fields.values_mut() {
                *value = redacted(value, secrets);
            }
        }
        match &self.arguments {
            Arguments::None => {}
            Arguments::Hash(hash) => body["arguments_hash"] = hash.as_str().into(),
            Arguments::Text(text) => {
                body["arguments_hash"] = hash(text).into();
                let arguments: Value = serde_json::from_str(text).unwrap_or_default();
                body["arguments"] = redacted(&arguments, secrets);
            }
        }
        body.to_string()
    }
}

fn hash(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

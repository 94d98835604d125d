//! The record of all that happens: who did what, with what came of it.
//!
//! Rows are chained and only added. One thread writes; what must be on disk before something happens waits for it, and all else
//! is written together with what comes in the meantime.

mod chain;
mod redact;
mod writer;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    database::{TrailQuery, TrailReader},
    error::{Result, unavailable},
};

pub use chain::{Head, Verified, verify};
pub use redact::{names_secret, redacted};
pub use writer::Audit;

/// What happened.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A tool was called, and what came of it.
    ToolExecution,
    /// A destructive tool is about to be called.
    ToolStart,
    /// Somebody came in, or did not.
    Authentication,
    /// An operator did something: a token, a rotation.
    Admin,
}

/// A row, before it has its place in the chain.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Event {
    pub kind: Kind,
    pub caller: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub client: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub plugin: String,
    /// Of the plugin's component.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
    #[serde(default)]
    pub tool: String,
    /// SHA-256 of the arguments as they came.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub arguments_hash: String,
    /// The same without what is secret.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub arguments: Value,
    /// `success` or `error`.
    pub status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What was done, with the ids of what it was done to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<String>,
    #[serde(default)]
    pub duration_us: u64,
    #[serde(default)]
    pub bytes: u64,
}

/// Where the record and its head lie.
#[derive(Clone, Debug)]
pub struct Place {
    pub trail: PathBuf,
    /// The end of the chain, kept apart from it.
    pub head: PathBuf,
}

impl Place {
    pub fn below(state: &Path) -> Self {
        Self { trail: state.join("audit.db"), head: state.join("audit.head") }
    }
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::ToolExecution => "tool_execution",
            Self::ToolStart => "tool_start",
            Self::Authentication => "authentication",
            Self::Admin => "admin",
        }
    }
}

/// Rows that are wanted, the latest first, as JSON.
pub fn list(place: &Place, query: &TrailQuery) -> Result<Vec<Value>> {
    let told = |error: anyhow::Error| unavailable(format!("{error:#}"));
    let reader = TrailReader::open(&place.trail).map_err(told)?;
    let rows = reader.list(query).map_err(told)?;
    let read = |body: &str| serde_json::from_str(body).unwrap_or(Value::Null);
    Ok(rows.iter().map(|row| read(&row.body)).collect())
}

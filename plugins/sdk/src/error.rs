//! The one error of the contract, and short ways to make it.

use std::fmt;

use serde_json::{Map, Value};

pub use crate::bindings::windlass::plugin::types::{Code, Error};

impl Error {
    /// An error of this kind.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: None }
    }

    /// The plugin did its work, and the work failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Code::Failed, message)
    }

    /// The request makes no sense as it stands.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::Invalid, message)
    }

    /// No such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message)
    }

    /// Another system failed; trying again may help.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Code::Unavailable, message)
    }

    /// Adds a JSON value for programs.
    #[must_use]
    pub fn with_details(mut self, details: &impl serde::Serialize) -> Self {
        self.details = serde_json::to_string(details).ok();
        self
    }

    /// What it already says to programs, by name.
    pub fn known(&self) -> Map<String, Value> {
        match self.details.as_deref().map(serde_json::from_str) {
            Some(Ok(Value::Object(details))) => details,
            Some(Ok(other)) => Map::from_iter([("cause".to_owned(), other)]),
            _ => Map::new(),
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Code::Denied => "denied",
            Code::NotFound => "not found",
            Code::Invalid => "invalid",
            Code::Conflict => "conflict",
            Code::Timeout => "timeout",
            Code::Limit => "limit",
            Code::Unavailable => "unavailable",
            Code::Failed => "failed",
            Code::Other => "other",
        })
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::new(Code::Invalid, error.to_string())
    }
}

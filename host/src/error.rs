//! How capabilities fail: a [`Failure`] is either an answer to the plugin or a trap.

use serde_json::Value;

use crate::capability::types::{Code, Error};

#[derive(Debug)]
pub enum Failure {
    /// The plugin gets this as the `error` of its call.
    Answer(Error),
    /// The plugin broke a rule of its sandbox, or the host has a bug. The call ends.
    Trap(wasmtime::Error),
}

pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// Adds to what programs read of an answer. A trap has no such part.
    #[must_use]
    pub fn with_detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        if let Self::Answer(error) = &mut self {
            let details = error.details.as_deref().and_then(|text| serde_json::from_str(text).ok());
            let mut details: serde_json::Map<String, Value> = details.unwrap_or_default();
            details.insert(name.to_owned(), value.into());
            error.details = Some(Value::Object(details).to_string());
        }
        self
    }
}

impl Error {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: None }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::Invalid, message)
    }

    /// What programs read besides the message. None where it is no JSON.
    pub fn details_value(&self) -> Option<Value> {
        serde_json::from_str(self.details.as_deref()?).ok()
    }

    /// The code that programs read: the plugin's own `error_code` where its details hold one, such as `AGENT_NOT_FOUND`.
    pub fn code_for_programs(&self) -> String {
        let own =
            self.details_value().and_then(|it| it.get("error_code")?.as_str().map(str::to_owned));
        own.unwrap_or_else(|| self.code.name().to_owned())
    }
}

impl Code {
    /// As programs read it in a result: `NOT_FOUND`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Denied => "DENIED",
            Self::NotFound => "NOT_FOUND",
            Self::Invalid => "INVALID",
            Self::Conflict => "CONFLICT",
            Self::Timeout => "TIMEOUT",
            Self::Limit => "LIMIT",
            Self::Unavailable => "UNAVAILABLE",
            Self::Failed => "FAILED",
            Self::Other => "OTHER",
        }
    }
}

/// A failure as the start and the log tell it.
pub fn told(failure: Failure) -> anyhow::Error {
    match failure {
        Failure::Answer(error) => anyhow::Error::msg(error.message),
        Failure::Trap(error) => anyhow::anyhow!("{error:#}"),
    }
}

/// A bug of the host's: the call ends, and the log says why.
pub fn trap(message: impl Into<String>) -> Failure {
    Failure::Trap(wasmtime::Error::msg(message.into()))
}

pub fn denied(message: impl Into<String>) -> Failure {
    Failure::Answer(Error::new(Code::Denied, message))
}

pub fn invalid(message: impl Into<String>) -> Failure {
    Failure::Answer(Error::invalid(message))
}

pub fn conflict(message: impl Into<String>) -> Failure {
    Failure::Answer(Error::new(Code::Conflict, message))
}

pub fn limit(message: impl Into<String>) -> Failure {
    Failure::Answer(Error::new(Code::Limit, message))
}

pub fn not_found(message: impl Into<String>) -> Failure {
    Failure::Answer(Error::new(Code::NotFound, message))
}

pub fn timeout(message: impl Into<String>) -> Failure {
    Failure::Answer(Error::new(Code::Timeout, message))
}

pub fn unavailable(message: impl Into<String>) -> Failure {
    Failure::Answer(Error::new(Code::Unavailable, message))
}

impl From<wasmtime::component::ResourceTableError> for Failure {
    fn from(error: wasmtime::component::ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

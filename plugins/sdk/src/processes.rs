//! Programs that run in containers, and what they print.

use crate::types::Value;

pub use crate::bindings::windlass::plugin::processes::{
    Carrier, Chunk, Ending, Info, Origin, Output, Process, ResultOf, Spec, State, Terminal, running,
};

impl Spec {
    /// A program and its arguments, without a time limit, in `/workspace`, with stdin closed.
    pub fn new(command: Vec<String>) -> Self {
        Self {
            command,
            env: Vec::new(),
            cwd: None,
            stdin: None,
            terminal: None,
            timeout_ms: None,
            root: false,
            key: None,
        }
    }

    /// Adds a variable to its environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), Value::Plain(value.into())));
        self
    }

    /// Adds a variable whose value the host puts in place.
    #[must_use]
    pub fn secret_env(mut self, name: impl Into<String>, secret: &str) -> Self {
        self.env.push((name.into(), Value::Secret(secret.to_owned())));
        self
    }
}

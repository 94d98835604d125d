//! What can go wrong between a Coder and whoever asks it, by order of a test.

use std::time::Duration;

use serde_json::Value;

/// As many times as it is asked.
pub(crate) const ALWAYS: usize = usize::MAX;

#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Refused with this status, and `Retry-After` where there is one. Nothing is done.
    Status(u16, Option<&'static str>),
    /// Answered so. Nothing is done.
    Answer(u16, Value),
    /// It is done, and answered this much later.
    Delay(Duration),
    /// It is done, and the connection ends in the middle of the answer.
    Cut,
    /// It is done, and the connection ends without an answer.
    CloseBeforeAnswer,
    /// It is done, and the second half of the answer does not come until whoever asked goes.
    Stall,
    /// It is done, and nothing comes until whoever asked goes.
    Hang,
    /// What a proxy says that stands before it. Nothing is done.
    Garbage,
    /// It is said to be elsewhere. Nothing is done.
    Redirect(String),
}

/// Which requests a fault hits, and how many of them it still does.
pub(super) struct Rule {
    method: String,
    path: String,
    times: usize,
    fault: Fault,
}

impl Rule {
    pub(super) fn new(method: &str, path: &str, times: usize, fault: Fault) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), times, fault }
    }

    fn hits(&self, method: &str, path: &str) -> bool {
        let named = self.method.is_empty() || self.method == method;
        self.times > 0 && named && path.starts_with(&self.path)
    }
}

/// The fault that the first rule has for a request.
pub(super) fn take(rules: &mut [Rule], method: &str, path: &str) -> Option<Fault> {
    let rule = rules.iter_mut().find(|rule| rule.hits(method, path))?;
    rule.times -= 1;
    Some(rule.fault.clone())
}

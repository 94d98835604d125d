//! What went wrong, in the codes that programs know.

use serde_json::json;
use windlass_sdk::{Error, types::Code};

use crate::Address;

/// An argument that makes no sense.
pub fn validation(message: impl Into<String>) -> Error {
    Error::invalid(message).with_details(&json!({"error_code": "VALIDATION_ERROR"}))
}

/// Something else is in the way.
pub fn conflict(message: impl Into<String>) -> Error {
    Error::new(Code::Conflict, message).with_details(&json!({"error_code": "CONFLICT"}))
}

/// There is no session of this id.
pub fn session_not_found(session: &str) -> Error {
    let details = json!({"error_code": "SESSION_NOT_FOUND", "session_id": session});
    Error::not_found(format!("Session {session} not found")).with_details(&details)
}

/// A failure of the host's with the code that programs know among its details.
pub fn of(error: Error) -> Error {
    let mut details = error.known();
    details.entry("error_code").or_insert_with(|| code(error.code).into());
    error.with_details(&details)
}

fn code(code: Code) -> &'static str {
    match code {
        Code::Denied => "POLICY_DENIED",
        Code::Timeout => "TIMEOUT",
        Code::Limit => "LIMIT",
        Code::Invalid => "VALIDATION_ERROR",
        Code::Conflict => "CONFLICT",
        Code::NotFound => "FILE_NOT_FOUND",
        Code::Unavailable => "DOCKER_ERROR",
        Code::Failed | Code::Other => "INTERNAL_ERROR",
    }
}

/// It took too long.
pub(crate) fn timeout(seconds: u64) -> Error {
    Error::new(
        Code::Timeout,
        format!("git was ended after {seconds} seconds: `timeout_s` is how long it may take"),
    )
    .with_details(&json!({"error_code": "TIMEOUT"}))
}

/// Git did not do it. The message is what it complained about.
pub fn git(complaint: &str, peers: &[Address]) -> Error {
    let complaint = complaint.trim();
    let (code, error_code, hint) = cause(complaint, peers);
    let message = match (complaint, hint) {
        ("", None) => "git failed without a word".to_owned(),
        (complaint, None) => complaint.to_owned(),
        (complaint, Some(hint)) => format!("{complaint}\n{hint}"),
    };
    Error::new(code, message).with_details(&json!({"error_code": error_code}))
}

/// What is behind a complaint of git's, as far as one can see.
fn cause(complaint: &str, peers: &[Address]) -> (Code, &'static str, Option<String>) {
    let says = |words: &[&str]| words.iter().any(|word| complaint.contains(word));
    if says(&["CONNECT tunnel failed, response 403", "not allowed: `plugins."]) {
        return (Code::Denied, "POLICY_DENIED", Some(egress(peers)));
    }
    if says(&[
        "Authentication failed",
        "could not read Username",
        "could not read Password",
        "error: 401",
        "error: 403",
    ]) {
        let hint = "the server wants somebody it knows: the operator names a secret for this host in `credentials`";
        return (Code::Denied, "AUTHENTICATION_FAILED", Some(hint.to_owned()));
    }
    if says(&[
        "Could not resolve host",
        "Failed to connect",
        "Connection refused",
        "Couldn't connect",
    ]) {
        return (Code::Unavailable, "NETWORK_ERROR", Some(egress(peers)));
    }
    if says(&["index.lock': File exists"]) {
        let hint = "another git command works here, or one was killed: if none does, remove `.git/index.lock`";
        return (Code::Conflict, "CONFLICT", Some(hint.to_owned()));
    }
    if says(&["does not appear to be a git repository", "does not exist"])
        && peers.iter().any(|it| matches!(it, Address::Local(_)))
    {
        let hint = "only folders that the plugin's `grants.containers.mounts` names are there";
        return (Code::NotFound, "GIT_ERROR", Some(hint.to_owned()));
    }
    (Code::Failed, "GIT_ERROR", None)
}

/// The grant that would open the way.
fn egress(peers: &[Address]) -> String {
    let places = peers.iter().filter_map(|peer| match peer {
        Address::Web { secure, host, .. } if !host.contains(':') => {
            Some(format!("`{host}:{}`", if *secure { 443 } else { 80 }))
        }
        Address::Web { host, .. } => Some(format!("`{host}`")),
        Address::Local(_) => None,
    });
    let places: Vec<_> = places.collect();
    format!("the plugin's `grants.containers.egress` must name {}", places.join(" and "))
}

/// There is a workspace, but no repository in it.
pub(crate) fn no_repository(session: &str, why: &str) -> Error {
    let details = json!({"error_code": "NOT_A_REPOSITORY", "session_id": session});
    Error::invalid(format!("Session {session} holds no git repository: {why}"))
        .with_details(&details)
}

/// More than an answer can hold.
pub(crate) fn limit(message: impl Into<String>) -> Error {
    Error::new(Code::Limit, message).with_details(&json!({"error_code": "LIMIT"}))
}

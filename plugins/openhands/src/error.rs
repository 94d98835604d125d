//! What went wrong, in the words and codes that programs know.

use serde_json::json;
use windlass_sdk::{Error, types::Code};

/// A session that nobody has.
pub(crate) fn no_session(session: &str) -> Error {
    of(Code::NotFound, format!("Session {session} not found"), session, "SESSION_NOT_FOUND")
}

/// A task that the session does not have.
pub(crate) fn no_task(session: &str, task: &str) -> Error {
    let message = format!("Task {task} not found in session {session}");
    of(Code::NotFound, message, session, "TASK_NOT_FOUND")
}

/// As many tasks as there may be.
pub(crate) fn too_many(session: &str, most: usize) -> Error {
    let message = format!("Max coding tasks ({most}) already running for this session.");
    of(Code::Limit, message, session, "LIMIT")
}

/// A session that is on its way out.
pub(crate) fn closing(session: &str) -> Error {
    let message =
        format!("Session {session} is being torn down: call `teardown` again to end that");
    of(Code::Conflict, message, session, "CONFLICT")
}

/// The same error with what programs look for, as far as nobody has said it before.
pub(crate) fn about(session: &str, error: Error) -> Error {
    let code = match error.code {
        Code::Denied => "POLICY_DENIED",
        Code::NotFound => "NOT_FOUND",
        Code::Invalid => "VALIDATION_ERROR",
        Code::Conflict => "CONFLICT",
        Code::Timeout => "TIMEOUT",
        Code::Limit => "LIMIT",
        Code::Unavailable | Code::Failed => "DOCKER_ERROR",
        Code::Other => "INTERNAL_ERROR",
    };
    let mut details = error.known();
    details.entry("error_code").or_insert_with(|| code.into());
    details.entry("session_id").or_insert_with(|| session.into());
    details.entry("isError").or_insert_with(|| true.into());
    error.with_details(&details)
}

fn of(code: Code, message: String, session: &str, error_code: &str) -> Error {
    let details = json!({"error_code": error_code, "session_id": session, "isError": true});
    Error::new(code, message).with_details(&details)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_programs_look_for() {
        let error = too_many("w_1", 3);
        assert_eq!(error.message, "Max coding tasks (3) already running for this session.");
        let known = error.known();
        assert_eq!((&known["error_code"], &known["session_id"]), (&json!("LIMIT"), &json!("w_1")));
        let same = about("w_2", error).known();
        assert_eq!(same, known);
        let other = about("w_1", Error::new(Code::Denied, "no"));
        assert_eq!(other.known()["error_code"], "POLICY_DENIED");
    }
}

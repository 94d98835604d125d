//! What went wrong, in the words and codes that programs know.

use serde_json::json;
use windlass_sdk::{Error, types::Code};

/// A session that nobody has, or that was terminated.
pub(crate) fn no_session(session: &str) -> Error {
    let message = format!("session `{session}` is not there: `create_or_reuse_session` makes one");
    let details = json!({"error_code": "SESSION_NOT_FOUND", "session_id": session});
    Error::new(Code::NotFound, message).with_details(&details)
}

/// A run that this caller does not have.
pub(crate) fn no_run(run: &str) -> Error {
    let message = format!("run `{run}` is not there: `opencode_runs` lists those that are");
    let details = json!({"error_code": "RUN_NOT_FOUND", "run_id": run});
    Error::new(Code::NotFound, message).with_details(&details)
}

/// An artifact that is not there, or a path that leads elsewhere.
pub(crate) fn no_artifact(path: &str) -> Error {
    let message = format!(
        "artifact `{path}` is not there: `list_artifacts` gives the paths of those that are"
    );
    let details = json!({"error_code": "FILE_NOT_FOUND", "path": path});
    Error::new(Code::NotFound, message).with_details(&details)
}

/// The same error with what programs look for, as far as nobody has said it before.
pub(crate) fn about(key: &str, id: &str, error: Error) -> Error {
    let code = match error.code {
        Code::Denied => "POLICY_DENIED",
        Code::NotFound => "NOT_FOUND",
        Code::Invalid => "VALIDATION_ERROR",
        Code::Conflict => "CONFLICT",
        Code::Timeout => "TIMEOUT",
        Code::Limit => "LIMIT",
        Code::Unavailable => "DOCKER_ERROR",
        Code::Failed => "RUN_FAILED",
        Code::Other => "INTERNAL_ERROR",
    };
    let mut details = error.known();
    details.entry("error_code").or_insert_with(|| code.into());
    details.entry(key).or_insert_with(|| id.into());
    error.with_details(&details)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_programs_look_for() {
        let known = no_run("j_1").known();
        assert_eq!(
            (&known["error_code"], &known["run_id"]),
            (&json!("RUN_NOT_FOUND"), &json!("j_1"))
        );
        assert_eq!(
            about("session_id", "w_1", no_run("j_1")).known()["error_code"],
            "RUN_NOT_FOUND"
        );
        let other = about("session_id", "w_1", Error::new(Code::Limit, "no")).known();
        assert_eq!((&other["error_code"], &other["session_id"]), (&json!("LIMIT"), &json!("w_1")));
    }
}

//! What went wrong, in the upper-case codes that programs know from mcp-devbench.

use serde_json::json;
use windlass_sdk::{Error, types::Code};

/// What was at hand when it failed.
#[derive(Clone, Copy)]
pub(crate) enum About {
    Container,
    /// A container that is to be made, under an alias or without.
    Spawn {
        alias: bool,
    },
    Exec,
    File,
    /// The host itself: records, metrics.
    Host,
}

/// An argument that makes no sense.
pub(crate) fn validation(message: impl Into<String>) -> Error {
    Error::invalid(message).with_details(&json!({"error_code": "VALIDATION_ERROR"}))
}

/// More than an answer can hold.
pub(crate) fn limit(message: impl Into<String>) -> Error {
    Error::new(Code::Limit, message).with_details(&json!({"error_code": "LIMIT"}))
}

impl About {
    /// The same error with its code among the details, unless the host has put one there.
    pub(crate) fn of(self, error: Error) -> Error {
        let mut details = error.known();
        details.entry("error_code").or_insert_with(|| self.code(error.code).into());
        error.with_details(&details)
    }

    fn code(self, code: Code) -> &'static str {
        match (code, self) {
            (Code::Denied, _) => "POLICY_DENIED",
            (Code::Timeout, _) => "TIMEOUT",
            (Code::Limit, _) => "LIMIT",
            (Code::Invalid, _) => "VALIDATION_ERROR",
            (Code::NotFound, Self::Exec) => "EXEC_NOT_FOUND",
            (Code::NotFound, Self::File) => "FILE_NOT_FOUND",
            (Code::NotFound, Self::Container) => "CONTAINER_NOT_FOUND",
            (Code::Conflict, Self::Spawn { alias: true }) => "ALIAS_EXISTS",
            (Code::Conflict, _) => "CONFLICT",
            (Code::Unavailable | Code::Failed, Self::File | Self::Host) | (Code::Other, _) => {
                "INTERNAL_ERROR"
            }
            (Code::NotFound | Code::Unavailable | Code::Failed, _) => "DOCKER_ERROR",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(about: About, code: Code, details: Option<&str>, expected: &str) {
        let error = Error { code, message: "why".to_owned(), details: details.map(str::to_owned) };
        let error = about.of(error);
        assert_eq!((error.code, error.message.as_str()), (code, "why"));
        assert_eq!(error.details.as_deref(), Some(expected));
    }

    #[test]
    fn each_failure_has_its_code() {
        let spawn = |alias| About::Spawn { alias };
        check(About::Container, Code::NotFound, None, r#"{"error_code":"CONTAINER_NOT_FOUND"}"#);
        check(About::Exec, Code::NotFound, None, r#"{"error_code":"EXEC_NOT_FOUND"}"#);
        check(About::File, Code::NotFound, None, r#"{"error_code":"FILE_NOT_FOUND"}"#);
        check(spawn(true), Code::Conflict, None, r#"{"error_code":"ALIAS_EXISTS"}"#);
        check(spawn(false), Code::Conflict, None, r#"{"error_code":"CONFLICT"}"#);
        check(spawn(false), Code::Denied, None, r#"{"error_code":"POLICY_DENIED"}"#);
        check(spawn(false), Code::NotFound, None, r#"{"error_code":"DOCKER_ERROR"}"#);
        check(About::Exec, Code::Unavailable, None, r#"{"error_code":"DOCKER_ERROR"}"#);
        check(About::File, Code::Unavailable, None, r#"{"error_code":"INTERNAL_ERROR"}"#);
        check(About::Exec, Code::Timeout, None, r#"{"error_code":"TIMEOUT"}"#);
        check(About::File, Code::Limit, None, r#"{"error_code":"LIMIT"}"#);
        check(About::File, Code::Other, None, r#"{"error_code":"INTERNAL_ERROR"}"#);
    }

    #[test]
    fn what_the_host_says_of_it_stays() {
        let path = r#"{"error_code":"PATH_SECURITY","path":"/etc/passwd"}"#;
        check(About::File, Code::Invalid, Some(path), path);
        let conflict = Some(r#"{"expected":"a","found":"b"}"#);
        let expected = r#"{"error_code":"CONFLICT","expected":"a","found":"b"}"#;
        check(About::File, Code::Conflict, conflict, expected);
        let cause = r#"{"cause":[1],"error_code":"INTERNAL_ERROR"}"#;
        check(About::File, Code::Other, Some("[1]"), cause);
        check(About::File, Code::Other, Some("{"), r#"{"error_code":"INTERNAL_ERROR"}"#);
    }
}

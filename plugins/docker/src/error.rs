//! What went wrong, in the upper-case codes that programs know, and with what was being done.

use serde_json::json;
use windlass_sdk::{Error, types::Code};

/// What was at hand when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    Container,
    Network,
    Volume,
    Image,
}

impl About {
    /// The same error with its code among the details, unless the host has put one there.
    pub(crate) fn of(self, error: Error) -> Error {
        coded(self.code(error.code), error)
    }

    /// The same, and what was being done: `starting container 'web'`.
    pub(crate) fn during(self, doing: &str, error: Error) -> Error {
        let mut error = self.of(error);
        error.message = format!("Error {doing}: {}", error.message);
        error
    }

    /// An error that says that there is no such thing, and how to find out what there is.
    pub(crate) fn missing(self, name: &str) -> Error {
        let (kind, list) = match self {
            Self::Container => ("container", "list-containers"),
            Self::Network => ("network", "network-list"),
            Self::Volume => ("volume", "list-volumes"),
            Self::Image => ("image", "list-images"),
        };
        let message =
            format!("there is no {kind} `{name}` within reach: `{list}` names those there are");
        self.of(Error::not_found(message))
    }

    fn code(self, code: Code) -> &'static str {
        match (code, self) {
            (Code::NotFound, Self::Container) => "CONTAINER_NOT_FOUND",
            (Code::NotFound, Self::Network) => "NETWORK_NOT_FOUND",
            (Code::NotFound, Self::Volume) => "VOLUME_NOT_FOUND",
            (Code::NotFound, Self::Image) => "IMAGE_NOT_FOUND",
            (Code::Denied, _) => "POLICY_DENIED",
            (Code::Invalid, _) => "VALIDATION_ERROR",
            (Code::Conflict, _) => "CONFLICT",
            (Code::Timeout, _) => "TIMEOUT",
            (Code::Limit, _) => "LIMIT",
            (Code::Unavailable | Code::Failed, _) => "DOCKER_ERROR",
            (Code::Other, _) => "INTERNAL_ERROR",
        }
    }
}

/// An argument that cannot be meant.
pub(crate) fn validation(field: &str, message: impl Into<String>) -> Error {
    let details = json!({"error_code": "VALIDATION_ERROR", "field": field});
    Error::invalid(message).with_details(&details)
}

/// Something is in the way that the caller can put aside.
pub(crate) fn conflict(message: impl Into<String>) -> Error {
    coded("CONFLICT", Error::new(Code::Conflict, message))
}

/// The same error with this code among the details, unless there is one.
pub(crate) fn coded(name: &str, error: Error) -> Error {
    let mut details = error.known();
    details.entry("error_code").or_insert_with(|| name.into());
    error.with_details(&details)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(about: About, code: Code, details: Option<&str>, expected: &str) {
        let error = Error { code, message: "why".to_owned(), details: details.map(str::to_owned) };
        let error = about.during("making it", error);
        assert_eq!((error.code, error.message.as_str()), (code, "Error making it: why"));
        assert_eq!(error.known()["error_code"], expected);
    }

    #[test]
    fn each_failure_has_its_code() {
        check(About::Container, Code::NotFound, None, "CONTAINER_NOT_FOUND");
        check(About::Network, Code::NotFound, None, "NETWORK_NOT_FOUND");
        check(About::Volume, Code::NotFound, None, "VOLUME_NOT_FOUND");
        check(About::Image, Code::NotFound, None, "IMAGE_NOT_FOUND");
        check(About::Container, Code::Denied, None, "POLICY_DENIED");
        check(About::Container, Code::Invalid, None, "VALIDATION_ERROR");
        check(About::Network, Code::Conflict, None, "CONFLICT");
        check(About::Image, Code::Timeout, None, "TIMEOUT");
        check(About::Image, Code::Limit, None, "LIMIT");
        check(About::Volume, Code::Failed, None, "DOCKER_ERROR");
        check(About::Volume, Code::Unavailable, None, "DOCKER_ERROR");
        check(About::Volume, Code::Other, None, "INTERNAL_ERROR");
        check(About::Volume, Code::Other, Some(r#"{"error_code":"MINE"}"#), "MINE");
    }

    #[test]
    fn what_is_missing_says_where_to_look() {
        let error = About::Network.missing("web");
        assert_eq!(
            error.message,
            "there is no network `web` within reach: `network-list` names those there are"
        );
        assert_eq!(error.known()["error_code"], "NETWORK_NOT_FOUND");
        assert_eq!(validation("tail", "no").known()["field"], "tail");
    }
}

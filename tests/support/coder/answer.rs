//! What the fake answers, with Coder's own words for what it refuses.

use serde_json::{Value, json};

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Body,
}

pub(super) enum Body {
    Whole(Vec<u8>),
    /// Sent in chunks as they are made.
    Pieces(Box<dyn Iterator<Item = String> + Send>),
}

/// A refusal is as good an answer as any.
pub(super) type Answered = Result<Answer, Answer>;

impl Answer {
    pub(super) fn json(status: u16, value: &Value) -> Self {
        Self::text(status, "application/json; charset=utf-8", value.to_string())
    }

    pub(super) fn text(status: u16, kind: &str, text: String) -> Self {
        let headers = vec![("Content-Type".to_owned(), kind.to_owned())];
        Self { status, headers, body: Body::Whole(text.into_bytes()) }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Body::Whole(Vec::new()) }
    }

    pub(super) fn pieces(pieces: impl Iterator<Item = String> + Send + 'static) -> Self {
        let headers =
            vec![("Content-Type".to_owned(), "application/json; charset=utf-8".to_owned())];
        Self { status: 200, headers, body: Body::Pieces(Box::new(pieces)) }
    }

    pub(super) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

pub(super) fn refused(status: u16, message: &str) -> Answer {
    Answer::json(status, &json!({"message": message}))
}

/// A request that does not hold what it must.
pub(super) fn invalid(message: &str, field: &str, detail: &str) -> Answer {
    let validations = json!([{"field": field, "detail": detail}]);
    Answer::json(400, &json!({"message": message, "validations": validations}))
}

pub(super) fn no_route() -> Answer {
    refused(404, "Route not found.")
}

pub(super) fn not_found() -> Answer {
    refused(404, "Resource not found or you do not have access to this resource")
}

/// What a fault of this status says.
pub(super) fn of_status(status: u16) -> Answer {
    let message = match status {
        401 => "You are signed out or your session has expired. Please sign in again to continue.",
        403 => "Forbidden.",
        404 => "Resource not found or you do not have access to this resource",
        409 => "The resource was changed meanwhile.",
        410 => {
            "Workspace \"it\" was deleted, you can view this workspace by specifying '?deleted=true' and trying again."
        }
        400 | 422 => "Validation failed.",
        429 => "You've been rate limited for sending more than 512 requests in 1m0s.",
        _ => "An internal server error occurred.",
    };
    refused(status, message)
}

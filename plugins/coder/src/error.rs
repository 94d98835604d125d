//! What goes wrong, in the codes that programs of the predecessor know.

use serde::Deserialize;
use serde_json::{Value, json};
use windlass_sdk::{Error, types::Code};

/// What an error says where nobody knows whether what was said was done.
const OPEN: &str = "may_have_happened";
/// As much of Coder's own words as an error repeats.
const LONGEST_REASON: usize = 300;
/// As many of the fields that Coder does not like as an error names.
const MOST_FIELDS: usize = 5;

/// What a request was about, for those that Coder does not find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    Agent,
    Workspace,
    Template,
    /// A part of Coder, which this one may not have.
    Part,
}

/// Why there is no answer to work with.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Coder said no.
    Refused(Refusal),
    /// Coder said nothing, or not all.
    Unanswered(Error),
    /// It is not Coder that answers.
    Unreadable,
}

/// How Coder says no.
#[derive(Debug, Default)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) message: String,
    /// When it may be asked again, in the words of the header.
    pub(crate) retry_after: Option<String>,
}

/// The body of a refusal.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Words {
    message: String,
    detail: String,
    validations: Vec<Validation>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Validation {
    field: String,
    detail: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, body: &[u8], retry_after: Option<&str>) -> Self {
        let retry_after = retry_after.map(str::to_owned);
        Self { status, message: reason(body), retry_after }
    }

    /// Whether a status speaks of this moment only.
    pub(crate) fn passes(&self) -> bool {
        matches!(self.status, 429 | 502..=504)
    }
}

impl Trouble {
    /// Whether it is not there, or not for this token.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Refused(Refusal { status: 404 | 410, .. }))
    }

    /// Whether Coder says that it has no such thing, or cannot have one of such a name.
    pub(crate) fn is_unknown(&self) -> bool {
        let is_no_id = |it: &Refusal| it.status == 400 && it.message.contains("UUID");
        self.is_missing() || matches!(self, Self::Refused(refusal) if is_no_id(refusal))
    }

    /// Whether the whole part of Coder is missing that was asked.
    pub(crate) fn is_no_route(&self) -> bool {
        match self {
            Self::Refused(Refusal { status: 404, message, .. }) => {
                !message.starts_with("Resource not found")
            }
            _ => false,
        }
    }

    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(refusal) => Some(refusal.status),
            _ => None,
        }
    }

    /// As the caller is told of it.
    pub(crate) fn about(self, about: About) -> Error {
        match self {
            Self::Refused(refusal) => refused(&refusal, about),
            Self::Unanswered(error) => error,
            Self::Unreadable => of_coder(
                Code::Failed,
                "CODER_API_ERROR",
                None,
                "what answers is no Coder that is known here: is `url` in its configuration right?",
            ),
        }
    }
}

fn refused(refusal: &Refusal, about: About) -> Error {
    let Refusal { status, message: reason, .. } = refusal;
    let because =
        |what: &str| if reason.is_empty() { what.to_owned() } else { format!("{what}: {reason}") };
    let (code, name, message) = match (status, about) {
        (401, _) => (
            Code::Failed,
            "AUTHENTICATION_FAILED",
            because("Coder does not take the session token"),
        ),
        (403, _) => (
            Code::Failed,
            "AUTHENTICATION_FAILED",
            because("Coder forbids it to the owner of the session token"),
        ),
        (404 | 410, About::Agent) => return no_agent(Some(*status)),
        (404 | 410, About::Workspace) => (
            Code::NotFound,
            "WORKSPACE_NOT_FOUND",
            "there is no such workspace any more, or the token may not see it: `list_all_agents` names those there are".to_owned(),
        ),
        (404 | 410, About::Template) => (
            Code::NotFound,
            "WORKSPACE_NOT_FOUND",
            "there is no such template or user, or the token may not use it: `list_templates` names those there are".to_owned(),
        ),
        (404 | 410, About::Part) => (
            Code::NotFound,
            "CODER_API_ERROR",
            because("this Coder does not have that"),
        ),
        (400 | 422, _) => (Code::Invalid, "VALIDATION_ERROR", because("Coder does not take it")),
        (409 | 412, _) => {
            (Code::Conflict, "CODER_API_ERROR", because("Coder cannot do it at the moment"))
        }
        (429, _) => {
            (Code::Limit, "CODER_API_ERROR", because("Coder was asked too often, try again later"))
        }
        (500.., _) => (
            Code::Unavailable,
            "CODER_API_ERROR",
            because(&format!("Coder failed with status {status}")),
        ),
        _ => (
            Code::Failed,
            "CODER_API_ERROR",
            because(&format!("Coder refused with status {status}")),
        ),
    };
    of_coder(code, name, Some(*status), &message)
}

/// What Coder says of its refusal. What stands before a Coder, such as a proxy, says it in HTML.
fn reason(body: &[u8]) -> String {
    let words: Words = serde_json::from_slice(body).unwrap_or_default();
    let fields = words.validations.iter().take(MOST_FIELDS);
    let fields = fields.map(|it| format!("`{}`: {}", it.field, it.detail));
    let detail = Some(words.detail).filter(|it| !it.is_empty() && words.validations.is_empty());
    let parts: Vec<_> = [words.message].into_iter().chain(detail).chain(fields).collect();
    parts.join(" ").trim().chars().take(LONGEST_REASON).collect()
}

pub(crate) fn of_coder(code: Code, name: &str, status: Option<u16>, message: &str) -> Error {
    let mut details = json!({"error_code": name});
    if let Some(status) = status {
        details["status_code"] = status.into();
    }
    Error::new(code, message).with_details(&details)
}

pub(crate) fn no_agent(status: Option<u16>) -> Error {
    of_coder(
        Code::NotFound,
        "AGENT_NOT_FOUND",
        status,
        "there is no such agent of this user, or the token may not see it: `list_all_agents` names those there are",
    )
}

/// An argument that cannot be meant.
pub(crate) fn of_field(field: &str, message: impl Into<String>) -> Error {
    let details = json!({"error_code": "VALIDATION_ERROR", "field": field});
    Error::invalid(message).with_details(&details)
}

/// The same, with what would do.
pub(crate) fn of_choice(field: &str, message: impl Into<String>, choices: &[String]) -> Error {
    let details = json!({"error_code": "VALIDATION_ERROR", "field": field, "choices": choices});
    Error::invalid(message).with_details(&details)
}

/// What came of something that was said once. Where nobody knows whether it was done, the error says so.
pub(crate) fn once<T>(said: Result<T, Trouble>, about: About) -> Result<T, Error> {
    said.map_err(|trouble| {
        let is_open = match &trouble {
            Trouble::Refused(refusal) => refusal.status >= 500,
            Trouble::Unanswered(error) => matches!(error.code, Code::Timeout | Code::Unavailable),
            Trouble::Unreadable => true,
        };
        let error = trouble.about(about);
        if !is_open {
            return error;
        }
        let mut details = error.known();
        details.insert(OPEN.to_owned(), true.into());
        let message = format!(
            "{}; it may have happened all the same: look before you say it again",
            error.message
        );
        Error::new(error.code, message).with_details(&details)
    })
}

/// Whether it may have happened all the same.
pub(crate) fn is_open(error: &Error) -> bool {
    error.known().get(OPEN).is_some_and(|open| open == true)
}

/// Something in its way that the caller can put aside.
pub(crate) fn in_the_way(message: impl Into<String>, details: Value) -> Error {
    let mut details = details;
    details["error_code"] = "CONFLICT".into();
    Error::new(Code::Conflict, message).with_details(&details)
}

/// What this Coder, or this kind of agent, cannot do.
pub(crate) fn not_here(message: impl Into<String>) -> Error {
    Error::new(Code::Conflict, message).with_details(&json!({"error_code": "CODER_API_ERROR"}))
}

pub(crate) fn of_setting(key: &str, variable: &str, why: &str) -> Error {
    Error::invalid(format!("`plugins.coder.config.{key}` ({variable}): {why}"))
        .with_details(&json!({"error_code": "INTERNAL_ERROR"}))
}

/// Coder said nothing, or not all. Nothing of its address is in it: the host's own words about it go into the log.
pub(crate) fn silence(code: Code) -> Error {
    let message = match code {
        Code::Denied => {
            "the plugin's `grants.http` does not let it ask Coder: the log says which line would"
        }
        Code::Timeout => "Coder did not answer in time",
        Code::Unavailable => "Coder cannot be reached: the log says why",
        _ => "the host does not send it to Coder: the log says why",
    };
    Error::new(code, message)
        .with_details(&json!({"error_code": "NETWORK_ERROR", "exception": code.to_string()}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, about: About, code: Code, name: &str) {
        let refusal = Refusal { status, ..Refusal::default() };
        let error = Trouble::Refused(refusal).about(about);
        assert_eq!(error.code, code, "{error:?}");
        assert_eq!(error.known()["error_code"], name, "{error:?}");
        assert_eq!(error.known()["status_code"], status, "{error:?}");
    }

    #[test]
    fn each_status_has_its_code() {
        check(401, About::Agent, Code::Failed, "AUTHENTICATION_FAILED");
        check(403, About::Part, Code::Failed, "AUTHENTICATION_FAILED");
        check(404, About::Part, Code::NotFound, "CODER_API_ERROR");
        check(404, About::Agent, Code::NotFound, "AGENT_NOT_FOUND");
        check(410, About::Workspace, Code::NotFound, "WORKSPACE_NOT_FOUND");
        check(404, About::Template, Code::NotFound, "WORKSPACE_NOT_FOUND");
        check(400, About::Template, Code::Invalid, "VALIDATION_ERROR");
        check(422, About::Agent, Code::Invalid, "VALIDATION_ERROR");
        check(409, About::Agent, Code::Conflict, "CODER_API_ERROR");
        check(429, About::Agent, Code::Limit, "CODER_API_ERROR");
        check(503, About::Agent, Code::Unavailable, "CODER_API_ERROR");
        check(418, About::Agent, Code::Failed, "CODER_API_ERROR");
        for code in [Code::Timeout, Code::Denied, Code::Unavailable] {
            assert_eq!(silence(code).known()["error_code"], "NETWORK_ERROR");
        }
    }

    #[test]
    fn a_reason_is_coders_message_and_no_page_of_a_proxy() {
        assert_eq!(
            reason(br#"{"message":"Validation failed.","validations":[{"field":"name","detail":"too long"}]}"#),
            "Validation failed. `name`: too long"
        );
        assert_eq!(reason(br#"{"message":"Forbidden.","detail":"Why."}"#), "Forbidden. Why.");
        assert_eq!(reason(b"<html>Bad gateway</html>"), "");
        assert_eq!(
            reason(format!(r#"{{"message":"{}"}}"#, "x".repeat(999)).as_bytes()).len(),
            LONGEST_REASON
        );
    }

    #[test]
    fn a_part_that_is_missing_is_no_thing_that_is() {
        let refused = |message: &str| {
            Trouble::Refused(Refusal {
                status: 404,
                message: message.to_owned(),
                retry_after: None,
            })
        };
        assert!(refused("Route not found.").is_no_route() && refused("").is_no_route());
        let thing = refused("Resource not found or you do not have access to this resource");
        assert!(thing.is_missing() && !thing.is_no_route());
    }
}

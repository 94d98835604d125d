//! Requests to Coder's tasks, in either place where a Coder keeps them, and what its refusals mean.
//!
//! Nothing of Coder's address is in an error: the host's own words about it go into the log.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use windlass_sdk::{
    Call, Error, clock,
    http::{Request, Response},
    log::{self, Level},
    types::Code,
};

use crate::Settings;

/// Where the tasks are since Coder 2.29, and where they were before.
const PLACES: [&str; 2] = ["/api/v2/tasks", "/api/experimental/tasks"];

/// The name of the secret that says who is asking.
const TOKEN: &str = "session-token";

/// How long Coder may take to begin its answer.
const TIMEOUT_MS: u32 = 30_000;

/// How long to wait before each further try.
const PAUSES_MS: [u32; 2] = [250, 1_000];

/// A longer name is none of Coder's.
const LONGEST_NAME: usize = 128;

/// As much of Coder's own words as an error repeats.
const LONGEST_REASON: usize = 300;

/// The Coder that the configuration names.
pub(crate) struct Coder {
    url: String,
}

/// One agent, as the path of its task below all tasks.
pub(crate) struct Place(String);

/// How Coder says that it refuses.
#[derive(Deserialize)]
struct Refusal {
    message: String,
}

impl Coder {
    pub(crate) fn of(call: &Call) -> Result<Self, Error> {
        let settings: Settings = call.config()?;
        Ok(Self { url: address(&settings.url) })
    }

    /// The tasks, of all owners or as the query says.
    pub(crate) fn list<T: DeserializeOwned>(&self, query: &str) -> Result<T, Error> {
        read(&self.get(query)?, refusal)
    }

    /// One task, or what stands below it.
    pub(crate) fn of_agent<T: DeserializeOwned>(
        &self,
        agent: &Place,
        below: &str,
    ) -> Result<T, Error> {
        read(&self.get(&format!("{}{below}", agent.0))?, refusal_of_agent)
    }

    /// Asks where tasks are, and where they were.
    fn get(&self, path: &str) -> Result<Response, Error> {
        let [place, older] = PLACES;
        let answer = self.send(&format!("{place}{path}"))?;
        if answer.status == 404 { self.send(&format!("{older}{path}")) } else { Ok(answer) }
    }

    /// Asks again, after a pause, where that may help.
    fn send(&self, path: &str) -> Result<Response, Error> {
        let url = format!("{}{path}", self.url);
        let request =
            Request::get(url).secret_header("coder-session-token", TOKEN).timeout_ms(TIMEOUT_MS);
        for pause in PAUSES_MS {
            match request.send() {
                Ok(answer) if !passes(answer.status) => return Ok(answer),
                Err(error) if error.code != Code::Unavailable => return Err(unanswered(&error)),
                _ => clock::sleep(pause),
            }
        }
        request.send().map_err(|error| unanswered(&error))
    }
}

impl Place {
    /// What a caller names stays one step of the path, whatever it is.
    pub(crate) fn of(user: &str, agent: &str) -> Result<Self, Error> {
        Ok(Self(format!("/{}/{}", step("user", user)?, step("agent_id", agent)?)))
    }
}

/// The URL as people write it, with a scheme and without a slash at its end.
fn address(url: &str) -> String {
    let url = url.trim().trim_end_matches('/');
    if url.contains("://") { url.to_owned() } else { format!("https://{url}") }
}

/// A name or an id as one step of a path.
fn step(field: &str, name: &str) -> Result<String, Error> {
    let outside = |it: char| {
        matches!(it, '/' | '\\' | '?' | '#' | '%') || it.is_whitespace() || it.is_control()
    };
    if name.is_empty()
        || name == "."
        || name.contains("..")
        || name.contains(outside)
        || name.len() > LONGEST_NAME
    {
        let message =
            format!("`{field}` is neither an id nor a name in Coder: `list_all_agents` shows both");
        let details = json!({"error_code": "VALIDATION_ERROR", "field": field});
        return Err(Error::invalid(message).with_details(&details));
    }
    Ok(encoded(name))
}

/// Percent-encoded, but for what never needs it.
fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// Whether a status speaks of this moment only.
fn passes(status: u16) -> bool {
    matches!(status, 429 | 502..=504)
}

fn read<T: DeserializeOwned>(
    answer: &Response,
    refused: impl FnOnce(u16, &str) -> Error,
) -> Result<T, Error> {
    let body = answer.bytes().map_err(|error| unanswered(&error))?;
    if !(200..300).contains(&answer.status) {
        return Err(refused(answer.status, &reason(&body)));
    }
    serde_json::from_slice(&body).map_err(|error| {
        log::write(
            Level::Warn,
            &format!("the answer of {} bytes cannot be read: {error}", body.len()),
        );
        let message =
            "what answers is no Coder that is known here: is `url` in its configuration right?";
        Error::failed(message).with_details(&json!({"error_code": "CODER_API_ERROR"}))
    })
}

/// What Coder says of its refusal. What stands before a Coder, such as a proxy, says it in HTML.
fn reason(body: &[u8]) -> String {
    let said = serde_json::from_slice(body).map(|Refusal { message }| message);
    said.unwrap_or_default().chars().take(LONGEST_REASON).collect()
}

fn refusal_of_agent(status: u16, reason: &str) -> Error {
    match status {
        400 | 404 => of_coder(
            Code::NotFound,
            "AGENT_NOT_FOUND",
            status,
            "there is no such agent of this user, or the token may not see it: `list_all_agents` names those there are",
        ),
        _ => refusal(status, reason),
    }
}

fn refusal(status: u16, reason: &str) -> Error {
    let because =
        |what: &str| if reason.is_empty() { what.to_owned() } else { format!("{what}: {reason}") };
    let (code, name, message) = match status {
        401 => (
            Code::Failed,
            "AUTHENTICATION_FAILED",
            because("Coder does not take the session token"),
        ),
        403 => (
            Code::Failed,
            "AUTHENTICATION_FAILED",
            because("Coder forbids it to the owner of the session token"),
        ),
        404 => {
            let message = "this Coder has no tasks: they came with 2.25, and since 2.37 `CODER_ENABLE_AI_TASKS=true` turns them on";
            (Code::NotFound, "CODER_API_ERROR", message.to_owned())
        }
        409 => (Code::Conflict, "CODER_API_ERROR", because("Coder cannot do it at the moment")),
        429 => {
            (Code::Limit, "CODER_API_ERROR", because("Coder was asked too often, try again later"))
        }
        500.. => (
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
    of_coder(code, name, status, &message)
}

fn of_coder(code: Code, name: &str, status: u16, message: &str) -> Error {
    Error::new(code, message).with_details(&json!({"error_code": name, "status_code": status}))
}

/// Coder said nothing, or not all.
fn unanswered(error: &Error) -> Error {
    log::write(Level::Warn, &error.message);
    silence(error.code)
}

fn silence(code: Code) -> Error {
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

    #[test]
    fn an_address_has_a_scheme_and_no_slash_at_its_end() {
        assert_eq!(address("coder.example.com"), "https://coder.example.com");
        assert_eq!(address("coder.example.com:8443/"), "https://coder.example.com:8443");
        assert_eq!(address(" http://127.0.0.1:3000// "), "http://127.0.0.1:3000");
    }

    #[test]
    fn a_name_is_one_step_of_the_path() {
        let path = |user, agent| Place::of(user, agent).map(|place| place.0);
        assert_eq!(path("me", "fix-it_2.0").unwrap(), "/me/fix-it_2.0");
        assert_eq!(path("a&b=c", "größe:@").unwrap(), "/a%26b%3Dc/gr%C3%B6%C3%9Fe%3A%40");
        let outside = [
            "",
            ".",
            "..",
            "a..b",
            "../../users/me/keys?x=",
            "a/b",
            "a\\b",
            "a?b",
            "a#b",
            "%2e%2e",
            "a b",
            "a\nb",
        ];
        for name in outside {
            assert!(path(name, "task").is_err(), "{name}");
            let error = path("me", name).unwrap_err();
            assert_eq!(
                error.details.unwrap(),
                r#"{"error_code":"VALIDATION_ERROR","field":"agent_id"}"#
            );
        }
        assert!(path("me", &"x".repeat(LONGEST_NAME + 1)).is_err());
    }

    #[track_caller]
    fn check(error: &Error, code: Code, name: &str) {
        assert_eq!(error.code, code, "{error:?}");
        assert!(
            error.details.as_ref().unwrap().contains(&format!("\"error_code\":\"{name}\"")),
            "{error:?}"
        );
    }

    #[test]
    fn each_status_has_its_code() {
        check(&refusal(401, ""), Code::Failed, "AUTHENTICATION_FAILED");
        check(&refusal(403, "Forbidden."), Code::Failed, "AUTHENTICATION_FAILED");
        check(&refusal(404, ""), Code::NotFound, "CODER_API_ERROR");
        check(&refusal(409, "Task is paused."), Code::Conflict, "CODER_API_ERROR");
        check(&refusal(429, ""), Code::Limit, "CODER_API_ERROR");
        check(&refusal(503, ""), Code::Unavailable, "CODER_API_ERROR");
        check(&refusal(418, ""), Code::Failed, "CODER_API_ERROR");
        check(&refusal_of_agent(404, ""), Code::NotFound, "AGENT_NOT_FOUND");
        check(&refusal_of_agent(400, ""), Code::NotFound, "AGENT_NOT_FOUND");
        check(&refusal_of_agent(401, ""), Code::Failed, "AUTHENTICATION_FAILED");
        check(&silence(Code::Timeout), Code::Timeout, "NETWORK_ERROR");
        check(&silence(Code::Denied), Code::Denied, "NETWORK_ERROR");
    }

    #[test]
    fn a_reason_is_coders_message_and_no_page_of_a_proxy() {
        assert_eq!(reason(br#"{"message":"Forbidden.","detail":"at 10.0.0.1"}"#), "Forbidden.");
        assert_eq!(reason(b"<html>Bad gateway</html>"), "");
        assert_eq!(
            reason(format!(r#"{{"message":"{}"}}"#, "x".repeat(999)).as_bytes()).len(),
            LONGEST_REASON
        );
    }
}

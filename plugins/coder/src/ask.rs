//! Requests to Coder: what changes nothing is asked again where that may help, and what changes something is said once.

use chrono::DateTime;
use serde::de::DeserializeOwned;
use serde_json::Value;
use windlass_sdk::{
    Call, Error, clock,
    http::{Method, Request, Response},
    log::{self, Level},
    random,
    types::Code,
};

use crate::{
    body::Body,
    error::{Refusal, Trouble, silence},
    settings::Target,
};

/// The pause before the first further try. Each further one is twice as long.
const PAUSE_MS: u64 = 200;
/// The longest of these pauses.
const LONGEST_PAUSE_MS: u64 = 5_000;
/// Whoever is to wait longer is told so.
const LONGEST_WAIT_MS: u64 = 20_000;

/// One Coder, and how it is asked.
pub(crate) struct Coder {
    pub(crate) target: Target,
}

impl Coder {
    pub(crate) fn of(call: &Call, deployment: Option<&str>) -> Result<Self, Error> {
        Ok(Self { target: Target::of(call, deployment)? })
    }

    /// What is there, as a value.
    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        self.read(path, |body| body.parse())
    }

    /// What is there, read as the function says, from its beginning at each try.
    pub(crate) fn read<T>(
        &self,
        path: &str,
        mut read: impl FnMut(Body<'_>) -> serde_json::Result<T>,
    ) -> Result<T, Trouble> {
        let mut tries = 0;
        loop {
            let request = self.request(Method::Get, path);
            let trouble = match ask(&request, &mut read) {
                Ok(value) => return Ok(value),
                Err(trouble) => trouble,
            };
            let Some(pause) = pause(&trouble, tries).filter(|_| tries < self.target.retries) else {
                return Err(trouble);
            };
            tries += 1;
            clock::sleep(u32::try_from(pause).unwrap_or(u32::MAX));
        }
    }

    /// Says something, once. Gives what Coder answers, if anything.
    pub(crate) fn say(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Trouble> {
        let request = self.request(method, path);
        let request = match body {
            Some(body) => request.json(body).map_err(Trouble::Unanswered)?,
            None => request,
        };
        ask(&request, &mut |body| match body {
            Body::Whole(bytes) if bytes.is_empty() => Ok(Value::Null),
            body => body.parse(),
        })
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, Trouble> {
        self.say(Method::Post, path, Some(body))
    }

    fn request(&self, method: Method, path: &str) -> Request {
        let Target { url, token, timeout_ms, .. } = &self.target;
        Request::new(method, format!("{url}{path}"))
            .secret_header("coder-session-token", token)
            .header("accept", "application/json")
            .timeout_ms(*timeout_ms)
    }
}

fn ask<T>(
    request: &Request,
    read: &mut impl FnMut(Body<'_>) -> serde_json::Result<T>,
) -> Result<T, Trouble> {
    let answer = request.send().map_err(unanswered)?;
    if !(200..300).contains(&answer.status) {
        return Err(Trouble::Refused(refusal(&answer)));
    }
    let body = Body::of(&answer).map_err(|error| broken(error.into_inner()))?;
    read(body).map_err(unreadable)
}

/// What is said with it is not worth another error.
fn refusal(answer: &Response) -> Refusal {
    let body = match Body::of(answer) {
        Ok(Body::Whole(bytes)) => bytes,
        _ => Vec::new(),
    };
    Refusal::new(answer.status, &body, answer.header("retry-after"))
}

fn unanswered(error: Error) -> Trouble {
    log::write(Level::Warn, &error.message);
    Trouble::Unanswered(silence(error.code))
}

/// The host could not read on.
fn broken(error: Option<Box<dyn std::error::Error + Send + Sync>>) -> Trouble {
    let error = error.and_then(|error| error.downcast::<Error>().ok());
    unanswered(error.map_or_else(|| Error::unavailable("the answer breaks off"), |it| *it))
}

fn unreadable(error: serde_json::Error) -> Trouble {
    if error.is_io() {
        return broken(std::io::Error::from(error).into_inner());
    }
    let is_cut = error.is_eof();
    log::write(Level::Warn, &format!("the answer cannot be read: {error}"));
    if is_cut { Trouble::Unanswered(silence(Code::Unavailable)) } else { Trouble::Unreadable }
}

/// How long to wait before it is tried again. None: it does not help.
fn pause(trouble: &Trouble, tries: u32) -> Option<u64> {
    let usual = (PAUSE_MS << tries.min(8)).min(LONGEST_PAUSE_MS);
    match trouble {
        Trouble::Refused(refusal) if refusal.passes() => {
            let wanted = refusal.retry_after.as_deref().and_then(|text| after(text, clock::now()));
            wanted.map_or(Some(jittered(usual)), |ms| (ms <= LONGEST_WAIT_MS).then_some(ms))
        }
        Trouble::Unanswered(error) if matches!(error.code, Code::Unavailable | Code::Timeout) => {
            Some(jittered(usual))
        }
        _ => None,
    }
}

/// From half of it to all of it, so that those who were refused together do not come back together.
fn jittered(ms: u64) -> u64 {
    let dice = random::bytes(1).first().copied().unwrap_or_default();
    ms / 2 + ms / 2 * u64::from(dice) / 255
}

/// The header `Retry-After`, in milliseconds from now: seconds, or a date.
fn after(text: &str, now: u64) -> Option<u64> {
    if let Ok(seconds) = text.trim().parse::<u64>() {
        return Some(seconds.saturating_mul(1000));
    }
    let date = DateTime::parse_from_rfc2822(text.trim()).ok()?;
    Some(u64::try_from(date.timestamp_millis()).ok()?.saturating_sub(now))
}

#[cfg(test)]
mod tests {
    use super::after;

    #[test]
    fn when_to_ask_again_is_seconds_or_a_date() {
        assert_eq!(after("7", 0), Some(7_000));
        assert_eq!(after(" 0 ", 5), Some(0));
        assert_eq!(after("Thu, 01 Jan 1970 00:00:09 GMT", 4_000), Some(5_000));
        assert_eq!(after("Thu, 01 Jan 1970 00:00:03 GMT", 4_000), Some(0));
        assert_eq!(after("soon", 0), None);
    }
}

//! `http`: requests to the hosts that the grants name.
//!
//! Redirects are followed here, because each hop is a question to `policy`.

use std::{mem, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;
use url::Url;
use wasmtime::component::Resource;

use super::{
    CallState,
    bindings::windlass::plugin::http::{Host, HostBody, Method, Request, Response},
    types::{Code, Error, Value},
};
use crate::{
    error::{Failure, Result, limit, unavailable},
    policy::Target,
    web::{Answer, Body},
};

/// How long an answer's head may take if the plugin does not say.
const TIMEOUT_MS: u32 = 30_000;
/// More is a loop.
const MOST_REDIRECTS: u32 = 5;

/// Headers by which a request says who it is from. They are meant for one place.
const CREDENTIALS: [&str; 2] = ["authorization", "cookie"];

impl Host for CallState {
    async fn send(&mut self, mut request: Request) -> Result<Response> {
        let (method, secrets) = (request.method, secrets_of(&request.headers));
        let mut target = self.policy.approve_request(method, &request.url, &secrets)?;
        let timeout = Duration::from_millis(request.timeout_ms.unwrap_or(TIMEOUT_MS).into());
        let deadline = Instant::now() + timeout;
        let mut body = Bytes::from(mem::take(&mut request.body));
        let mut redirects = 0;
        loop {
            self.effects.add(effect(target.request(), &secrets_of(&request.headers)));
            let answer = self.web.send(&target, &request.headers, body.clone(), deadline).await?;
            let Some(hop) = Hop::of(target.request(), &answer)? else {
                let Answer { status, headers, body } = answer;
                return Ok(Response { status, headers, body: self.table.push(body)? });
            };
            redirects += 1;
            if redirects > MOST_REDIRECTS {
                return Err(limit(format!(
                    "`{}` redirects once more after {MOST_REDIRECTS} redirects",
                    place(&hop.from)
                )));
            }
            hop.change(&mut request.headers, &mut body);
            let secrets = secrets_of(&request.headers);
            let approved = self.policy.approve_request(hop.method, hop.to.as_str(), &secrets);
            target = approved.map_err(|failure| hop.refused(failure))?;
        }
    }
}

impl HostBody for CallState {
    async fn read(&mut self, body: Resource<Body>, most: u32) -> Result<Option<Vec<u8>>> {
        self.table.get_mut(&body)?.read(most).await
    }

    async fn drop(&mut self, body: Resource<Body>) -> wasmtime::Result<()> {
        self.table.delete(body)?;
        Ok(())
    }
}

/// One redirect.
struct Hop {
    from: Url,
    to: Url,
    /// Whether the request's body goes along.
    whole: bool,
    method: Method,
}

impl Hop {
    /// Where an answer sends the request, if it does.
    fn of(from: &Target, answer: &Answer) -> Result<Option<Self>> {
        let location = answer.headers.iter().find(|(name, _)| name == "location");
        let (Some((method, whole)), Some((_, location))) =
            (redirected(answer.status, from.method), location)
        else {
            return Ok(None);
        };
        let from = from.url.clone();
        let Ok(to) = from.join(location) else {
            let place = place(&from);
            return Err(unavailable(format!("`{place}` redirects to what is not a URL")));
        };
        Ok(Some(Self { from, to, whole, method }))
    }

    /// Takes away what does not go along. Secrets do: `policy` says where.
    fn change(&self, headers: &mut Vec<(String, Value)>, body: &mut Bytes) {
        if !self.whole {
            *body = Bytes::new();
            headers.retain(|(name, _)| !name.to_ascii_lowercase().starts_with("content-"));
        }
        if self.from.origin() != self.to.origin() {
            headers.retain(|(name, value)| {
                matches!(value, Value::Secret(_))
                    || !CREDENTIALS.iter().any(|known| known.eq_ignore_ascii_case(name))
            });
        }
    }

    fn refused(&self, failure: Failure) -> Failure {
        let Failure::Answer(error) = failure else { return failure };
        let message = format!(
            "`{}` redirects to `{}`: {}",
            place(&self.from),
            place(&self.to),
            error.message
        );
        Failure::Answer(Error { code: Code::Denied, message, ..error })
    }
}

/// The method after a redirect, and whether the body goes along.
fn redirected(status: u16, method: Method) -> Option<(Method, bool)> {
    match (status, method) {
        (301..=303, Method::Get | Method::Head) | (307 | 308, _) => Some((method, true)),
        (301..=303, _) => Some((Method::Get, false)),
        _ => None,
    }
}

/// As much of a URL as may be said aloud.
fn place(url: &Url) -> String {
    let origin = url.origin();
    if origin.is_tuple() { origin.ascii_serialization() } else { format!("{}:", url.scheme()) }
}

/// The place, and the secrets that go there, by name.
fn effect(target: &Target, secrets: &[&str]) -> String {
    let method = format!("{:?}", target.method).to_uppercase();
    let with =
        if secrets.is_empty() { String::new() } else { format!(" with {}", secrets.join(", ")) };
    format!("http {method} {}{with}", place(&target.url))
}

fn secrets_of(headers: &[(String, Value)]) -> Vec<&str> {
    let mut secrets = Vec::new();
    for (_, value) in headers {
        if let Value::Secret(name) = value {
            secrets.push(name.as_str());
        }
    }
    secrets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, method: Method, expected: Option<(Method, bool)>) {
        assert_eq!(redirected(status, method), expected, "{status} {method:?}");
    }

    #[test]
    fn what_a_redirect_makes_of_a_request() {
        use Method::{Delete, Get, Head, Post, Put};
        check(200, Get, None);
        check(300, Get, None);
        check(304, Get, None);
        check(301, Get, Some((Get, true)));
        check(302, Head, Some((Head, true)));
        check(301, Post, Some((Get, false)));
        check(302, Put, Some((Get, false)));
        check(303, Delete, Some((Get, false)));
        check(307, Post, Some((Post, true)));
        check(308, Delete, Some((Delete, true)));
    }

    /// What is left of four headers after a redirect of a POST from `https://a.example/x`.
    #[track_caller]
    fn check_headers(to: &str, whole: bool, expected: &str) {
        let plain = |name: &str| (name.to_owned(), Value::Plain("x".to_owned()));
        let mut headers = vec![plain("Content-Type"), plain("Authorization"), plain("Accept")];
        headers.push(("x-key".to_owned(), Value::Secret("key".to_owned())));
        let mut body = Bytes::from_static(b"body");
        let from = Url::parse("https://a.example/x").unwrap();
        let hop = Hop { to: from.join(to).unwrap(), from, whole, method: Method::Post };
        hop.change(&mut headers, &mut body);
        let names: Vec<_> = headers.into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.join(" "), expected);
        assert_eq!(body.is_empty(), !whole);
    }

    #[test]
    fn what_goes_along() {
        check_headers("/y", true, "Content-Type Authorization Accept x-key");
        check_headers("/y", false, "Authorization Accept x-key");
        check_headers("https://b.example", true, "Content-Type Accept x-key");
        check_headers("https://b.example", false, "Accept x-key");
        check_headers("http://a.example/y", true, "Content-Type Accept x-key");
    }
}

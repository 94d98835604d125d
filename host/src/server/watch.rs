//! What those who watch over the host ask for over HTTP: figures, and whether all is well.
//!
//! Beside MCP, or on an address of its own. Health and readiness say one word to everybody; figures are for those who may
//! call the tool that shows them.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header, uri::Authority};
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use subtle::ConstantTimeEq as _;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use crate::{
    access::Caller,
    config::MetricsConfig,
    figures::Page as Figures,
    registry::{Registry, Unready},
    time::{BEGUN, now},
};

/// How many connections may be open on an address that is for this alone.
const MOST_CONNECTIONS: usize = 64;
/// How long a client may take to send the head of a request.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);

/// A page that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Health,
    Ready,
    Figures,
}

/// An answer that is whole.
pub(super) type Answer = Response<Full<Bytes>>;

/// An address for this alone.
pub struct Lookout {
    listener: TcpListener,
    token: Option<String>,
}

impl Page {
    pub(super) fn at(path: &str) -> Option<Self> {
        match path {
            "/health" => Some(Self::Health),
            "/ready" => Some(Self::Ready),
            "/metrics" | "/prometheus" => Some(Self::Figures),
            _ => None,
        }
    }

    /// Whether anybody may see it.
    pub(super) fn is_open(self) -> bool {
        self != Self::Figures
    }

    /// The page, for who may see it.
    pub(super) async fn answer(self, registry: &Registry) -> Answer {
        match self {
            Self::Health => {
                let up = now().saturating_sub(*BEGUN) / 1000;
                let said = json!({
                    "status": "healthy",
                    "version": env!("CARGO_PKG_VERSION"),
                    "uptime": uptime(up),
                    "uptime_seconds": up,
                });
                answer(StatusCode::OK, "application/json", said.to_string())
            }
            Self::Ready => ready(&registry.unready().await),
            Self::Figures => answer(StatusCode::OK, Figures::TYPE, registry.figures_text().await),
        }
    }

    /// The same for a caller who is known.
    pub(super) async fn answer_to(self, registry: &Registry, caller: &Caller) -> Answer {
        if !registry.may_read_figures(caller) {
            return plain(StatusCode::FORBIDDEN, "figures are for those who may call `metrics`");
        }
        self.answer(registry).await
    }
}

fn ready(unready: &[Unready]) -> Answer {
    if unready.is_empty() {
        return plain(StatusCode::OK, "ready");
    }
    let parts: Vec<_> = unready.iter().map(|it| it.name()).collect();
    let said = format!("not ready: {}", parts.join(", "));
    answer(StatusCode::SERVICE_UNAVAILABLE, "text/plain", said)
}

/// `0d 0h 0m 3s`
fn uptime(seconds: u64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    format!("{}d {}h {}m {}s", hours / 24, hours % 24, minutes % 60, seconds % 60)
}

fn plain(status: StatusCode, text: &str) -> Answer {
    answer(status, "text/plain", text.to_owned())
}

fn answer(status: StatusCode, kind: &'static str, text: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    answer
}

/// What is wrong with who asks: a page of the web that was led here by a name of its own has another host than ours, and says from
/// where it comes.
pub(super) fn check(headers: &HeaderMap, hosts: &[String]) -> Result<(), Box<Answer>> {
    let host = headers.get(header::HOST).and_then(|it| it.to_str().ok());
    let name = host.and_then(|it| it.parse::<Authority>().ok());
    let known = |name: &Authority| {
        hosts.iter().any(|it| it.eq_ignore_ascii_case(name.host()) || *it == name.as_str())
    };
    if !name.is_some_and(|name| known(&name)) {
        return Err(plain(StatusCode::FORBIDDEN, "the header `Host` names another host").into());
    }
    if headers.contains_key(header::ORIGIN) {
        return Err(plain(StatusCode::FORBIDDEN, "web pages do not watch over this host").into());
    }
    Ok(())
}

/// Only to look at.
pub(super) fn check_method(method: &Method) -> Result<(), Box<Answer>> {
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "this is only to look at");
    let allowed = header::HeaderValue::from_static("GET, HEAD");
    refused.headers_mut().insert(header::ALLOW, allowed);
    Err(refused.into())
}

impl Lookout {
    /// None: the operator wants none.
    pub async fn bind(config: &MetricsConfig) -> anyhow::Result<Option<Self>> {
        let Some(address) = config.listen else { return Ok(None) };
        let token = config.token.as_ref().map(|it| it.fetch().context("metrics.token"));
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("metrics.listen: cannot listen on `{address}`"))?;
        Ok(Some(Self { listener, token: token.transpose()? }))
    }

    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Answers whoever comes.
    pub async fn serve(self, registry: Arc<Registry>) {
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let lookout = Arc::new(self);
        while let Ok(place) = places.clone().acquire_owned().await {
            let Ok((stream, _)) = lookout.listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let (lookout, registry) = (lookout.clone(), registry.clone());
            tokio::spawn(async move {
                lookout.connection(&registry, stream).await;
                drop(place);
            });
        }
    }

    async fn connection(&self, registry: &Registry, stream: TcpStream) {
        let answer = |request: Request<Incoming>| async move {
            Ok::<_, Infallible>(self.answer(registry, &request).await)
        };
        let served = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_PATIENCE)
            .serve_connection(TokioIo::new(stream), service_fn(answer))
            .await;
        if let Err(error) = served {
            tracing::debug!("a connection ended: {error}");
        }
    }

    async fn answer(&self, registry: &Registry, request: &Request<Incoming>) -> Answer {
        let Some(page) = Page::at(request.uri().path()) else {
            let there = "there are `/metrics`, `/prometheus`, `/health` and `/ready`";
            return plain(StatusCode::NOT_FOUND, there);
        };
        let allowed = check_method(request.method()).and_then(|()| {
            if self.token.is_some() { Ok(()) } else { check(request.headers(), &own_hosts()) }
        });
        if let Err(refused) = allowed {
            return *refused;
        }
        if !page.is_open() && !self.lets_in(request.headers()) {
            let mut refused =
                plain(StatusCode::UNAUTHORIZED, "the token `metrics.token` is needed");
            let challenge = header::HeaderValue::from_static("Bearer realm=\"windlass\"");
            refused.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            return refused;
        }
        page.answer(registry).await
    }

    fn lets_in(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        let mut sent = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(sent), None) = (sent.next(), sent.next()) else { return false };
        let given = sent.to_str().ok().and_then(|it| it.split_once(' '));
        let given = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        given.is_some_and(|(_, given)| given.trim().as_bytes().ct_eq(token.as_bytes()).into())
    }
}

/// The names of loopback.
pub(super) fn own_hosts() -> [String; 3] {
    ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_is_told_as_people_read_it() {
        assert_eq!(uptime(3), "0d 0h 0m 3s");
        assert_eq!(uptime(((50 * 60) + 2) * 60 + 7), "2d 2h 2m 7s");
    }

    #[track_caller]
    fn check_headers(headers: &[(&'static str, &str)], allowed: bool) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        assert_eq!(check(&map, &own_hosts()).is_ok(), allowed, "{headers:?}");
    }

    #[test]
    fn a_page_of_the_web_does_not_read_figures() {
        check_headers(&[("host", "127.0.0.1:9464")], true);
        check_headers(&[("host", "LOCALHOST")], true);
        check_headers(&[("host", "[::1]:9464")], true);
        check_headers(&[("host", "evil.example:9464")], false);
        check_headers(&[("host", "127.0.0.1.evil.example")], false);
        check_headers(&[("host", "127.0.0.1@evil.example")], false);
        check_headers(&[("host", "127.0.0.1:9464"), ("origin", "http://evil.example")], false);
        check_headers(&[], false);
    }
}

//! The door to the web: outbound HTTP.
//!
//! It decides nothing: `policy` says where a request may go, and a redirect is an answer like any other.

mod addresses;
mod body;
mod dial;
mod document;
mod mask;

use std::{
    collections::BTreeMap,
    error::Error as StdError,
    io, iter,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use reqwest::{
    Client,
    header::{ACCEPT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue},
};
use tokio::time::{Instant, timeout_at};

use crate::{
    capability::{
        bindings::windlass::plugin::http::Method,
        types::{Code, Error, Value},
    },
    error::{Failure, Result, invalid, limit, timeout, trap, unavailable},
    policy::{Approved, Target},
    secrets::{Secrets, Values},
};

pub use body::Body;
pub use dial::dial;

use addresses::{Addresses, LeadsToPrivate};
use mask::Mask;

/// A larger body belongs into a container that uploads it.
const LARGEST_REQUEST: usize = 16 << 20;
/// As many as servers usually take.
const MOST_HEADERS: usize = 100;
/// More than any server says in earnest.
const LARGEST_HEADERS: usize = 64 << 10;
/// A host that does not pick up by then is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The shortest time that the next piece of an answer has, however late its head came.
const LEAST_PATIENCE: Duration = Duration::from_secs(1);
/// How long a connection waits for the next request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How many connections per host wait for the next request.
const IDLE_CONNECTIONS: usize = 4;

/// Headers that belong to the connection, which is the host's. `accept-encoding` is one of them:
/// a secret cannot be found in a compressed answer.
const OWN_HEADERS: [&str; 13] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Outbound HTTP of one plugin. Cheap to clone.
#[derive(Clone)]
pub struct Web(Arc<Shared>);

struct Shared {
    secrets: Secrets,
    /// What is known of the secrets, and the mask of that.
    masked: ArcSwap<(Arc<Values>, Arc<Mask>)>,
    /// Made at the first request of their kind: reading the system's TLS roots takes time and memory.
    clients: Mutex<BTreeMap<Kind, Client>>,
}

/// What tells one client from another: which addresses it may dial, and whether it needs TLS roots.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    private: bool,
    tls: bool,
}

/// What came back: the head, and the rest as it comes in.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Body,
}

impl Web {
    pub fn new(secrets: Secrets) -> Self {
        let masked = ArcSwap::from_pointee(masked(secrets.known()));
        Self(Arc::new(Shared { secrets, masked, clients: Mutex::default() }))
    }

    /// Sends a request, and waits until the deadline for the head of its answer.
    pub async fn send(
        &self,
        target: &Approved<Target>,
        headers: &[(String, Value)],
        body: Bytes,
        deadline: Instant,
    ) -> Result<Answer> {
        let patience = deadline.saturating_duration_since(Instant::now()).max(LEAST_PATIENCE);
        let size = body.len();
        if size > LARGEST_REQUEST {
            return Err(limit(format!(
                "a request of {size} bytes is larger than the {LARGEST_REQUEST} that `http` sends"
            )));
        }
        let Target { method, url, private, .. } = target.request();
        let place = url.origin().ascii_serialization();
        let headers = self.headers(target, headers, size, &self.0.secrets.look())?;
        let kind = Kind { private: *private, tls: url.scheme() == "https" };
        let request = self.client(kind)?.request(verb(*method), url.clone()).headers(headers);
        let Ok(sent) = timeout_at(deadline, request.body(body).send()).await else {
            return Err(timeout(format!("`{place}` did not answer in time")));
        };
        match sent {
            Ok(response) => self.answer(place, response, patience),
            Err(error) => Err(Failure::Answer(failure(&self.mask(), &place, &error))),
        }
    }

    fn client(&self, kind: Kind) -> Result<Client> {
        let mut clients = self.0.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&kind) {
            return Ok(client.clone());
        }
        let client = kind.client().map_err(|error| {
            let cause = last_cause(&error);
            unavailable(format!("no request can be sent from this host: {cause}"))
        })?;
        clients.insert(kind, client.clone());
        Ok(client)
    }

    fn headers(
        &self,
        target: &Approved<Target>,
        headers: &[(String, Value)],
        body: usize,
        secrets: &Values,
    ) -> Result<HeaderMap> {
        let mut map = HeaderMap::new();
        let mut size = 0;
        for (name, value) in headers {
            let name = header_name(name)?;
            let value = match value {
                Value::Plain(text) => plain_value(&name, text)?,
                Value::Secret(secret) => secret_value(target, secret, secrets)?,
            };
            size += name.as_str().len() + value.len();
            if size > LARGEST_HEADERS || map.len() == MOST_HEADERS {
                return Err(limit(format!(
                    "a request has at most {MOST_HEADERS} headers and {LARGEST_HEADERS} bytes of them"
                )));
            }
            map.append(name, value);
        }
        // Without it, some servers wait for the body of a request that has none.
        if body == 0
            && matches!(target.request().method, Method::Post | Method::Put | Method::Patch)
        {
            map.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        Ok(map)
    }

    fn answer(
        &self,
        place: String,
        response: reqwest::Response,
        patience: Duration,
    ) -> Result<Answer> {
        let head = response.headers();
        let size: usize = head.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if size > LARGEST_HEADERS {
            return Err(limit(format!(
                "`{place}` answers with {size} bytes of headers, and {LARGEST_HEADERS} are the most"
            )));
        }
        let mask = self.mask();
        let readable = |(name, value): (&HeaderName, &HeaderValue)| {
            let value = str::from_utf8(value.as_bytes()).ok()?;
            Some((name.to_string(), mask.text(value)))
        };
        let headers = head.iter().filter_map(readable).collect();
        let status = response.status().as_u16();
        Ok(Answer { status, headers, body: Body::new(place, response, self.clone(), patience) })
    }

    /// Hides all values that are known at this moment. An answer can be so long that a secret is replaced meanwhile.
    fn mask(&self) -> Arc<Mask> {
        let (known, last) = (self.0.secrets.known(), self.0.masked.load());
        let (of, mask) = &**last;
        if Arc::ptr_eq(of, &known) {
            return mask.clone();
        }
        let (known, mask) = masked(known);
        self.0.masked.store(Arc::new((known, mask.clone())));
        mask
    }
}

impl Kind {
    fn client(self) -> reqwest::Result<Client> {
        // Whoever comes first sets it for the whole process; the rest find it there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let identity = (ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let builder = Client::builder()
            .user_agent(concat!("windlass/", env!("CARGO_PKG_VERSION")))
            .default_headers(HeaderMap::from_iter([identity]))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .http1_only()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .dns_resolver(Addresses { private: self.private });
        if self.tls { builder.build() } else { builder.tls_certs_only([]).build() }
    }
}

fn masked(known: Arc<Values>) -> (Arc<Values>, Arc<Mask>) {
    let mask = Mask::new(known.all());
    (known, Arc::new(mask))
}

fn secret_value(target: &Approved<Target>, secret: &str, secrets: &Values) -> Result<HeaderValue> {
    if !target.request().secrets.iter().any(|approved| approved == secret) {
        return Err(trap(format!("the secret `{secret}` travels without having been approved")));
    }
    let key = format!("`plugins.{}.secrets.{secret}`", target.plugin());
    let Some(value) = secrets.value(secret) else {
        return Err(invalid(format!("there is no secret `{secret}`: {key} would set it")));
    };
    let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
        invalid(format!("{key} cannot be sent: it has a line break or another control character"))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Why a request or its answer failed, with nothing of the URL but its origin.
fn failure(mask: &Mask, place: &str, error: &reqwest::Error) -> Error {
    if let Some(private) = causes(error).find_map(|cause| cause.downcast_ref::<LeadsToPrivate>()) {
        return Error::new(Code::Denied, format!("not allowed: {private}"));
    }
    if error.is_timeout() {
        return Error::new(Code::Timeout, format!("`{place}` did not pick up in time"));
    }
    let cause = mask.text(&last_cause(error));
    if error.is_builder() {
        let message = format!("the request to `{place}` cannot be sent: {cause}");
        return Error::new(Code::Invalid, message);
    }
    let tls = causes(error).any(|cause| cause.is::<rustls::Error>());
    let what = match (error.is_dns(), tls, error.is_connect()) {
        (true, _, _) => "cannot be found",
        (_, true, _) => "fails at TLS",
        (_, _, true) => "cannot be reached",
        _ => "broke off",
    };
    Error::new(Code::Unavailable, format!("`{place}` {what}: {cause}"))
}

fn last_cause(error: &reqwest::Error) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

/// An error and what lies below it.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    iter::successors(Some(error as &(dyn StdError + 'static)), |error| cause(*error))
}

/// What lies below an error. An `io::Error` hides what it was made from.
fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

fn verb(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Head => reqwest::Method::HEAD,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    }
}

fn header_name(name: &str) -> Result<HeaderName> {
    let Ok(valid) = HeaderName::from_bytes(name.as_bytes()) else {
        return Err(invalid(format!("`{}` is no name of a header", name.escape_debug())));
    };
    if OWN_HEADERS.contains(&valid.as_str()) || valid.as_str().starts_with("proxy-") {
        return Err(invalid(format!("the host sets the header `{valid}` itself: leave it out")));
    }
    Ok(valid)
}

fn plain_value(name: &HeaderName, text: &str) -> Result<HeaderValue> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| {
        invalid(format!("the header `{name}` has a line break or another control character in it"))
    })
}

#[cfg(test)]
mod tests;

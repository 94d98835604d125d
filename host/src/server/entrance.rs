//! One request over HTTP: whether it may come in, whose it is, and what is said to who may not.

use std::{convert::Infallible, net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited, combinators::BoxBody};
use hyper::body::Incoming;
use rmcp::transport::streamable_http_server::{
    StreamableHttpService, session::local::LocalSessionManager,
};
use serde_json::Value;
use tokio::time::timeout;
use uuid::Uuid;

use super::{
    Server,
    authenticate::From,
    said,
    sessions::{Held, Sessions, Tracked, UnderWay},
    watch::{self, Page},
};
use crate::{
    access::{Access, Caller, METADATA, Refused, Vouched},
    registry::Registry,
};

/// The largest request.
pub(super) const LARGEST_BODY: usize = 4 << 20;
/// How long a client may take to send what follows the head of a request.
const BODY_PATIENCE: Duration = Duration::from_secs(30);
/// The header that names a session of the protocol's first era.
const SESSION: &str = "mcp-session-id";
/// Headers that decide who may come in. Of two that differ, one of us would read the wrong one.
const DECISIVE: [header::HeaderName; 3] = [header::HOST, header::ORIGIN, header::AUTHORIZATION];

pub(super) type Service = StreamableHttpService<Server, LocalSessionManager>;
pub(super) type Reply = Response<Tracked<BoxBody<Bytes, Infallible>>>;

/// What every connection needs.
pub(super) struct Entrance {
    pub(super) service: Service,
    pub(super) sessions: Sessions,
    pub(super) path: String,
    pub(super) access: Arc<Access>,
    pub(super) registry: Arc<Registry>,
    /// The names under which this host may be asked.
    pub(super) hosts: Vec<String>,
}

/// Who is at the other end of a connection.
#[derive(Clone)]
pub(super) struct Peer {
    pub(super) address: IpAddr,
    /// By a certificate, where there is one that is known.
    pub(super) vouched: Option<Vouched>,
}

impl Entrance {
    pub(super) async fn answer(&self, request: Request<Incoming>, peer: Peer) -> Reply {
        let path = request.uri().path();
        let page = Page::at(path).filter(|_| path != self.path);
        if let Some(reply) = self.told_to_all(&request, page).await {
            return reply;
        }
        let header = request.headers().get(header::AUTHORIZATION);
        // What is no text is no token, and not the same as nothing.
        let header = header.map(|it| it.to_str().unwrap_or_default());
        let (vouched, from) = (peer.vouched.as_ref(), Some(peer.address));
        let caller = match self.access.caller(header, vouched, from).await {
            Ok(caller) => caller,
            Err(refused) => return self.refusal(&refused),
        };
        if let Some(page) = page {
            return whole(page.answer_to(&self.registry, &caller).await);
        }
        self.pass_on(request, caller, peer.address).await
    }

    /// To what answers calls, in the session that it belongs to.
    async fn pass_on(
        &self,
        mut request: Request<Incoming>,
        caller: Caller,
        address: IpAddr,
    ) -> Reply {
        let (id, under_way) = self.session_of(&caller, &mut request);
        let ended = request.method() == Method::DELETE;
        let mut request = match read(request).await {
            Ok(request) => request,
            Err(refusal) => return refusal,
        };
        let speaker = match self.speaker(&mut request, address).await {
            Ok(speaker) => speaker.unwrap_or_else(|| caller.clone()),
            Err(refused) => return self.refusal(&refused),
        };
        request.extensions_mut().insert(From(address));
        request.extensions_mut().insert(speaker);
        let response = self.service.handle(request).await;
        if let Some(id) = id.filter(|_| ended || response.status() == StatusCode::NOT_FOUND) {
            self.sessions.forget(&id);
        }
        // One that begins here is known from here on, and its caller's.
        let begun = || {
            let id = session(response.headers())?;
            self.access.came(&caller, Some(address));
            Some(self.sessions.begin(&id, &caller))
        };
        let under_way = under_way.or_else(begun);
        response.map(|body| Tracked::new(body, under_way))
    }

    /// What is answered whoever asks.
    async fn told_to_all(&self, request: &Request<Incoming>, page: Option<Page>) -> Option<Reply> {
        let path = request.uri().path();
        if DECISIVE.iter().any(|name| request.headers().get_all(name).iter().count() > 1) {
            let told = "a header that decides who may come in stands there twice";
            return Some(plain(StatusCode::BAD_REQUEST, told));
        }
        if let Some(page) = page {
            let fits = watch::check_method(request.method());
            let fits = fits.and_then(|()| watch::check(request.headers(), &self.hosts));
            return match fits {
                Err(refused) => Some(whole(refused)),
                Ok(()) if page.is_open() => Some(whole(page.answer(&self.registry).await)),
                Ok(()) => None,
            };
        }
        if let Some(metadata) = self.metadata(path) {
            let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
            return Some(if is_read {
                json(&metadata)
            } else {
                plain(StatusCode::METHOD_NOT_ALLOWED, "this is only read")
            });
        }
        if path != self.path {
            let told = "the endpoint is elsewhere; the host printed where";
            return Some(plain(StatusCode::NOT_FOUND, told));
        }
        (request.method() == Method::OPTIONS).then(|| {
            plain(StatusCode::METHOD_NOT_ALLOWED, "web pages of other origins are not served")
        })
    }

    /// What clients may know of this host before they have a token, at each place where they may look for it.
    fn metadata(&self, path: &str) -> Option<Value> {
        let rest = path.strip_prefix(METADATA)?;
        let (place, metadata) = self.access.metadata()?;
        (rest.is_empty() || rest == self.path || path == place).then_some(metadata)
    }

    /// The session that a request belongs to. Somebody else's is made one that nobody has, so that it is answered alike.
    fn session_of<B>(
        &self,
        caller: &Caller,
        request: &mut Request<B>,
    ) -> (Option<String>, Option<UnderWay>) {
        let Some(id) = session(request.headers()) else { return (None, None) };
        match self.sessions.enter(&id, caller) {
            Held::Theirs(under_way) => (Some(id), Some(under_way)),
            Held::Nobodys => (None, None),
            Held::Anothers => {
                let nobodys = Uuid::new_v4().to_string();
                if let Ok(nobodys) = HeaderValue::from_str(&nobodys) {
                    request.headers_mut().insert(SESSION, nobodys);
                }
                (None, None)
            }
        }
    }

    /// Whose a request says that it is, if it does. That is taken out of it.
    async fn speaker(
        &self,
        request: &mut Request<Full<Bytes>>,
        from: IpAddr,
    ) -> Result<Option<Caller>, Refused> {
        let Ok(body) = request.body().clone().collect().await;
        let Some((said, left)) = said::take_from(&body.to_bytes()) else { return Ok(None) };
        *request.body_mut() = Full::new(left.into());
        request.headers_mut().remove(header::CONTENT_LENGTH);
        let said = said.as_str().unwrap_or_default();
        self.access.said(said, Some(from)).await.map(Some)
    }

    fn refusal(&self, refused: &Refused) -> Reply {
        let status = match refused {
            Refused::Missing | Refused::Wrong => StatusCode::UNAUTHORIZED,
            Refused::NoRole => StatusCode::FORBIDDEN,
            Refused::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
            Refused::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mut reply = plain(status, refused.told());
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
            && let Ok(challenge) = self.access.challenge(refused).parse()
        {
            reply.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(wait) = refused.wait() {
            reply.headers_mut().insert(header::RETRY_AFTER, wait.as_secs().into());
        }
        reply
    }
}

fn session(headers: &header::HeaderMap) -> Option<String> {
    Some(headers.get(SESSION)?.to_str().ok()?.to_owned())
}

/// The whole request, within limits of size and time.
async fn read(request: Request<Incoming>) -> Result<Request<Full<Bytes>>, Reply> {
    let (mut head, body) = request.into_parts();
    // What answers needs no secret, and logs get none.
    head.headers.remove(header::AUTHORIZATION);
    match timeout(BODY_PATIENCE, Limited::new(body, LARGEST_BODY).collect()).await {
        Ok(Ok(body)) => Ok(Request::from_parts(head, Full::new(body.to_bytes()))),
        Ok(Err(_)) => Err(plain(StatusCode::PAYLOAD_TOO_LARGE, "a request may have 4 MiB")),
        Err(_) => Err(plain(StatusCode::REQUEST_TIMEOUT, "the request did not come within 30 s")),
    }
}

fn whole(answer: watch::Answer) -> Reply {
    answer.map(|body| Tracked::new(body.boxed(), None))
}

fn json(value: &Value) -> Reply {
    let mut reply = reply(StatusCode::OK, value.to_string().into());
    let kind = HeaderValue::from_static("application/json");
    reply.headers_mut().insert(header::CONTENT_TYPE, kind);
    reply
}

fn plain(status: StatusCode, text: &'static str) -> Reply {
    reply(status, Bytes::from_static(text.as_bytes()))
}

fn reply(status: StatusCode, body: Bytes) -> Reply {
    let mut response = Response::new(Tracked::new(Full::new(body).boxed(), None));
    *response.status_mut() = status;
    response
}

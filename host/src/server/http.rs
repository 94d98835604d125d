//! MCP over streamable HTTP, at `/mcp` unless the operator says otherwise: who may come in, and how much of it.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited, combinators::BoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};

use super::{
    Server,
    sessions::{Sessions, Tracked},
    watch::{self, Page},
};
use crate::{
    access::{Access, Caller, Refused},
    config::{Auth, HttpConfig},
    registry::Registry,
};

/// The largest request.
const LARGEST_BODY: usize = 4 << 20;
/// How long a client may take to send the head of a request.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// How long a client may take to send the rest of it.
const BODY_PATIENCE: Duration = Duration::from_secs(30);
/// How many connections may be open.
const MOST_CONNECTIONS: usize = 1024;
/// The header that names a session of the protocol's first era.
const SESSION: &str = "mcp-session-id";
/// Headers that decide who may come in. Of two that differ, one of us would read the wrong one.
const DECISIVE: [header::HeaderName; 3] = [header::HOST, header::ORIGIN, header::AUTHORIZATION];

type Service = StreamableHttpService<Server, LocalSessionManager>;
type Reply = Response<Tracked<BoxBody<Bytes, Infallible>>>;

/// Where the host listens, and who may call.
pub struct Address {
    listener: TcpListener,
    config: HttpConfig,
    access: Access,
}

/// What every connection needs.
struct Shared {
    service: Service,
    sessions: Sessions,
    path: String,
    access: Access,
    registry: Arc<Registry>,
    /// The names under which this host may be asked.
    hosts: Vec<String>,
}

impl Address {
    /// Binds the address. One that others reach needs authentication.
    pub async fn bind(
        config: HttpConfig,
        access: impl FnOnce(Auth) -> anyhow::Result<Access>,
    ) -> anyhow::Result<Self> {
        let address = config.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
        ensure!(
            address.ip().is_loopback() || config.auth != Auth::None,
            "`{address}` can be reached by others, so `http.auth = \"none\"` is refused; use `token`, or listen on 127.0.0.1"
        );
        let access = access(config.auth)?;
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on `{address}`"))?;
        Ok(Self { listener, config, access })
    }

    pub fn url(&self) -> anyhow::Result<String> {
        Ok(format!("http://{}{}", self.listener.local_addr()?, self.config.path))
    }

    pub fn has_token(&self) -> bool {
        !self.access.is_open()
    }

    fn service_config(&self) -> anyhow::Result<StreamableHttpServerConfig> {
        let local = self.listener.local_addr()?;
        let mut hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
        hosts.extend(self.config.allowed_hosts.clone());
        if !local.ip().is_loopback() && !local.ip().is_unspecified() {
            hosts.push(host_of(local.ip()));
        }
        let mut origins = self.config.allowed_origins.clone();
        let own = ["localhost", "127.0.0.1", "[::1]"];
        origins.extend(own.iter().map(|host| format!("http://{host}:{}", local.port())));
        Ok(StreamableHttpServerConfig::default()
            .with_allowed_hosts(hosts)
            .with_allowed_origins(origins)
            .enforce_origin_validation()
            .with_max_request_body_bytes(LARGEST_BODY))
    }
}

fn host_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// Serves every client that comes.
pub async fn serve(server: Server, address: Address) -> anyhow::Result<()> {
    let mut manager = LocalSessionManager::default();
    // Its own timer ends sessions with calls under way; `Sessions` does not.
    manager.session_config.keep_alive = None;
    let manager = Arc::new(manager);
    let sessions = Sessions::default();
    tokio::spawn(sessions.clone().end_silent(manager.clone()));
    let config = address.service_config()?;
    let (registry, hosts) = (server.registry.clone(), config.allowed_hosts.clone());
    let factory = move || Ok(server.for_another());
    let service = Service::new(factory, manager, config);
    let shared = Arc::new(Shared {
        service,
        sessions,
        path: address.config.path,
        access: address.access,
        registry,
        hosts,
    });
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let place = places.clone().acquire_owned().await?;
        let (stream, from) = match address.listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("a connection was not taken: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let shared = shared.clone();
        tokio::spawn(async move {
            connection(shared, stream, from.ip()).await;
            drop(place);
        });
    }
}

async fn connection(shared: Arc<Shared>, stream: TcpStream, from: IpAddr) {
    // Without it every answer waits 40 ms for the client's acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("no delay is not to be had: {error}");
    }
    let answer = |request| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(shared.answer(request, from).await) }
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

impl Shared {
    async fn answer(&self, request: Request<Incoming>, from: IpAddr) -> Reply {
        let page = Page::at(request.uri().path()).filter(|_| request.uri().path() != self.path);
        if page.is_none() && request.uri().path() != self.path {
            return plain(
                StatusCode::NOT_FOUND,
                "the endpoint is elsewhere; the host printed where",
            );
        }
        if DECISIVE.iter().any(|name| request.headers().get_all(name).iter().count() > 1) {
            return plain(
                StatusCode::BAD_REQUEST,
                "a header that decides who may come in stands there twice",
            );
        }
        if request.method() == Method::OPTIONS {
            return plain(
                StatusCode::METHOD_NOT_ALLOWED,
                "web pages of other origins are not served",
            );
        }
        if page.is_some()
            && let Err(refused) = watch::check_method(request.method())
                .and_then(|()| watch::check(request.headers(), &self.hosts))
        {
            return whole(refused);
        }
        if let Some(page) = page.filter(|it| it.is_open()) {
            return whole(page.answer(&self.registry).await);
        }
        let header = request.headers().get(header::AUTHORIZATION);
        let known = self.access.caller(header.and_then(|it| it.to_str().ok()), from).await;
        self.registry.figures().count_attempt(attempt(&known));
        let caller = match known {
            Ok(caller) => caller,
            Err(refused) => return refusal(&refused),
        };
        if let Some(page) = page {
            return whole(page.answer_to(&self.registry, &caller).await);
        }
        let ended = request.method() == Method::DELETE;
        let id = session(request.headers());
        let under_way = id.as_deref().map(|id| self.sessions.begin(id));
        let mut request = match read(request).await {
            Ok(request) => request,
            Err(refusal) => return refusal,
        };
        request.extensions_mut().insert(caller);
        let response = self.service.handle(request).await;
        if let Some(id) = id.filter(|_| ended || response.status() == StatusCode::NOT_FOUND) {
            self.sessions.forget(&id);
        }
        // One that begins here is known from here on, whether its client comes back or not.
        let begun = || Some(self.sessions.begin(&session(response.headers())?));
        let under_way = under_way.or_else(begun);
        response.map(|body| Tracked::new(body, under_way))
    }
}

/// As what it is counted when somebody wants to come in.
fn attempt(known: &Result<Caller, Refused>) -> &'static str {
    match known {
        Ok(_) => "success",
        Err(Refused::Unknown) => "failure",
        Err(Refused::TooOften(_)) => "limited",
        Err(Refused::Unavailable) => "unavailable",
    }
}

fn refusal(refused: &Refused) -> Reply {
    let (status, text) = match refused {
        Refused::Unknown => (
            StatusCode::UNAUTHORIZED,
            "a bearer token is needed; the host printed where one lies, and `windlass token` makes others",
        ),
        Refused::TooOften(_) => {
            (StatusCode::TOO_MANY_REQUESTS, "too many attempts; try again later")
        }
        Refused::Unavailable => {
            (StatusCode::SERVICE_UNAVAILABLE, "tokens cannot be looked up at the moment")
        }
    };
    let mut reply = plain(status, text);
    if *refused == Refused::Unknown {
        let challenge = header::HeaderValue::from_static("Bearer realm=\"windlass\"");
        reply.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    if let Some(wait) = refused.wait() {
        reply.headers_mut().insert(header::RETRY_AFTER, wait.as_secs().into());
    }
    reply
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

fn plain(status: StatusCode, text: &'static str) -> Reply {
    let body = Full::new(Bytes::from_static(text.as_bytes())).boxed();
    let mut response = Response::new(Tracked::new(body, None));
    *response.status_mut() = status;
    response
}

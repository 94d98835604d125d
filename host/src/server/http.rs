//! MCP over streamable HTTP, at `/mcp` unless the operator says otherwise: where it is listened for, and how many come.
//!
//! Who may come in says `entrance`.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, session::local::LocalSessionManager,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use super::{
    Server,
    entrance::{Entrance, LARGEST_BODY, Peer, Service},
    sessions::Sessions,
    tls::Tls,
};
use crate::{
    access::{Access, Vouched},
    config::{Auth, HttpConfig},
};

/// How long a client may take to send the head of a request.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// How many connections may be open.
const MOST_CONNECTIONS: usize = 1024;

/// Where the host listens.
pub struct Address {
    listener: TcpListener,
    config: HttpConfig,
    tls: Option<Arc<Tls>>,
}

impl Address {
    /// Binds the address. One that others reach needs authentication.
    pub async fn bind(config: HttpConfig) -> anyhow::Result<Self> {
        let address = config.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
        ensure!(
            address.ip().is_loopback() || config.auth != Auth::None,
            "`{address}` can be reached by others, so `http.auth = \"none\"` is refused; use `token`, or listen on 127.0.0.1"
        );
        let tls = config.tls.clone().map(Tls::new).transpose()?.map(Arc::new);
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on `{address}`"))?;
        Ok(Self { listener, config, tls })
    }

    pub fn url(&self) -> anyhow::Result<String> {
        let (scheme, address) = (self.scheme(), self.listener.local_addr()?);
        Ok(format!("{scheme}://{address}{}", self.config.path))
    }

    /// Whether callers are asked who they are.
    pub fn asks(&self) -> bool {
        self.config.auth != Auth::None
    }

    fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    fn service_config(&self) -> anyhow::Result<StreamableHttpServerConfig> {
        let local = self.listener.local_addr()?;
        let mut hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
        hosts.extend(self.config.allowed_hosts.clone());
        if !local.ip().is_loopback() && !local.ip().is_unspecified() {
            hosts.push(host_of(local.ip()));
        }
        let mut origins = self.config.allowed_origins.clone();
        let (scheme, own) = (self.scheme(), ["localhost", "127.0.0.1", "[::1]"]);
        origins.extend(own.iter().map(|host| format!("{scheme}://{host}:{}", local.port())));
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
    let access = server.access.clone();
    let factory = move || Ok(server.for_another());
    let service = Service::new(factory, manager, config);
    let Address { listener, config, tls } = address;
    let entrance = Arc::new(Entrance { service, sessions, path: config.path, access });
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let place = places.clone().acquire_owned().await?;
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("a connection was not taken: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (entrance, tls) = (entrance.clone(), tls.clone());
        tokio::spawn(async move {
            connection(entrance, stream, from.ip(), tls.as_deref()).await;
            drop(place);
        });
    }
}

async fn connection(
    entrance: Arc<Entrance>,
    stream: TcpStream,
    address: IpAddr,
    tls: Option<&Tls>,
) {
    // Without it every answer waits 40 ms for the client's acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("no delay is not to be had: {error}");
    }
    let Some(tls) = tls else {
        return talk(entrance, stream, Peer { address, vouched: None }).await;
    };
    match tls.accept(stream).await {
        Ok(stream) => {
            let vouched = vouched(&entrance.access, stream.get_ref().1);
            talk(entrance, stream, Peer { address, vouched }).await;
        }
        Err(error) => tracing::debug!("a connection did not come to be: {error:#}"),
    }
}

/// Who has the certificate that TLS has looked at.
fn vouched(access: &Access, connection: &rustls::ServerConnection) -> Option<Vouched> {
    access.vouched(connection.peer_certificates()?.first()?)
}

async fn talk<S>(entrance: Arc<Entrance>, stream: S, peer: Peer)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let answer = |request| {
        let (entrance, peer) = (entrance.clone(), peer.clone());
        async move { Ok::<_, Infallible>(entrance.answer(request, peer).await) }
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

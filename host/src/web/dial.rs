//! Bare connections to the peers that programs in containers may reach.

use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    time::Duration,
};

use tokio::{net::TcpStream, sync::Semaphore, time::timeout};
use url::Host;

use super::addresses::LeadsToPrivate;
use crate::{
    error::{Failure, Result, denied, timeout as late, unavailable},
    policy::{Approved, Peer, is_private},
};

/// A peer that does not pick up by then is not there.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many names are looked up at once: each takes a thread, and others need some too.
static LOOKUPS: Semaphore = Semaphore::const_new(32);

/// Connects to exactly the addresses that were looked at, one after the other.
pub async fn dial(peer: &Approved<Peer>) -> Result<TcpStream> {
    let shown = peer.request();
    let Ok(dialled) = timeout(PATIENCE, connect(shown)).await else {
        return Err(late(format!("`{shown}` did not pick up in time")));
    };
    dialled
}

async fn connect(peer: &Peer) -> Result<TcpStream> {
    let mut failed = None;
    for address in addresses(peer).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Without it, small answers wait for each other.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => failed = Some(error),
        }
    }
    Err(match failed {
        Some(error) => unavailable(format!("`{peer}` cannot be reached: {error}")),
        None => unavailable(format!("`{peer}` cannot be found: it has no address")),
    })
}

/// Where the peer is to be found, and may be.
async fn addresses(peer: &Peer) -> Result<Vec<SocketAddr>> {
    let allowed = |address: IpAddr| peer.private || !is_private(address);
    let found: Vec<SocketAddr> = match (&peer.host, peer.addresses()) {
        (_, Some(known)) => known.into_iter().map(|ip| (ip, peer.port).into()).collect(),
        (Host::Domain(name), None) => {
            look_up(name.clone(), peer.port).await.map_err(|error| not_found(peer, &error))?
        }
        _ => Vec::new(),
    };
    if peer.is_this_machine() {
        return Ok(found);
    }
    let usable = found.iter().copied().filter(|to| allowed(to.ip())).collect::<Vec<_>>();
    match found.first() {
        Some(first) if usable.is_empty() => {
            let private = LeadsToPrivate { name: peer.host.to_string(), address: first.ip() };
            Err(denied(format!("not allowed: {private}")))
        }
        _ => Ok(usable),
    }
}

/// Asks the system, on a thread that waits as long as the system does, whoever still waits for it.
async fn look_up(name: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    let place = LOOKUPS.acquire().await.map_err(io::Error::other)?;
    let asking = tokio::task::spawn_blocking(move || {
        let found = (name.as_str(), port).to_socket_addrs().map(Iterator::collect);
        drop(place);
        found
    });
    asking.await.map_err(io::Error::other)?
}

fn not_found(peer: &Peer, error: &io::Error) -> Failure {
    unavailable(format!("`{peer}` cannot be found: {error}"))
}

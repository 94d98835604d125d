//! The way out of a container: what a program inside connects to is asked of the policy at each connection, and then
//! its bytes are carried there.

use std::{io, time::Duration};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional_with_sizes},
    net::{TcpStream, UnixStream},
    time::timeout,
};

use super::{
    Shared,
    head::{self, Head, LONGEST_HEAD},
    locked,
    room::Room,
};
use crate::{
    capability::types::{Code, Error},
    error::{Failure, Result, denied},
    policy::{Approved, PROXY_PORT, Peer, Policy},
    web,
};

/// How long a program may take to say where it wants to go.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a connection carries at a time, each way.
const PORTION: usize = 64 << 10;
/// How many places a container is told off for.
const MOST_REFUSALS: usize = 100;

impl Shared {
    /// The ports of loopback inside that lead out.
    pub(super) fn ports(&self, room: &Room) -> Vec<u16> {
        self.policy(room).map(|policy| policy.egress_ports()).unwrap_or_default()
    }

    /// What counts for a container at this moment.
    fn policy(&self, room: &Room) -> Result<Policy> {
        let Some(owner) = (self.owners)(&room.owner) else {
            return Err(denied(format!("not allowed: there is no plugin `{}`", room.owner)));
        };
        Ok(owner.policy.within(locked(&room.reach).clone()))
    }
}

/// Serves one connection of a program inside.
pub(super) async fn serve(shared: &Shared, room: &Room, stream: UnixStream, port: u16) {
    let Ok(_place) = room.tunnels.try_acquire() else { return };
    let served = if port == PROXY_PORT {
        proxy(shared, room, stream).await
    } else {
        forward(shared, room, stream, port).await
    };
    if let Err(error) = served {
        tracing::debug!(container = room.id, %error, "a connection out ends");
    }
}

async fn forward(
    shared: &Shared,
    room: &Room,
    mut stream: UnixStream,
    port: u16,
) -> io::Result<()> {
    let approved = shared.policy(room).and_then(|policy| policy.approve_forward(port));
    match dial(approved).await {
        Ok(mut peer) => carry(&mut stream, &mut peer).await,
        Err(error) => {
            refused(room, &error);
            Ok(())
        }
    }
}

async fn proxy(shared: &Shared, room: &Room, mut stream: UnixStream) -> io::Result<()> {
    let mut bytes = BytesMut::new();
    let head = match timeout(PATIENCE, read_head(&mut stream, &mut bytes)).await?? {
        Ok(head) => head,
        Err(why) => return answer(&mut stream, "400 Bad Request", &why).await,
    };
    let approved =
        shared.policy(room).and_then(|policy| policy.approve_egress(&head.host, head.port));
    let mut peer = match dial(approved).await {
        Ok(peer) => peer,
        Err(error) => {
            refused(room, &error);
            return answer(&mut stream, status(error.code), &error.message).await;
        }
    };
    match &head.passed_on {
        None => stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?,
        Some(head) => peer.write_all(head).await?,
    }
    peer.write_all(bytes.get(head.length..).unwrap_or_default()).await?;
    drop(bytes);
    carry(&mut stream, &mut peer).await
}

/// Reads until the head is whole, and maybe more.
async fn read_head(
    stream: &mut UnixStream,
    bytes: &mut BytesMut,
) -> io::Result<std::result::Result<Head, String>> {
    loop {
        match head::read(bytes) {
            Ok(Some(head)) => return Ok(Ok(head)),
            Err(why) => return Ok(Err(why)),
            Ok(None) => bytes.reserve(LONGEST_HEAD.min(bytes.len().max(4 << 10))),
        }
        if stream.read_buf(bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

async fn dial(approved: Result<Approved<Peer>>) -> std::result::Result<TcpStream, Error> {
    let dialled = match approved {
        Ok(peer) => web::dial(&peer).await,
        Err(failure) => Err(failure),
    };
    dialled.map_err(|failure| match failure {
        Failure::Answer(error) => error,
        Failure::Trap(error) => Error::new(Code::Other, error.to_string()),
    })
}

fn status(code: Code) -> &'static str {
    match code {
        Code::Denied => "403 Forbidden",
        Code::Invalid => "400 Bad Request",
        Code::Timeout => "504 Gateway Timeout",
        _ => "502 Bad Gateway",
    }
}

/// One line for what was not allowed, once for each place: a program that tries on and on fills no log.
/// What only did not work is the program's own affair.
fn refused(room: &Room, error: &Error) {
    if error.code != Code::Denied {
        return;
    }
    let mut refusals = locked(&room.refusals);
    if refusals.len() < MOST_REFUSALS && refusals.insert(error.message.clone()) {
        let Room { id, owner, .. } = room;
        tracing::warn!(container = id, plugin = owner, "{}", error.message);
    }
}

async fn answer(stream: &mut UnixStream, status: &str, why: &str) -> io::Result<()> {
    let length = why.len() + 1;
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{why}\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

async fn carry(stream: &mut UnixStream, peer: &mut TcpStream) -> io::Result<()> {
    copy_bidirectional_with_sizes(stream, peer, PORTION, PORTION).await.map(drop)
}

//! Streams between the container's loopback and the host, both ways. What may pass is the host's to say.

use std::{
    cell::RefCell,
    collections::HashMap,
    io,
    net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr},
    rc::Rc,
    time::Duration,
};

use rustix::net;
use tokio::{
    net::{TcpListener, TcpStream, UnixStream},
    task::{JoinHandle, spawn_local},
    time::{sleep, timeout},
};
use windlass_supervisor::{frames::message, protocol::Hello};

use crate::{link::dial, supervisor::Supervisor};

/// How many streams there may be at once. One more is closed as soon as it is opened.
const MOST: usize = 256;
/// How many bytes go from one side to the other at a time.
const BUFFER: usize = 256 << 10;
/// How long to wait when the program has no descriptor left for another connection.
const EXHAUSTED: Duration = Duration::from_millis(50);
/// How long a program inside may take to accept.
const ACCEPT: Duration = Duration::from_secs(10);

thread_local! {
    /// There is one thread, and one stream moves at a time: what waits has nothing in memory.
    static SHARED: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]);
}

/// The ports on which programs inside reach the host.
#[derive(Default)]
pub(crate) struct Listeners {
    ports: HashMap<u16, JoinHandle<()>>,
}

impl Listeners {
    /// Listens on these ports and on no others; gives those where that is impossible. Streams that are open stay.
    pub(crate) fn listen(
        &mut self,
        supervisor: &Rc<Supervisor>,
        ports: &[u16],
    ) -> Vec<(u16, String)> {
        self.ports.retain(|port, task| {
            let stays = ports.contains(port);
            if !stays {
                task.abort();
            }
            stays
        });
        let mut taken = Vec::new();
        for port in ports {
            if self.ports.contains_key(port) {
                continue;
            }
            match bind(*port) {
                Ok(listener) => {
                    let task = spawn_local(accept(Rc::clone(supervisor), listener, *port));
                    self.ports.insert(*port, task);
                }
                Err(error) => taken.push((*port, error.to_string())),
            }
        }
        taken
    }
}

fn bind(port: u16) -> io::Result<TcpListener> {
    let flags = net::SocketFlags::CLOEXEC | net::SocketFlags::NONBLOCK;
    let socket = net::socket_with(net::AddressFamily::INET, net::SocketType::STREAM, flags, None)?;
    net::sockopt::set_socket_reuseaddr(&socket, true)?;
    net::bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    net::listen(&socket, 1024)?;
    TcpListener::from_std(socket.into())
}

async fn accept(supervisor: Rc<Supervisor>, listener: TcpListener, port: u16) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                spawn_local(egress(Rc::clone(&supervisor), stream, port));
            }
            Err(_) => sleep(EXHAUSTED).await,
        }
    }
}

/// Counts a stream for as long as it lives.
struct Place<'a>(&'a Supervisor);

impl<'a> Place<'a> {
    fn take(supervisor: &'a Supervisor) -> Option<Self> {
        let taken = supervisor.tunnels.get();
        (taken < MOST).then(|| {
            supervisor.tunnels.set(taken + 1);
            Self(supervisor)
        })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.tunnels.set(self.0.tunnels.get() - 1);
    }
}

async fn egress(supervisor: Rc<Supervisor>, inside: TcpStream, port: u16) {
    let Some(_place) = Place::take(&supervisor) else { return };
    if let Ok(host) = dial(&supervisor.socket) {
        let _ = join(inside, host, &Hello::Egress { port }).await;
    }
}

/// Connects to a port inside for the host.
pub(crate) async fn ingress(supervisor: Rc<Supervisor>, ticket: u64, port: u16) {
    let place = Place::take(&supervisor);
    let connected = match place {
        Some(_) => connect(port).await,
        None => Err(format!("{MOST} streams are open in the container already")),
    };
    let Ok(host) = dial(&supervisor.socket) else { return };
    match connected {
        Ok(inside) => {
            let _ = join(inside, host, &Hello::Ingress { ticket, error: None }).await;
        }
        Err(error) => {
            let hello = message(&Hello::Ingress { ticket, error: Some(error) });
            let _ = send(&host, &hello).await;
        }
    }
}

async fn connect(port: u16) -> Result<TcpStream, String> {
    let addresses = [
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
    ];
    match timeout(ACCEPT, TcpStream::connect(&addresses[..])).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(_)) => Err(format!("nothing listens on port `{port}` in the container")),
        Err(_) => Err(format!("port `{port}` in the container does not accept")),
    }
}

async fn join(inside: TcpStream, host: UnixStream, hello: &Hello) -> io::Result<()> {
    let _ = inside.set_nodelay(true);
    send(&host, &message(hello)).await?;
    let (inside, host) = (Side::Inside(inside), Side::Host(host));
    // Where one side cannot be read any more, there is nothing left to carry to it either.
    let there = async { carry(&inside, &host).await };
    let back = async { carry(&host, &inside).await };
    tokio::try_join!(there, back).map(drop)
}

async fn send(host: &UnixStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        host.writable().await?;
        match host.try_write(bytes) {
            Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// One end of a stream.
enum Side {
    Inside(TcpStream),
    Host(UnixStream),
}

impl Side {
    async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Inside(stream) => stream.readable().await,
            Self::Host(stream) => stream.readable().await,
        }
    }

    async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Inside(stream) => stream.writable().await,
            Self::Host(stream) => stream.writable().await,
        }
    }

    fn try_read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Inside(stream) => stream.try_read(bytes),
            Self::Host(stream) => stream.try_read(bytes),
        }
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Inside(stream) => stream.try_write(bytes),
            Self::Host(stream) => stream.try_write(bytes),
        }
    }

    fn shut(&self, how: Shutdown) {
        let how = match how {
            Shutdown::Read => net::Shutdown::Read,
            Shutdown::Write => net::Shutdown::Write,
            Shutdown::Both => net::Shutdown::Both,
        };
        let _ = match self {
            Self::Inside(stream) => net::shutdown(stream, how),
            Self::Host(stream) => net::shutdown(stream, how),
        };
    }
}

/// Carries bytes until there are no more, and says so. An error is one of reading.
async fn carry(from: &Side, to: &Side) -> io::Result<()> {
    let mut held = Vec::new();
    loop {
        from.readable().await?;
        match SHARED.with_borrow_mut(|buffer| pass(from, to, buffer, &mut held)) {
            Passed::All => {}
            Passed::Unread(error) => return Err(error),
            Passed::End => {
                to.shut(Shutdown::Write);
                return Ok(());
            }
            Passed::Unwanted => break,
        }
        if !held.is_empty() && !deliver(to, &mut held).await {
            break;
        }
    }
    // The receiver wants no more. What it has said itself still goes the other way.
    from.shut(Shutdown::Read);
    Ok(())
}

enum Passed {
    /// What could not be delivered is held.
    All,
    End,
    Unread(io::Error),
    Unwanted,
}

/// Reads once, and delivers what can be at once.
fn pass(from: &Side, to: &Side, buffer: &mut [u8], held: &mut Vec<u8>) -> Passed {
    let read = match from.try_read(buffer) {
        Ok(0) => return Passed::End,
        Ok(read) => read,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Passed::All,
        Err(error) => return Passed::Unread(error),
    };
    let bytes = buffer.get(..read).unwrap_or_default();
    match to.try_write(bytes) {
        Ok(sent) => held.extend(bytes.get(sent..).unwrap_or_default()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => held.extend(bytes),
        Err(_) => return Passed::Unwanted,
    }
    Passed::All
}

/// Whether the receiver took all that was held.
async fn deliver(to: &Side, held: &mut Vec<u8>) -> bool {
    let mut sent = 0;
    while let Some(rest) = held.get(sent..).filter(|rest| !rest.is_empty()) {
        if to.writable().await.is_err() {
            return false;
        }
        match to.try_write(rest) {
            Ok(more) => sent += more,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return false,
        }
    }
    // A stream that waits keeps nothing.
    *held = Vec::new();
    true
}

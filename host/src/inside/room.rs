//! One container as its supervisor shows it: who may speak for it, and where each connection of his leads.

use std::{
    collections::{HashMap, HashSet},
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::{UnixListener, UnixStream},
    sync::{Semaphore, oneshot, watch},
    task::AbortHandle,
    time::{Instant, sleep, sleep_until, timeout},
};
use windlass_supervisor::protocol::{Demand, Hello, Order, VERSION};

use super::{
    Shared, Tunnel,
    control::{self, Control},
    egress, frames, locked, output,
};
use crate::{
    error::{Result, limit, timeout as late, unavailable},
    policy::Reach,
};

/// How many connections may wait until it is known whom to trust, and how long.
const MOST_STRANGERS: usize = 64;
const PATIENCE: Duration = Duration::from_secs(10);
/// How many connections of programs, in and out, a container has at once.
const MOST_TUNNELS: usize = 256;
/// A supervisor that says nonsense is not heard again before that.
const PENANCE: Duration = Duration::from_millis(100);

pub(super) struct Room {
    pub(super) id: String,
    pub(super) owner: String,
    /// What counts of its plugin's grants.
    pub(super) reach: Mutex<Reach>,
    /// The pid of the container's first process.
    trusted: watch::Sender<Option<u32>>,
    pub(super) presence: watch::Sender<Presence>,
    pub(super) control: Mutex<Option<Control>>,
    pub(super) tickets: Mutex<HashMap<u64, Ticket>>,
    next: AtomicU64,
    pub(super) tunnels: Arc<Semaphore>,
    strangers: Semaphore,
    told: AtomicBool,
    /// What was refused to programs inside, and told.
    pub(super) refusals: Mutex<HashSet<String>>,
    /// Until then nobody here is heard, for somebody said nonsense.
    penance: Mutex<Instant>,
    /// Held while its folder is made.
    listening: tokio::sync::Mutex<Option<AbortHandle>>,
}

/// Who waits for a connection inside.
pub(super) type Ticket = oneshot::Sender<Result<UnixStream, String>>;

/// Whether there is a supervisor to give orders to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Awaited,
    There,
    /// It speaks this version of the protocol.
    Foreign(u32),
}

impl Room {
    fn new(id: String, owner: String) -> Self {
        Self {
            id,
            owner,
            reach: Mutex::default(),
            trusted: watch::Sender::new(None),
            presence: watch::Sender::new(Presence::Awaited),
            control: Mutex::default(),
            tickets: Mutex::default(),
            next: AtomicU64::new(1),
            tunnels: Arc::new(Semaphore::new(MOST_TUNNELS)),
            strangers: Semaphore::new(MOST_STRANGERS),
            told: AtomicBool::new(false),
            refusals: Mutex::default(),
            penance: Mutex::new(Instant::now()),
            listening: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn trust(&self, pid: u32) {
        if self.trusted.borrow().is_some_and(|trusted| trusted != pid) {
            self.distrust();
        }
        self.trusted.send_if_modified(|trusted| trusted.replace(pid) != Some(pid));
    }

    pub(super) fn distrust(&self) {
        self.trusted.send_if_modified(|trusted| trusted.take().is_some());
        *locked(&self.control) = None;
        locked(&self.tickets).clear();
        self.presence.send_replace(Presence::Awaited);
    }

    pub(super) async fn close(&self) {
        if let Some(listening) = self.listening.lock().await.take() {
            listening.abort();
        }
    }

    /// Whether the supervisor takes orders at this moment.
    pub(super) fn is_connected(&self) -> bool {
        *self.presence.borrow() == Presence::There
            && locked(&self.control).as_ref().is_some_and(|control| !control.has_hung_up())
    }

    pub(super) async fn ready(&self, within: Duration) -> Result<bool> {
        let mut presence = self.presence.subscribe();
        let there = presence.wait_for(|presence| *presence != Presence::Awaited);
        match timeout(within, there).await.map(|there| there.map(|it| *it)) {
            Ok(Ok(Presence::There)) => Ok(true),
            Ok(Ok(Presence::Foreign(version))) => Err(unavailable(format!(
                "the supervisor in `{}` speaks version {version} of its protocol, and this host {VERSION}: make the container anew",
                self.id
            ))),
            _ => Ok(false),
        }
    }

    /// Gives an order. Without a supervisor it is dropped, and whoever needs it gives it again.
    pub(super) fn send(&self, order: &Order) -> bool {
        match (frames::message(order), &*locked(&self.control)) {
            (Ok(frame), Some(control)) => control.send(frame),
            _ => false,
        }
    }

    /// Connects to a port of loopback inside.
    pub(super) async fn dial(&self, port: u16) -> Result<Tunnel> {
        let Ok(place) = self.tunnels.clone().try_acquire_owned() else {
            return Err(limit(format!("`{}` has {MOST_TUNNELS} connections already", self.id)));
        };
        let ticket = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, dialled) = oneshot::channel();
        locked(&self.tickets).insert(ticket, sender);
        if !self.send(&Order::Dial { ticket, port }) {
            locked(&self.tickets).remove(&ticket);
            return Err(unavailable(format!("the supervisor in `{}` is not there", self.id)));
        }
        let dialled = timeout(PATIENCE, dialled).await;
        locked(&self.tickets).remove(&ticket);
        match dialled {
            Ok(Ok(Ok(stream))) => Ok(Tunnel::new(stream, place)),
            Ok(Ok(Err(why))) => {
                Err(unavailable(format!("nothing answers on port {port} of `{}`: {why}", self.id)))
            }
            Ok(Err(_)) => Err(unavailable(format!("`{}` stopped meanwhile", self.id))),
            Err(_) => Err(late(format!("port {port} of `{}` did not pick up in time", self.id))),
        }
    }

    /// Whether the other end of a connection is the container's first process. Waits until it is known which one that is.
    async fn trusts(&self, stream: &UnixStream) -> bool {
        let Some(pid) = stream.peer_cred().ok().and_then(|peer| peer.pid()) else { return false };
        let mut trusted = self.trusted.subscribe();
        let known = *trusted.borrow_and_update();
        let known = match known {
            Some(known) => known,
            None => {
                let Ok(_place) = self.strangers.try_acquire() else { return false };
                match timeout(PATIENCE, trusted.wait_for(Option::is_some)).await {
                    Ok(Ok(known)) => known.unwrap_or_default(),
                    _ => return false,
                }
            }
        };
        let same = u32::try_from(pid).is_ok_and(|pid| pid == known);
        if !same && !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(container = self.id, pid, "a stranger dialled the host's socket");
        }
        same
    }

    /// Until the trust that there is now is gone.
    async fn trust_ends(&self) {
        let mut trusted = self.trusted.subscribe();
        if trusted.borrow_and_update().is_some() {
            let _ = trusted.changed().await;
        }
    }
}

impl Shared {
    pub(super) async fn prepare(
        self: Arc<Self>,
        owner: String,
        id: String,
        reach: Reach,
    ) -> Result<PathBuf> {
        let folder = self.containers.join(&id);
        let room = {
            let mut rooms = locked(&self.rooms);
            let make = || Arc::new(Room::new(id.clone(), owner));
            rooms.entry(id.clone()).or_insert_with(make).clone()
        };
        *locked(&room.reach) = reach;
        let mut listening = room.listening.lock().await;
        if listening.is_some() {
            self.listen(&room);
            return Ok(folder);
        }
        let shared = self.clone();
        let container = id.clone();
        let furnishing = tokio::task::spawn_blocking(move || {
            shared.program.furnish(&shared.containers, &container)
        });
        let furnished = furnishing.await.map_err(io::Error::other).flatten();
        let listener = match furnished.and_then(UnixListener::from_std) {
            Ok(listener) => listener,
            Err(error) => {
                locked(&self.rooms).remove(&id);
                return Err(unavailable(format!("the folder of `{id}` cannot be made: {error}")));
            }
        };
        *listening = Some(tokio::spawn(self.accept(room.clone(), listener)).abort_handle());
        Ok(folder)
    }

    async fn accept(self: Arc<Self>, room: Arc<Room>, listener: UnixListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(self.clone().serve(room.clone(), stream));
                }
                Err(error) => {
                    tracing::error!(container = room.id, %error, "cannot accept a connection");
                    sleep(PENANCE).await;
                }
            }
        }
    }

    /// Serves one connection for as long as its container is trusted.
    async fn serve(self: Arc<Self>, room: Arc<Room>, stream: UnixStream) {
        if !room.trusts(&stream).await {
            return;
        }
        tokio::select! {
            served = self.route(&room, stream) => if let Err(error) = served {
                tracing::debug!(container = room.id, %error, "a connection ends");
                if error.kind() == io::ErrorKind::InvalidData {
                    *locked(&room.penance) = Instant::now() + PENANCE;
                }
            },
            () = room.trust_ends() => {}
        }
    }

    async fn route(self: &Arc<Self>, room: &Arc<Room>, mut stream: UnixStream) -> io::Result<()> {
        let penance = *locked(&room.penance);
        sleep_until(penance).await;
        let hello = timeout(PATIENCE, frames::first(&mut stream)).await??;
        match hello {
            Hello::Control { version, processes } => {
                control::attend(self, room, stream, version, &processes).await
            }
            Hello::Process { id, again } => self.process(room, stream, &id, again).await,
            Hello::Egress { port } => {
                egress::serve(self, room, stream, port).await;
                Ok(())
            }
            Hello::Ingress { ticket, error } => {
                // Nobody waits for it any more where there is none.
                if let Some(waiting) = locked(&room.tickets).remove(&ticket) {
                    let _ = waiting.send(error.map_or(Ok(stream), Err));
                }
                Ok(())
            }
        }
    }

    async fn process(
        self: &Arc<Self>,
        room: &Arc<Room>,
        mut stream: UnixStream,
        id: &str,
        again: bool,
    ) -> io::Result<()> {
        let known = locked(&self.table).get(id).cloned();
        let known = known.filter(|entry| entry.origin.container == room.id);
        match known.filter(|entry| entry.ending().is_none()) {
            Some(entry) => output::attend(self, &entry, stream, again).await,
            None => {
                use tokio::io::AsyncWriteExt as _;
                // Nobody will ask for what is left of it.
                for demand in [Demand::Cancel, Demand::Forget] {
                    stream.write_all(&frames::message(&demand)?).await?;
                }
                Ok(())
            }
        }
    }
}

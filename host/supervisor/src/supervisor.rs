//! What all parts share: the processes there are, and who waits for which child.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
    io,
    os::fd::OwnedFd,
    path::PathBuf,
    rc::Rc,
    time::Duration,
};

use rustix::{
    process::{Pid, Signal, kill_process_group, test_kill_process_group},
    time::{ClockId, clock_gettime},
};
use tokio::{
    io::Interest,
    sync::{Notify, mpsc, oneshot, watch},
    time::{Instant, sleep},
};
use windlass_supervisor::protocol::SOCKET;

use crate::{
    kernel::{self, Exit},
    start::Score,
    tree::Identity,
};

/// How long processes have to end when the container is stopped. An engine waits ten seconds by default.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// How many markers of processes that the host has forgotten are remembered before those without a process are dropped.
const MOST_RELEASED: usize = 4096;

/// A process as others see it. Its own task has the rest.
pub(crate) struct Entry {
    pub(crate) id: String,
    /// Its number while it can be signalled: until it has been reaped, no other has that number.
    pub(crate) leader: Cell<Option<Pid>>,
    /// From when to when it ran, in the ticks of /proc.
    pub(crate) began: u64,
    pub(crate) ended: Cell<Option<u64>>,
    pub(crate) nudges: mpsc::UnboundedSender<Nudge>,
}

/// What comes to a process from the control connection.
pub(crate) enum Nudge {
    /// Dial the host again.
    Dial,
    Cancel,
}

pub(crate) struct Supervisor {
    pub(crate) socket: PathBuf,
    pub(crate) score: Score,
    pub(crate) entries: RefCell<HashMap<String, Rc<Entry>>>,
    /// Whether the host is there and speaks the same version.
    pub(crate) welcomed: watch::Sender<bool>,
    /// Rung whenever a child was reaped.
    pub(crate) reaped: Notify,
    /// How many streams go through the host at the moment.
    pub(crate) tunnels: Cell<usize>,
    /// When processes ran that the host has forgotten.
    pub(crate) past: RefCell<Vec<(u64, u64)>>,
    /// Markers that are no forgery, although the host has forgotten their process.
    pub(crate) released: RefCell<HashSet<String>>,
    /// What should have been ended, but may have been somebody else's.
    pub(crate) suspects: RefCell<Vec<Identity>>,
    /// Buffers for output, to be used again.
    pub(crate) buffers: RefCell<Vec<Vec<u8>>>,
    waiting: RefCell<HashMap<i32, oneshot::Sender<Exit>>>,
}

impl Supervisor {
    pub(crate) fn new(folder: PathBuf, score: Score) -> Self {
        Self {
            socket: folder.join(SOCKET),
            score,
            entries: RefCell::default(),
            welcomed: watch::Sender::new(false),
            reaped: Notify::new(),
            tunnels: Cell::new(0),
            past: RefCell::default(),
            released: RefCell::default(),
            suspects: RefCell::default(),
            buffers: RefCell::default(),
            waiting: RefCell::default(),
        }
    }

    /// How this child will end.
    pub(crate) fn await_exit(&self, pid: Pid) -> oneshot::Receiver<Exit> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().insert(pid.as_raw_nonzero().get(), sender);
        receiver
    }

    /// Whether any process runs.
    pub(crate) fn is_busy(&self) -> bool {
        self.entries.borrow().values().any(|entry| entry.ended.get().is_none())
    }

    pub(crate) fn forget(&self, entry: &Entry) {
        let mut entries = self.entries.borrow_mut();
        entries.remove(&entry.id);
        let running = entries.values().filter(|it| it.ended.get().is_none());
        let earliest = running.map(|it| it.began).min();
        let mut past = self.past.borrow_mut();
        past.extend(entry.ended.get().map(|ended| (entry.began, ended)));
        past.retain(|(_, ended)| earliest.is_some_and(|earliest| *ended >= earliest));
        let mut released = self.released.borrow_mut();
        if released.len() >= MOST_RELEASED {
            let alive = crate::tree::markers();
            released.retain(|id| alive.contains(id));
        }
        released.insert(entry.id.clone());
    }

    /// Takes all that have ended.
    fn reap(&self) {
        let mut any = false;
        while let Some((pid, exit)) = kernel::reap() {
            any = true;
            let entries = self.entries.borrow();
            let leads = |it: &&Rc<Entry>| {
                it.leader.get().is_some_and(|leader| leader.as_raw_nonzero().get() == pid)
            };
            entries.values().filter(leads).for_each(|it| it.leader.set(None));
            if let Some(sender) = self.waiting.borrow_mut().remove(&pid) {
                let _ = sender.send(exit);
            }
        }
        if any {
            self.reaped.notify_waiters();
        }
    }
}

/// The time in the ticks in which /proc says when a process began.
pub(crate) fn ticks() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec.cast_unsigned() * 100 + now.tv_nsec.cast_unsigned() / 10_000_000
}

/// Reaps until the container is stopped from outside.
pub(crate) async fn live(supervisor: Rc<Supervisor>, bell: OwnedFd) -> io::Result<()> {
    let bell = kernel::watch(bell, Interest::READABLE)?;
    let mut stopping = None;
    loop {
        let waited = async {
            match stopping {
                Some(_) => sleep(Duration::from_millis(10)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ready = bell.readable() => {
                let read = |bell: &OwnedFd| Ok(rustix::io::read(bell, &mut [0; 8])?);
                let mut ready = ready?;
                let _ = ready.try_io(|bell| read(bell.get_ref()));
            }
            () = waited => {}
        }
        supervisor.reap();
        if !kernel::is_told_to_stop() {
            continue;
        }
        let until = *stopping.get_or_insert_with(|| {
            let _ = kill_process_group(Pid::INIT, Signal::TERM);
            let _ = kill_process_group(Pid::INIT, Signal::CONT);
            Instant::now() + STOP_GRACE
        });
        let alone = test_kill_process_group(Pid::INIT).is_err();
        if alone || Instant::now() >= until {
            // What is left ends with the first process: the kernel sees to that.
            return Ok(());
        }
    }
}

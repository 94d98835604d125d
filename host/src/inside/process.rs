//! One process as the host knows it: what it is, how it is, what it has printed.

use std::{
    io,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use windlass_supervisor::protocol::{Demand, Start};

use super::{
    locked,
    output::Chunk,
    spool::{Printed, Refused, Spool},
};
use crate::{capability::types::Value, policy::NewProcess, secrets::Values};

/// Between SIGTERM and SIGKILL.
const GRACE_MS: u64 = 5_000;
/// How many signals wait for the connection of a process.
const MOST_PENDING: usize = 64;

/// Who runs a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Carrier {
    Supervisor,
    Engine,
}

/// How a process is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Queued,
    Running,
    Ended(Ending),
}

/// What is left of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    pub how: How,
    pub code: Option<i32>,
    pub signal: Option<u8>,
    pub message: Option<String>,
    pub wall_ms: u64,
    pub cpu_ms: Option<u64>,
    pub memory_kib: Option<u64>,
    /// Milliseconds since 1970.
    pub ended: u64,
}

/// Why a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    Exited,
    TimedOut,
    Cancelled,
    Refused,
    Lost,
}

/// What is known of a process.
#[derive(Clone, Debug)]
pub struct Process {
    pub id: String,
    pub container: String,
    pub command: Vec<String>,
    pub root: bool,
    pub carrier: Carrier,
    pub state: State,
    /// Milliseconds since 1970.
    pub started: u64,
    pub stdout_bytes: u64,
    pub stderr_bytes: u64,
}

/// What does not change about a process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Origin {
    pub(super) id: String,
    pub(super) owner: String,
    pub(super) container: String,
    pub(super) command: Vec<String>,
    pub(super) root: bool,
    pub(super) carrier: Carrier,
    pub(super) key: Option<String>,
    pub(super) started: u64,
    /// Greater than that of every process before it.
    pub(super) number: u64,
    /// Whether it has a stdin to read from.
    pub(super) input: bool,
}

/// What else it takes to start one. Secrets are here by name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Wanted {
    env: Vec<(String, Variable)>,
    cwd: String,
    terminal: Option<(u16, u16)>,
    timeout_ms: Option<u64>,
    #[serde(skip)]
    stdin: Option<Bytes>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Variable {
    Plain(String),
    Secret(String),
}

/// A process in the host's database.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) origin: Origin,
    pub(super) state: State,
    pub(super) stdout: u64,
    pub(super) stderr: u64,
    /// Only while it is queued.
    pub(super) wanted: Option<Wanted>,
}

/// How a process is at this moment.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) state: State,
    pub(super) last: u64,
    pub(super) printed: Printed,
}

/// A process in the host's memory.
pub(super) struct Entry {
    pub(super) origin: Origin,
    pub(super) view: watch::Sender<View>,
    pub(super) cancelled: watch::Sender<bool>,
    /// What its row says, or will say after the next write.
    pub(super) intended: Mutex<State>,
    /// One write of its row at a time.
    pub(super) saving: tokio::sync::Mutex<()>,
    pub(super) kept: AtomicBool,
    finishing: AtomicBool,
    folder: PathBuf,
    spool: Mutex<Option<Spool>>,
    wanted: Mutex<Option<Wanted>>,
    line: Mutex<Line>,
}

/// The way to the connection of a process.
#[derive(Default)]
struct Line {
    sender: Option<mpsc::UnboundedSender<Demand>>,
    pending: Vec<Demand>,
}

impl Wanted {
    pub(super) fn new(process: &NewProcess) -> Self {
        let variable = |(name, value): &(String, Value)| {
            let value = match value {
                Value::Plain(value) => Variable::Plain(value.clone()),
                Value::Secret(secret) => Variable::Secret(secret.clone()),
            };
            (name.clone(), value)
        };
        Self {
            env: process.env.iter().map(variable).collect(),
            cwd: process.cwd.clone(),
            terminal: process.terminal,
            timeout_ms: process.timeout_ms,
            stdin: process.stdin.clone().map(Bytes::from),
        }
    }

    /// The order for it, with the values of secrets. Fails with the name of one that is not there.
    pub(super) fn order(&self, origin: &Origin, secrets: &Values) -> Result<Start, String> {
        let variable = |(name, value): &(String, Variable)| {
            let value = match value {
                Variable::Plain(value) => value.clone(),
                Variable::Secret(secret) => {
                    secrets.value(secret).ok_or_else(|| secret.clone())?.to_owned()
                }
            };
            Ok::<_, String>((name.clone(), value))
        };
        Ok(Start {
            id: origin.id.clone(),
            command: origin.command.clone(),
            env: self.env.iter().map(variable).collect::<Result<_, _>>()?,
            cwd: self.cwd.clone(),
            input: origin.input,
            terminal: self.terminal,
            timeout_ms: self.timeout_ms,
            grace_ms: GRACE_MS,
        })
    }
}

impl Entry {
    pub(super) fn new(
        origin: Origin,
        state: State,
        wanted: Option<Wanted>,
        folder: PathBuf,
    ) -> Self {
        let spool = Mutex::new(Some(Spool::new(folder.clone())));
        let view = View { state: state.clone(), last: 0, printed: Printed::default() };
        Self {
            origin,
            view: watch::Sender::new(view),
            cancelled: watch::Sender::new(false),
            intended: Mutex::new(state),
            saving: tokio::sync::Mutex::default(),
            kept: AtomicBool::new(false),
            finishing: AtomicBool::new(false),
            folder,
            spool,
            wanted: Mutex::new(wanted),
            line: Mutex::default(),
        }
    }

    /// One that an earlier host started. The output of one that still runs is looked at here, that of others when it is asked for.
    pub(super) fn find(row: Row, folder: PathBuf) -> io::Result<Self> {
        let Row { origin, state, stdout, stderr, wanted } = row;
        let ended = matches!(state, State::Ended(_));
        let entry = Self::new(origin, state, wanted, folder);
        entry.kept.store(true, Ordering::Relaxed);
        entry.finishing.store(ended, Ordering::Relaxed);
        *locked(&entry.spool) = None;
        entry.view.send_modify(|view| view.printed = Printed { stdout, stderr });
        if !ended {
            entry.with_spool(|_| Ok(()))?;
        }
        Ok(entry)
    }

    pub(super) fn row(&self) -> Row {
        let state = locked(&self.intended).clone();
        let queued = state == State::Queued;
        let printed = self.view.borrow().printed;
        Row {
            origin: self.origin.clone(),
            state,
            stdout: printed.stdout,
            stderr: printed.stderr,
            wanted: locked(&self.wanted).clone().filter(|_| queued),
        }
    }

    pub(super) fn seen(&self) -> Process {
        let view = self.view.borrow().clone();
        let Origin { id, container, command, root, carrier, started, .. } = self.origin.clone();
        let Printed { stdout, stderr } = view.printed;
        Process {
            id,
            container,
            command,
            root,
            carrier,
            state: view.state,
            started,
            stdout_bytes: stdout,
            stderr_bytes: stderr,
        }
    }

    pub(super) fn ending(&self) -> Option<Ending> {
        match &self.view.borrow().state {
            State::Ended(ending) => Some(ending.clone()),
            _ => None,
        }
    }

    /// Whether the caller is the one who ends it. Only the first is.
    pub(super) fn begins_to_end(&self) -> bool {
        !self.finishing.swap(true, Ordering::AcqRel)
    }

    pub(super) fn is_ending(&self) -> bool {
        self.finishing.load(Ordering::Acquire)
    }

    pub(super) fn change(&self, state: State) {
        self.view.send_modify(|view| view.state = state);
    }

    /// What it takes to start it, until it has said hello.
    pub(super) fn wanted(&self) -> Option<Wanted> {
        locked(&self.wanted).clone()
    }

    /// A connection of the process is there. Gives what it is to read on stdin, and what was asked for meanwhile.
    pub(super) fn attach(
        &self,
        sender: mpsc::UnboundedSender<Demand>,
    ) -> (Option<Bytes>, Vec<Demand>) {
        let stdin = locked(&self.wanted).take().and_then(|wanted| wanted.stdin);
        let mut line = locked(&self.line);
        line.sender = Some(sender);
        (stdin, std::mem::take(&mut line.pending))
    }

    /// Passes a demand to its connection, or keeps it until there is one.
    pub(super) fn demand(&self, demand: Demand) {
        let mut line = locked(&self.line);
        let unsent = match &line.sender {
            Some(sender) => sender.send(demand).err().map(|unsent| unsent.0),
            None => Some(demand),
        };
        if line.pending.len() < MOST_PENDING {
            line.pending.extend(unsent);
        }
    }

    /// Nobody speaks to it any more.
    pub(super) fn hang_up(&self) {
        *locked(&self.line) = Line::default();
        locked(&self.wanted).take();
        if let Some(spool) = &mut *locked(&self.spool) {
            spool.rest();
        }
    }

    /// Puts output on disk. Blocks.
    pub(super) fn write(
        &self,
        write: impl FnOnce(&mut Spool) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        let mut written = Ok(());
        let opened = self.with_spool(|spool| {
            written = write(spool);
            Ok(())
        });
        opened.map_err(Refused::Disk).and(written)
    }

    /// Reads output from disk. Blocks.
    pub(super) fn read(&self, after: u64, most: usize) -> io::Result<(Vec<Chunk>, u64, u64)> {
        self.with_spool(|spool| {
            let (chunks, dropped) = spool.read(after, most)?;
            Ok((chunks, dropped, spool.last()))
        })
    }

    /// Reads the end of the output from disk. Blocks.
    pub(super) fn tail(&self, most: usize) -> io::Result<(Vec<Chunk>, u64)> {
        self.with_spool(|spool| spool.tail(most))
    }

    /// Whether it can be told without the disk that nothing came after a chunk, and up to which one all are gone.
    pub(super) fn nothing_after(&self, after: u64) -> Option<u64> {
        let spool = self.spool.try_lock().ok()?;
        let spool = spool.as_ref().filter(|spool| spool.last() <= after)?;
        Some(spool.dropped())
    }

    fn with_spool<T>(&self, act: impl FnOnce(&mut Spool) -> io::Result<T>) -> io::Result<T> {
        let mut spool = locked(&self.spool);
        let found = match spool.take() {
            Some(found) => found,
            None => Spool::find(self.folder.clone())?,
        };
        let spool = spool.insert(found);
        let done = act(spool);
        let (last, printed) = (spool.last(), spool.printed());
        self.view.send_if_modified(|view| {
            let changed = view.last != last;
            view.last = last;
            if changed {
                view.printed = printed;
            }
            changed
        });
        done
    }

    pub(super) fn folder(&self) -> &PathBuf {
        &self.folder
    }
}

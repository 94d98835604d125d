//! Frames and messages between the host and the supervisor of a container.
//!
//! The supervisor dials, the host listens, on one socket per container. Each stream is a connection of its own, and
//! its first frame is a [`Hello`]. A frame is its length (four bytes, little-endian, of what follows), one byte that says what it
//! is, and its body. Messages are JSON: a field that one side does not know is ignored, so the two may differ in age.

use serde::{Deserialize, Serialize};

/// Both sides speak this, or the host leaves the container to the engine.
pub const VERSION: u32 = 1;

/// Where the folder of the host is in a container. It is read-only, and holds the supervisor and the socket.
pub const FOLDER: &str = "/.windlass";
/// The supervisor, in the folder.
pub const PROGRAM: &str = "supervisor";
/// The host's socket, in the folder.
pub const SOCKET: &str = "host";

/// In the environment of every process, and of all its children: which one it is.
pub const MARKER: &str = "WINDLASS_PROCESS";

/// A longer frame is a mistake, or an attack.
pub const LONGEST_FRAME: usize = 1 << 20;
/// How much of a process's output goes into one chunk.
pub const LARGEST_CHUNK: usize = 64 << 10;
/// How much output the supervisor keeps that the host has not acknowledged. Then the pipe fills, and the process waits.
pub const MOST_UNACKNOWLEDGED: usize = 1 << 20;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// JSON.
    Message = 0,
    /// Output of a process: see [`ChunkHead`].
    Chunk = 1,
    /// Input for a process. An empty one says that there is no more.
    Input = 2,
}

/// The first frame of every connection, from the supervisor.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Hello {
    /// The one connection for orders. The host answers with [`Order::Welcome`].
    Control {
        version: u32,
        /// Processes whose end the host has not acknowledged yet.
        processes: Vec<String>,
    },
    /// The connection of one process. [`Report`]s and chunks follow, [`Demand`]s come back.
    Process {
        id: String,
        /// Not the first connection of this process: the supervisor waits for [`Demand::Resume`] before it sends anything.
        again: bool,
    },
    /// A program inside has connected to this port, on which the supervisor listens. Bare bytes follow, both ways.
    Egress { port: u16 },
    /// The answer to [`Order::Dial`]. Without an error, bare bytes follow, both ways.
    Ingress { ticket: u64, error: Option<String> },
}

/// On the control connection, from the host.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The first one.
    Welcome { version: u32 },
    /// On which ports of loopback the supervisor listens from now on, and on no others.
    Listen { ports: Vec<u16> },
    /// Starts a process. Its connection tells how that went.
    Start(Start),
    /// Connects to a port of loopback inside.
    Dial { ticket: u64, port: u16 },
    /// Answered with [`Event::Alive`] at once.
    Ping { ticket: u64 },
    /// As [`Demand::Cancel`], and not behind input that the process does not read.
    Cancel { id: String },
}

/// On the control connection, from the supervisor.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    Alive {
        ticket: u64,
    },
    /// The supervisor cannot listen there, since something else does.
    Taken {
        port: u16,
        error: String,
    },
}

/// A process to start. An id that is known already is not started again: its connection is dialled again.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct Start {
    pub id: String,
    pub command: Vec<String>,
    /// On top of the supervisor's own environment, which is the container's.
    pub env: Vec<(String, String)>,
    pub cwd: String,
    /// Whether [`Kind::Input`] frames will come. Otherwise stdin is `/dev/null`.
    pub input: bool,
    /// Rows and columns of a terminal. Then there is only stdout.
    pub terminal: Option<(u16, u16)>,
    pub timeout_ms: Option<u64>,
    /// Between SIGTERM and SIGKILL.
    pub grace_ms: u64,
}

/// On a process's connection, from the supervisor, beside chunks.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// It runs. Inside, this is its pid.
    Started { pid: i32 },
    /// It has ended, and all its output was sent before this. Sent again on each new connection until [`Demand::Forget`].
    Ended(Ended),
}

/// How a process ended.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Ended {
    pub how: How,
    /// What it answered, if it ended by itself.
    pub code: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// Why it did not start, or what could not be ended.
    pub message: Option<String>,
    pub wall_ms: u64,
    pub cpu_ms: u64,
    /// The most memory of the process, or of a child that it waited for.
    pub memory_kib: u64,
    /// The number of the last chunk; 0 where there was none.
    pub last: u64,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum How {
    Exited,
    TimedOut,
    Cancelled,
    /// It never ran.
    Refused,
}

/// On a process's connection, from the host, beside input.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Demand {
    /// The host has the chunks up to this one; send those after it.
    Resume { after: u64 },
    /// The host has the chunks up to this one.
    Acknowledge { seq: u64 },
    /// To the whole process group.
    Signal { number: i32 },
    /// SIGTERM to the group, the grace, SIGKILL, and a sweep of all that carries the marker.
    Cancel,
    /// The host has the end as well.
    Forget,
}

/// The front of a chunk's body; the output follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkHead {
    /// 1, 2, 3 … over stdout and stderr together.
    pub seq: u64,
    /// Milliseconds since 1970.
    pub time: u64,
    pub stderr: bool,
}

impl ChunkHead {
    /// Bytes before the output.
    pub const SIZE: usize = 17;

    pub fn write(self, frame: &mut Vec<u8>) {
        frame.extend(self.seq.to_le_bytes());
        frame.extend(self.time.to_le_bytes());
        frame.push(u8::from(self.stderr));
    }

    /// The head of a chunk's body, and the output behind it. None where the body is too short to be one.
    pub fn split(body: &[u8]) -> Option<(Self, &[u8])> {
        let (seq, rest) = body.split_first_chunk()?;
        let (time, rest) = rest.split_first_chunk()?;
        let (stderr, data) = rest.split_first()?;
        let (seq, time) = (u64::from_le_bytes(*seq), u64::from_le_bytes(*time));
        Some((Self { seq, time, stderr: *stderr != 0 }, data))
    }
}

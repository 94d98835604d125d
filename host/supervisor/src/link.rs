//! A connection to the host: dialled again after a growing while, and read frame by frame.

use std::{io, os::unix::net::UnixStream as StdStream, path::Path, time::Duration};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use tokio::{net::UnixStream, time::Instant};
use windlass_supervisor::{frames::Frames, protocol::Kind};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How much is read at once. Orders are short; input is not.
const READ: usize = 64 << 10;

/// Connects to the host at once or not at all, as a local socket does.
pub(crate) fn dial(path: &Path) -> io::Result<UnixStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    UnixStream::from_std(StdStream::from(socket))
}

/// When to dial again.
pub(crate) struct Pause {
    length: Duration,
    pub(crate) until: Instant,
}

impl Pause {
    pub(crate) fn none() -> Self {
        Self { length: FIRST_PAUSE, until: Instant::now() }
    }

    pub(crate) fn lengthen(&mut self) {
        self.until = Instant::now() + self.length;
        self.length = (self.length * 2).min(LONGEST_PAUSE);
    }
}

/// A connection that speaks frames.
pub(crate) struct Link {
    stream: UnixStream,
    frames: Frames,
    /// Messages on their way, and how much of them is sent.
    leaving: Vec<u8>,
    sent: usize,
}

impl Link {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self { stream, frames: Frames::default(), leaving: Vec::new(), sent: 0 }
    }

    /// Queues a frame behind the messages that are on their way.
    pub(crate) fn say(&mut self, frame: &[u8]) {
        self.leaving.extend(frame);
    }

    /// Whether messages are on their way.
    pub(crate) fn is_saying(&self) -> bool {
        !self.leaving.is_empty()
    }

    /// Sends as much of the messages as goes now; true when that was all.
    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        while let Some(rest) = self.leaving.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.stream.try_write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => self.sent += sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        self.leaving.clear();
        self.sent = 0;
        Ok(true)
    }

    pub(crate) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Waits until bytes have come, and takes them in. Nothing is lost when it is dropped.
    pub(crate) async fn receive(&mut self) -> io::Result<()> {
        self.stream.readable().await?;
        let mut bytes = Vec::with_capacity(READ);
        match self.stream.try_read_buf(&mut bytes) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {
                self.frames.push(&bytes);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The next frame that has come as a whole.
    pub(crate) fn take(&mut self) -> io::Result<Option<(Kind, &[u8])>> {
        self.frames.take().map_err(|_| io::ErrorKind::InvalidData.into())
    }
}

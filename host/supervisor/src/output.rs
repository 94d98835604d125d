//! What a process has said: read from its pipes, numbered, and kept until the host has it.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    os::fd::OwnedFd,
    task::{Context, Poll},
    time::SystemTime,
};

use rustix::{
    io::{Errno, ioctl_fionread},
    pipe::fcntl_setpipe_size,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    net::UnixStream,
};
use windlass_supervisor::{
    frames::{CHUNK_HEAD, chunk_head},
    protocol::{ChunkHead, LARGEST_CHUNK, MOST_UNACKNOWLEDGED},
};

use crate::{kernel, supervisor::Supervisor};

/// How many chunks are kept that the host has not acknowledged, however short they are.
const MOST_CHUNKS: usize = 8192;
/// A chunk at least this long keeps the buffer it was read into; a shorter one is copied.
const WORTH_A_BUFFER: usize = LARGEST_CHUNK / 4;
/// How many buffers are kept for later.
const SPARE_BUFFERS: usize = 32;
/// How many chunks are sent by one call.
const TOGETHER: usize = 16;
/// How large the pipe of a process becomes that says much. All processes of a user share what pipes may take.
const WIDE_PIPE: usize = 256 << 10;
/// How much is taken of a terminal after its process has ended: it does not say how much there is.
const TERMINAL_REST: usize = 256 << 10;

/// One end of a pipe or terminal.
pub(crate) struct Pipe {
    end: AsyncFd<OwnedFd>,
    stderr: bool,
    terminal: bool,
    wide: bool,
    /// What is still to be read, once the process has ended.
    left: Option<usize>,
}

impl Pipe {
    pub(crate) fn stdout(end: OwnedFd) -> io::Result<Self> {
        Self::new(end, false, false)
    }

    pub(crate) fn stderr(end: OwnedFd) -> io::Result<Self> {
        Self::new(end, true, false)
    }

    pub(crate) fn terminal(end: OwnedFd) -> io::Result<Self> {
        Self::new(end, false, true)
    }

    fn new(end: OwnedFd, stderr: bool, terminal: bool) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&end, true)?;
        let end = kernel::watch(end, Interest::READABLE)?;
        Ok(Self { end, stderr, terminal, wide: terminal, left: None })
    }

    /// Reads what is there. None at the end, and where nothing is left that counts.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let most = self.left.unwrap_or(usize::MAX).min(buffer.len());
        let buffer = buffer.get_mut(..most).unwrap_or_default();
        let read = match self.left {
            Some(0) => return Ok(None),
            // Nothing more will come to wait for.
            Some(_) => read(self.end.get_ref(), buffer),
            None => self.end.try_io(Interest::READABLE, |end| read(end, buffer)),
        };
        match read {
            Ok(0) => Ok(None),
            Ok(read) => {
                self.left = self.left.map(|left| left - read);
                if read >= LARGEST_CHUNK && !self.wide {
                    self.wide = true;
                    let _ = fcntl_setpipe_size(self.end.get_ref(), WIDE_PIPE);
                }
                Ok(Some(read))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && self.left.is_none() => {
                Err(error)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Some(0)),
            // A terminal ends with an error.
            Err(_) => Ok(None),
        }
    }

    /// Reads on for those who still hold the other end, so that they do not die of a broken pipe.
    async fn ignore(self) {
        let mut buffer = vec![0; 4096];
        while self.end.readable().await.is_ok() {
            match self.end.try_io(Interest::READABLE, |end| read(end, &mut buffer)) {
                Ok(0) => return,
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
                _ => {}
            }
        }
    }
}

fn read(end: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    rustix::io::read(end, buffer).map_err(Errno::into)
}

/// A frame, all of it: what is before the output, and the output.
struct Chunk {
    seq: u64,
    stderr: bool,
    time: u64,
    frame: Vec<u8>,
}

/// The output of one process.
#[derive(Default)]
pub(crate) struct Output {
    pipes: Vec<Pipe>,
    /// Which pipe has its turn when both have something.
    turn: usize,
    chunks: VecDeque<Chunk>,
    /// How much output is in them.
    held: usize,
    /// How many of the chunks are sent, and how many bytes of the next one.
    sent: usize,
    offset: usize,
    pub(crate) last: u64,
}

impl Output {
    pub(crate) fn new(pipes: Vec<Pipe>) -> Self {
        Self { pipes, ..Self::default() }
    }

    /// The process has ended: what is in the pipes at this moment counts, and nothing after.
    pub(crate) fn end(&mut self) {
        for pipe in &mut self.pipes {
            let rest = ioctl_fionread(pipe.end.get_ref()).unwrap_or(0);
            let rest = usize::try_from(rest).unwrap_or(usize::MAX);
            pipe.left = Some(if pipe.terminal { TERMINAL_REST } else { rest });
        }
    }

    /// Whether all was read that counts.
    pub(crate) fn is_read(&self) -> bool {
        self.pipes.is_empty()
    }

    /// Whether all was sent that was read.
    pub(crate) fn is_sent(&self) -> bool {
        self.sent == self.chunks.len()
    }

    fn has_room(&self) -> bool {
        self.held < MOST_UNACKNOWLEDGED && self.chunks.len() < MOST_CHUNKS
    }

    /// Which pipe can be read, if there is room for what it says.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<usize> {
        if !self.has_room() {
            return Poll::Pending;
        }
        let count = self.pipes.len();
        for index in (0..count).map(|index| (index + self.turn) % count) {
            let Some(pipe) = self.pipes.get(index) else { continue };
            if pipe.left.is_some() || pipe.end.poll_read_ready(context).is_ready() {
                return Poll::Ready(index);
            }
        }
        Poll::Pending
    }

    /// Reads once from a pipe.
    pub(crate) fn read(&mut self, index: usize, supervisor: &Supervisor) {
        self.turn = index + 1;
        let mut buffer = supervisor.buffers.borrow_mut().pop().unwrap_or_default();
        buffer.resize(CHUNK_HEAD + LARGEST_CHUNK, 0);
        let room = LARGEST_CHUNK.min(MOST_UNACKNOWLEDGED.saturating_sub(self.held));
        let Some(pipe) = self.pipes.get_mut(index) else { return };
        let stderr = pipe.stderr;
        let space = buffer.get_mut(CHUNK_HEAD..CHUNK_HEAD + room).unwrap_or_default();
        match pipe.read(space) {
            Ok(Some(read)) if read > 0 => return self.keep(buffer, read, stderr, supervisor),
            Ok(None) => {
                let pipe = self.pipes.remove(index);
                if pipe.left.is_some() {
                    tokio::task::spawn_local(pipe.ignore());
                }
            }
            Ok(_) | Err(_) => {}
        }
        recycle(buffer, supervisor);
    }

    fn keep(&mut self, mut buffer: Vec<u8>, read: usize, stderr: bool, supervisor: &Supervisor) {
        self.held += read;
        let output = buffer.get(CHUNK_HEAD..CHUNK_HEAD + read).unwrap_or_default();
        if self.lengthen(output, stderr) {
            return recycle(buffer, supervisor);
        }
        self.last += 1;
        let (seq, time) = (self.last, milliseconds());
        let head = chunk_head(ChunkHead { seq, time, stderr }, read);
        if let Some(front) = buffer.first_chunk_mut() {
            *front = head;
        }
        let frame = if read >= WORTH_A_BUFFER {
            buffer.truncate(CHUNK_HEAD + read);
            buffer
        } else {
            let frame = buffer.get(..CHUNK_HEAD + read).unwrap_or_default().to_vec();
            recycle(buffer, supervisor);
            frame
        };
        self.chunks.push_back(Chunk { seq, stderr, time, frame });
    }

    /// Adds to the last chunk while none of it is sent: many short ones would take far more memory than they say.
    fn lengthen(&mut self, output: &[u8], stderr: bool) -> bool {
        let begun = self.sent + usize::from(self.offset > 0);
        if self.chunks.len() <= begun {
            return false;
        }
        let Some(last) = self.chunks.back_mut() else { return false };
        let length = last.frame.len() - CHUNK_HEAD + output.len();
        if last.stderr != stderr || length > LARGEST_CHUNK {
            return false;
        }
        last.frame.extend(output);
        let head = chunk_head(ChunkHead { seq: last.seq, time: last.time, stderr }, length);
        if let Some(front) = last.frame.first_chunk_mut() {
            *front = head;
        }
        true
    }

    /// The host has these.
    pub(crate) fn acknowledge(&mut self, seq: u64, supervisor: &Supervisor) {
        // What has not been sent cannot have come.
        while self.sent > 0 && self.chunks.front().is_some_and(|chunk| chunk.seq <= seq) {
            self.sent -= 1;
            self.drop_first(supervisor);
        }
    }

    /// On another connection, all after this is sent.
    pub(crate) fn resume(&mut self, after: u64, supervisor: &Supervisor) {
        (self.sent, self.offset) = (0, 0);
        while self.chunks.front().is_some_and(|chunk| chunk.seq <= after) {
            self.drop_first(supervisor);
        }
    }

    fn drop_first(&mut self, supervisor: &Supervisor) {
        let Some(chunk) = self.chunks.pop_front() else { return };
        self.held -= chunk.frame.len() - CHUNK_HEAD;
        if chunk.frame.capacity() >= CHUNK_HEAD + LARGEST_CHUNK {
            recycle(chunk.frame, supervisor);
        }
    }

    /// The connection is gone. What was on its way is the host's to say, when it resumes.
    pub(crate) fn interrupt(&mut self) {
        // A chunk of which a part may have come is whole for the host only by this very content.
        self.sent = (self.sent + usize::from(self.offset > 0)).min(self.chunks.len());
        self.offset = 0;
    }

    /// Sends as much as goes now; true when that was all.
    pub(crate) fn send(&mut self, stream: &UnixStream) -> io::Result<bool> {
        while !self.is_sent() {
            let mut parts = [IoSlice::new(&[]); TOGETHER];
            let unsent = self.chunks.range(self.sent..);
            let mut count = 0;
            for (part, chunk) in parts.iter_mut().zip(unsent) {
                let from = if count == 0 { self.offset } else { 0 };
                *part = IoSlice::new(chunk.frame.get(from..).unwrap_or_default());
                count += 1;
            }
            match stream.try_write_vectored(parts.get(..count).unwrap_or_default()) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => self.advance(sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn advance(&mut self, mut bytes: usize) {
        while let Some(chunk) = self.chunks.get(self.sent) {
            let rest = chunk.frame.len() - self.offset;
            if bytes < rest {
                self.offset += bytes;
                return;
            }
            bytes -= rest;
            self.sent += 1;
            self.offset = 0;
        }
    }
}

fn recycle(buffer: Vec<u8>, supervisor: &Supervisor) {
    let mut buffers = supervisor.buffers.borrow_mut();
    if buffers.len() < SPARE_BUFFERS {
        buffers.push(buffer);
    }
}

fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

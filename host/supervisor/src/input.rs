//! What a process is told on its stdin.

use std::{io, os::fd::OwnedFd};

use tokio::io::{Interest, unix::AsyncFd};

use crate::kernel;

/// How much input waits for the process before no more is taken from the host.
const MOST: usize = 4 << 20;
/// What ends the input of a terminal.
const END_OF_TERMINAL: u8 = 4;

#[derive(Default)]
pub(crate) struct Input {
    end: Option<AsyncFd<OwnedFd>>,
    terminal: bool,
    waiting: Vec<u8>,
    written: usize,
    /// Whether there will be no more.
    complete: bool,
}

impl Input {
    pub(crate) fn pipe(end: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&end, true)?;
        let end = kernel::watch(end, Interest::WRITABLE)?;
        Ok(Self { end: Some(end), ..Self::default() })
    }

    pub(crate) fn terminal(end: OwnedFd) -> io::Result<Self> {
        Ok(Self { terminal: true, ..Self::pipe(end)? })
    }

    pub(crate) fn has_room(&self) -> bool {
        self.waiting.len() - self.written < MOST
    }

    /// Takes the body of a frame: nothing in it means that there is no more.
    pub(crate) fn push(&mut self, body: &[u8]) {
        if self.end.is_none() || self.complete {
            return;
        }
        self.waiting.drain(..self.written);
        self.written = 0;
        self.waiting.extend(body);
        if body.is_empty() {
            self.complete = true;
            if self.terminal {
                self.waiting.push(END_OF_TERMINAL);
            }
        }
        self.write();
    }

    /// Waits until the process takes more, if there is more.
    pub(crate) async fn writable(&self) {
        match &self.end {
            Some(end) if self.waiting.len() > self.written => {
                let _ = end.writable().await;
            }
            _ => std::future::pending().await,
        }
    }

    /// Gives the process what it takes now.
    pub(crate) fn write(&mut self) {
        let Some(end) = &self.end else { return };
        while let Some(rest) = self.waiting.get(self.written..).filter(|rest| !rest.is_empty()) {
            match end.try_io(Interest::WRITABLE, |end| Ok(rustix::io::write(end, rest)?)) {
                Ok(written) => self.written += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => return self.close(),
            }
        }
        self.waiting.clear();
        self.written = 0;
        if self.complete && !self.terminal {
            self.close();
        }
    }

    /// Nobody reads any more.
    pub(crate) fn close(&mut self) {
        *self = Self::default();
    }
}

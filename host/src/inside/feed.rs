//! A process that somebody else runs, with a place in the queue and its output in the same spool.

use std::{io, sync::Arc, time::Duration};

use windlass_supervisor::protocol::LARGEST_CHUNK;

use super::{
    Shared,
    process::{Ending, Entry, How, State},
    spool::Refused,
};
use crate::{
    error::{Result, unavailable},
    time::now,
};

/// How long to wait before a full disk is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Where the output and the end of such a process go. Dropped without an end, the process is lost.
pub struct Feed {
    shared: Arc<Shared>,
    entry: Arc<Entry>,
}

impl Feed {
    pub(super) fn new(shared: Arc<Shared>, entry: Arc<Entry>) -> Self {
        Self { shared, entry }
    }

    /// Waits for its turn. False: it was cancelled before, and there is nothing to start.
    pub async fn admitted(&self) -> bool {
        let mut view = self.entry.view.subscribe();
        let waited = view.wait_for(|view| view.state != State::Queued).await;
        waited.is_ok_and(|view| view.state == State::Running)
    }

    /// Adds output. While the disk is full this waits.
    pub async fn chunk(&self, stderr: bool, data: &[u8]) -> Result<()> {
        let time = now();
        let mut told = false;
        for piece in data.chunks(LARGEST_CHUNK) {
            while let Err(error) = self.store(stderr, time, piece).await {
                if self.entry.is_ending() {
                    return Err(unavailable(format!("`{}` has ended", self.entry.origin.id)));
                }
                if !told {
                    let process = &self.entry.origin.id;
                    tracing::error!(process, %error, "the output waits for the disk");
                    told = true;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    async fn store(&self, stderr: bool, time: u64, piece: &[u8]) -> io::Result<()> {
        let (entry, piece) = (self.entry.clone(), piece.to_vec());
        let writing = tokio::task::spawn_blocking(move || {
            entry.write(|spool| spool.push(stderr, time, &piece))
        });
        match writing.await.map_err(io::Error::other)? {
            Ok(()) => Ok(()),
            Err(Refused::Disk(error)) => Err(error),
            Err(Refused::Wrong(what)) => Err(io::Error::other(what)),
        }
    }

    /// Says how the process ended. When this returns, that is written down.
    pub async fn ended(self, ending: Ending) {
        self.shared.finish(&self.entry, ending).await;
    }

    /// Waits until somebody cancels the process, or it ends in another way.
    pub async fn cancelled(&self) {
        let mut cancelled = self.entry.cancelled.subscribe();
        let mut view = self.entry.view.subscribe();
        tokio::select! {
            _ = cancelled.wait_for(|cancelled| *cancelled) => {}
            _ = view.wait_for(|view| matches!(view.state, State::Ended(_))) => {}
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let ending = Ending::of(&self.entry, How::Lost, "whoever ran it has gone away");
        self.shared.finish_aside(&self.entry, ending);
    }
}

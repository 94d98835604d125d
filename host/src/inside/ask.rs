//! What can be asked of processes, by the plugin that started them.

use std::{fs, io, sync::Arc, time::Duration};

use tokio::time::{Instant, timeout_at};
use windlass_supervisor::protocol::{Demand, Order};

use super::{
    Inside, PROCESSES, Shared, locked,
    output::Output,
    process::{Carrier, Ending, Entry, How, Process, State},
};
use crate::{
    capability::types::{Code, Error},
    error::{Failure, Result, conflict, invalid, unavailable},
    policy::{Approved, Named, plugin_of},
};

/// The signals that the kernel knows.
const SIGNALS: std::ops::RangeInclusive<u8> = 1..=64;

impl Inside {
    pub fn info(&self, process: &Approved<Named>) -> Result<Process> {
        Ok(self.shared.own(process)?.seen())
    }

    /// What came after a chunk: whole chunks up to `most` bytes, but at least one.
    /// Waits for the first one, or for the end of the process.
    pub async fn read(
        &self,
        process: &Approved<Named>,
        after: u64,
        most: usize,
        wait: Duration,
    ) -> Result<Output> {
        let entry = self.shared.own(process)?;
        let mut view = entry.view.subscribe();
        let over = Instant::now() + wait;
        let there =
            view.wait_for(|view| view.last > after || matches!(view.state, State::Ended(_)));
        let _ = timeout_at(over, there).await;
        // Looked at before the output: all that it printed is there once it has ended.
        let state = entry.view.borrow().state.clone();
        let ended = matches!(state, State::Ended(_));
        if let Some(dropped) = entry.nothing_after(after) {
            return Ok(Output { chunks: Vec::new(), dropped, state, complete: ended });
        }
        let (chunks, dropped, last) = reading(move || entry.read(after, most)).await?;
        let complete = ended && chunks.last().map_or(after, |chunk| chunk.seq) >= last;
        Ok(Output { chunks, dropped, state, complete })
    }

    /// The last chunks: whole ones up to `most` bytes, or the end of one that is larger.
    pub async fn tail(&self, process: &Approved<Named>, most: usize) -> Result<Output> {
        let entry = self.shared.own(process)?;
        // Looked at before the output: all that it printed is there once it has ended.
        let state = entry.view.borrow().state.clone();
        let complete = matches!(state, State::Ended(_));
        let (chunks, dropped) = reading(move || entry.tail(most)).await?;
        Ok(Output { chunks, dropped, state, complete })
    }

    /// Sends a signal to the whole process group.
    pub fn signal(&self, process: &Approved<Named>, number: u8) -> Result<()> {
        let entry = self.shared.own(process)?;
        if !SIGNALS.contains(&number) {
            return Err(invalid(format!("{number} is no signal: they are 1 to 64")));
        }
        let id = &entry.origin.id;
        let state = entry.view.borrow().state.clone();
        match (state, entry.origin.carrier) {
            (State::Queued, _) => Err(conflict(format!("`{id}` has not started"))),
            (State::Ended(_), _) => Err(conflict(format!("`{id}` has ended"))),
            (State::Running, Carrier::Engine) => {
                Err(unavailable(format!("the engine runs `{id}`, and has no signals: cancel it")))
            }
            (State::Running, Carrier::Supervisor) => {
                entry.demand(Demand::Signal { number: number.into() });
                Ok(())
            }
        }
    }

    /// Ends a process with all its children. One that has ended stays as it is.
    pub async fn cancel(&self, process: &Approved<Named>) -> Result<()> {
        let entry = self.shared.own(process)?;
        self.shared.cancel(&entry).await;
        Ok(())
    }

    /// Ends all processes of a container.
    pub async fn cancel_all(&self, container: &str) {
        let all = self.shared.unfinished(|entry| entry.origin.container == container);
        // From the end of the line, so that none of them starts meanwhile.
        for entry in all.iter().rev() {
            self.shared.cancel(entry).await;
        }
    }

    /// A plugin's processes that have not ended, oldest first.
    pub fn running(&self, owner: &str) -> Vec<Process> {
        let all = self.shared.unfinished(|entry| entry.origin.owner == owner);
        all.iter().map(|entry| entry.seen()).collect()
    }

    /// Of which plugin each is of all that have not ended.
    pub fn plugins_of_running(&self) -> Vec<String> {
        let all = self.shared.unfinished(|_| true);
        all.iter().map(|entry| plugin_of(&entry.origin.owner).to_owned()).collect()
    }

    /// A container's processes that have not ended, oldest first.
    pub fn running_in(&self, container: &str) -> Vec<Process> {
        let all = self.shared.unfinished(|entry| entry.origin.container == container);
        all.iter().map(|entry| entry.seen()).collect()
    }

    /// Forgets those that ended before a time, in milliseconds since 1970. Says how many.
    pub async fn forget_before(&self, time: u64) -> Result<u32> {
        self.forget(|entry| entry.ending().is_some_and(|ending| ending.ended < time)).await
    }

    /// Forgets a plugin's processes that ended before a time.
    pub async fn forget_of(&self, owner: &str, time: u64) -> Result<u32> {
        let late = |entry: &Entry| entry.ending().is_some_and(|ending| ending.ended < time);
        self.forget(|entry| entry.origin.owner == owner && late(entry)).await
    }

    async fn forget(&self, which: impl Fn(&Entry) -> bool) -> Result<u32> {
        let old: Vec<Arc<Entry>> = {
            let mut table = locked(&self.shared.table);
            let old: Vec<_> = table.all().filter(|entry| which(entry)).cloned().collect();
            old.iter().for_each(|entry| table.forget(entry));
            old
        };
        let ids = old.iter().map(|entry| entry.origin.id.clone()).collect();
        let count = u32::try_from(old.len()).unwrap_or(u32::MAX);
        // The rows go last: what is left half way is found again.
        let removing = tokio::task::spawn_blocking(move || {
            old.iter().for_each(|entry| remove_output(entry));
        });
        removing.await.map_err(|error| unavailable(format!("the output stays: {error}")))?;
        self.shared.database.forget_lightly(PROCESSES, ids).await?;
        Ok(count)
    }
}

impl Shared {
    /// The process, if it is the plugin's.
    fn own(&self, process: &Approved<Named>) -> Result<Arc<Entry>> {
        let Named(id) = process.request();
        let table = locked(&self.table);
        let entry = table.get(id).filter(|entry| entry.origin.owner == process.owner());
        entry.cloned().ok_or_else(|| {
            let message = format!("there is no process `{id}`");
            Failure::Answer(Error::new(Code::NotFound, message))
        })
    }

    /// Those that have not ended, oldest first.
    pub(super) fn unfinished(&self, which: impl Fn(&Entry) -> bool) -> Vec<Arc<Entry>> {
        let table = locked(&self.table);
        let mut found: Vec<_> =
            table.all().filter(|entry| which(entry) && entry.ending().is_none()).cloned().collect();
        found.sort_by_key(|entry| entry.origin.number);
        found
    }

    async fn cancel(self: &Arc<Self>, entry: &Arc<Entry>) {
        let queued = locked(&self.table).leave(entry);
        if queued {
            let ending = Ending::of(entry, How::Cancelled, "it was cancelled before it started");
            if let Some(finishing) = self.finish_placed(entry, ending, false) {
                let _ = finishing.await;
            }
        } else if !entry.is_ending() {
            entry.cancelled.send_replace(true);
            // On its own connection it might stand behind input that the process does not read.
            let order = Order::Cancel { id: entry.origin.id.clone() };
            let sent = self.room(&entry.origin.container).is_some_and(|room| room.send(&order));
            if !sent {
                entry.demand(Demand::Cancel);
            }
        }
    }
}

/// Reads output on a thread that may wait for the disk.
async fn reading<T: Send + 'static>(
    read: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T> {
    let read = tokio::task::spawn_blocking(read).await;
    read.map_err(io::Error::other)
        .flatten()
        .map_err(|error| unavailable(format!("the output cannot be read: {error}")))
}

/// The folder of its container goes with the last one.
fn remove_output(entry: &Entry) {
    let folder = entry.folder();
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(process = entry.origin.id, %error, "the output cannot be removed");
        }
        _ => {}
    }
    if let Some(container) = folder.parent() {
        let _ = fs::remove_dir(container);
    }
}

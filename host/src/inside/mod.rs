//! The conversation with the supervisors in our containers: their sockets, the processes that they run, and all that
//! goes in and out of a container's loopback.
//!
//! It has threads of its own, so that a busy tunnel never stands before an answer. What may be done is asked of `policy`;
//! the containers themselves belong to others.

mod folder;
mod room;
mod control;
mod start;
mod ask;
mod process;
mod table;
mod feed;
mod output;
mod spool;
mod egress;
mod head;
mod tunnel;
mod frames;

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    time::Duration,
};

use anyhow::Context as _;
use tokio::{
    runtime::{Handle, Runtime},
    sync::broadcast,
    task::JoinHandle,
};

use crate::{
    database::{Database, Kind},
    error::{Result, told, unavailable},
    figures::Figures,
    policy::{Policy, Reach, plugin_of},
    private,
    secrets::Secrets,
};

pub use feed::Feed;
pub use output::{Chunk, Output};
pub use process::{Carrier, Ending, How, Process, State};
pub use tunnel::Tunnel;

use folder::Program;
use room::Room;
use table::Table;

/// The records of processes.
const PROCESSES: Kind = Kind("process");
/// How many departures may wait to be heard of.
const DEPARTURES: usize = 1024;
/// The threads that serve containers.
const WORKERS: usize = 2;

/// What counts for a plugin at this moment.
#[derive(Clone)]
pub struct Owner {
    pub policy: Policy,
    pub secrets: Secrets,
}

/// Who asks for a plugin by its name.
pub type Owners = Arc<dyn Fn(&str) -> Option<Owner> + Send + Sync>;

/// The host's end of all supervisors. Cheap to clone.
#[derive(Clone)]
pub struct Inside {
    shared: Arc<Shared>,
    _workers: Arc<Workers>,
}

struct Shared {
    containers: PathBuf,
    results: PathBuf,
    program: Program,
    database: Database,
    owners: Owners,
    figures: Figures,
    runtime: Handle,
    rooms: Mutex<HashMap<String, Arc<Room>>>,
    departed: broadcast::Sender<String>,
    table: Mutex<Table>,
}

/// Ends its threads with the last handle, from wherever that is dropped.
struct Workers(Option<Runtime>);

impl Inside {
    /// Takes up the processes of an earlier host. `program` is the supervisor that containers start with.
    pub fn new(
        containers: &Path,
        results: &Path,
        program: &'static [u8],
        database: Database,
        owners: Owners,
        figures: Figures,
    ) -> anyhow::Result<Self> {
        private::make_folder(containers)?;
        private::make_folder(results)?;
        let workers = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("inside")
            .enable_all()
            .build()
            .context("cannot start the threads that serve containers")?;
        let shared = Arc::new(Shared {
            containers: containers.to_owned(),
            results: results.to_owned(),
            program: Program::new(program),
            database,
            owners,
            figures,
            runtime: workers.handle().clone(),
            rooms: Mutex::default(),
            departed: broadcast::Sender::new(DEPARTURES),
            table: Mutex::default(),
        });
        let (sender, found) = mpsc::channel();
        let finding = shared.clone();
        // The caller may be a thread of another runtime, which cannot wait for a future.
        workers.spawn(async move { sender.send(finding.find_processes().await) });
        found.recv()?.map_err(told).context("cannot take up the processes of an earlier start")?;
        Ok(Self { shared, _workers: Arc::new(Workers(Some(workers))) })
    }

    /// Makes the folder that a container gets to see, and listens in it.
    pub async fn prepare(&self, owner: &str, container: &str, reach: Reach) -> Result<PathBuf> {
        let shared = self.shared.clone();
        let (owner, container) = (owner.to_owned(), container.to_owned());
        self.finish("no container can be made", async move {
            shared.prepare(owner, container, reach).await
        })
        .await
    }

    /// The first process of the container: only what it says counts.
    pub fn trust(&self, container: &str, pid: u32) {
        if let Some(room) = self.shared.room(container) {
            room.trust(pid);
        }
    }

    /// The container has stopped. Its processes are lost, and those in line are refused.
    pub async fn distrust(&self, container: &str) {
        if let Some(room) = self.shared.room(container) {
            room.distrust();
        }
        self.shared.lose_all(container).await;
    }

    /// Waits until programs can run in the container. Says whether they can.
    pub async fn ready(&self, container: &str, within: Duration) -> Result<bool> {
        self.shared.existing(container)?.ready(within).await
    }

    /// Stops listening to a container, and removes its folder. The results of its processes stay.
    pub async fn remove(&self, container: &str) -> Result<()> {
        self.distrust(container).await;
        let room = locked(&self.shared.rooms).remove(container);
        if let Some(room) = room {
            room.close().await;
        }
        let folder = self.shared.containers.join(container);
        let removing = tokio::task::spawn_blocking(move || fs::remove_dir_all(folder));
        match removing.await.map_err(io::Error::other).flatten() {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(unavailable(format!("the folder of `{container}` stays: {error}")))
            }
            _ => Ok(()),
        }
    }

    /// Runs work beside the answers of the host.
    pub fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.shared.runtime.spawn(work)
    }

    /// The same, and waits for it. What has begun is finished, whoever still waits.
    pub async fn finish<T: Send + 'static>(
        &self,
        failing: &str,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.spawn(work).await.map_err(|error| unavailable(format!("{failing}: {error}")))?
    }

    /// Whether programs can run in the container at this moment.
    pub fn is_connected(&self, container: &str) -> bool {
        self.shared.room(container).is_some_and(|room| room.is_connected())
    }

    /// The containers whose supervisors go away from now on.
    pub fn departures(&self) -> broadcast::Receiver<String> {
        self.shared.departed.subscribe()
    }

    /// Waits until nothing runs in these containers.
    pub async fn idle(&self, containers: &[String]) {
        let all = self.shared.unfinished(|entry| containers.contains(&entry.origin.container));
        for entry in all {
            let mut view = entry.view.subscribe();
            let _ = view.wait_for(|view| matches!(view.state, State::Ended(_))).await;
        }
    }

    /// A connection to a port of loopback inside.
    pub async fn connect(&self, container: &str, port: u16) -> Result<Tunnel> {
        let room = self.shared.existing(container)?;
        // Whoever stops waiting leaves no ticket behind.
        self.finish("no port can be dialled", async move { room.dial(port).await }).await
    }

    /// A plugin's grants are others than before: its containers lead out by other ports.
    pub fn refresh(&self, owner: &str) {
        let rooms: Vec<_> = locked(&self.shared.rooms).values().cloned().collect();
        for room in rooms.into_iter().filter(|room| plugin_of(&room.owner) == owner) {
            self.shared.listen(&room);
        }
    }
}

impl Shared {
    fn room(&self, container: &str) -> Option<Arc<Room>> {
        locked(&self.rooms).get(container).cloned()
    }

    fn existing(&self, container: &str) -> Result<Arc<Room>> {
        self.room(container)
            .ok_or_else(|| unavailable(format!("the container `{container}` does not run")))
    }

    async fn lose_all(self: &Arc<Self>, container: &str) {
        let all = self.unfinished(|entry| entry.origin.container == container);
        // From the end of the line, so that none of them starts meanwhile.
        for entry in all.iter().rev() {
            let ending = match entry.view.borrow().state {
                State::Queued => {
                    let why = "its container stopped before it could start";
                    Ending::of(entry, How::Refused, why)
                }
                _ => Ending::of(entry, How::Lost, "its container stopped"),
            };
            self.finish(entry, ending).await;
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Nothing that panics holds one of these, and what they hold is whole at any time.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;

//! The life of processes: begun, queued, launched, ended. Every step is in the database before anybody acts on it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::task::JoinHandle;
use windlass_supervisor::protocol::Order;

use super::{
    Inside, PROCESSES, Shared,
    feed::Feed,
    locked,
    process::{Carrier, Ending, Entry, How, Origin, Row, State, Wanted},
};
use crate::{
    error::{Result, invalid, limit, unavailable},
    policy::{Approved, NewProcess, plugin_of},
    secrets::Values,
    time::now,
};

/// How many processes may wait in one container: each holds its command and its input in memory.
const MOST_WAITING: usize = 64;
/// How long to wait before the database is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// What became of a wish for a process.
enum Begun {
    New(Arc<Entry>),
    /// Its key stands for this one.
    Known(Arc<Entry>),
}

impl Inside {
    /// Starts a process, or queues it. Gives its id.
    pub async fn start(&self, container: &str, process: Approved<NewProcess>) -> Result<String> {
        let shared = self.shared.clone();
        let container = container.to_owned();
        self.finish("the process did not start", async move {
            match shared.begin(&container, &process, Carrier::Supervisor).await? {
                Begun::Known(entry) => Ok(entry.origin.id.clone()),
                Begun::New(entry) => {
                    if entry.view.borrow().state == State::Running {
                        shared.order(&entry);
                    }
                    Ok(entry.origin.id.clone())
                }
            }
        })
        .await
    }

    /// Makes room for a process that another one starts. None: its key stands for a process already.
    pub async fn start_elsewhere(
        &self,
        container: &str,
        process: Approved<NewProcess>,
    ) -> Result<(String, Option<Feed>)> {
        let shared = self.shared.clone();
        let container = container.to_owned();
        self.finish("the process did not start", async move {
            Ok(match shared.begin(&container, &process, Carrier::Engine).await? {
                Begun::Known(entry) => (entry.origin.id.clone(), None),
                Begun::New(entry) => {
                    let id = entry.origin.id.clone();
                    (id, Some(Feed::new(shared, entry)))
                }
            })
        })
        .await
    }
}

impl Shared {
    async fn begin(
        self: &Arc<Self>,
        container: &str,
        process: &Approved<NewProcess>,
        carrier: Carrier,
    ) -> Result<Begun> {
        let begun = self.enter(container, process, carrier)?;
        let (Begun::New(entry) | Begun::Known(entry)) = &begun;
        if entry.kept.load(Ordering::Acquire) {
            return Ok(begun);
        }
        let saved = self.save(entry).await;
        if let (Err(_), Begun::New(entry)) = (&saved, &begun) {
            self.undo(entry).await;
        }
        saved.map(|()| begun)
    }

    /// Puts a process into the table, unless its key is there.
    fn enter(
        &self,
        container: &str,
        process: &Approved<NewProcess>,
        carrier: Carrier,
    ) -> Result<Begun> {
        let (owner, request) = (process.owner(), process.request());
        let (wanted, secrets) = (Wanted::new(request), self.secrets(owner));
        let mut table = locked(&self.table);
        let origin = Origin {
            id: format!("e_{}", uuid::Uuid::new_v4()),
            owner: owner.to_owned(),
            container: container.to_owned(),
            command: request.command.clone(),
            root: request.root,
            carrier,
            key: request.key.clone(),
            started: now(),
            number: table.number(),
            input: request.stdin.is_some(),
        };
        if let Some(key) = &request.key
            && let Some(known) = table.keyed(owner, container, key, origin.started)
        {
            return Ok(Begun::Known(known.clone()));
        }
        if table.waiting_in(container) >= MOST_WAITING {
            return Err(limit(format!(
                "{MOST_WAITING} processes wait in `{container}` already: wait for some, or cancel them"
            )));
        }
        // One that cannot start is told here, and not after its turn has come.
        wanted.order(&origin, &secrets).map_err(|secret| {
            let key = format!("`plugins.{}.secrets.{secret}`", process.plugin());
            invalid(format!("there is no secret `{secret}`: {key} would set it"))
        })?;
        if carrier == Carrier::Supervisor && self.room(container).is_none() {
            return Err(unavailable(format!("the container `{container}` does not run")));
        }
        let folder = self.results.join(container).join(&origin.id);
        let entry = Arc::new(Entry::new(origin, State::Queued, Some(wanted), folder));
        table.add(&entry);
        Ok(Begun::New(entry))
    }

    /// Writes the row of a process as it is meant to be.
    async fn save(&self, entry: &Entry) -> Result<()> {
        let _turn = entry.saving.lock().await;
        let row = entry.row();
        self.database.keep_lightly(PROCESSES, &entry.origin.id, &row).await?;
        entry.kept.store(true, Ordering::Release);
        Ok(())
    }

    /// Forgets a process that could not be written down.
    async fn undo(self: &Arc<Self>, entry: &Arc<Entry>) {
        let held = {
            let mut table = locked(&self.table);
            table.forget(entry);
            !table.leave(entry)
        };
        if entry.begins_to_end() && held {
            locked(&self.table).release(&entry.origin.container);
            self.launch_waiting(&entry.origin.container).await;
        }
    }

    /// Starts those in line for which there is a place.
    pub(super) async fn launch_waiting(self: &Arc<Self>, container: &str) {
        loop {
            let Some(next) = locked(&self.table).next(container) else { return };
            *locked(&next.intended) = State::Running;
            self.save_at_last(&next).await;
            if !next.is_ending() {
                next.change(State::Running);
                self.order(&next);
            }
        }
    }

    /// Tells the supervisor to start a process. Without a connection to it that happens when there is one.
    pub(super) fn order(self: &Arc<Self>, entry: &Arc<Entry>) {
        if entry.origin.carrier == Carrier::Engine {
            return;
        }
        let Some(wanted) = entry.wanted() else { return };
        match wanted.order(&entry.origin, &self.secrets(&entry.origin.owner)) {
            Ok(start) => {
                if let Some(room) = self.room(&entry.origin.container) {
                    room.send(&Order::Start(start));
                }
            }
            Err(secret) => {
                let why = format!("the secret `{secret}` is gone");
                self.finish_aside(entry, Ending::without(How::Refused, Some(why)));
            }
        }
    }

    /// Ends a process once and for all: first in the database, then for everybody to see.
    pub(super) async fn finish(self: &Arc<Self>, entry: &Arc<Entry>, ending: Ending) {
        if let Some(finishing) = self.finish_aside(entry, ending) {
            let _ = finishing.await;
        }
    }

    /// The same, without waiting for it. None: somebody else does it.
    pub(super) fn finish_aside(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        ending: Ending,
    ) -> Option<JoinHandle<()>> {
        let held = !locked(&self.table).leave(entry);
        self.finish_placed(entry, ending, held)
    }

    /// The same for one that is out of the line already, and had a place or none.
    pub(super) fn finish_placed(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        ending: Ending,
        held: bool,
    ) -> Option<JoinHandle<()>> {
        if !entry.begins_to_end() {
            return None;
        }
        let (shared, entry) = (self.clone(), entry.clone());
        // Nobody else ends it, so this must not stop half way.
        Some(self.runtime.spawn(async move {
            shared.count(&entry, &ending);
            let state = State::Ended(ending);
            *locked(&entry.intended) = state.clone();
            shared.save_at_last(&entry).await;
            entry.change(state);
            entry.hang_up();
            if held {
                locked(&shared.table).release(&entry.origin.container);
                shared.launch_waiting(&entry.origin.container).await;
            }
        }))
    }

    fn count(&self, entry: &Entry, ending: &Ending) {
        let seen = entry.seen();
        let printed = seen.stdout_bytes.saturating_add(seen.stderr_bytes);
        let time = Duration::from_millis(ending.wall_ms);
        self.figures.count_process(plugin_of(&entry.origin.owner), time, printed);
    }

    async fn save_at_last(&self, entry: &Entry) {
        let mut told = false;
        while let Err(failure) = self.save(entry).await {
            if !told {
                tracing::error!(process = entry.origin.id, ?failure, "cannot be written down");
                told = true;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn secrets(&self, owner: &str) -> Arc<Values> {
        (self.owners)(owner).map(|owner| owner.secrets.look()).unwrap_or_default()
    }

    /// Takes up the processes of an earlier host.
    pub(super) async fn find_processes(self: &Arc<Self>) -> Result<()> {
        let mut rows: Vec<Row> = self.database.records(PROCESSES).await?;
        rows.sort_by_key(|row| row.origin.number);
        let mut ended = Vec::new();
        for row in rows {
            let Origin { id, container, .. } = &row.origin;
            let folder = self.results.join(container).join(id);
            let entry = Arc::new(Entry::find(row, folder).map_err(|error| {
                unavailable(format!("the output of a process cannot be read: {error}"))
            })?);
            locked(&self.table).add_found(&entry);
            if let Some(why) = too_late(&entry) {
                ended.push((entry, why));
            }
        }
        for (entry, ending) in ended {
            self.finish(&entry, ending).await;
        }
        Ok(())
    }
}

/// How a process ends that cannot go on without the host that started it.
fn too_late(entry: &Entry) -> Option<Ending> {
    let queued = match entry.view.borrow().state {
        State::Ended(_) => return None,
        State::Queued => true,
        State::Running => false,
    };
    if entry.origin.carrier == Carrier::Engine {
        let why = "the host ended meanwhile, and the engine does not give a process back";
        return Some(Ending::of(entry, How::Lost, why));
    }
    let why = "the host ended before it could start, and its input is gone";
    (queued && entry.origin.input).then(|| Ending::of(entry, How::Refused, why))
}

impl Ending {
    /// The end of a process of which nobody else tells.
    pub fn without(how: How, message: Option<String>) -> Self {
        Self {
            how,
            code: None,
            signal: None,
            message,
            wall_ms: 0,
            cpu_ms: None,
            memory_kib: None,
            ended: now(),
        }
    }

    pub(super) fn of(entry: &Entry, how: How, message: &str) -> Self {
        let ending = Self::without(how, Some(message.to_owned()));
        let ran = matches!(entry.view.borrow().state, State::Running);
        let wall_ms = if ran { ending.ended.saturating_sub(entry.origin.started) } else { 0 };
        Self { wall_ms, ..ending }
    }
}

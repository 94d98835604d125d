//! Making a container: what is asked for, or one that was made ahead.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::join;
use tokio::sync::OwnedMutexGuard;
use uuid::Uuid;

use super::{CONTAINERS, Entry, Phase, Record, Rooms, room::taken_of};
use crate::{
    capability::types::Value,
    disk::Disk,
    docker::Made,
    error::{Failure, Result, conflict, limit, not_found, told, unavailable},
    plugin::Progress,
    policy::{Approved, NewContainer, PROXY_PORT, Reach, Taken, caller_of, plugin_of},
    secrets::Values,
    time::now,
    traces::TRACEPARENT,
};

/// How long a supervisor may take to come. It is there in milliseconds, or never.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// What needs no way out.
const NOT_PROXIED: &str = "localhost,127.0.0.1,::1";

/// Who hears how far it is.
pub type Listener = Arc<dyn Fn(Progress) + Send + Sync>;

/// What there is when a container is asked for.
pub(super) enum Place {
    /// Somebody asked with the same key before.
    Same(Arc<Entry>),
    /// It was made ahead.
    Claimed(Arc<Entry>),
    /// It has to be made, and nobody else will touch it meanwhile.
    Free(Arc<Entry>, OwnedMutexGuard<()>),
}

/// What a container needs on this machine.
struct Furnished {
    workspace: PathBuf,
    /// Other workspaces, and where each is seen.
    beside: Vec<(PathBuf, String)>,
    folder: PathBuf,
}

/// Says that nobody waits any more.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Rooms {
    /// Makes one, or gives the one that is meant. What has begun is finished, or undone where nobody waits for it.
    pub async fn create(
        self: &Arc<Self>,
        wanted: Approved<NewContainer>,
        listener: Listener,
    ) -> Result<Arc<Entry>> {
        let wanted = Arc::new(wanted);
        loop {
            if self.is_ending() {
                return Err(unavailable("the host is ending: nothing is started any more"));
            }
            match self.place_with_room(&wanted).await? {
                Place::Same(entry) => {
                    // Whoever is making it holds the turn. Where that failed, it is gone, or on its way.
                    drop(entry.turn.lock().await);
                    if entry.record().is_settled() && self.entries().contains_key(&entry.id) {
                        return Ok(entry);
                    }
                }
                Place::Claimed(entry) => {
                    let rooms = self.clone();
                    let claiming = async move { rooms.note_claim(entry).await };
                    return self.inside.finish("claiming it failed", claiming).await;
                }
                Place::Free(entry, turn) => {
                    return self.make_aside(entry, turn, wanted, listener).await;
                }
            }
        }
    }

    /// Writes down whose a container is now that was made ahead. One of which that is not written is nobody's.
    async fn note_claim(self: &Arc<Self>, entry: Arc<Entry>) -> Result<Arc<Entry>> {
        let noted = self.write(&entry, |_| {}).await;
        if noted.is_err() {
            self.undo(&entry).await;
        }
        self.refill();
        self.tick.notify_one();
        noted.map(|()| entry)
    }

    /// Makes it in a task of its own: a caller that goes away interrupts nothing half-way.
    async fn make_aside(
        self: &Arc<Self>,
        entry: Arc<Entry>,
        turn: OwnedMutexGuard<()>,
        wanted: Arc<Approved<NewContainer>>,
        listener: Listener,
    ) -> Result<Arc<Entry>> {
        let alone = Arc::new(AtomicBool::new(false));
        let _waiting = Waiting(alone.clone());
        let rooms = self.clone();
        let making = async move {
            let made = rooms.make(&entry, &wanted, &listener).await;
            // Nobody learned its name, and nobody can ask for it again.
            if made.is_ok() && alone.load(Ordering::Relaxed) && wanted.request().key.is_none() {
                rooms.undo(&entry).await;
            }
            drop(turn);
            made.map(|()| entry)
        };
        let made = self.inside.finish("making it failed", making).await;
        self.tick.notify_one();
        made
    }

    /// Decides at one moment what a request means, so that of many alike one is made.
    /// `has_room` is asked with all that its caller has where there is to be one more.
    pub(super) fn place(
        &self,
        wanted: &Approved<NewContainer>,
        has_room: impl FnOnce(Vec<Taken>) -> Result<()>,
    ) -> Result<Place> {
        let asked = wanted.request();
        let mut entries = self.entries();
        let mut of_owner = 0;
        for entry in entries.values() {
            let record = entry.record();
            if record.owner != wanted.owner() || matches!(record.phase, Phase::Removing { .. }) {
                continue;
            }
            of_owner += u32::from(!record.warm);
            if asked.key.as_ref().is_some_and(|key| record.answers_to_key(key, now())) {
                return Ok(Place::Same(entry.clone()));
            }
            if let Some(alias) = asked.alias.as_ref().filter(|_| record.alias == asked.alias) {
                return Err(taken(alias));
            }
        }
        if of_owner >= asked.most {
            return Err(limit(format!(
                "there are {of_owner} containers already; remove one, or raise `plugins.{}.grants.containers.most`",
                wanted.plugin()
            )));
        }
        has_room(taken_of(&entries, caller_of(wanted.owner())))?;
        for entry in entries.values() {
            let mut record = entry.record();
            if record.serves(wanted) {
                record.claim(wanted, now());
                entry.touch();
                return Ok(Place::Claimed(entry.clone()));
            }
        }
        let id = format!("c_{}", Uuid::new_v4());
        let entry = Entry::new(Record::new(id.clone(), wanted, now()));
        let Ok(turn) = entry.turn.clone().try_lock_owned() else {
            return Err(crate::error::trap("nobody else knows a container that is being made"));
        };
        entries.insert(id, entry.clone());
        Ok(Place::Free(entry, turn))
    }

    pub(super) async fn make(
        &self,
        entry: &Arc<Entry>,
        wanted: &Approved<NewContainer>,
        listener: &Listener,
    ) -> Result<()> {
        let made = self.try_to_make(entry, wanted, listener).await;
        if made.is_err() {
            self.undo(entry).await;
        }
        made
    }

    async fn try_to_make(
        &self,
        entry: &Arc<Entry>,
        wanted: &Approved<NewContainer>,
        listener: &Listener,
    ) -> Result<()> {
        let tell = |done: u64, total: u64, message: &str| {
            listener(Progress::of_bytes(done, total, message));
        };
        let reach = entry.record().way_out()?;
        let env = self.environment(wanted, &reach)?;
        // Side by side, and each to its end: what was begun here must not go on behind the back of who undoes it.
        let (picture, furnished) =
            join(self.docker.ensure_image(wanted, tell), self.furnish(entry, wanted, reach)).await;
        let (picture, furnished) = (picture?, furnished?);
        let workspace = entry.record().workspace.clone();
        let made = Made {
            id: &entry.id,
            workspace_id: &workspace,
            workspace: &furnished.workspace,
            beside: &furnished.beside,
            folder: &furnished.folder,
            env,
            picture: &picture,
        };
        let ours = self.docker.create(wanted, &made).await?;
        let pid = self.docker.start(&ours).await?;
        self.inside.trust(&entry.id, pid);
        let engine_id = Some(ours.engine_id().to_owned());
        let running = Record { phase: Phase::Running, engine_id, ..entry.current() };
        let keeping = self.database.keep(CONTAINERS, &entry.id, &running);
        let (ready, kept) = join(self.inside.ready(&entry.id, PATIENCE), keeping).await;
        kept?;
        if !ready? {
            return Err(unavailable(format!("the supervisor in `{}` does not answer", entry.id)));
        }
        *entry.record() = running;
        Ok(())
    }

    /// Its row, then its workspaces and the folder that it gets to see.
    async fn furnish(
        &self,
        entry: &Arc<Entry>,
        wanted: &Approved<NewContainer>,
        reach: Reach,
    ) -> Result<Furnished> {
        let own = wanted.request().workspace.is_none();
        if own {
            entry.record().workspace = Disk::new_id();
        }
        self.write(entry, |_| {}).await?;
        let record = entry.current();
        if own {
            self.disk.make_named(&record.workspace, wanted.owner()).await?;
        }
        let workspace = self.hold_one(entry, &record.workspace).await?;
        let mut beside = Vec::new();
        for it in record.beside {
            beside.push((self.hold_one(entry, &it.workspace).await?, it.path));
        }
        let folder = self.inside.prepare(wanted.owner(), &entry.id, reach).await?;
        Ok(Furnished { workspace, beside, folder })
    }

    /// What a plugin's operator has for it. No capability hands values on.
    pub(super) fn secrets(&self, owner: &str) -> Arc<Values> {
        self.owners
            .load()
            .get(plugin_of(owner))
            .map(|owner| owner.secrets.look())
            .unwrap_or_default()
    }

    /// The environment of a container. Only here values of secrets are put in place.
    fn environment(&self, wanted: &Approved<NewContainer>, reach: &Reach) -> Result<Vec<String>> {
        let secrets = self.secrets(wanted.owner());
        let asked = wanted.request();
        let mut env = vec!["HOME=/tmp".to_owned()];
        let owners = self.owners.load();
        let policy = owners.get(wanted.plugin()).map(|owner| owner.policy.within(reach.clone()));
        if policy.is_some_and(|policy| policy.egress_ports().contains(&PROXY_PORT)) {
            let proxy = format!("http://127.0.0.1:{PROXY_PORT}");
            for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"] {
                env.push(format!("{name}={proxy}"));
            }
            env.push(format!("NO_PROXY={NOT_PROXIED}"));
            env.push(format!("no_proxy={NOT_PROXIED}"));
        }
        let says = asked.env.iter().any(|(name, _)| name == TRACEPARENT);
        if let Some(trace) = asked.trace.as_ref().filter(|_| !says) {
            env.push(format!("{TRACEPARENT}={trace}"));
        }
        for (name, value) in &asked.env {
            env.push(format!("{name}={}", plain(value, &secrets)?));
        }
        Ok(env)
    }

    /// Removes what there is of a container that was not made. Its record waits for what the engine may still make.
    async fn undo(&self, entry: &Arc<Entry>) {
        let phase = Phase::Removing { since: now(), workspace: true };
        let cleared = match self.write(entry, |record| record.phase = phase).await {
            Ok(()) => self.clear(entry, true).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = cleared {
            tracing::warn!(container = entry.id, "{:#}; it is tried again", told(failure));
        }
        self.tick.notify_one();
    }
}

pub(super) fn plain<'a>(value: &'a Value, secrets: &'a Values) -> Result<&'a str> {
    match value {
        Value::Plain(value) => Ok(value),
        Value::Secret(name) => secrets.value(name).ok_or_else(|| {
            not_found(format!("there is no secret `{name}`: name it in the plugin's `secrets`"))
        }),
    }
}

fn taken(alias: &str) -> Failure {
    conflict(format!("Container with alias '{alias}' already exists"))
        .with_detail("error_code", "ALIAS_EXISTS")
}

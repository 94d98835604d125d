//! The life of containers: made, used, found again after a crash, ended when their time is over.
//!
//! It joins the doors to the engine, to workspaces, to what runs inside, and to the database. It decides
//! nothing that `policy` decides. A row is written before the engine is asked, so whatever a crash leaves is found.

mod record;
mod make;
mod warm;
mod run;
mod theirs;
mod room;
mod end;
mod give_way;
mod reconcile;
mod collect;
mod notice;
mod visit;
mod census;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use tokio::sync::{Notify, OnceCell};

use crate::{
    admission::Quotas,
    bundled::SUPERVISOR,
    config::ContainersConfig,
    database::Database,
    disk::Disk,
    docker::{self, Docker},
    error::{self, Failure, Result, told, unavailable},
    figures::Figures,
    inside::{Inside, Owner},
    policy::{Approved, Named, plugin_of},
    time::now,
};

pub use census::{Census, Engine};
pub use collect::Collected;
pub use make::Listener;
pub use reconcile::Reconciled;
pub use record::{CONTAINERS, Phase, Record};
pub use visit::{Visit, visit};

/// What counts for each plugin at this moment.
pub type Owners = Arc<ArcSwap<BTreeMap<String, Owner>>>;

/// The handle that every call has. Nothing is opened before it is needed.
#[derive(Clone, Default)]
pub struct Life(Arc<OnceLock<Lazy>>);

struct Lazy {
    places: Places,
    open: OnceCell<Arc<Rooms>>,
}

/// What the life of containers is opened from.
pub struct Places {
    /// The state directory.
    pub state: PathBuf,
    pub database: Database,
    pub disk: Disk,
    pub owners: Owners,
    pub figures: Figures,
    pub config: ContainersConfig,
    pub quotas: Quotas,
    /// Whether what an earlier host left is taken up before anything else: nobody does it later.
    pub at_once: bool,
    /// Fails where another host has the state directory.
    pub claim: Box<dyn Fn() -> anyhow::Result<()> + Send + Sync>,
}

/// All containers and the doors they are reached through.
pub struct Rooms {
    docker: Docker,
    inside: Inside,
    disk: Disk,
    database: Database,
    owners: Owners,
    config: ContainersConfig,
    quotas: Quotas,
    entries: Mutex<BTreeMap<String, Arc<Entry>>>,
    /// Set when the host ends: nothing is made or started any more.
    ending: AtomicBool,
    /// Woken when a container with a time to live comes.
    tick: Notify,
    /// Held by who compares records with the engine: a second one finds all mended.
    mending: tokio::sync::Mutex<()>,
    /// Held by who makes containers ahead.
    filling: tokio::sync::Mutex<()>,
}

/// One container.
pub struct Entry {
    pub(crate) id: String,
    record: Mutex<Record>,
    /// When a function was last called on it. Milliseconds since 1970; written to the database now and then.
    used: AtomicU64,
    /// The workspaces that are kept from being destroyed under it.
    held: Mutex<Vec<String>>,
    /// One at a time makes it, starts it or ends it.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Life {
    /// Says from what it is opened. A process that does not say so has no containers.
    pub fn begin(&self, places: Places) {
        // Twice is once: the first places hold.
        let _ = self.0.set(Lazy { places, open: OnceCell::new() });
    }

    /// The rooms, opened at first need.
    pub async fn rooms(&self) -> Result<Arc<Rooms>> {
        let Some(lazy) = self.0.get() else {
            return Err(unavailable(
                "this command has no containers: use `windlass serve` or `windlass call`",
            ));
        };
        let open = || async {
            let rooms = Arc::new(Rooms::open(&lazy.places).await?);
            if lazy.places.at_once
                && let Err(failure) = rooms.reconcile(None).await
            {
                tracing::warn!("what an earlier host left is not taken up: {:#}", told(failure));
            }
            Ok::<_, anyhow::Error>(rooms)
        };
        let rooms = lazy.open.get_or_try_init(open).await;
        rooms.cloned().map_err(|error| unavailable(format!("there are no containers: {error:#}")))
    }

    /// The rooms, if anybody has needed them.
    pub fn opened(&self) -> Option<Arc<Rooms>> {
        self.0.get()?.open.get().cloned()
    }
}

impl Rooms {
    async fn open(places: &Places) -> anyhow::Result<Self> {
        (places.claim)()?;
        let instance = instance(&places.state)?;
        let owners = places.owners.clone();
        let inside = Inside::new(
            &places.state.join("containers"),
            &places.state.join("results"),
            SUPERVISOR,
            places.database.clone(),
            Arc::new(move |owner: &str| owners.load().get(plugin_of(owner)).cloned()),
            places.figures.clone(),
        )?;
        let records: Vec<Record> = places.database.records(CONTAINERS).await.map_err(told)?;
        let entries = records.into_iter().map(|record| (record.id.clone(), Entry::new(record)));
        let rooms = Self {
            docker: Docker::new(
                docker::Places::from_environment(),
                &instance,
                docker::Credentials::from_environment()?,
            )
            .timed(places.figures.clone()),
            inside,
            disk: places.disk.clone(),
            database: places.database.clone(),
            owners: places.owners.clone(),
            config: places.config.clone(),
            quotas: places.quotas.clone(),
            entries: Mutex::new(entries.collect()),
            ending: AtomicBool::new(false),
            tick: Notify::new(),
            mending: tokio::sync::Mutex::default(),
            filling: tokio::sync::Mutex::default(),
        };
        for entry in rooms.all() {
            rooms.hold(&entry).await;
        }
        Ok(rooms)
    }

    /// Takes up what an earlier host left, looks after it, and lets visitors in. Until the host ends.
    pub async fn serve(self: Arc<Self>, state: &Path) {
        let received = self.clone().receive(state);
        let (received, ..) = futures_util::future::join4(
            received,
            self.clone().look_after(),
            self.clone().keep_warm(),
            self.clone().notice(),
        )
        .await;
        if let Err(error) = received {
            tracing::error!("visitors are not let in: {error:#}");
        }
    }

    pub fn docker(&self) -> &Docker {
        &self.docker
    }

    pub fn inside(&self) -> &Inside {
        &self.inside
    }

    /// The plugin's container of this id or alias. It counts as used.
    pub fn find(&self, name: &Approved<Named>) -> Result<Arc<Entry>> {
        let Named(wanted) = name.request();
        let entries = self.entries();
        let is_it = |entry: &&Arc<Entry>| {
            let record = entry.record();
            let named = record.id == *wanted || record.alias.as_ref() == Some(wanted);
            named && record.owner == name.owner() && record.is_visible()
        };
        let by_id = entries.get(wanted).filter(is_it);
        let found = by_id.or_else(|| entries.values().find(is_it));
        let entry = found.cloned().ok_or_else(|| not_found(wanted))?;
        entry.touch();
        Ok(entry)
    }

    /// The plugin's containers, oldest first.
    pub fn of_plugin(&self, owner: &str) -> Vec<Record> {
        let mut records: Vec<_> = self.all().iter().map(|entry| entry.current()).collect();
        records.retain(|record| record.owner == owner && record.is_visible());
        records.sort_by_key(|record| record.created);
        records
    }

    /// Keeps the workspaces of a container from being destroyed under it.
    async fn hold(&self, entry: &Entry) {
        let record = entry.current();
        for (workspace, path) in record.workspaces() {
            if let Err(failure) = self.hold_one(entry, workspace).await {
                tracing::warn!(container = entry.id, "its `{path}`: {:#}", told(failure));
            }
        }
    }

    /// The same for one of them. Gives its folder.
    async fn hold_one(&self, entry: &Entry, workspace: &str) -> Result<PathBuf> {
        let hold = entry.record().hold();
        let folder = self.disk.hold(workspace, hold).await?;
        entry.held().push(workspace.to_owned());
        Ok(folder)
    }

    fn all(&self) -> Vec<Arc<Entry>> {
        self.entries().values().cloned().collect()
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes a record, here and in the database.
    async fn write(&self, entry: &Entry, change: impl FnOnce(&mut Record)) -> Result<()> {
        let record = {
            let mut record = entry.record();
            change(&mut record);
            record.used = entry.used.load(Ordering::Relaxed).max(record.used);
            record.clone()
        };
        self.database.keep(CONTAINERS, &entry.id, &record).await
    }

    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }
}

impl Entry {
    fn new(record: Record) -> Arc<Self> {
        Arc::new(Self {
            id: record.id.clone(),
            used: AtomicU64::new(record.used),
            record: Mutex::new(record),
            held: Mutex::default(),
            turn: Arc::default(),
        })
    }

    /// The record with the latest use.
    pub fn current(&self) -> Record {
        Record { used: self.used.load(Ordering::Relaxed), ..self.record().clone() }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, Vec<String>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn touch(&self) {
        self.used.store(now(), Ordering::Relaxed);
    }
}

/// The name under which the engine knows what is ours, made once for a state directory.
fn instance(state: &Path) -> anyhow::Result<String> {
    let file = state.join("instance");
    if let Ok(name) = std::fs::read_to_string(&file) {
        return Ok(name.trim().to_owned());
    }
    let name = uuid::Uuid::new_v4().to_string();
    crate::private::write_whole(&file, name.as_bytes()).context("the instance has no name")?;
    Ok(name)
}

fn not_found(name: &str) -> Failure {
    error::not_found(format!("there is no container `{name}`"))
}

//! The whole page of figures: what was counted, and what there is at this moment.
//!
//! Whoever reads it never waits for the engine or the disk: what they say is looked up in the background, and is a few seconds
//! old at most while somebody reads.

use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use tokio::{sync::Mutex, time::timeout};

use super::{
    Registry,
    own::{HOST, METRICS},
};
use crate::{
    access::ATTEMPTS,
    access::Caller,
    capability::tools::Hints,
    figures::{Kind, Page},
    jobs::State,
    life::{Census, Engine},
    policy::{Called, judge},
    time::now,
};

/// How old what is looked up may be, in milliseconds.
const FRESH_MS: u64 = 3000;
/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How old the answer may be whether all is well, in milliseconds.
const READY_MS: u64 = 500;
/// How long whoever asks whether all is well waits for the answer.
const READY_PATIENCE: Duration = Duration::from_secs(3);

/// What was looked up last.
#[derive(Default)]
pub(super) struct Watched {
    seen: ArcSwapOption<Seen>,
    at: AtomicU64,
    looking: AtomicBool,
    /// When it was last looked whether all is well, and what was not.
    unready: Mutex<(u64, Vec<Unready>)>,
}

#[derive(Default)]
struct Seen {
    jobs: BTreeMap<String, u64>,
    /// Whether the engine answers, where a plugin needs one.
    engine: Option<bool>,
    theirs: BTreeMap<String, Engine>,
    memory: Vec<(String, String, u64)>,
}

/// A part of the host that is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unready {
    Database,
    Record,
    Engine,
}

impl Unready {
    pub fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Record => "record",
            Self::Engine => "engine",
        }
    }
}

impl Registry {
    /// Whether somebody may read the figures: whoever may call the tool that shows them.
    pub fn may_read_figures(&self, caller: &Caller) -> bool {
        let config = self.config();
        let roles = caller.roles.as_deref().unwrap_or(&config.access.local);
        let hints = Hints::READ_ONLY | Hints::IDEMPOTENT;
        let called = Called { name: METRICS, plugin: HOST, hints, arguments: None, can_ask: true };
        judge(&config.access, roles, &called).is_allowed()
    }

    /// All figures, as Prometheus reads them.
    pub async fn figures_text(&self) -> String {
        self.look_again();
        let mut page = self.figures().page();
        self.add_own(&mut page);
        if let Some(rooms) = self.doors.life.opened() {
            let mut census = rooms.census();
            self.add_those_without(&mut census);
            add_census(&mut page, &census);
        }
        if let Some(seen) = &*self.watched.seen.load() {
            add_seen(&mut page, seen);
        }
        let catalog = self.catalog();
        for (name, plugin) in &catalog.plugins {
            plugin.settings.names.add_to(&mut page, name);
        }
        let hosts = page.names();
        for (name, plugin) in &catalog.plugins {
            plugin.counters().add_to(&mut page, name, &|figure| hosts.contains(figure));
        }
        page.text()
    }

    /// A plugin that may have containers and has none has 0 of them.
    fn add_those_without(&self, census: &mut Census) {
        for (plugin, owner) in &**self.owners.load() {
            if owner.policy.grants().containers.is_some() {
                census.containers.entry((plugin.clone(), "running")).or_default();
                census.warm.entry(plugin.clone()).or_default();
                census.processes.entry(plugin.clone()).or_default();
            }
        }
    }

    /// What is not as it should be. Anybody may ask, so all who do at about the same time get one answer.
    pub async fn unready(&self) -> Vec<Unready> {
        let mut last = self.watched.unready.lock().await;
        if now().saturating_sub(last.0) >= READY_MS {
            let unready = self.look_whether_ready().await;
            *last = (now(), unready);
        }
        last.1.clone()
    }

    async fn look_whether_ready(&self) -> Vec<Unready> {
        let mut unready = Vec::new();
        if !matches!(timeout(READY_PATIENCE, self.database().answers()).await, Ok(Ok(()))) {
            unready.push(Unready::Database);
        }
        if !self.doors.audit.writes() {
            unready.push(Unready::Record);
        }
        if self.needs_engine() {
            let asking = async { self.doors.life.rooms().await?.docker().engine().await };
            if !matches!(timeout(READY_PATIENCE, asking).await, Ok(Ok(_))) {
                unready.push(Unready::Engine);
            }
        }
        unready
    }

    fn needs_engine(&self) -> bool {
        let owners = self.owners.load();
        let needs =
            |grants: &crate::config::Grants| grants.containers.is_some() || grants.engine.is_some();
        owners.values().any(|owner| needs(owner.policy.grants()))
    }

    /// What the host knows without looking anywhere else.
    #[allow(clippy::cast_precision_loss, reason = "Prometheus has no other numbers")]
    fn add_own(&self, page: &mut Page) {
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        page.gauge("windlass_info", "The version of the host", &version, 1.0);
        let running = self.queue.running() as f64;
        page.gauge("windlass_calls_running", "Calls that have not ended", &[], running);
        let waiting = self.queue.waiting() as f64;
        page.gauge("windlass_calls_waiting", "Calls that wait for their turn", &[], waiting);
        let came = [
            ("success", &ATTEMPTS.success),
            ("failure", &ATTEMPTS.failed),
            ("limited", &ATTEMPTS.limited),
        ];
        for (status, count) in came {
            let (name, help) =
                ("windlass_authentication_attempts_total", "How often somebody said who they are");
            let count = count.load(Ordering::Relaxed) as f64;
            page.push(Kind::Counter, name, help, &[("status", status)], count);
        }
        let guests = self.engine.guests() as f64;
        page.gauge("windlass_guests", "Instances of plugins that are in use", &[], guests);
        let writes = f64::from(u8::from(self.doors.audit.writes()));
        page.gauge("windlass_record_writes", "Whether what happens can be recorded", &[], writes);
        let (name, rows) = ("windlass_record_rows_total", self.doors.audit.rows() as f64);
        page.push(Kind::Counter, name, "Rows of the record since the host began", &[], rows);
        let mut states = BTreeMap::from([("loaded", 0), ("out_of_service", 0)]);
        for plugin in self.catalog().plugins.values() {
            let out = plugin.is_out_of_service();
            *states.entry(if out { "out_of_service" } else { "loaded" }).or_default() += 1;
        }
        states.insert("failed", self.failures().len() as u64);
        for (state, count) in states {
            let help = "Plugins, by how they are";
            page.gauge("windlass_plugins", help, &[("state", state)], count as f64);
        }
        if let Some(bytes) = resident_memory() {
            let help = "Memory that the host takes";
            page.gauge("process_resident_memory_bytes", help, &[], bytes as f64);
        }
        let begun = *crate::time::BEGUN as f64 / 1000.0;
        page.gauge("process_start_time_seconds", "When the host began", &[], begun);
    }

    /// Looks up in the background what takes its time, unless that was done a moment ago.
    fn look_again(&self) {
        let due = now().saturating_sub(self.watched.at.load(Ordering::Relaxed)) >= FRESH_MS;
        if !due || self.watched.looking.swap(true, Ordering::AcqRel) {
            return;
        }
        let Some(registry) = self.itself.upgrade() else { return };
        tokio::spawn(async move {
            let seen = timeout(PATIENCE, registry.look()).await.unwrap_or_else(|_| {
                // An engine that hangs does not answer.
                Seen { engine: Some(false), ..Seen::default() }
            });
            registry.watched.seen.store(Some(Arc::new(seen)));
            registry.watched.at.store(now(), Ordering::Relaxed);
            registry.watched.looking.store(false, Ordering::Release);
        });
    }

    async fn look(&self) -> Seen {
        let mut seen = Seen::default();
        if self.doors.jobs.opened().is_some() {
            let none = State::ALL.map(|state| (state.name().to_owned(), 0));
            seen.jobs = none.into();
            seen.jobs.extend(self.database().count_jobs().await.unwrap_or_default());
        }
        let rooms = if self.needs_engine() { self.doors.life.rooms().await.ok() } else { None };
        let Some(rooms) = rooms else { return seen };
        seen.engine = Some(rooms.docker().engine().await.is_ok());
        if seen.engine == Some(false) {
            return seen;
        }
        for (plugin, owner) in &*self.owners.load_full() {
            if owner.policy.grants().engine.is_some()
                && let Ok(theirs) = rooms.census_of_theirs(&owner.policy).await
            {
                seen.theirs.insert(plugin.clone(), theirs);
            }
        }
        seen.memory = rooms.memory().await;
        seen
    }
}

#[allow(clippy::cast_precision_loss, reason = "Prometheus has no other numbers")]
fn add_census(page: &mut Page, census: &Census) {
    for ((plugin, state), count) in &census.containers {
        let (labels, help) =
            ([("plugin", plugin.as_str()), ("state", state)], "Containers of ours");
        page.gauge("windlass_containers", help, &labels, *count as f64);
    }
    for (plugin, count) in &census.warm {
        let help = "Containers that were made ahead";
        page.gauge("windlass_containers_warm", help, &[("plugin", plugin)], *count as f64);
    }
    for (plugin, count) in &census.processes {
        let help = "Programs in containers that have not ended";
        page.gauge("windlass_processes", help, &[("plugin", plugin)], *count as f64);
    }
}

#[allow(clippy::cast_precision_loss, reason = "Prometheus has no other numbers")]
fn add_seen(page: &mut Page, seen: &Seen) {
    for (state, count) in &seen.jobs {
        page.gauge("windlass_jobs", "Jobs that are kept", &[("state", state)], *count as f64);
    }
    if let Some(answers) = seen.engine {
        let up = f64::from(u8::from(answers));
        page.gauge("windlass_engine_up", "Whether the container engine answers", &[], up);
    }
    for (plugin, engine) in &seen.theirs {
        let plugin = ("plugin", plugin.as_str());
        for (state, count) in &engine.containers {
            let help = "Containers that the user has in the engine";
            let labels = [plugin, ("state", *state)];
            page.gauge("windlass_engine_containers", help, &labels, *count as f64);
        }
        let help = "Networks that the user has in the engine";
        page.gauge("windlass_engine_networks", help, &[plugin], engine.networks as f64);
        let help = "Compose projects that the user has in the engine";
        page.gauge("windlass_engine_stacks", help, &[plugin], engine.stacks as f64);
    }
    for (plugin, id, bytes) in &seen.memory {
        let help = "Memory of the containers that were used last";
        let labels = [("plugin", plugin.as_str()), ("container_id", id)];
        page.gauge("windlass_container_memory_bytes", help, &labels, *bytes as f64);
    }
}

/// None where the kernel does not say.
fn resident_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

//! A job that has not ended, as this process has it.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use super::{Hear, log::Log, queue::Place, record::Record};
use crate::{
    audit::Effects,
    capability::Level,
    database::Database,
    error::Result,
    plugin::{Change, Observer, Progress},
    time::now,
};

/// How often progress is written down, and news of the log told.
const WRITE_EVERY_MS: u64 = 1000;

pub(super) struct Active {
    pub(super) id: String,
    record: Mutex<Record>,
    /// Told at each change of the record.
    changed: watch::Sender<()>,
    /// Whether its run is to stop.
    stop: watch::Sender<bool>,
    pub(super) log: Log,
    /// What its runs did in this process.
    pub(super) effects: Effects,
    /// Held by who runs or ends it.
    pub(super) turn: tokio::sync::Mutex<()>,
    /// Held while its record is written: what is written later is later.
    pub(super) writing: tokio::sync::Mutex<()>,
    written: AtomicU64,
    /// When news of the log were told, and whether more are about to be.
    told: AtomicU64,
    telling: AtomicBool,
}

/// What hears a run: its progress and log lines are the job's.
pub(super) struct Heard {
    pub(super) active: Arc<Active>,
    pub(super) database: Database,
    pub(super) hear: Hear,
}

impl Active {
    pub(super) fn new(record: Record, folder: &Path, log_bytes: u64) -> Arc<Self> {
        Arc::new(Self {
            id: record.id.clone(),
            log: Log::of(folder, &record.id, log_bytes),
            effects: Effects::default(),
            stop: watch::Sender::new(record.cancel_asked),
            record: Mutex::new(record),
            changed: watch::Sender::new(()),
            turn: tokio::sync::Mutex::default(),
            writing: tokio::sync::Mutex::default(),
            written: AtomicU64::new(0),
            told: AtomicU64::new(0),
            telling: AtomicBool::new(false),
        })
    }

    pub(super) fn record(&self) -> Record {
        self.locked().clone()
    }

    /// Changes the record, and tells whoever waits for it. Gives what it is then.
    pub(super) fn change(&self, change: impl FnOnce(&mut Record)) -> Record {
        let record = {
            let mut record = self.locked();
            change(&mut record);
            record.updated = now();
            record.clone()
        };
        self.changed.send_replace(());
        record
    }

    pub(super) fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Writes the record as it is. It is on disk when this answers. What has ended is written already.
    pub(super) async fn write(&self, database: &Database) -> Result<()> {
        let _writing = self.writing.lock().await;
        let record = self.record();
        if record.state.is_over() { Ok(()) } else { database.keep_job(record.row()?).await }
    }

    async fn write_lightly(&self, database: &Database) -> Result<()> {
        let _writing = self.writing.lock().await;
        let record = self.record();
        if record.state.is_over() { Ok(()) } else { database.keep_job_lightly(record.row()?).await }
    }

    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until its run is to stop.
    pub(super) async fn stopped(&self) {
        // It is there as long as this is.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    pub(super) fn place(&self) -> Place {
        let record = self.locked();
        let line = (record.owner.clone(), record.caller.clone());
        Place { id: self.id.clone(), line, lane: record.lane.clone() }
    }

    /// That one of the job's resources has changed.
    pub(super) fn news_of(&self, part: &str) -> Change {
        let caller = Arc::from(self.locked().caller.as_str());
        Change::ResourceOf(caller, format!("job://{}/{part}", self.id))
    }

    fn locked(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether something that happens often is due again.
    fn is_due(since: &AtomicU64) -> bool {
        let (now, last) = (now(), since.load(Ordering::Relaxed));
        now.saturating_sub(last) >= WRITE_EVERY_MS
            && since.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

impl Heard {
    /// The host's own words on the job.
    pub(super) fn say(&self, message: &str) {
        self.active.log.write("host", message);
        self.tell();
    }

    /// Tells that the log has more. What comes soon after is told with it, and nothing is left untold.
    fn tell(&self) {
        let (active, hear) = (self.active.clone(), self.hear.clone());
        if active.telling.swap(true, Ordering::Relaxed) {
            return;
        }
        let passed = now().saturating_sub(active.told.load(Ordering::Relaxed));
        let left = Duration::from_millis(WRITE_EVERY_MS.saturating_sub(passed));
        tokio::spawn(async move {
            tokio::time::sleep(left).await;
            active.told.store(now(), Ordering::Relaxed);
            active.telling.store(false, Ordering::Relaxed);
            hear(active.news_of("log"));
        });
    }
}

impl Observer for Heard {
    fn progress(&self, progress: Progress) {
        self.active.change(|record| {
            record.done = progress.done;
            record.total = progress.total;
            record.message = progress.message;
        });
        if Active::is_due(&self.active.written) {
            let (active, database) = (self.active.clone(), self.database.clone());
            // What is lost of it is said again by the next report.
            tokio::spawn(async move { active.write_lightly(&database).await });
        }
    }

    fn log(&self, level: Level, message: String) {
        let level = match level {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        self.active.log.write(level, &message);
        self.tell();
    }

    fn changed(&self, change: Change) {
        (self.hear)(change);
    }
}

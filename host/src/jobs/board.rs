//! All jobs that have not ended, and the loop that gives them their places.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use tokio::{
    runtime::Handle,
    sync::{Notify, watch},
    task::JoinHandle,
    time::Instant,
};

use super::{
    FindPlugin, Hear, Places,
    active::{Active, Heard},
    log,
    queue::Queue,
    record::{Record, State, signed},
};
use crate::{
    admission::Quotas,
    audit::Audit,
    config::{Bounded, JobsConfig},
    database::Database,
    error::{Failure, Result, limit, not_found, told, unavailable},
    policy::{Approved, Bound, JobsOf, NewJob, Note},
    private,
    time::now,
};

/// How long an idempotency key counts.
const KEY_LIFE_MS: u64 = 24 * 60 * 60 * 1000;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// How often jobs are forgotten whose time is over.
const ROUND: Duration = Duration::from_secs(60 * 60);
/// How often it is looked for jobs that wait for an answer for too long, and for plugins that are in service again.
const LOOK_EVERY: Duration = Duration::from_secs(10);

pub struct Board {
    pub(super) database: Database,
    pub(super) folder: PathBuf,
    pub(super) config: JobsConfig,
    pub(super) plugins: FindPlugin,
    pub(super) hear: Hear,
    pub(super) audit: Audit,
    quotas: Quotas,
    active: Mutex<BTreeMap<String, Arc<Active>>>,
    pub(super) queue: Mutex<Queue>,
    /// Woken when there may be something to run.
    pub(super) woken: Notify,
    /// Set when the host ends: nothing is begun any more, and what runs stops as it is.
    pub(super) ending: watch::Sender<bool>,
    runtime: Handle,
    /// Held while a job with a key is added: of two at once, one is added.
    adding: tokio::sync::Mutex<()>,
}

impl Board {
    pub(super) async fn open(places: &Places) -> anyhow::Result<Arc<Self>> {
        (places.claim)()?;
        private::make_folder(&places.folder).context("the logs of jobs have no place")?;
        places.quotas.load().await.map_err(told)?;
        let board = Arc::new(Self {
            database: places.database.clone(),
            folder: places.folder.clone(),
            config: places.config.clone(),
            plugins: places.plugins.clone(),
            hear: places.hear.clone(),
            audit: places.audit.clone(),
            quotas: places.quotas.clone(),
            active: Mutex::default(),
            queue: Mutex::default(),
            woken: Notify::new(),
            ending: watch::Sender::new(false),
            runtime: places.runtime.clone(),
            adding: tokio::sync::Mutex::default(),
        });
        for row in board.database.unfinished_jobs().await.map_err(told)? {
            board.find_again(Record::of(&row).map_err(told)?, places.take_up);
        }
        board.spawn(board.clone().look_after());
        Ok(board)
    }

    /// A job that an earlier host left: what ran there runs again.
    fn find_again(self: &Arc<Self>, mut record: Record, take_up: bool) {
        let interrupted = record.state == State::Running;
        if interrupted {
            record.state = State::Queued;
            record.attempt += 1;
        }
        let (waits, cancel) = (record.state == State::Queued, record.cancel_asked);
        let active = self.keep(record);
        if cancel && take_up {
            self.spawn(self.clone().end_canceled(active));
            return;
        }
        if interrupted && take_up {
            self.heard(&active).say("the host ended in the middle of a run: it is begun again");
        }
        if waits && take_up {
            self.line_up(&active);
        }
    }

    pub(super) fn keep(&self, record: Record) -> Arc<Active> {
        let active = Active::new(record, &self.folder, self.config.log());
        self.active().insert(active.id.clone(), active.clone());
        active
    }

    /// Writes a job down, and lines it up. Who asks with the key of an earlier one gets that one.
    pub async fn submit(self: &Arc<Self>, wanted: Approved<NewJob>) -> Result<String> {
        if self.is_ending() {
            return Err(unavailable("the host is ending: nothing is started any more"));
        }
        let (owner, asked) = (wanted.plugin().to_owned(), wanted.request());
        let (waiting, most) = (self.queue().waiting_of(&owner), self.config.waiting);
        if waiting >= most {
            return Err(limit(format!(
                "busy: {waiting} jobs of plugin `{owner}` wait already; try again later, or raise `jobs.waiting`"
            )));
        }
        let record = Record::new(&wanted);
        let (row, input) = (record.row()?, asked.input.clone());
        let board = self.clone();
        // What has begun is finished, whoever still waits for it.
        let adding = self.spawn(async move {
            let _adding = board.adding.lock().await;
            let since = signed(now().saturating_sub(KEY_LIFE_MS));
            if let Some(same) = board.database.add_job(row, input, since).await? {
                return Ok(same);
            }
            let active = board.keep(record);
            board.line_up(&active);
            Ok(active.id.clone())
        });
        adding.await.map_err(|error| unavailable(format!("submitting it failed: {error}")))?
    }

    /// Says for which tool a job is, before its id is answered as that tool's result.
    pub async fn name_tool(&self, of: &Approved<JobsOf>, id: &str, tool: &str) -> Result<Record> {
        let record = self.get(of, id).await?;
        let Some(active) = self.find_active(id) else { return Ok(record) };
        let record = active.change(|record| record.tool = Some(tool.to_owned()));
        self.write(&active).await?;
        Ok(record)
    }

    /// Keeps what a run leaves for the one that takes its place.
    pub async fn note(&self, id: &str, note: Approved<Note>) -> Result<()> {
        let active = self.find_active(id).ok_or_else(|| no_job(id))?;
        active.change(|record| record.note = Some(note.request().0.clone()));
        self.write(&active).await
    }

    /// Ends in order: nothing is begun any more, and what runs stops as it is. The next host runs it again.
    pub fn end(&self) {
        self.ending.send_replace(true);
    }

    fn is_ending(&self) -> bool {
        *self.ending.borrow()
    }

    /// Runs something in the background of the host, and not of whichever guest asked for it.
    pub(super) fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.runtime.spawn(work)
    }

    /// Tells that there may be other plugins than before.
    pub fn wake(&self) {
        self.woken.notify_one();
    }

    pub(super) fn line_up(&self, active: &Active) {
        self.queue().push(active.place());
        self.woken.notify_one();
    }

    pub(super) fn heard(&self, active: &Arc<Active>) -> Heard {
        let (database, hear) = (self.database.clone(), self.hear.clone());
        Heard { active: active.clone(), database, hear }
    }

    /// Writes a job's record as it is. It is on disk when this answers.
    pub(super) async fn write(&self, active: &Active) -> Result<()> {
        active.write(&self.database).await
    }

    pub(super) fn find_active(&self, id: &str) -> Option<Arc<Active>> {
        self.active().get(id).cloned()
    }

    pub(super) fn forget_active(&self, id: &str) {
        self.active().remove(id);
        self.queue().end(id);
        self.woken.notify_one();
    }

    fn active(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Active>>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives places to jobs until the host ends.
    async fn look_after(self: Arc<Self>) {
        let mut next_round = Instant::now();
        loop {
            if Instant::now() >= next_round {
                next_round = Instant::now() + ROUND;
                self.forget_old().await;
            }
            self.begin_what_may();
            self.end_overdue();
            tokio::select! {
                () = self.woken.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    fn begin_what_may(self: &Arc<Self>) {
        // A plugin that is not loaded or out of service has its jobs wait.
        let most_of = |plugin: &str| {
            let plugin = (self.plugins)(plugin).filter(|it| !it.is_out_of_service());
            plugin.map_or(0, |it| it.limits().concurrent_jobs)
        };
        let most_for = |caller: &str| {
            let quota = self.quotas.known(caller);
            quota.get(Bounded::RunningJobs).map_or(usize::MAX, Bound::whole)
        };
        while !self.is_ending() {
            let next = self.queue().next(self.config.concurrent, most_of, most_for);
            let Some(id) = next else { return };
            let Some(active) = self.find_active(&id) else { continue };
            self.spawn(self.clone().run(active));
        }
    }

    /// A job that asks and gets no answer ends when its time is over.
    fn end_overdue(self: &Arc<Self>) {
        let waiting: Vec<_> = self.active().values().cloned().collect();
        for active in waiting {
            let record = active.record();
            let over = record.deadline().is_some_and(|at| now() > at);
            if record.state == State::InputRequired && over {
                self.spawn(self.clone().end_late(active));
            }
        }
    }

    async fn forget_old(&self) {
        let before = now().saturating_sub(self.config.keep_days.saturating_mul(DAY_MS));
        match self.database.forget_jobs(signed(before), self.config.keep).await {
            Ok(ids) => ids.iter().for_each(|id| log::remove(&self.folder, id)),
            Err(failure) => tracing::warn!("jobs are not forgotten: {:#}", told(failure)),
        }
    }
}

pub(super) fn no_job(id: &str) -> Failure {
    not_found(format!("there is no job `{id}`"))
}

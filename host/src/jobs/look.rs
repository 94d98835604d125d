//! Looking at jobs, waiting for them, and answering what they ask.

use std::time::Duration;

use tokio::time::timeout;

use super::{Board, Record, State, active::Active, board::no_job, log::Log};
use crate::{
    capability::types::{Answer, Questions},
    database::JobQuery,
    error::{Result, unavailable},
    policy::{Approved, JobsOf, page_of_jobs},
};

/// What is handed over of a log at once.
const LARGEST_TAIL: u32 = 4 << 20;

/// Which jobs are listed.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    pub plugin: Option<String>,
    pub kind: Option<String>,
    pub lane: Option<String>,
    /// Empty: in every state.
    pub states: Vec<State>,
}

impl Board {
    /// What is known of a job. One of somebody else's is not there.
    pub async fn get(&self, of: &Approved<JobsOf>, id: &str) -> Result<Record> {
        let record = match self.find_active(id) {
            Some(active) => self.seen(&active),
            None => match self.database.job(id).await? {
                Some(row) => Record::of(&row)?,
                None => return Err(no_job(id)),
            },
        };
        let JobsOf { caller, plugin } = of.request();
        let theirs = record.caller == **caller
            && plugin.as_ref().is_none_or(|plugin| record.owner == **plugin);
        if theirs { Ok(record) } else { Err(no_job(id)) }
    }

    /// The latest first.
    pub async fn list(
        &self,
        of: &Approved<JobsOf>,
        filter: JobFilter,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<Record>> {
        let JobsOf { caller, plugin } = of.request();
        let query = JobQuery {
            caller: caller.to_string(),
            plugin: plugin.as_ref().map(|it| it.to_string()).or(filter.plugin),
            kind: filter.kind,
            lane: filter.lane,
            states: filter.states.iter().map(|state| state.name()).collect(),
            after,
            limit: page_of_jobs(limit),
        };
        let rows = self.database.jobs(query).await?;
        // Progress is written down now and then; here it is as it is.
        let record = |row| {
            let record = Record::of(row)?;
            Ok(self.find_active(&record.id).map_or(record, |active| self.seen(&active)))
        };
        rows.iter().map(record).collect()
    }

    /// What a job was given.
    pub async fn input(&self, of: &Approved<JobsOf>, id: &str) -> Result<String> {
        self.get(of, id).await?;
        let texts = self.database.job_texts(id).await?;
        texts.map(|(input, _)| input).ok_or_else(|| no_job(id))
    }

    /// What a job came to, where it has ended well.
    pub async fn result(&self, of: &Approved<JobsOf>, id: &str) -> Result<Option<String>> {
        self.get(of, id).await?;
        Ok(self.database.job_texts(id).await?.and_then(|(_, result)| result))
    }

    /// Waits until a job has ended or asks something, at most so long.
    pub async fn wait(&self, of: &Approved<JobsOf>, id: &str, most: Duration) -> Result<Record> {
        self.follow(of, id, most, |_| {}).await
    }

    /// The same, and tells of each change meanwhile.
    pub async fn follow(
        &self,
        of: &Approved<JobsOf>,
        id: &str,
        most: Duration,
        mut tell: impl FnMut(&Record) + Send,
    ) -> Result<Record> {
        let record = self.get(of, id).await?;
        let Some(active) = self.find_active(id).filter(|_| !record.is_settled()) else {
            return Ok(record);
        };
        if record.state == State::Queued {
            // Where this process takes up only what somebody waits for.
            self.line_up(&active);
        }
        let mut changes = active.watch();
        let settled = async {
            loop {
                let record = active.record();
                tell(&record);
                if record.is_settled() || changes.changed().await.is_err() {
                    return;
                }
            }
        };
        // Who has waited long enough is told how it is then.
        let _ = timeout(most, settled).await;
        Ok(self.seen(&active))
    }

    /// A job as it is, with its place among those that wait.
    fn seen(&self, active: &Active) -> Record {
        let record = active.record();
        let before = (record.state == State::Queued).then(|| self.queue().before(&record.id));
        Record { before: before.flatten(), ..record }
    }

    /// The end of a job's log.
    pub async fn tail(&self, of: &Approved<JobsOf>, id: &str, most: u32) -> Result<String> {
        self.get(of, id).await?;
        let log = Log::of(&self.folder, id, self.config.log());
        let most = u64::from(most.min(LARGEST_TAIL));
        let tail = tokio::task::spawn_blocking(move || log.tail(most)).await;
        let cannot = |error: String| unavailable(format!("the log cannot be read: {error}"));
        tail.map_err(|error| cannot(error.to_string()))?.map_err(|error| cannot(error.to_string()))
    }

    /// What a job asks and has no answer to yet.
    pub fn open_questions(record: &Record) -> Option<Questions> {
        let asked = record.asked.as_ref().filter(|_| record.state == State::InputRequired)?;
        Some(asked.open(&record.given))
    }

    /// Takes answers to what the job asked in this round; others are none. When none is missing any more, it goes on.
    pub async fn answer(
        &self,
        of: &Approved<JobsOf>,
        id: &str,
        round: u32,
        answers: Vec<(String, Answer)>,
    ) -> Result<Record> {
        let record = self.get(of, id).await?;
        let Some(active) = self.find_active(id) else { return Ok(record) };
        let record = active.change(|record| record.take(round, answers));
        self.write(&active).await?;
        if record.state == State::Queued {
            self.line_up(&active);
        }
        Ok(record)
    }
}

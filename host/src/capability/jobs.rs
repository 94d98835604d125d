//! `jobs`: work that outlives a call.

use std::time::Duration;

use super::{CallState, bindings::windlass::plugin::jobs as wit};
use crate::{
    error::{Result, invalid},
    jobs::{JobFilter, Record, State},
    policy::AskedJob,
};

/// Who wants to wait longer asks again.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

impl wit::Host for CallState {
    async fn submit(&mut self, spec: wit::Spec) -> Result<String> {
        let asked = AskedJob {
            kind: spec.kind,
            title: spec.title,
            input: spec.input,
            lane: spec.lane,
            key: spec.key,
            deadline_s: spec.deadline_s,
        };
        let wanted = self.policy.approve_job(asked, self.meter.job_seconds())?;
        let id = self.doors.jobs.board().await?.submit(wanted).await?;
        self.effects.add(format!("job submit {id}"));
        Ok(id)
    }

    async fn get(&mut self, id: String) -> Result<wit::Info> {
        let of = self.policy.approve_looking_at_jobs()?;
        self.doors.jobs.board().await?.get(&of, &id).await.map(info)
    }

    async fn input(&mut self, id: String) -> Result<String> {
        let of = self.policy.approve_looking_at_jobs()?;
        self.doors.jobs.board().await?.input(&of, &id).await
    }

    async fn outcome(&mut self, id: String) -> Result<wit::Ending> {
        let of = self.policy.approve_looking_at_jobs()?;
        let board = self.doors.jobs.board().await?;
        let record = board.get(&of, &id).await?;
        Ok(match (record.state, record.failure) {
            (State::Completed, _) => {
                wit::Ending::Completed(board.result(&of, &id).await?.unwrap_or_default())
            }
            (State::Failed, Some(failed)) => wit::Ending::Failed(failed.error()),
            (State::Canceled, _) => wit::Ending::Canceled,
            _ => wit::Ending::Pending,
        })
    }

    async fn list(
        &mut self,
        filter: wit::Filter,
        after: String,
        limit: u32,
    ) -> Result<Vec<wit::Info>> {
        let of = self.policy.approve_looking_at_jobs()?;
        let filter = JobFilter {
            plugin: None,
            kind: filter.kind,
            lane: filter.lane,
            states: filter.states.into_iter().map(state_of).collect(),
        };
        let after = Some(after).filter(|after| !after.is_empty());
        let records = self.doors.jobs.board().await?.list(&of, filter, after, limit).await?;
        Ok(records.into_iter().map(info).collect())
    }

    async fn wait(&mut self, id: String, ms: u32) -> Result<wit::Info> {
        let of = self.policy.approve_looking_at_jobs()?;
        let most = Duration::from_millis(ms.into()).min(LONGEST_WAIT);
        self.doors.jobs.board().await?.wait(&of, &id, most).await.map(info)
    }

    async fn cancel(&mut self, id: String) -> Result<()> {
        let of = self.policy.approve_ending_jobs()?;
        if self.job.as_deref() == Some(&id) {
            return Err(invalid("a run cannot cancel its own job; return an error, or a result"));
        }
        self.effects.add(format!("job cancel {id}"));
        self.doors.jobs.board().await?.cancel(&of, &id).await.map(drop)
    }

    async fn log(&mut self, id: String, most: u32) -> Result<String> {
        let of = self.policy.approve_looking_at_jobs()?;
        self.doors.jobs.board().await?.tail(&of, &id, most).await
    }

    async fn note(&mut self, text: String) -> Result<()> {
        let note = self.policy.approve_note(text)?;
        let Some(job) = self.job.clone() else {
            return Err(invalid("only the run of a job can leave a note"));
        };
        self.doors.jobs.board().await?.note(&job, note).await
    }
}

fn info(record: Record) -> wit::Info {
    wit::Info {
        id: record.id,
        kind: record.kind,
        title: record.title,
        lane: record.lane,
        state: match record.state {
            State::Queued => wit::State::Queued,
            State::Running => wit::State::Running,
            State::InputRequired => wit::State::InputRequired,
            State::Completed => wit::State::Completed,
            State::Failed => wit::State::Failed,
            State::Canceled => wit::State::Canceled,
        },
        attempt: record.attempt,
        done: record.done,
        total: record.total,
        message: record.message,
        cancel_asked: record.cancel_asked,
        created: record.created,
        started: record.started,
        updated: record.updated,
        ended: record.ended,
    }
}

fn state_of(state: wit::State) -> State {
    match state {
        wit::State::Queued => State::Queued,
        wit::State::Running => State::Running,
        wit::State::InputRequired => State::InputRequired,
        wit::State::Completed => State::Completed,
        wit::State::Failed => State::Failed,
        wit::State::Canceled => State::Canceled,
    }
}

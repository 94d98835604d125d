//! A tool's call that came to a job: its result, where that comes soon, or how to get it later.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{Caller, Server};
use crate::{
    capability::{
        tools::Output,
        types::{Code, Error},
    },
    error::Failure,
    jobs::{Board, Record, State},
    plugin::{Observer, Progress},
    policy::{Approved, JobsOf},
    registry::OfferedTool,
};

/// How long a call waits for a job. Some clients give up after a minute, and lose what comes then.
const PATIENCE: Duration = Duration::from_secs(40);

impl Server {
    /// Waits for a job in the place of its tool's call, and tells its progress meanwhile.
    pub(super) async fn output_of_job(
        &self,
        tool: &OfferedTool,
        id: &str,
        caller: &Caller,
        observer: &Arc<dyn Observer>,
    ) -> Result<Output, Error> {
        let board = self.registry.doors().jobs.board().await.map_err(answered)?;
        let of = Approved::<JobsOf>::of_caller(&caller.0);
        board.name_tool(&of, id, &tool.name).await.map_err(answered)?;
        let mut told = None;
        let tell = |record: &Record| {
            if told.is_none_or(|before| record.done > before) {
                told = Some(record.done);
                let (done, total) = (record.done, record.total);
                observer.progress(Progress { done, total, message: record.message.clone() });
            }
        };
        let record = board.follow(&of, id, PATIENCE, tell).await.map_err(answered)?;
        if record.state.is_over() {
            let result = result(&board, &of, &record).await?;
            return tool.output_of(result);
        }
        Ok(Output { content: Vec::new(), structured: Some(handle(&record).to_string()) })
    }
}

/// What a job that has ended came to.
pub(super) async fn result(
    board: &Board,
    of: &Approved<JobsOf>,
    record: &Record,
) -> Result<String, Error> {
    match (record.state, &record.failure) {
        (State::Completed, _) => {
            let result = board.result(of, &record.id).await.map_err(answered)?;
            Ok(result.unwrap_or_else(|| "null".to_owned()))
        }
        (State::Failed, Some(failed)) => Err(failed.error()),
        _ => Err(Error::new(Code::Failed, format!("the job `{}` was canceled", record.id))),
    }
}

/// What a client needs to come back for a job.
pub(super) fn handle(record: &Record) -> Value {
    json!({
        "job_id": record.id,
        "state": record.state.name(),
        "message": format!(
            "it goes on as the job `{}`: `job_wait` waits for it, `job_result` gives its result, `job_cancel` ends it",
            record.id
        ),
    })
}

/// What a door answers, as a client reads it. What it did not expect is in the log.
pub(super) fn answered(failure: Failure) -> Error {
    match failure {
        Failure::Answer(error) => error,
        Failure::Trap(error) => {
            tracing::error!("a job: {error:#}");
            Error::new(Code::Other, "the host failed in this; its log says more")
        }
    }
}

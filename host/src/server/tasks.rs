//! The tasks extension of the protocol's second era: jobs as clients follow them by `tasks/get`, `tasks/update`, `tasks/cancel`.
//!
//! Which call becomes a task is decided in `jobs`; a job that no call came to is a task as well for whoever knows its id.

use std::{collections::BTreeMap, fmt::Display};

use rmcp::{
    ErrorData,
    model::{
        CallToolResult, DetailedTask, ErrorCode, GetTaskResult, InputRequest, InputResponses,
        JsonObject, Task, TaskPayload, TaskStatus,
    },
};
use serde_json::{Value, json};

use super::{Context, Server, answer, caller, is_modern, questions};
use crate::{
    capability::types::{Answer, Code, Error, Questions},
    jobs::{Board, Failed, Record, State},
    registry::{JobsOfCaller, output_of},
    time::iso,
};

/// How often a client should ask. Whoever wants to hear of progress sooner can wait with `job_wait`.
const POLL_EVERY_MS: u64 = 500;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

impl Server {
    /// `tasks/get`
    pub(super) async fn look_at_task(
        &self,
        id: &str,
        context: &Context,
    ) -> Result<GetTaskResult, ErrorData> {
        let (jobs, record) = self.find_task(id, context).await?;
        let payload = self.payload(&jobs, &record).await.map_err(answer::refused)?;
        let task = task(&record, self.registry.config().jobs.keep_days);
        Ok(GetTaskResult::new(DetailedTask::new(task, payload)))
    }

    /// `tasks/update`: takes answers to what is asked. What is not asked any more, or does not fit, changes nothing.
    pub(super) async fn answer_task(
        &self,
        id: &str,
        responses: InputResponses,
        context: &Context,
    ) -> Result<(), ErrorData> {
        let (jobs, record) = self.find_task(id, context).await?;
        let Some(open) = Board::open_questions(&record) else { return Ok(()) };
        let answers = answers(record.rounds, &open, responses);
        jobs.answer(id, record.rounds, answers).await.map(drop).map_err(answer::refused)
    }

    /// `tasks/cancel`
    pub(super) async fn cancel_task_of(
        &self,
        id: &str,
        context: &Context,
    ) -> Result<(), ErrorData> {
        let (jobs, _) = self.find_task(id, context).await?;
        jobs.cancel(id).await.map(drop).map_err(answer::refused)
    }

    /// A job of the caller's. Any other is not there.
    async fn find_task(
        &self,
        id: &str,
        context: &Context,
    ) -> Result<(JobsOfCaller, Record), ErrorData> {
        if !is_modern(context) {
            let message = "there are no tasks in this version of the protocol";
            return Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, message, None));
        }
        let jobs = self.registry.jobs_of(&caller(context).space).await.map_err(answer::refused)?;
        match jobs.get(id).await {
            Ok(record) => Ok((jobs, record)),
            Err(error) if error.code == Code::NotFound => {
                Err(ErrorData::invalid_params(format!("there is no task `{id}`"), None))
            }
            Err(error) => Err(answer::refused(error)),
        }
    }

    async fn payload(&self, jobs: &JobsOfCaller, record: &Record) -> Result<TaskPayload, Error> {
        if let Some(open) = Board::open_questions(record) {
            return Ok(TaskPayload::InputRequired {
                input_requests: requests(record.rounds, open)?,
            });
        }
        Ok(match (record.state, &record.failure) {
            (State::Completed, _) => completed(&self.result(jobs, record).await)?,
            (State::Failed, Some(failed)) if failed.told => {
                completed(&answer::failed(failed.error()))?
            }
            (State::Failed, failed) => {
                TaskPayload::Failed { error: protocol_error(failed.as_ref()) }
            }
            (State::Canceled, _) => TaskPayload::Cancelled,
            (State::Queued | State::Running | State::InputRequired, _) => TaskPayload::Working,
        })
    }

    /// What a completed job came to, as the result of the tool whose call it was.
    async fn result(&self, jobs: &JobsOfCaller, record: &Record) -> CallToolResult {
        let output = match jobs.outcome(record).await {
            Ok(result) => {
                let catalog = self.registry.catalog();
                let tool = record.tool.as_ref().and_then(|name| catalog.tools.get(name));
                match tool.filter(|tool| tool.owner() == record.owner) {
                    Some(tool) => tool.output_of(result),
                    None => Ok(output_of(result)),
                }
            }
            Err(error) => Err(error),
        };
        output.map_or_else(answer::failed, answer::done)
    }
}

/// What is known of a job, but for what it asks or came to.
pub(super) fn task(record: &Record, keep_days: u64) -> Task {
    let (created, updated) = (iso(record.created), iso(record.updated));
    let mut task = Task::new(&record.id, status(record.state), created, updated)
        .with_ttl_ms(keep_days.saturating_mul(DAY_MS).max(1))
        .with_poll_interval_ms(POLL_EVERY_MS);
    task.status_message = message(record);
    task
}

fn status(state: State) -> TaskStatus {
    match state {
        State::Queued | State::Running => TaskStatus::Working,
        State::InputRequired => TaskStatus::InputRequired,
        State::Completed => TaskStatus::Completed,
        State::Failed => TaskStatus::Failed,
        State::Canceled => TaskStatus::Cancelled,
    }
}

fn message(record: &Record) -> Option<String> {
    match (record.state, &record.failure) {
        (State::Failed, Some(failed)) => Some(failed.message.clone()),
        (State::Queued | State::Running, _) if record.cancel_asked => {
            Some("it is being canceled".to_owned())
        }
        (State::Queued, _) if record.message.is_empty() => {
            let before = record.before.map(|it| format!(", {it} jobs before it"));
            Some(format!("it waits for a place{}", before.unwrap_or_default()))
        }
        _ => Some(record.message.clone()).filter(|message| !message.is_empty()),
    }
}

fn completed(result: &CallToolResult) -> Result<TaskPayload, Error> {
    match serde_json::to_value(result) {
        Ok(Value::Object(result)) => Ok(TaskPayload::Completed { result }),
        Ok(other) => Err(unreadable(other)),
        Err(error) => Err(unreadable(error)),
    }
}

fn unreadable(what: impl Display) -> Error {
    Error::new(Code::Other, format!("the result cannot be told: {what}"))
}

/// Why there is no result at all: a crash, or a time that is over.
fn protocol_error(failed: Option<&Failed>) -> JsonObject {
    let message = failed.map_or("it failed", |failed| &failed.message);
    let mut error = JsonObject::new();
    error.insert("code".to_owned(), ErrorCode::INTERNAL_ERROR.0.into());
    error.insert("message".to_owned(), message.into());
    if let Some(failed) = failed {
        error.insert("data".to_owned(), json!({"error_code": failed.code}));
    }
    error
}

/// The key of a question: no other one of the job has it, as long as that lives.
fn key(round: u32, name: &str) -> String {
    format!("{round}-{name}")
}

fn requests(round: u32, open: Questions) -> Result<BTreeMap<String, InputRequest>, Error> {
    let request =
        |(name, question): (String, _)| Ok((key(round, &name), questions::request(question)?));
    open.ask.into_iter().map(request).collect()
}

/// Answers that fit what is asked.
fn answers(round: u32, open: &Questions, mut responses: InputResponses) -> Vec<(String, Answer)> {
    let answer = |(name, question): &(String, _)| {
        let response = responses.remove(&key(round, name))?;
        Some((name.clone(), questions::answer(&questions::kind(question), response)?))
    };
    open.ask.iter().filter_map(answer).collect()
}

//! A tool's call that came to a job: a task for a client that knows of them; for others its result, where that comes soon, or
//! how to get it later.

use std::sync::Arc;

use rmcp::{
    ErrorData,
    model::{CallToolResponse, ClientCapabilities, CreateTaskResult},
};
use serde_json::{Value, json};

use super::{Context, Server, answer, is_modern, questions::Refusal, tasks};
use crate::{
    access::Caller,
    capability::tools::Output,
    jobs::{Record, State},
    plugin::Observer,
    registry::{LONGEST_WAIT, OfferedTool, progress_to},
};

impl Server {
    /// Answers a call that came to a job. It is on disk for which tool that is before anything is answered.
    pub(super) async fn answer_with_job(
        &self,
        tool: &OfferedTool,
        id: &str,
        caller: &Caller,
        observer: &Arc<dyn Observer>,
        context: &Context,
    ) -> Result<CallToolResponse, Refusal> {
        let jobs = self.registry.jobs_of_plugin(&caller.space, tool.owner()).await?;
        let record = jobs.name_tool(id, &tool.name).await?;
        if knows_tasks(context) {
            let task = tasks::task(&record, self.registry.config().jobs.keep_days);
            return Ok(CallToolResponse::Task(CreateTaskResult::new(task)));
        }
        let record = jobs.follow(id, LONGEST_WAIT, progress_to(&**observer)).await?;
        let output = if record.state.is_over() {
            tool.output_of(jobs.outcome(&record).await?)?
        } else {
            Output { content: Vec::new(), structured: Some(handle(&record).to_string()) }
        };
        Ok(answer::done(output).into())
    }
}

/// Whether the client said with this request that it knows of tasks. There are none in the protocol's first era.
pub(super) fn knows_tasks(context: &Context) -> bool {
    is_modern(context) && context.client_capabilities().is_some_and(|it| it.supports_tasks())
}

/// What a client is told whose request makes no sense without tasks.
pub(super) fn tasks_are_needed() -> Refusal {
    let needed = ClientCapabilities::builder().enable_tasks().build();
    Refusal::Protocol(ErrorData::missing_required_client_capability(needed))
}

/// What a client needs to come back for a job.
fn handle(record: &Record) -> Value {
    let id = &record.id;
    let what = match record.state {
        State::InputRequired => "it asks something as the job",
        _ => "it goes on as the job",
    };
    json!({
        "job_id": id,
        "state": record.state.name(),
        "message": format!(
            "{what} `{id}`: `job_wait` waits for it and puts what it asks to the user, `job_result` gives its result, `job_cancel` ends it"
        ),
    })
}

//! `run_agent_task`: an agent is made, followed and left behind as a durable job.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Hints, Result, Stop, Tool,
    jobs::{Spec, submit},
};

use crate::{agent::Agent, ask::Coder, entry::LogEntry, make::Plan, order::Order, work::Work};

/// How many characters of a task are its title.
const TITLE: usize = 60;

/// Makes an agent, gives it something to do, and comes to what the agent came to. It goes on when the caller goes away, and is
/// found again by `job_list`; when it is cancelled, the agent is paused. What cannot start is refused at once.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct RunAgentTask {
    #[serde(flatten)]
    order: Order,
    /// What becomes of the agent at the end of its task.
    #[serde(default)]
    when_done: WhenDone,
    /// After how many minutes it is given up, and the agent paused. Absent: as the host allows.
    #[schemars(range(min = 1, max = 10_080))]
    timeout_minutes: Option<u32>,
}

/// What becomes of an agent at the end of its task.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WhenDone {
    /// It stays as it is.
    #[default]
    Keep,
    /// Its workspace is stopped.
    Pause,
    /// Its workspace is deleted, or its chat archived.
    Delete,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Done {
    pub(crate) success: bool,
    pub(crate) data: Agent,
    /// The last thing that the agent said.
    pub(crate) final_output: String,
    /// What it changed, where Coder tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) diff: Option<String>,
    /// The end of its log.
    pub(crate) log: Vec<LogEntry>,
}

impl Tool for RunAgentTask {
    const NAME: &'static str = "run_agent_task";
    const TITLE: Option<&'static str> = Some("Run a task with an agent");
    const HINTS: Hints = Hints::OPEN_WORLD.union(Hints::JOB);
    type Output = Done;

    fn run(self, call: &Call) -> Result<Done> {
        let coder = Coder::of(call, self.order.deployment.as_deref())?;
        Plan::of(&coder, &self.order)?;
        let title: String = self.order.prompt.trim().chars().take(TITLE).collect();
        let title = format!("{}: {title}", self.order.workspace_name.trim());
        let work = Work { order: self.order, when_done: self.when_done };
        let mut spec = Spec::new(title, &work)?;
        if let Some(minutes) = self.timeout_minutes {
            spec = spec.deadline_s(minutes.saturating_mul(60));
        }
        Err(Stop::Job(submit(&spec)?))
    }
}

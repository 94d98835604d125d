//! `create_new_agent_task`.

use schemars::JsonSchema;
use serde::Deserialize;
use windlass_sdk::{Call, Hints, Result, Tool};

use crate::{ask::Coder, details::Details, make::make, order::Order};

/// Makes an agent with a workspace of its own and gives it something to do. What cannot start is refused before anything is
/// made. `run_agent_task` does the same and waits for the end.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct CreateNewAgentTask {
    #[serde(flatten)]
    order: Order,
}

impl Tool for CreateNewAgentTask {
    const NAME: &'static str = "create_new_agent_task";
    const TITLE: Option<&'static str> = Some("Create an agent for a task");
    const HINTS: Hints = Hints::OPEN_WORLD;
    type Output = Details;

    fn run(self, call: &Call) -> Result<Details> {
        let coder = Coder::of(call, self.order.deployment.as_deref())?;
        let data = make(&coder, &self.order, None, || Ok(()))?;
        Ok(Details { success: true, data })
    }
}

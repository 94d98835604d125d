//! `get_agent_details_by_id`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{Call, Hints, Result, Tool};

use crate::{
    LOOKS,
    agent::{Agent, Task},
    api::{Coder, Place},
};

/// Shows all that is known of one agent.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct GetAgentDetailsById {
    /// Who owns the agent: a name, an id, or `me`.
    user: String,
    /// The agent's id, or the name of its task.
    agent_id: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Details {
    success: bool,
    data: Agent,
}

impl Tool for GetAgentDetailsById {
    const NAME: &'static str = "get_agent_details_by_id";
    const TITLE: Option<&'static str> = Some("Get an agent's details");
    const HINTS: Hints = LOOKS;
    type Output = Details;

    fn run(self, call: &Call) -> Result<Details> {
        let place = Place::of(&self.user, &self.agent_id)?;
        let task: Task = Coder::of(call)?.of_agent(&place, "")?;
        Ok(Details { success: true, data: task.into() })
    }
}

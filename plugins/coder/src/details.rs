//! `get_agent_details_by_id`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{Call, Hints, Result, Tool};

use crate::{LOOKS, agent::Agent, ask::Coder, error::About, find::Name};

/// Shows all that is known of one agent.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct GetAgentDetailsById {
    /// Who owns the agent: a name, an id, or `me`.
    user: String,
    /// The agent's id, or the name of its task or workspace.
    agent_id: String,
    /// Which Coder, where the configuration names more than one.
    deployment: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Details {
    pub(crate) success: bool,
    pub(crate) data: Agent,
}

impl Tool for GetAgentDetailsById {
    const NAME: &'static str = "get_agent_details_by_id";
    const TITLE: Option<&'static str> = Some("Get an agent's details");
    const HINTS: Hints = LOOKS;
    type Output = Details;

    fn run(self, call: &Call) -> Result<Details> {
        let coder = Coder::of(call, self.deployment.as_deref())?;
        let name = Name { user: &self.user, id: &self.agent_id };
        let data = name.agent(&coder).map_err(|trouble| trouble.about(About::Agent))?;
        Ok(Details { success: true, data })
    }
}

//! `list_all_agents`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_sdk::{Call, Hints, Result, Tool};

use crate::{
    LOOKS,
    agent::{Agent, Tasks},
    api::Coder,
};

/// Lists the agents of the fleet: who owns each, its status, its workspace and what it was told to do.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ListAllAgents {
    /// Only agents with this status: running, idle, busy, offline, error or stopped.
    status: Option<String>,
    /// Only agents of this user: a name, or `me`.
    user: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Agents {
    result: Vec<Agent>,
}

impl Tool for ListAllAgents {
    const NAME: &'static str = "list_all_agents";
    const TITLE: Option<&'static str> = Some("List all agents");
    const HINTS: Hints = LOOKS;
    type Output = Agents;

    fn run(self, call: &Call) -> Result<Agents> {
        let coder = Coder::of(call)?;
        let tasks: Tasks = coder.list(self.query())?;
        let mut agents = tasks.agents();
        agents.retain(|agent| self.wants(agent));
        Ok(Agents { result: agents })
    }
}

impl ListAllAgents {
    /// Who `me` is, only Coder knows.
    fn query(&self) -> &'static str {
        if self.user.as_deref() == Some("me") { "?q=owner:me" } else { "" }
    }

    fn wants(&self, agent: &Agent) -> bool {
        let user = self.user.as_deref().filter(|user| *user != "me");
        let status = serde_json::to_value(agent.status).ok();
        let status = status.as_ref().and_then(Value::as_str).unwrap_or_default();
        user.is_none_or(|user| user.eq_ignore_ascii_case(&agent.user))
            && self.status.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(status))
    }
}

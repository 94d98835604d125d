//! A fleet of agents that work in Coder: which there are, how they are, and what they said.

mod list;
mod details;
mod fleet;
mod logs;
mod agent;
mod api;

use schemars::JsonSchema;
use serde::Deserialize;
use windlass_sdk::Hints;

use details::GetAgentDetailsById;
use fleet::GetFleetStatusMetrics;
use list::ListAllAgents;
use logs::GetAgentExecutionLogs;

/// What every tool here promises: it looks, and what it looks at is Coder's.
const LOOKS: Hints = Hints::READ_ONLY.union(Hints::OPEN_WORLD).union(Hints::IDEMPOTENT);

/// Where the fleet is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Where Coder answers, such as `https://coder.example.com`.
    url: String,
}

windlass_sdk::plugin! {
    instructions: "Agents are tasks in Coder, each with a workspace of its own. `list_all_agents` names \
        them: its `user` and `id` are what the other tools take. `get_fleet_status_metrics` counts them, \
        and `get_agent_execution_logs` shows what one of them was told and said.",
    asks: include_str!("../grants.toml"),
    config: Settings,
    tools: [ListAllAgents, GetAgentDetailsById, GetFleetStatusMetrics, GetAgentExecutionLogs],
}

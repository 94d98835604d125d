//! A fleet of agents that work in Coder: which there are, how they are and what they said; and how they come, go on and go.

mod agent;
mod ask;
mod body;
mod chat;
mod create;
mod delete;
mod details;
mod diff;
mod entry;
mod error;
mod find;
mod fleet;
mod follow;
mod list;
mod logs;
mod look;
mod make;
mod message;
mod offer;
mod order;
mod path;
mod roster;
mod run;
mod send;
mod settings;
mod task;
mod template;
mod templates;
mod turn;
mod work;
mod workspace;

use windlass_sdk::Hints;

use create::CreateNewAgentTask;
use delete::DeleteAgentWorkspace;
use details::GetAgentDetailsById;
use diff::GetAgentDiff;
use fleet::GetFleetStatusMetrics;
use list::ListAllAgents;
use logs::GetAgentExecutionLogs;
use run::RunAgentTask;
use send::SendInputToAgent;
use settings::Settings;
use templates::ListTemplates;
use turn::{PauseAgent, ResumeAgent};
use work::Work;

/// What every tool promises that only looks, and what it looks at is Coder's.
const LOOKS: Hints = Hints::READ_ONLY.union(Hints::OPEN_WORLD).union(Hints::IDEMPOTENT);

windlass_sdk::plugin! {
    instructions: "Agents work in Coder: as tasks, as chats, or in plain workspaces, as the deployment has them. \
        `list_all_agents` names them: its `user` and `id` are what the other tools take. `list_templates` says what a new one \
        can be made from. `create_new_agent_task` makes one and answers at once, `run_agent_task` makes one and comes to what \
        the agent came to. `get_agent_execution_logs` shows what an agent was told and said, `send_input_to_agent` tells it \
        more, `pause_agent` stops it, and `delete_agent_workspace` ends it with all that it has.",
    asks: include_str!("../grants.toml"),
    config: Settings,
    tools: [
        ListAllAgents, GetAgentDetailsById, GetFleetStatusMetrics, GetAgentExecutionLogs, CreateNewAgentTask,
        SendInputToAgent, PauseAgent, ResumeAgent, DeleteAgentWorkspace, GetAgentDiff, ListTemplates, RunAgentTask,
    ],
    jobs: [Work],
}

//! `get_agent_execution_logs`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{Call, Hints, Result, Tool};

use crate::{
    LOOKS,
    ask::Coder,
    entry::{Choice, Level, LogEntry, ms_of},
    error::{self, About, Trouble},
    find::{Name, Place},
    message,
    workspace::Workspace,
};

/// How many entries one answer has where nobody says.
const USUAL: usize = 200;

/// Shows what an agent was told and what it said, oldest first: the newest entries, and with `before` those that came before them.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct GetAgentExecutionLogs {
    /// Who owns the agent: a name, an id, or `me`.
    user: String,
    /// The agent's id, or the name of its task or workspace.
    agent_id: String,
    /// Only entries of this level: debug, info, warning, error or critical.
    level: Option<String>,
    /// At most so many of the newest entries, 200 where nothing is said.
    #[schemars(range(min = 1, max = 5000))]
    limit: Option<usize>,
    /// Only entries from this time on, such as `2026-05-01T08:00:00Z`.
    since: Option<String>,
    /// Only entries before this one: `next_before` of the answer that came before.
    before: Option<i64>,
    /// Which Coder, where the configuration names more than one.
    deployment: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Logs {
    success: bool,
    data: Vec<LogEntry>,
    /// What to give as `before` for the entries before these. Absent: there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_before: Option<i64>,
}

impl Tool for GetAgentExecutionLogs {
    const NAME: &'static str = "get_agent_execution_logs";
    const TITLE: Option<&'static str> = Some("Get an agent's logs");
    const HINTS: Hints = LOOKS;
    type Output = Logs;

    fn run(self, call: &Call) -> Result<Logs> {
        let coder = Coder::of(call, self.deployment.as_deref())?;
        let choice = self.choice()?;
        let name = Name { user: &self.user, id: &self.agent_id };
        let chosen = name.first(&coder, |place| read(&coder, place, &choice));
        let chosen = chosen.map_err(|trouble| trouble.about(About::Agent))?;
        let next_before = chosen.next_before();
        Ok(Logs { success: true, data: chosen.shown(&self.agent_id), next_before })
    }
}

impl GetAgentExecutionLogs {
    fn choice(&self) -> Result<Choice> {
        let since = self.since.as_deref().map(|text| {
            let message = format!("`{text}` is no time such as `2026-05-01T08:00:00Z`");
            ms_of(text).ok_or_else(|| error::of_field("since", message))
        });
        let mut choice = Choice::new(self.limit.unwrap_or(USUAL));
        choice.level = self.level.as_deref().map(Level::named);
        choice.since = since.transpose()?;
        choice.before = self.before;
        Ok(choice)
    }
}

/// What was said in one place, as far as it is wanted.
pub(crate) fn read(coder: &Coder, place: &Place, choice: &Choice) -> Result<Choice, Trouble> {
    match place {
        Place::Task(path) => list(coder, &format!("{path}/logs"), choice),
        Place::Chat(path, _) => message::read(coder, path, choice.clone()),
        Place::Workspace(workspace) => of_workspace(coder, workspace, choice),
    }
}

/// What its programs print. Before they run, and where they never did, what came of building it.
fn of_workspace(coder: &Coder, workspace: &Workspace, choice: &Choice) -> Result<Choice, Trouble> {
    let build = format!("/api/v2/workspacebuilds/{}/logs", workspace.latest_build.id);
    let Some(connection) = workspace.connection() else {
        return list(coder, &build, choice);
    };
    let before = choice.before.map(|before| format!("?before={before}")).unwrap_or_default();
    let path = format!("/api/v2/workspaceagents/{}/logs{before}", connection.id);
    list(coder, &path, choice)
}

fn list(coder: &Coder, path: &str, choice: &Choice) -> Result<Choice, Trouble> {
    coder.read(path, |body| {
        let mut choice = choice.clone();
        body.each("logs", &mut |entry| choice.take(entry))?;
        Ok(choice)
    })
}

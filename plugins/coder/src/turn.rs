//! `pause_agent` and `resume_agent`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_sdk::{Call, Hints, Result, Tool, http::Method};

use crate::{
    ask::Coder,
    error::{self, About, Trouble, once},
    find::{Name, Place},
    path::is_id,
    send::Said,
    task::Task,
};

/// Stops an agent without losing what it has: its workspace is stopped, and `resume_agent` starts it again. A chat is
/// interrupted, and goes on with the next thing that it is told.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct PauseAgent {
    /// Who owns the agent: a name, an id, or `me`.
    user: String,
    /// The agent's id, or the name of its task or workspace.
    agent_id: String,
    /// Which Coder, where the configuration names more than one.
    deployment: Option<String>,
}

/// Starts an agent again that was paused, or whose workspace was stopped.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ResumeAgent {
    /// Who owns the agent: a name, an id, or `me`.
    user: String,
    /// The agent's id, or the name of its task or workspace.
    agent_id: String,
    /// Which Coder, where the configuration names more than one.
    deployment: Option<String>,
}

impl Tool for PauseAgent {
    const NAME: &'static str = "pause_agent";
    const TITLE: Option<&'static str> = Some("Pause an agent");
    const HINTS: Hints = Hints::OPEN_WORLD;
    type Output = Said;

    fn run(self, call: &Call) -> Result<Said> {
        let coder = Coder::of(call, self.deployment.as_deref())?;
        let name = Name { user: &self.user, id: &self.agent_id };
        let said = once(pause(&coder, &name), About::Agent)?;
        Ok(Said::new(said, format!("Agent {} is being paused", self.agent_id)))
    }
}

impl Tool for ResumeAgent {
    const NAME: &'static str = "resume_agent";
    const TITLE: Option<&'static str> = Some("Resume an agent");
    const HINTS: Hints = Hints::OPEN_WORLD;
    type Output = Said;

    fn run(self, call: &Call) -> Result<Said> {
        let coder = Coder::of(call, self.deployment.as_deref())?;
        let name = Name { user: &self.user, id: &self.agent_id };
        let said = name.first(&coder, |place| match place {
            Place::Task(path) => turn(&coder, path, "resume", "start"),
            Place::Chat(..) => Err(Trouble::Unanswered(error::not_here(
                "a chat goes on when it is told something: use `send_input_to_agent`",
            ))),
            Place::Workspace(workspace) => build(&coder, &workspace.id, "start"),
        });
        let said = once(said, About::Agent)?;
        Ok(Said::new(said, format!("Agent {} is being resumed", self.agent_id)))
    }
}

pub(crate) fn pause(coder: &Coder, name: &Name<'_>) -> Result<Value, Trouble> {
    name.first(coder, |place| match place {
        Place::Task(path) => turn(coder, path, "pause", "stop"),
        Place::Chat(path, _) => {
            let chat = coder.say(Method::Post, &format!("{path}/interrupt"), None)?;
            Ok(json!({"id": chat["id"], "status": chat["status"]}))
        }
        Place::Workspace(workspace) => build(coder, &workspace.id, "stop"),
    })
}

/// Tasks can be paused since Coder 2.32. Those of before are their workspace.
fn turn(coder: &Coder, path: &str, verb: &str, transition: &str) -> Result<Value, Trouble> {
    let path = &by_id(coder, path)?;
    match coder.say(Method::Post, &format!("{path}/{verb}"), None) {
        Err(trouble) if trouble.is_no_route() || trouble.status() == Some(405) => {
            let task: Task = coder.get(path)?;
            let id = task
                .workspace_id
                .ok_or_else(|| Trouble::Unanswered(error::not_here("its task has no workspace")))?;
            build(coder, &id, transition)
        }
        answered => Ok(told(&answered?["workspace_build"])),
    }
}

/// The path of a task by its id, which is all that Coder promises to take here.
fn by_id(coder: &Coder, path: &str) -> Result<String, Trouble> {
    let Some((place, name)) = path.rsplit_once('/').filter(|(_, name)| !is_id(name)) else {
        return Ok(path.to_owned());
    };
    let task: Task = coder.get(path)?;
    Ok(format!("{place}/{}", task.id.as_deref().unwrap_or(name)))
}

fn build(coder: &Coder, workspace: &str, transition: &str) -> Result<Value, Trouble> {
    let body = json!({"transition": transition});
    coder.post(&format!("/api/v2/workspaces/{workspace}/builds"), &body).map(|it| told(&it))
}

/// As much of a build as says how it goes on.
fn told(build: &Value) -> Value {
    json!({
        "workspace_id": build["workspace_id"],
        "build_number": build["build_number"],
        "transition": build["transition"],
        "status": build["status"],
    })
}

//! `delete_agent_workspace`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_sdk::{Call, Error, Hints, Result, Tool, http::Method, types::Abilities};

use crate::{
    agent::{Agent, Status, Wanted},
    ask::Coder,
    chat::Chat,
    error::{self, About, Trouble, once},
    find::{Name, Place, nowhere},
    path::{id_step, step},
    roster::Roster,
    task::Task,
    workspace::Workspace,
};

/// Deletes the workspace of an agent, and with it all that is in it and what the agent was doing. The user is asked first, where
/// the client can ask. An agent that is at work is only deleted with `force`. The id of a chat archives the chat.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct DeleteAgentWorkspace {
    /// The `workspace_id` of the agent, or the id of its chat.
    workspace_id: String,
    /// Also while the agent is at work.
    #[serde(default)]
    force: bool,
    /// Which Coder, where the configuration names more than one.
    deployment: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Deleted {
    success: bool,
    data: Value,
    message: String,
}

/// What is to go.
enum Doomed {
    /// A workspace, and the path of the task in it.
    Workspace(Box<Workspace>, Option<String>),
    Chat(String),
}

impl Tool for DeleteAgentWorkspace {
    const NAME: &'static str = "delete_agent_workspace";
    const TITLE: Option<&'static str> = Some("Delete an agent's workspace");
    const HINTS: Hints = Hints::DESTRUCTIVE.union(Hints::OPEN_WORLD).union(Hints::IDEMPOTENT);
    type Output = Deleted;

    fn run(self, call: &Call) -> Result<Deleted> {
        let coder = Coder::of(call, self.deployment.as_deref())?;
        let id = id_step("workspace_id", self.workspace_id.trim())?;
        let (doomed, agent) = match find(&coder, id) {
            Ok(found) => found,
            Err(trouble) if trouble.status() == Some(410) => return Ok(gone(id)),
            Err(trouble) => return Err(trouble.about(About::Workspace).into()),
        };
        if let Doomed::Workspace(workspace, _) = &doomed
            && workspace.is_going()
        {
            return Ok(gone(id));
        }
        self.check(&agent)?;
        if call.client_can(Abilities::FORMS) {
            call.confirm(&question(&agent))?;
        }
        Ok(delete(&coder, &doomed, &agent)?)
    }
}

impl DeleteAgentWorkspace {
    fn check(&self, agent: &Agent) -> Result<(), Error> {
        if self.force || agent.status != Status::Busy {
            return Ok(());
        }
        let message =
            "the agent is at work: wait for it, stop it with `pause_agent`, or give `force`";
        let details = json!({"status": agent.status, "agent_id": agent.id});
        Err(error::in_the_way(message, details))
    }
}

/// A workspace, seen as the agent in it; or a chat.
fn find(coder: &Coder, id: &str) -> Result<(Doomed, Agent), Trouble> {
    match coder.get::<Workspace>(&format!("/api/v2/workspaces/{id}")) {
        Ok(workspace) => {
            let (task, agent) = agent_in(coder, &workspace)?;
            Ok((Doomed::Workspace(Box::new(workspace), task), agent))
        }
        Err(missing) if missing.is_missing() => {
            let chat = coder.offered(|offer| {
                let place = offer.chats.as_ref().ok_or_else(nowhere)?;
                let path = format!("{place}/{id}");
                let chat: Chat = coder.get(&path)?;
                Ok((Doomed::Chat(path), Agent::from(chat)))
            });
            chat.map_err(|trouble| if missing.status() == Some(410) { missing } else { trouble })
        }
        Err(trouble) => Err(trouble),
    }
}

/// Who works in a workspace: its task, a chat that is at work there, or whoever the workspace itself tells of.
fn agent_in(coder: &Coder, workspace: &Workspace) -> Result<(Option<String>, Agent), Trouble> {
    let agent = Agent::from(workspace.clone());
    if let Some(path) = task(coder, workspace)? {
        match coder.get::<Task>(&path) {
            Ok(task) => {
                let workspace_name = agent.workspace_name;
                return Ok((Some(path), Agent { workspace_name, ..task.into() }));
            }
            // It is gone, and left its workspace behind.
            Err(trouble) if trouble.is_missing() => {}
            Err(trouble) => return Err(trouble),
        }
    }
    let wanted = Wanted { user: None, status: Some(Status::Busy) };
    let add = |(id, found): &mut (String, Option<Agent>), agent: Agent| {
        if agent.workspace_id.as_ref() == Some(id) {
            *found = Some(agent);
        }
    };
    let (_, chat) = coder.offered(|offer| {
        let roster = Roster { coder, offer, wanted: &wanted, add };
        roster.chats((workspace.id.clone(), None))
    })?;
    let workspace_name = agent.workspace_name.clone();
    Ok((None, chat.map_or(agent, |chat| Agent { workspace_name, ..chat })))
}

/// The path of the task in a workspace, where there is one and Coder can tell of it.
fn task(coder: &Coder, workspace: &Workspace) -> Result<Option<String>, Trouble> {
    let Some(task) = &workspace.task_id else { return Ok(None) };
    let owner = step("user", &workspace.owner_name).map_err(Trouble::Unanswered)?;
    coder.offered(|offer| Ok(offer.tasks.as_ref().map(|place| format!("{place}/{owner}/{task}"))))
}

fn question(agent: &Agent) -> String {
    let what = agent.workspace_name.as_ref().or(agent.current_assignment.as_ref());
    let (what, user) = (what.unwrap_or(&agent.id), &agent.user);
    let doing = if agent.status == Status::Busy { ", whose agent is at work," } else { "" };
    format!("Delete `{what}` of {user}{doing} with all that is in it?")
}

fn delete(coder: &Coder, doomed: &Doomed, agent: &Agent) -> Result<Deleted, Error> {
    let (id, answer) = match doomed {
        Doomed::Chat(path) => {
            let archived = json!({"archived": true});
            let said = coder.say(Method::Patch, path, Some(&archived));
            once(said, About::Workspace)?;
            (agent.id.as_str(), json!({"id": agent.id, "archived": true}))
        }
        Doomed::Workspace(workspace, task) => {
            let Workspace { id, task_id, .. } = &**workspace;
            let build = take_down(coder, id, task.as_deref())?;
            let data = json!({"workspace_id": id, "task_id": task_id, "transition": "delete", "build": build});
            (id.as_str(), data)
        }
    };
    Ok(Deleted {
        success: true,
        data: answer,
        message: format!("Workspace {id} deletion initiated"),
    })
}

/// Deletes an agent that nobody has to be asked about.
pub(crate) fn now(coder: &Coder, name: &Name<'_>, agent: &Agent) -> Result<(), Error> {
    // The workspace of a chat may be somebody's own, and a task may have none yet.
    let id = match &agent.workspace_id {
        Some(workspace) if !agent.is_chat() => workspace,
        _ => &agent.id,
    };
    match find(coder, id) {
        Ok((doomed, agent)) => delete(coder, &doomed, &agent).map(drop),
        Err(trouble) if trouble.is_missing() => {
            let said = name.first(coder, |place| match place {
                Place::Task(path) => coder.say(Method::Delete, path, None),
                _ => Ok(Value::Null),
            });
            match said {
                Err(trouble) if trouble.is_missing() => Ok(()),
                said => once(said, About::Agent).map(drop),
            }
        }
        Err(trouble) => Err(trouble.about(About::Workspace)),
    }
}

/// With its task, where it has one: a task without a workspace would stay behind.
fn take_down(coder: &Coder, id: &str, task: Option<&str>) -> Result<Value, Error> {
    if let Some(task) = task {
        match coder.say(Method::Delete, task, None) {
            // The tasks of the first generation cannot be deleted, but for their workspace.
            Err(trouble) if trouble.is_missing() || trouble.status() == Some(405) => {}
            said => return once(said, About::Workspace),
        }
    }
    let transition = json!({"transition": "delete"});
    let build = coder.post(&format!("/api/v2/workspaces/{id}/builds"), &transition);
    let mut build = once(build, About::Workspace)?;
    if let Some(build) = build.as_object_mut() {
        build.retain(|name, _| {
            ["id", "build_number", "status", "transition"].contains(&name.as_str())
        });
    }
    Ok(build)
}

fn gone(id: &str) -> Deleted {
    let data = json!({"workspace_id": id, "transition": "delete"});
    let message = format!("Workspace {id} is deleted already, or about to be");
    Deleted { success: true, data, message }
}

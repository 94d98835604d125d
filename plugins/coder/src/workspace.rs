//! A workspace of Coder's: where tasks run, and all that a deployment without tasks and chats has.

use serde::Deserialize;

use crate::agent::{Agent, Status, known};

/// A workspace, as Coder tells of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Workspace {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) owner_name: String,
    pub(crate) owner_id: String,
    pub(crate) organization_id: String,
    template_name: Option<String>,
    pub(crate) latest_build: Build,
    latest_app_status: Option<AppStatus>,
    health: Option<Health>,
    pub(crate) task_id: Option<String>,
    created_at: Option<String>,
    updated_at: Option<String>,
    last_used_at: Option<String>,
}

/// What was last done with it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Build {
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) transition: String,
    pub(crate) job: Job,
    resources: Vec<Resource>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Job {
    pub(crate) status: String,
    pub(crate) error: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Resource {
    agents: Option<Vec<Connection>>,
}

/// Coder's program in a workspace.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Connection {
    pub(crate) id: String,
    pub(crate) name: String,
    status: String,
    lifecycle_state: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct AppStatus {
    state: Option<String>,
    message: Option<String>,
    uri: Option<String>,
    created_at: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Health {
    healthy: bool,
}

impl Workspace {
    /// Whether it is being deleted, or has been.
    pub(crate) fn is_going(&self) -> bool {
        let Build { transition, job, .. } = &self.latest_build;
        transition == "delete" && matches!(job.status.as_str(), "pending" | "running" | "succeeded")
    }

    /// The first of its programs, which is the main one.
    pub(crate) fn connection(&self) -> Option<&Connection> {
        let resources = self.latest_build.resources.iter();
        resources.filter_map(|resource| resource.agents.as_ref()).flatten().next()
    }

    /// What the agent in it last said of itself: its state, and a message.
    pub(crate) fn said(&self) -> (Option<&str>, Option<&str>) {
        let said = self.latest_app_status.as_ref();
        (said.and_then(|it| it.state.as_deref()), said.and_then(|it| it.message.as_deref()))
    }

    fn fleet_status(&self) -> Status {
        match (self.latest_build.status.as_str(), self.said().0) {
            ("pending", _) => Status::Idle,
            ("failed", _) => Status::Error,
            ("stopping" | "stopped", _) => Status::Stopped,
            ("starting", _) => Status::Running,
            ("running", _) if !self.is_connected() => Status::Offline,
            ("running", Some("working")) => Status::Busy,
            ("running", Some("idle" | "complete")) => Status::Idle,
            ("running", Some("failure" | "failed")) => Status::Error,
            ("running", _) => Status::Running,
            _ => Status::Offline,
        }
    }

    fn is_connected(&self) -> bool {
        match self.connection() {
            Some(connection) => connection.status == "connected",
            None => self.health.as_ref().is_some_and(|health| health.healthy),
        }
    }
}

impl From<Workspace> for Agent {
    fn from(workspace: Workspace) -> Self {
        let (status, connected) = (workspace.fleet_status(), workspace.is_connected());
        let lifecycle = workspace.connection().and_then(|it| it.lifecycle_state.clone());
        let said = workspace.latest_app_status.unwrap_or_default();
        let build = workspace.latest_build;
        Self {
            id: workspace.id.clone(),
            user: workspace.owner_name,
            workspace_id: Some(workspace.id),
            workspace_name: Some(workspace.name.clone()),
            status,
            created_at: workspace.created_at,
            last_activity_at: said.created_at.or(workspace.last_used_at),
            updated_at: workspace.updated_at,
            capabilities: Vec::new(),
            current_assignment: None,
            connected: connected && build.status == "running",
            metadata: known(
                "workspace",
                [
                    ("name", Some(workspace.name)),
                    ("template_name", workspace.template_name),
                    ("task_id", workspace.task_id),
                    ("workspace_status", Some(build.status)),
                    ("lifecycle", lifecycle),
                    ("state", said.state),
                    ("message", said.message.or(build.job.error)),
                    ("uri", said.uri),
                ],
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(build: &str, connection: &str, state: Value, expected: (Status, bool)) {
        let workspace = json!({
            "latest_build": {"status": build, "resources": [{"agents": null}, {"agents": [{"status": connection}]}]},
            "latest_app_status": state,
        });
        let agent = Agent::from(serde_json::from_value::<Workspace>(workspace).unwrap());
        assert_eq!((agent.status, agent.connected), expected, "{build} {connection}");
    }

    #[test]
    fn what_a_workspace_is_to_the_fleet() {
        let said = |state: &str| json!({"state": state, "message": "m"});
        check("running", "connected", said("working"), (Status::Busy, true));
        check("running", "connected", said("complete"), (Status::Idle, true));
        check("running", "connected", said("failure"), (Status::Error, true));
        check("running", "connected", Value::Null, (Status::Running, true));
        check("running", "timeout", said("working"), (Status::Offline, false));
        check("stopped", "disconnected", said("working"), (Status::Stopped, false));
        check("pending", "", Value::Null, (Status::Idle, false));
        check("starting", "connecting", Value::Null, (Status::Running, false));
        check("failed", "", Value::Null, (Status::Error, false));
        check("deleted", "", Value::Null, (Status::Offline, false));
    }
}

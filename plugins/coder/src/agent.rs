//! What an agent is: a task of Coder's, in the words of either generation, seen as a member of a fleet.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One agent.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Agent {
    id: String,
    pub(crate) user: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace_name: Option<String>,
    pub(crate) status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_activity_at: Option<String>,
    /// Coder names none.
    capabilities: Vec<String>,
    /// What it was told to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    current_assignment: Option<String>,
    /// Whether Coder reaches its workspace.
    connected: bool,
    /// What else Coder says of it.
    metadata: Map<String, Value>,
}

#[derive(Clone, Copy, Debug, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Running,
    Idle,
    Busy,
    Offline,
    Error,
    Stopped,
}

/// A list of tasks: under a name with their count, or bare.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Tasks {
    Counted { tasks: Vec<Task> },
    Bare(Vec<Task>),
}

/// A task, as Coder tells of it. Each generation leaves out other parts.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Task {
    id: Option<String>,
    owner_name: Option<String>,
    username: Option<String>,
    user: Option<String>,
    owner_id: Option<String>,
    name: Option<String>,
    display_name: Option<String>,
    template_name: Option<String>,
    workspace_id: Option<String>,
    workspace_name: Option<String>,
    workspace_status: Option<String>,
    workspace_agent_lifecycle: Option<String>,
    workspace_agent_health: Option<Health>,
    initial_prompt: Option<String>,
    prompt: Option<String>,
    status: Option<String>,
    current_state: Option<State>,
    created_at: Option<String>,
    updated_at: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Health {
    healthy: bool,
}

/// What the agent last said of itself.
#[derive(Default, Deserialize)]
#[serde(default)]
struct State {
    timestamp: Option<String>,
    state: Option<String>,
    message: Option<String>,
    uri: Option<String>,
}

impl Tasks {
    pub(crate) fn agents(self) -> Vec<Agent> {
        let (Self::Counted { tasks } | Self::Bare(tasks)) = self;
        tasks.into_iter().map(Agent::from).collect()
    }
}

impl Status {
    /// From what Coder says of the task, or in the first generation of its workspace, and what the agent says.
    fn of(task: &str, state: Option<&str>) -> Self {
        match (task, state) {
            ("busy", _) => Self::Busy,
            ("idle" | "pending", _) => Self::Idle,
            ("error" | "failed", _) => Self::Error,
            ("paused" | "stopping" | "stopped", _) => Self::Stopped,
            ("active" | "running", Some("working")) => Self::Busy,
            ("active" | "running", Some("idle" | "complete")) => Self::Idle,
            ("active" | "running", Some("failed" | "failure")) => Self::Error,
            ("active" | "running" | "initializing" | "starting", _) => Self::Running,
            _ => Self::Offline,
        }
    }
}

impl From<Task> for Agent {
    fn from(task: Task) -> Self {
        let status = task.status.unwrap_or_default();
        let state = task.current_state.unwrap_or_default();
        let lifecycle = task.workspace_agent_lifecycle;
        let ready = lifecycle.as_deref() == Some("ready");
        let user = task.owner_name.or(task.username).or(task.user).or(task.owner_id);
        let metadata = [
            ("name", task.name.clone()),
            ("display_name", task.display_name),
            ("template_name", task.template_name),
            ("task_status", Some(status.clone())),
            ("workspace_status", task.workspace_status),
            ("lifecycle", lifecycle),
            ("state", state.state.clone()),
            ("message", state.message),
            ("uri", state.uri),
        ];
        let told = metadata.into_iter().filter_map(|(name, value)| {
            let value = value.filter(|it| !it.is_empty())?;
            Some((name.to_owned(), Value::String(value)))
        });
        Self {
            id: task.id.unwrap_or_default(),
            user: user.unwrap_or_default(),
            workspace_id: task.workspace_id,
            workspace_name: task.workspace_name.or(task.name),
            status: Status::of(&status, state.state.as_deref()),
            created_at: task.created_at,
            last_activity_at: state.timestamp.or_else(|| task.updated_at.clone()),
            updated_at: task.updated_at,
            capabilities: Vec::new(),
            current_assignment: task.initial_prompt.or(task.prompt),
            connected: task.workspace_agent_health.map_or(ready, |health| health.healthy),
            metadata: told.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(task: &str, state: Option<&str>, expected: Status) {
        assert_eq!(Status::of(task, state), expected, "{task} {state:?}");
    }

    #[test]
    fn what_a_task_is_to_the_fleet() {
        check("active", Some("working"), Status::Busy);
        check("active", Some("idle"), Status::Idle);
        check("active", Some("complete"), Status::Idle);
        check("active", Some("failed"), Status::Error);
        check("active", Some("failure"), Status::Error);
        check("active", None, Status::Running);
        check("pending", None, Status::Idle);
        check("initializing", None, Status::Running);
        check("paused", Some("working"), Status::Stopped);
        check("error", Some("idle"), Status::Error);
        check("unknown", Some("working"), Status::Offline);
    }

    #[test]
    fn what_a_task_of_the_first_generation_is_to_the_fleet() {
        check("running", Some("working"), Status::Busy);
        check("running", Some("idle"), Status::Idle);
        check("running", None, Status::Running);
        check("starting", None, Status::Running);
        check("stopping", Some("working"), Status::Stopped);
        check("stopped", None, Status::Stopped);
        check("failed", None, Status::Error);
        check("busy", None, Status::Busy);
        check("idle", None, Status::Idle);
        check("offline", None, Status::Offline);
        check("deleted", None, Status::Offline);
        check("", None, Status::Offline);
    }

    fn agent(task: Value) -> Agent {
        serde_json::from_value::<Task>(task).unwrap().into()
    }

    #[test]
    fn an_agent_is_connected_where_coder_says_so() {
        let connected = |health: Value, lifecycle: Value| {
            agent(json!({"workspace_agent_health": health, "workspace_agent_lifecycle": lifecycle}))
                .connected
        };
        assert!(connected(json!({"healthy": true}), json!("starting")));
        assert!(!connected(
            json!({"healthy": false, "reason": "agent has lost connection"}),
            json!("ready")
        ));
        assert!(connected(Value::Null, json!("ready")));
        assert!(!connected(Value::Null, json!("off")));
        assert!(!connected(Value::Null, Value::Null));
    }

    #[test]
    fn either_generation_names_its_owner_and_its_work() {
        let agent = agent(
            json!({"id": "1", "username": "ann", "prompt": "do it", "name": "w", "workspace_id": null}),
        );
        assert_eq!(
            (agent.user.as_str(), agent.current_assignment.as_deref()),
            ("ann", Some("do it"))
        );
        assert_eq!(agent.workspace_name.as_deref(), Some("w"));
        let tasks: Tasks = serde_json::from_value(json!([{"id": "1"}, {"id": "2"}])).unwrap();
        assert_eq!(tasks.agents().len(), 2);
    }
}

//! A task of Coder's, in the words of either generation.

use serde::Deserialize;

use crate::agent::{Agent, Status, known};

/// A task, as Coder tells of it. Each generation leaves out other parts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Task {
    pub(crate) id: Option<String>,
    owner_name: Option<String>,
    username: Option<String>,
    user: Option<String>,
    owner_id: Option<String>,
    pub(crate) name: Option<String>,
    display_name: Option<String>,
    template_name: Option<String>,
    pub(crate) workspace_id: Option<String>,
    workspace_name: Option<String>,
    workspace_status: Option<String>,
    workspace_agent_lifecycle: Option<String>,
    workspace_agent_health: Option<Health>,
    initial_prompt: Option<String>,
    prompt: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) current_state: Option<State>,
    created_at: Option<String>,
    updated_at: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Health {
    healthy: bool,
}

/// What the agent last said of itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    pub(crate) timestamp: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) uri: Option<String>,
}

/// From what Coder says of the task, or in the first generation of its workspace, and what the agent says.
fn status(task: &str, state: Option<&str>) -> Status {
    match (task, state) {
        ("busy", _) => Status::Busy,
        ("idle" | "pending", _) => Status::Idle,
        ("error" | "failed", _) => Status::Error,
        ("paused" | "stopping" | "stopped", _) => Status::Stopped,
        ("active" | "running", Some("working")) => Status::Busy,
        ("active" | "running", Some("idle" | "complete")) => Status::Idle,
        ("active" | "running", Some("failed" | "failure")) => Status::Error,
        ("active" | "running" | "initializing" | "starting", _) => Status::Running,
        _ => Status::Offline,
    }
}

impl From<Task> for Agent {
    fn from(task: Task) -> Self {
        let told = task.status.unwrap_or_default();
        let state = task.current_state.unwrap_or_default();
        let lifecycle = task.workspace_agent_lifecycle;
        let is_ready = lifecycle.as_deref() == Some("ready");
        let user = task.owner_name.or(task.username).or(task.user).or(task.owner_id);
        Self {
            id: task.id.unwrap_or_default(),
            user: user.unwrap_or_default(),
            workspace_id: task.workspace_id,
            workspace_name: task.workspace_name.or_else(|| task.name.clone()),
            status: status(&told, state.state.as_deref()),
            created_at: task.created_at,
            last_activity_at: state.timestamp.or_else(|| task.updated_at.clone()),
            updated_at: task.updated_at,
            capabilities: Vec::new(),
            current_assignment: task.initial_prompt.or(task.prompt),
            connected: task.workspace_agent_health.map_or(is_ready, |health| health.healthy),
            metadata: known(
                "task",
                [
                    ("name", task.name),
                    ("display_name", task.display_name),
                    ("template_name", task.template_name),
                    ("task_status", Some(told)),
                    ("workspace_status", task.workspace_status),
                    ("lifecycle", lifecycle),
                    ("state", state.state),
                    ("message", state.message),
                    ("uri", state.uri),
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
    fn check(task: &str, state: Option<&str>, expected: Status) {
        assert_eq!(status(task, state), expected, "{task} {state:?}");
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
    }
}

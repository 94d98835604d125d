//! A Coder that has three tasks and remembers what it was asked.
//!
//! Its answers have the shapes of Coder 2.36, and for the older generation those of 2.25.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{Setup, site::Site};

/// The session token that it takes.
pub(crate) const TOKEN: &str = "kT9pWq2sXz-hVn5RmYc8JbLd3FgTwPa7eUs";

/// The id of the task that works.
pub(crate) const BUSY: &str = "6f1a3c58-7a14-4a67-9a55-2f3f6c1d0b01";

pub(crate) struct Coder {
    site: Site,
    mood: Arc<Mutex<Mood>>,
}

/// How it answers.
#[derive(Clone, Copy)]
pub(crate) enum Mood {
    /// Tasks are where they are since 2.29.
    Recent,
    /// Tasks are where they were before.
    Older,
    /// There are no tasks.
    Without,
    /// All fails with this status.
    Failing(u16),
    /// The first request fails with this status.
    FailingOnce(u16),
}

impl Coder {
    pub(crate) fn new(mood: Mood) -> Self {
        let mood = Arc::new(Mutex::new(mood));
        let shared = mood.clone();
        let site = Site::answering(move |request| {
            let (status, body) = answer(&mut shared.lock().unwrap(), request);
            let (body, length) = (body.to_string(), body.to_string().len());
            format!(
                "HTTP/1.1 {status} .\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            )
        });
        Self { site, mood }
    }

    /// From the next request on.
    pub(crate) fn turn(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// A host whose environment names this Coder and its token.
    pub(crate) fn setup(&self) -> Setup {
        let setup = Setup::new().bundled().environment("CODER_URL", &self.site.origin());
        setup.environment("CODER_SESSION_TOKEN", TOKEN)
    }

    pub(crate) fn origin(&self) -> String {
        self.site.origin()
    }

    /// All requests so far, with their headers.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.site.requests()
    }

    /// The path of each request so far.
    pub(crate) fn paths(&self) -> Vec<String> {
        let requests = self.requests();
        requests.iter().map(|it| it.split(' ').nth(1).unwrap().to_owned()).collect()
    }
}

fn answer(mood: &mut Mood, request: &str) -> (u16, Value) {
    let refusal = |status: u16, message: &str| (status, json!({"message": message}));
    let token = format!("coder-session-token: {}\r\n", TOKEN.to_lowercase());
    if !request.to_lowercase().contains(&token) {
        return refusal(
            401,
            "You are signed out or your session has expired. Please sign in again to continue.",
        );
    }
    let (prefix, tasks) = match *mood {
        Mood::Recent => ("/api/v2/tasks", tasks()),
        Mood::Older => ("/api/experimental/tasks", older_tasks()),
        Mood::Without => return refusal(404, "Route not found."),
        Mood::Failing(status) => return refusal(status, "It hurts."),
        Mood::FailingOnce(status) => {
            *mood = Mood::Recent;
            return refusal(status, "It hurts.");
        }
    };
    let path = request.split(' ').nth(1).unwrap_or_default();
    let Some(rest) = path.strip_prefix(prefix) else { return refusal(404, "Route not found.") };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    match *rest.split('/').collect::<Vec<_>>() {
        [""] => (200, listed(tasks, query)),
        ["", user, id] => find(&tasks, user, id).map_or_else(not_found, |task| (200, task)),
        ["", user, id, "logs"] => match find(&tasks, user, id) {
            Some(task) if task["status"] == "paused" => refusal(409, "Task is paused."),
            Some(_) => (200, json!({"logs": logs()})),
            None => not_found(),
        },
        _ => refusal(404, "Route not found."),
    }
}

fn not_found() -> (u16, Value) {
    (404, json!({"message": "Resource not found or you do not have access to this resource"}))
}

/// The token is `ann`'s.
fn listed(mut tasks: Vec<Value>, query: &str) -> Value {
    if query == "q=owner:me" {
        tasks.retain(|task| task["owner_name"] == "ann");
    }
    json!({"count": tasks.len(), "tasks": tasks})
}

fn find(tasks: &[Value], user: &str, id: &str) -> Option<Value> {
    let owner = if user == "me" { "ann" } else { user };
    let found = tasks
        .iter()
        .find(|task| task["owner_name"] == owner && (task["id"] == id || task["name"] == id));
    found.cloned()
}

fn tasks() -> Vec<Value> {
    let task = |id: &str, owner: &str, name: &str, status: &str, state: Value| {
        json!({
            "id": id,
            "organization_id": "0b6c0f27-53b3-4a3c-9a2f-6f0a0f7b7c11",
            "owner_id": "c0ffee00-0000-4000-8000-000000000001",
            "owner_name": owner,
            "name": name,
            "display_name": format!("Task {name}"),
            "template_name": "tasks-docker",
            "workspace_id": "9a0b1c2d-0000-4000-8000-000000000002",
            "workspace_name": name,
            "workspace_status": "running",
            "workspace_agent_id": null,
            "workspace_agent_lifecycle": "ready",
            "workspace_agent_health": {"healthy": status == "active", "reason": ""},
            "initial_prompt": format!("Do what {name} says"),
            "status": status,
            "current_state": state,
            "created_at": "2026-05-01T08:00:00Z",
            "updated_at": "2026-05-01T09:00:00Z",
        })
    };
    let working = json!({
        "timestamp": "2026-05-01T09:30:00Z", "state": "working", "message": "Reading code", "uri": "",
    });
    let failed =
        json!({"timestamp": "2026-05-01T09:10:00Z", "state": "failed", "message": "", "uri": ""});
    vec![
        task(BUSY, "ann", "fix-login", "active", working),
        task("6f1a3c58-7a14-4a67-9a55-2f3f6c1d0b02", "ann", "upgrade", "paused", Value::Null),
        task("6f1a3c58-7a14-4a67-9a55-2f3f6c1d0b03", "bob", "docs", "active", failed),
    ]
}

/// Tasks as 2.25 told of them: the status is the workspace's.
fn older_tasks() -> Vec<Value> {
    let mut tasks = tasks();
    for (task, status) in tasks.iter_mut().zip(["running", "stopped", "running"]) {
        let task = task.as_object_mut().unwrap();
        task.retain(|key, _| !key.starts_with("workspace_") && key != "display_name");
        task.insert("status".to_owned(), status.into());
    }
    tasks
}

fn logs() -> Value {
    json!([
        {"id": 0, "content": "Do what fix-login says", "type": "input", "time": "2026-05-01T08:00:01Z"},
        {"id": 1, "content": "I shall.", "type": "output", "time": "2026-05-01T08:00:05Z"},
        {"id": 2, "content": "Reading code", "type": "output", "time": "2026-05-01T09:30:00Z"},
    ])
}

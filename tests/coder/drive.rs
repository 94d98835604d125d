//! One way through all that the fake answers, whoever stands before it.

use serde_json::{Value, json};

use crate::support::{
    client::Client,
    coder::Coder,
    coder::{Life, Step, TOKEN, Turn},
};

pub(super) const VERSION: &str = "7e3be510-0000-4000-8000-000000000001";
pub(super) const ORGANIZATION: &str = "0b6c0f27-53b3-4a3c-9a2f-6f0a0f7b7c11";
const PRESET: &str = "94e5e710-0000-4000-8000-000000000001";
const TEMPLATE: &str = "7e3b1a10-0000-4000-8000-000000000003";

/// Somebody who asks with ann's token.
pub(super) struct Asker(Client);

impl Asker {
    pub(super) fn of(origin: &str) -> Self {
        Self(Client::of(origin))
    }

    /// Asks, and fails where the status is another one.
    #[track_caller]
    pub(super) fn ask(&mut self, status: u16, method: &str, path: &str, body: &Value) -> Value {
        let headers = [("Coder-Session-Token", TOKEN)];
        let reply = self.0.ask(method, path, &headers, body).expect("no answer");
        let said = String::from_utf8_lossy(&reply.body);
        assert_eq!(reply.status, status, "{method} {path}: {said}");
        reply.json()
    }

    #[track_caller]
    pub(super) fn get(&mut self, path: &str) -> Value {
        self.ask(200, "GET", path, &Value::Null)
    }

    #[track_caller]
    pub(super) fn refused(
        &mut self,
        status: u16,
        method: &str,
        path: &str,
        body: &Value,
    ) -> String {
        let said = self.ask(status, method, path, body);
        said["message"].as_str().unwrap_or_else(|| panic!("{said}")).to_owned()
    }

    /// Reads until a field says this, and gives what was read last.
    #[track_caller]
    pub(super) fn until(&mut self, path: &str, field: &str, wanted: &str) -> Value {
        for _ in 0..20 {
            let read = self.get(path);
            if read.pointer(field) == Some(&wanted.into()) {
                return read;
            }
        }
        panic!("`{path}` never says `{wanted}` in `{field}`");
    }
}

/// Every call there is in 2.36, in every part of the life of what it is about.
pub(super) fn everything(coder: &Coder, asker: &mut Asker) {
    catalogue(asker);
    tasks(coder, asker);
    workspaces(coder, asker);
    chats(coder, asker);
}

fn catalogue(asker: &mut Asker) {
    assert_eq!(asker.get("/api/v2/buildinfo")["version"], "v2.36.0+5b2d901");
    assert_eq!(asker.get("/api/v2/users/me")["username"], "ann");
    assert_eq!(asker.get("/api/v2/organizations").as_array().unwrap().len(), 2);
    assert_eq!(asker.get("/api/v2/templates").as_array().unwrap().len(), 7);
    let within = format!("/api/v2/organizations/{ORGANIZATION}/templates");
    assert_eq!(asker.get(&within).as_array().unwrap().len(), 6);
    let template = asker.get(&format!("/api/v2/templates/{TEMPLATE}"));
    assert_eq!(template["name"], "plain");
    asker.get(&format!("/api/v2/templates/{TEMPLATE}/versions"));
    let version = format!("/api/v2/templateversions/{VERSION}");
    assert_eq!(asker.get(&version)["job"]["status"], "succeeded");
    let parameters = asker.get(&format!("{version}/rich-parameters"));
    assert_eq!(parameters[0]["name"], "cpus");
    assert_eq!(asker.get(&format!("{version}/presets"))[0]["Name"], "Small");
    let broken = "/api/v2/templateversions/7e3be510-0000-4000-8000-000000000005";
    assert_eq!(asker.get(broken)["job"]["status"], "failed");
}

fn tasks(coder: &Coder, asker: &mut Asker) {
    let create = json!({
        "template_version_id": VERSION, "template_version_preset_id": PRESET,
        "input": "Mend the login", "name": "mend",
    });
    let task = asker.ask(201, "POST", "/api/v2/tasks/me", &create);
    assert_eq!((&task["status"], &task["current_state"]), (&"pending".into(), &Value::Null));
    asker.refused(409, "POST", "/api/v2/tasks/me", &create);
    asker.refused(409, "POST", "/api/v2/tasks/me/mend/send", &json!({"input": "Hurry"}));
    let path = format!("/api/v2/tasks/ann/{}", task["id"].as_str().unwrap());
    asker.until(&path, "/status", "initializing");
    assert_eq!(asker.get(&format!("{path}/logs"))["snapshot"], true);
    asker.until(&path, "/current_state/state", "working");
    let working = asker.refused(409, "POST", &format!("{path}/send"), &json!({"input": "Hurry"}));
    assert_eq!(working, "Task app is not ready to accept input.");
    asker.until(&path, "/current_state/state", "complete");
    asker.ask(204, "POST", &format!("{path}/send"), &json!({"input": "Once more"}));
    asker.until(&path, "/current_state/state", "complete");
    let logs = asker.get(&format!("{path}/logs"))["logs"].clone();
    assert_eq!(logs.as_array().unwrap().len(), 7, "{logs}");
    pause_and_resume(coder, asker, &path);
    asker.ask(202, "DELETE", &path, &Value::Null);
    asker.refused(404, "GET", &path, &Value::Null);
    let workspace = format!("/api/v2/workspaces/{}", task["workspace_id"].as_str().unwrap());
    asker.refused(410, "GET", &workspace, &Value::Null);
    let gone = asker.get(&format!("{workspace}?include_deleted=true"));
    assert_eq!(gone["latest_build"]["status"], "deleted");
    ends(coder, asker);
}

fn pause_and_resume(coder: &Coder, asker: &mut Asker, path: &str) {
    let build = asker.ask(202, "POST", &format!("{path}/pause"), &Value::Null);
    assert_eq!(build["workspace_build"]["transition"], "stop");
    asker.until(path, "/status", "paused");
    let paused = asker.refused(409, "POST", &format!("{path}/send"), &json!({"input": "Go on"}));
    assert_eq!(paused, "Task is paused.");
    asker.ask(204, "PATCH", &format!("{path}/input"), &json!({"input": "Do it otherwise"}));
    coder.next(Life::StaysWorking);
    asker.ask(202, "POST", &format!("{path}/resume"), &Value::Null);
    asker.until(path, "/current_state/state", "working");
    asker.refused(409, "PATCH", &format!("{path}/input"), &json!({"input": "Too late"}));
}

/// The other ways in which a task may go.
fn ends(coder: &Coder, asker: &mut Asker) {
    let lives = [
        (Life::Fails, "/current_state/state", "failed"),
        (Life::Idles, "/current_state/state", "idle"),
        (Life::StaysInitializing, "/workspace_agent_lifecycle", "starting"),
        (Life::BuildFails, "/status", "error"),
    ];
    for (life, field, wanted) in lives {
        coder.next(life);
        let create = json!({"template_version_id": VERSION, "input": format!("{life:?}")});
        let task = asker.ask(201, "POST", "/api/v2/tasks/me", &create);
        let path = format!("/api/v2/tasks/me/{}", task["name"].as_str().unwrap());
        asker.until(&path, field, wanted);
    }
    coder.next([Step::Unplaced, Step::Pending, Step::Ready, Step::Lost]);
    let create = json!({"template_version_id": VERSION, "input": "Nowhere", "name": "nowhere"});
    let task = asker.ask(201, "POST", "/api/v2/tasks/bob", &create);
    assert_eq!(task["workspace_id"], Value::Null);
    asker.until("/api/v2/tasks/bob/nowhere", "/status", "unknown");
    asker.refused(409, "GET", "/api/v2/tasks/bob/nowhere/logs", &Value::Null);
    let active = asker.get("/api/v2/tasks?q=owner:me+status:active");
    assert_eq!(active["count"], 3, "{active}");
}

fn workspaces(coder: &Coder, asker: &mut Asker) {
    let mut create = json!({"name": "w1", "template_id": TEMPLATE});
    let refused = asker.refused(400, "POST", "/api/v2/users/me/workspaces", &create);
    assert_eq!(refused, "Unable to validate parameters.");
    create["rich_parameter_values"] = json!([{"name": "region", "value": "eu"}]);
    let workspace = asker.ask(201, "POST", "/api/v2/users/me/workspaces", &create);
    asker.refused(409, "POST", "/api/v2/users/me/workspaces", &create);
    let path = format!("/api/v2/workspaces/{}", workspace["id"].as_str().unwrap());
    let ready = "/latest_build/resources/0/agents/0/lifecycle_state";
    let agent =
        asker.until(&path, ready, "ready")["latest_build"]["resources"][0]["agents"][0]["id"]
            .clone();
    let agent = format!("/api/v2/workspaceagents/{}", agent.as_str().unwrap());
    assert_eq!(asker.get(&agent)["status"], "connected");
    assert_eq!(asker.get(&format!("{agent}/logs?after=1")).as_array().unwrap().len(), 1);
    builds(coder, asker, &path);
    let named = asker.get("/api/v2/users/ann/workspace/fix-login");
    assert_eq!(named["latest_app_status"]["state"], "working");
    let page = asker.get("/api/v2/workspaces?q=owner:%22bob%22%20status:running&limit=1&offset=1");
    assert_eq!((&page["count"], page["workspaces"].as_array().unwrap().len()), (&2.into(), 1));
    let member = format!("/api/v2/organizations/{ORGANIZATION}/members/me/workspaces");
    create["name"] = "w2".into();
    asker.ask(201, "POST", &member, &create);
}

fn builds(coder: &Coder, asker: &mut Asker, path: &str) {
    let stop = json!({"transition": "stop"});
    let build = asker.ask(201, "POST", &format!("{path}/builds"), &stop);
    let build = format!("/api/v2/workspacebuilds/{}", build["id"].as_str().unwrap());
    asker.refused(409, "POST", &format!("{path}/builds"), &stop);
    asker.until(&build, "/job/status", "succeeded");
    asker.get(&format!("{build}/logs?after=0"));
    asker.get(&format!("{build}/parameters"));
    asker.get(&format!("{build}/resources"));
    coder.next([Step::Pending, Step::Building]);
    let start = asker.ask(201, "POST", &format!("{path}/builds"), &json!({"transition": "start"}));
    let start = format!("/api/v2/workspacebuilds/{}/cancel", start["id"].as_str().unwrap());
    asker.ask(200, "PATCH", &format!("{start}?expect_status=pending"), &Value::Null);
    asker.refused(400, "PATCH", &start, &Value::Null);
    assert_eq!(asker.get(&format!("{path}/builds")).as_array().unwrap().len(), 3);
    asker.ask(204, "PUT", &format!("{path}/ttl"), &json!({"ttl_ms": 3_600_000}));
    asker.ask(204, "PATCH", path, &json!({"name": "w1"}));
    let deadline = json!({"deadline": "2026-05-02T08:00:00Z"});
    asker.ask(200, "PUT", &format!("{path}/extend"), &deadline);
    asker.ask(201, "POST", &format!("{path}/builds"), &json!({"transition": "delete"}));
    asker.refused(410, "GET", path, &Value::Null);
}

fn chats(coder: &Coder, asker: &mut Asker) {
    let all = "/api/experimental/chats";
    let content = json!([{"type": "text", "text": "Mend the login"}]);
    asker.refused(400, "POST", all, &json!({"content": content}));
    let create =
        json!({"organization_id": ORGANIZATION, "content": content, "labels": {"by": "us"}});
    let chat = asker.ask(201, "POST", all, &create);
    assert_eq!(chat["status"], "waiting", "it has not begun");
    let path = format!("{all}/{}", chat["id"].as_str().unwrap());
    asker.until(&path, "/status", "running");
    let more = json!({"content": [{"type": "text", "text": "And the logout"}]});
    let queued = asker.ask(200, "POST", &format!("{path}/messages"), &more);
    assert_eq!(queued["queued"], true);
    assert_eq!(asker.get(&format!("{path}/messages"))["queued_messages"][0]["id"], 1);
    asker.until(&path, "/last_turn_summary", "It changed one file.");
    let page = asker.get(&format!("{path}/messages?before_id=6&after_id=1&limit=2"));
    let ids: Vec<_> = page["messages"].as_array().unwrap().iter().map(|it| &it["id"]).collect();
    assert_eq!((ids, &page["has_more"]), (vec![&json!(5), &json!(4)], &json!(true)));
    assert_eq!(asker.get(&format!("{path}/diff"))["branch"], "fix-login");
    coder.next_turns(&[Turn::Running, Turn::Calls("execute"), Turn::Fails("Overloaded")]);
    asker.ask(200, "POST", &format!("{path}/messages"), &more);
    asker.until(&path, "/last_error/message", "Overloaded");
    coder.next_turns(&[Turn::RequiresAction]);
    asker.ask(200, "POST", &format!("{path}/messages"), &more);
    asker.until(&path, "/status", "requires_action");
    let stopping = asker.ask(200, "POST", &format!("{path}/interrupt"), &Value::Null);
    assert_eq!(stopping["status"], "interrupting");
    asker.until(&path, "/status", "waiting");
    assert_eq!(asker.get(&format!("{all}?label=by:us")).as_array().unwrap().len(), 1);
    asker.get(&format!("{all}/models"));
    asker.ask(204, "PATCH", &path, &json!({"archived": true}));
    assert_eq!(asker.get(all), json!([]));
}

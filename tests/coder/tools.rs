//! Every tool of the plugin behind the vendor's document: what it says fits, and so does all that it is answered.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    ALONE,
    drive::{Asker, ORGANIZATION},
    prism::{checked, violations},
};
use crate::support::{
    Host, Setup,
    coder::{Coder, Life},
    failure,
    inside::inside,
    prism::Prism,
};

/// Looks at a task or a workspace: more than any life has steps.
const LOOKS: usize = 20;

/// As many requests as the tools below take together.
const ASKED: usize = 80;

/// A client that remembers which tools it called.
struct Caller {
    host: Host,
    called: BTreeSet<String>,
}

impl Caller {
    /// Calls a tool, which succeeds, and gives what programs read of it.
    #[track_caller]
    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.called.insert(tool.to_owned());
        let result = self.host.call(tool, arguments);
        assert_ne!(result["isError"], true, "{tool}: {result}");
        result["structuredContent"].clone()
    }

    #[track_caller]
    fn fails(&mut self, tool: &str, arguments: Value) -> String {
        failure(&self.host.call(tool, arguments))
    }

    /// Looks until the agent has this status.
    #[track_caller]
    fn until(&mut self, agent: &Value, status: &str) {
        let mut last = Value::Null;
        for _ in 0..LOOKS {
            last = self.call("get_agent_details_by_id", agent.clone())["data"].clone();
            if last["status"] == status {
                return;
            }
        }
        panic!("it never is {status}: {last}");
    }
}

/// A host that knows Coder only by way of the document.
fn caller(prism: &Prism, setup: Setup) -> Caller {
    let setup = setup.arguments(ALONE).environment("CODER_URL", &prism.origin());
    let host = setup.environment("CODER_POLL_INTERVAL", "0.01").modern();
    Caller { host, called: BTreeSet::new() }
}

#[test]
fn every_tool_says_and_is_told_what_fits_the_document() {
    let Some((coder, prism)) = inside("coder").and_then(|()| checked()) else { return };
    let mut caller = caller(&prism, coder.setup());
    fleet(&mut caller);
    task(&coder, &mut caller);
    chat(&mut caller, &mut Asker::of(&prism.origin()));
    workspace(&mut caller, &mut Asker::of(&prism.origin()));
    for life in [Life::Completes, Life::Idles] {
        coder.next(life);
        let order = order(&format!("run-{life:?}"));
        assert_eq!(caller.call("run_agent_task", order)["success"], true);
    }
    for life in [Life::Fails, Life::BuildFails] {
        coder.next(life);
        let order = order(&format!("run-{life:?}"));
        assert!(caller.fails("run_agent_task", order).contains("the agent failed"));
    }
    refusals(&mut caller);
    let mut offered: BTreeSet<_> = caller.host.tools().into_iter().collect();
    offered.retain(|tool| !tool.starts_with("job_"));
    assert_eq!(caller.called, offered);
    let seen = prism.seen();
    assert_eq!(violations(&seen).len(), 0, "{:#?}", violations(&seen));
    assert!(seen.len() >= ASKED, "{} requests", seen.len());
    for place in ["v2/tasks", "experimental/chats", "v2/workspaces", "v2/templateversions"] {
        let place = format!(" /api/{place}/");
        assert!(seen.iter().any(|it| it.line.contains(&place)), "nothing was asked below{place}");
    }
}

fn order(name: &str) -> Value {
    json!({
        "user": "me", "prompt": "Mend the login", "workspace_name": name,
        "template_name": "tasks-docker", "preset": "Small",
    })
}

fn fleet(caller: &mut Caller) {
    for arguments in
        [json!({}), json!({"status": "busy"}), json!({"status": "stopped", "user": "ann"})]
    {
        assert!(
            !caller.call("list_all_agents", arguments)["result"].as_array().unwrap().is_empty()
        );
    }
    assert_eq!(caller.call("get_fleet_status_metrics", json!({}))["total_agents"], 3);
    caller.call("list_templates", json!({}));
}

fn task(coder: &Coder, caller: &mut Caller) {
    let made = caller.call("create_new_agent_task", order("mend"))["data"].clone();
    let agent = json!({"user": "me", "agent_id": made["id"]});
    caller.until(&agent, "busy");
    caller.until(&agent, "idle");
    let logs = caller.call("get_agent_execution_logs", agent.clone());
    assert_eq!(logs["data"][0]["message"], "Mend the login");
    let mut input = agent.clone();
    input["input_text"] = "And the logout".into();
    caller.call("send_input_to_agent", input);
    caller.call("pause_agent", json!({"user": "me", "agent_id": "mend"}));
    caller.until(&agent, "stopped");
    coder.next(Life::StaysWorking);
    caller.call("resume_agent", agent.clone());
    caller.until(&agent, "busy");
    let doomed = json!({"workspace_id": made["workspace_id"]});
    assert!(caller.fails("delete_agent_workspace", doomed.clone()).contains("at work"));
    caller.call(
        "delete_agent_workspace",
        json!({"workspace_id": made["workspace_id"], "force": true}),
    );
    caller.call("delete_agent_workspace", doomed);
}

fn chat(caller: &mut Caller, asker: &mut Asker) {
    let content = json!([{"type": "text", "text": "Mend the login"}]);
    let create = json!({"organization_id": ORGANIZATION, "content": content});
    let chat = asker.ask(201, "POST", "/api/experimental/chats", &create);
    let agent = json!({"user": "me", "agent_id": chat["id"]});
    caller.until(&agent, "busy");
    let mut input = agent.clone();
    input["input_text"] = "And the logout".into();
    caller.call("send_input_to_agent", input);
    caller.call("get_agent_execution_logs", agent.clone());
    caller.call("get_agent_diff", agent.clone());
    caller.call("pause_agent", agent.clone());
    caller.call("delete_agent_workspace", json!({"workspace_id": chat["id"], "force": true}));
}

fn workspace(caller: &mut Caller, asker: &mut Asker) {
    let create = json!({
        "name": "bench", "template_id": "7e3b1a10-0000-4000-8000-000000000003",
        "rich_parameter_values": [{"name": "region", "value": "eu"}],
    });
    let made = asker.ask(201, "POST", "/api/v2/users/me/workspaces", &create);
    let agent = json!({"user": "me", "agent_id": made["id"]});
    caller.until(&agent, "running");
    caller.call("get_agent_execution_logs", agent.clone());
    caller.call("pause_agent", agent.clone());
    caller.until(&agent, "stopped");
    caller.call("resume_agent", agent.clone());
    caller.until(&agent, "running");
    caller.call("delete_agent_workspace", json!({"workspace_id": made["id"]}));
}

/// What is refused is answered in Coder's own way as well.
fn refusals(caller: &mut Caller) {
    let nobody = json!({"user": "me", "agent_id": "nobody"});
    for tool in ["get_agent_details_by_id", "get_agent_execution_logs", "pause_agent"] {
        assert!(caller.fails(tool, nobody.clone()).starts_with("AGENT_NOT_FOUND"));
    }
    let twice = order("fix-login");
    assert!(caller.fails("create_new_agent_task", twice).contains("`fix-login`"));
    for template in ["plain", "retired", "broken", "nowhere"] {
        let mut order = order("never");
        order["template_name"] = template.into();
        assert!(caller.fails("create_new_agent_task", order).contains(template));
    }
}

//! Agents are told more, paused, resumed, looked into and deleted, whatever they are in Coder.

use serde_json::{Value, json};

use super::{fleet, work};
use crate::support::{
    Host, LEGACY,
    coder::{BUSY, Coder, Generation, Turn},
    failure,
};

/// The workspace of the task that works, and the one of the task that is paused.
const AT_WORK: &str = "9a0b1c2d-0000-4000-8000-000000000002";
const AT_REST: &str = "9a0b1c2d-0000-4000-8000-000000000003";

fn input(agent: &str, text: &str) -> Value {
    json!({"user": "ann", "agent_id": agent, "input_text": text})
}

/// A chat of ann's that has had its turns.
fn chat(host: &mut Host, coder: &Coder) -> String {
    coder.next_turns(&[Turn::Running, Turn::Says("Done."), Turn::Waiting]);
    let order = json!({"user": "me", "prompt": "Mend it", "workspace_name": "fix-login"});
    let made = host.call("create_new_agent_task", order)["structuredContent"]["data"].clone();
    made["id"].as_str().unwrap().to_owned()
}

#[test]
fn an_agent_that_waits_is_told_more() {
    let Some((coder, mut host)) = fleet(Generation::Tasks) else { return };
    let sent = host.call(
        "send_input_to_agent",
        json!({"user": "bob", "agent_id": "docs", "input_text": " Try again "}),
    );
    let sent = &sent["structuredContent"];
    assert_eq!(
        (&sent["data"], &sent["message"]),
        (&json!({"status": "sent"}), &json!("Input sent to agent docs"))
    );
    assert_eq!(coder.requests().last().unwrap().body, json!({"input": "Try again"}));
    let told = failure(&host.call("send_input_to_agent", input("upgrade", "go on")));
    assert_eq!(told, "CODER_API_ERROR: Coder cannot do it at the moment: Task is paused.");
    let told = failure(&host.call("send_input_to_agent", input("nobody", "go on")));
    assert!(told.starts_with("AGENT_NOT_FOUND: "), "{told}");
    coder.forget();
    let told = host.call("send_input_to_agent", input(BUSY, " "));
    assert_eq!(told["structuredContent"]["details"]["field"], "input_text");
    assert_eq!(coder.requests().len(), 0);
}

#[test]
fn a_task_is_paused_and_resumed() {
    for generation in [Generation::Older, Generation::Tasks] {
        let Some((coder, mut host)) = fleet(generation) else { return };
        let paused = host.call("pause_agent", work(BUSY))["structuredContent"].clone();
        assert_eq!(
            (&paused["success"], &paused["data"]["transition"]),
            (&json!(true), &json!("stop")),
            "{paused}"
        );
        for _ in 0..3 {
            host.call("get_agent_details_by_id", work(BUSY));
        }
        let shown = host.call("get_agent_details_by_id", work(BUSY))["structuredContent"].clone();
        assert_eq!(shown["data"]["status"], "stopped", "{shown}");
        let resumed = host.call("resume_agent", work(BUSY))["structuredContent"].clone();
        assert_eq!(resumed["data"]["transition"], "start", "{resumed}");
        assert_eq!(coder.count("POST", ""), if generation == Generation::Older { 4 } else { 2 });
    }
}

#[test]
fn a_chat_is_interrupted_and_told_on() {
    let Some((coder, mut host)) = fleet(Generation::Chats) else { return };
    let id = chat(&mut host, &coder);
    let paused = host.call("pause_agent", work(&id))["structuredContent"].clone();
    assert_eq!(paused["success"], true, "{paused}");
    let told = failure(&host.call("resume_agent", work(&id)));
    assert!(told.contains("`send_input_to_agent`"), "{told}");
    let sent = host.call("send_input_to_agent", input(&id, "go on"))["structuredContent"].clone();
    assert_eq!(sent["data"]["status"], "sent", "{sent}");
    let logs = host.call("get_agent_execution_logs", work(&id))["structuredContent"].clone();
    assert_eq!(logs["data"][0]["message"], "Mend it", "{logs}");
    assert_eq!(logs["data"][0]["metadata"]["type"], "input", "{logs}");
    let told =
        failure(&host.call("get_agent_details_by_id", json!({"user": "bob", "agent_id": id})));
    assert!(told.starts_with("AGENT_NOT_FOUND: "), "it is not his: {told}");
}

#[test]
fn what_a_chat_changed_is_shown_and_of_others_it_is_not_known() {
    let Some((coder, mut host)) = fleet(Generation::Chats) else { return };
    let id = chat(&mut host, &coder);
    let shown = host.call("get_agent_diff", work(&id))["structuredContent"].clone();
    assert!(shown["data"]["diff"].as_str().unwrap().contains("diff --git"), "{shown}");
    coder.turn(Generation::Tasks);
    let told = failure(&host.call("get_agent_diff", work(BUSY)));
    assert!(told.starts_with("CODER_API_ERROR: Coder does not tell what a task changed"), "{told}");
    let told = failure(&host.call("get_agent_diff", work("nobody")));
    assert!(told.starts_with("AGENT_NOT_FOUND: "), "{told}");
}

#[test]
fn a_plain_workspace_is_an_agent_where_there_is_nothing_else() {
    let Some((coder, mut host)) = fleet(Generation::Floor) else { return };
    let listed = host.call("list_all_agents", json!({"user": "ann"}))["structuredContent"].clone();
    assert_eq!(
        (&listed["total"], &listed["result"][0]["metadata"]["kind"]),
        (&json!(2), &json!("workspace"))
    );
    let shown =
        host.call("get_agent_details_by_id", work("fix-login"))["structuredContent"].clone();
    assert_eq!(
        (&shown["data"]["id"], &shown["data"]["connected"]),
        (&json!(AT_WORK), &json!(true)),
        "{shown}"
    );
    let logs = host.call("get_agent_execution_logs", work(AT_WORK))["structuredContent"].clone();
    assert_eq!(logs["success"], true, "{logs}");
    let told = failure(&host.call("send_input_to_agent", input(AT_WORK, "go on")));
    assert!(told.starts_with("CODER_API_ERROR: it is a workspace without"), "{told}");
    host.call("pause_agent", work("fix-login"));
    assert_eq!(coder.requests().last().unwrap().body, json!({"transition": "stop"}));
}

#[test]
fn who_is_at_work_is_deleted_by_force_only() {
    let Some((coder, mut host)) = fleet(Generation::Tasks) else { return };
    let told = host.call("delete_agent_workspace", json!({"workspace_id": AT_WORK}));
    assert!(failure(&told).starts_with("CONFLICT: the agent is at work"), "{told}");
    assert_eq!(coder.count("DELETE", "") + coder.count("POST", ""), 0);
    let gone = host.call("delete_agent_workspace", json!({"workspace_id": AT_WORK, "force": true}));
    let gone = &gone["structuredContent"];
    assert_eq!(gone["message"], format!("Workspace {AT_WORK} deletion initiated"));
    assert_eq!(
        (&gone["data"]["workspace_id"], coder.count("DELETE", "/api/v2/tasks/ann/")),
        (&json!(AT_WORK), 1)
    );
    // Again: it is on its way, and then it is gone.
    for _ in 0..4 {
        let again = host.call("delete_agent_workspace", json!({"workspace_id": AT_WORK}));
        assert_eq!(again["structuredContent"]["success"], true, "{again}");
    }
    assert_eq!(coder.count("DELETE", ""), 1);
}

#[test]
fn a_workspace_where_a_chat_is_at_work_is_deleted_by_force_only() {
    let Some((coder, mut host)) = fleet(Generation::Chats) else { return };
    coder.next_turns(&[
        Turn::Running,
        Turn::Says("One."),
        Turn::Says("Two."),
        Turn::Says("Three."),
    ]);
    let order = json!({"user": "me", "prompt": "Mend it", "workspace_name": "upgrade"});
    let made = host.call("create_new_agent_task", order)["structuredContent"]["data"].clone();
    let shown = host.call("get_agent_details_by_id", work(made["id"].as_str().unwrap()));
    assert_eq!(shown["structuredContent"]["data"]["status"], "busy", "{shown}");
    let told = host.call("delete_agent_workspace", json!({"workspace_id": AT_REST}));
    assert!(failure(&told).starts_with("CONFLICT: the agent is at work"), "{told}");
    assert_eq!(coder.count("POST", "/api/v2/workspaces/"), 0);
}

#[test]
fn what_is_somebody_elses_is_not_ones_own_by_its_id() {
    let Some((coder, mut host)) = fleet(Generation::Floor) else { return };
    let bobs = "9a0b1c2d-0000-4000-8000-000000000004";
    let told = failure(&host.call("pause_agent", json!({"user": "me", "agent_id": bobs})));
    assert!(told.starts_with("AGENT_NOT_FOUND: "), "{told}");
    assert_eq!(coder.count("POST", ""), 0);
    let shown = host.call("get_agent_details_by_id", json!({"user": "bob", "agent_id": bobs}));
    assert_eq!(shown["isError"], false, "{shown}");
}

#[test]
fn a_task_of_the_first_generation_goes_with_its_workspace() {
    let Some((coder, mut host)) = fleet(Generation::Older) else { return };
    let gone = host.call("delete_agent_workspace", json!({"workspace_id": AT_REST}));
    assert_eq!(gone["structuredContent"]["success"], true, "{gone}");
    assert!(coder.count("DELETE", "") + coder.count("POST", "/api/v2/workspaces/") >= 1);
}

#[test]
fn a_chat_is_archived() {
    let Some((coder, mut host)) = fleet(Generation::Chats) else { return };
    let id = chat(&mut host, &coder);
    let gone = host.call("delete_agent_workspace", json!({"workspace_id": id, "force": true}));
    assert_eq!(gone["structuredContent"]["data"]["archived"], true, "{gone}");
    assert_eq!(coder.requests().last().unwrap().body, json!({"archived": true}));
}

#[test]
fn the_user_is_asked_before_anything_is_deleted() {
    let Some(coder) = super::coder(Generation::Tasks) else { return };
    let mut host = coder.setup().start();
    host.initialize(LEGACY, &json!({"elicitation": {}}));
    let call = json!({"name": "delete_agent_workspace", "arguments": {"workspace_id": AT_REST}});
    for (answer, deleted) in
        [(json!({"action": "decline"}), 0), (json!({"action": "accept", "content": {}}), 1)]
    {
        let id = host.begin("tools/call", call.clone());
        let question = host.note("elicitation/create");
        assert_eq!(
            question["params"]["message"],
            "Delete `upgrade` of ann with all that is in it?"
        );
        assert_eq!(coder.count("DELETE", ""), 0);
        host.send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": answer}));
        let result = host.answer(id)["result"].clone();
        assert_eq!(
            (result["isError"] != true, coder.count("DELETE", "")),
            (deleted == 1, deleted),
            "{result}"
        );
    }
}

#[test]
fn an_id_that_would_lead_elsewhere_deletes_nothing() {
    let Some((coder, mut host)) = fleet(Generation::Tasks) else { return };
    for id in [
        "../../users/me/keys?x=",
        "..",
        "",
        "fix-login",
        "%2e%2e%2f",
        "9a0b1c2d-0000-4000-8000-00000000000g",
    ] {
        let result =
            host.call("delete_agent_workspace", json!({"workspace_id": id, "force": true}));
        assert_eq!(result["structuredContent"]["details"]["field"], "workspace_id", "{result}");
    }
    let told = failure(&host.call(
        "delete_agent_workspace",
        json!({"workspace_id": "00000000-0000-4000-8000-000000000000"}),
    ));
    assert!(told.starts_with("WORKSPACE_NOT_FOUND: "), "{told}");
    assert_eq!(coder.requests().iter().filter(|it| it.method != "GET").count(), 0);
}

//! Tasks of the protocol's second era, from their beginning to their end.

use serde_json::{Value, json};

use super::{TASKS, begin, get, open, run, task_with, with_tasks, worker};
use crate::support::{LEGACY, Setup, failure, refusal};

#[test]
fn only_the_second_era_hears_of_tasks() {
    let mut host = with_tasks(worker());
    let capabilities = host.request("server/discover", json!({}))["result"]["capabilities"].clone();
    assert_eq!(capabilities["extensions"], json!({TASKS: {}}), "{capabilities}");
    assert_eq!(capabilities.get("tasks"), None, "{capabilities}");

    let mut host = worker().start();
    let hello = host.initialize(LEGACY, &json!({"extensions": {TASKS: {}}}));
    assert_eq!(hello["result"]["capabilities"].get("extensions"), None, "{hello}");
    let result = host.request("tools/call", run(&json!([])))["result"].clone();
    assert_eq!(result["structuredContent"]["attempt"], 1, "{result}");
    let answer = host.request("tasks/get", json!({"taskId": "j_0"}));
    assert_eq!(refusal(&answer), "-32601: there are no tasks in this version of the protocol");
}

#[test]
fn a_call_becomes_a_task_where_its_client_said_so_and_nowhere_else() {
    let mut host = with_tasks(worker());
    let created = host.request("tools/call", run(&json!([])))["result"].clone();
    assert_eq!(created["resultType"], "task", "{created}");
    host.capabilities = json!({});
    let result = host.request("tools/call", run(&json!([])))["result"].clone();
    assert_eq!(result["resultType"], "complete", "{result}");
    assert_eq!(result["structuredContent"]["attempt"], 1, "{result}");
    for method in ["tasks/get", "tasks/cancel", "tasks/update"] {
        let parameters = json!({"taskId": created["taskId"], "inputResponses": {}});
        let answer = host.request(method, parameters);
        assert_eq!(answer["error"]["code"], -32021, "{method}: {answer}");
    }
}

#[test]
fn a_task_goes_from_working_to_its_result() {
    let mut host = with_tasks(worker());
    let created = host.request("tools/call", run(&json!([{"report": 3.0}, {"pass": "go"}])));
    let created = created["result"].clone();
    let id = created["taskId"].as_str().unwrap();
    assert_eq!(created["ttlMs"], 7 * 24 * 60 * 60 * 1000, "{created}");
    for absent in ["requestState", "result", "error", "inputRequests", "task"] {
        assert_eq!(created.get(absent), None, "{created}");
    }
    let mut working = get(&mut host, id);
    while working["statusMessage"] != "step 3" {
        assert_eq!(working["status"], "working", "{working}");
        working = get(&mut host, id);
    }
    open(&mut host, "go");
    let done = task_with(&mut host, id, "completed");
    assert_eq!(done["result"]["structuredContent"]["attempt"], 1, "{done}");
    assert_eq!(done["result"].get("isError"), Some(&json!(false)), "{done}");
    assert_eq!((&done["taskId"], &done["createdAt"]), (&created["taskId"], &created["createdAt"]));
    assert!(done["lastUpdatedAt"].as_str() >= created["lastUpdatedAt"].as_str(), "{done}");
}

#[test]
fn a_failure_of_the_tool_is_a_result_and_a_crash_is_none() {
    let mut host = with_tasks(worker());
    let id = begin(&mut host, &json!([{"fail": "no luck"}]));
    let failed = task_with(&mut host, &id, "completed");
    assert_eq!(failure(&failed["result"]), "FAILED: no luck");

    let id = begin(&mut host, &json!([{"crash": null}]));
    let crashed = task_with(&mut host, &id, "failed");
    assert_eq!(crashed["error"]["code"], -32603, "{crashed}");
    assert!(crashed["error"]["message"].as_str().unwrap().contains("worker"), "{crashed}");
    assert_eq!(crashed.get("result"), None, "{crashed}");
}

#[test]
fn cancelling_ends_a_task_and_cancelling_again_is_the_same() {
    let mut host = with_tasks(worker());
    let id = begin(&mut host, &json!([{"pass": "never"}]));
    for _ in 0..2 {
        let ack = host.request("tasks/cancel", json!({"taskId": id}))["result"].clone();
        let mut fields = ack.as_object().unwrap().clone();
        fields.remove("_meta");
        assert_eq!(Value::Object(fields), json!({"resultType": "complete"}), "{ack}");
    }
    assert_eq!(get(&mut host, &id)["status"], "cancelled");
}

#[test]
fn a_task_outlives_a_host_that_is_killed() {
    let mut host = with_tasks(worker());
    let id = begin(&mut host, &json!([{"mark": "began"}, {"pass": "go"}]));
    while host.call("work_marks", json!({}))["structuredContent"]["marks"] == json!([]) {}
    host.signal("-KILL");
    host.wait();
    let mut host = with_tasks(host.restart());
    assert_eq!(get(&mut host, &id)["status"], "working");
    open(&mut host, "go");
    let done = task_with(&mut host, &id, "completed");
    assert_eq!(done["result"]["structuredContent"]["attempt"], 2, "{done}");
}

#[test]
fn what_a_call_asks_comes_before_its_task() {
    let mut host = with_tasks(worker());
    let mut call = run(&json!([]));
    call["arguments"]["confirm"] = true.into();
    let asked = host.request("tools/call", call.clone())["result"].clone();
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    assert_eq!(asked.get("taskId"), None, "{asked}");
    call["requestState"] = asked["requestState"].clone();
    call["inputResponses"] = json!({"confirm": {"action": "accept", "content": {}}});
    let created = host.request("tools/call", call)["result"].clone();
    assert_eq!(created["resultType"], "task", "{created}");
    assert_eq!(created.get("requestState"), None, "{created}");
    let id = created["taskId"].as_str().unwrap();
    task_with(&mut host, id, "completed");
}

#[test]
fn a_tool_that_needs_tasks_is_refused_where_there_are_none() {
    let config = "[plugins.conformance.grants]\njobs = true\n";
    let setup = || Setup::new().plugins(&["conformance"]).config(config);
    for mut host in [setup().modern(), setup().legacy()] {
        let answer = host.request("tools/call", json!({"name": "failing_job", "arguments": {}}));
        assert_eq!(answer["error"]["code"], -32021, "{answer}");
        let needed = &answer["error"]["data"]["requiredCapabilities"]["extensions"];
        assert_eq!(needed, &json!({TASKS: {}}), "{answer}");
    }
}

#[test]
fn a_tool_that_may_come_to_a_job_promises_no_shape_of_its_result() {
    let mut host = with_tasks(worker());
    let tools = host.request("tools/list", json!({}))["result"]["tools"].clone();
    let tool = |name: &str| {
        tools.as_array().unwrap().iter().find(|tool| tool["name"] == name).unwrap().clone()
    };
    assert_eq!(tool("work_run").get("outputSchema"), None);
    assert!(tool("job_status").get("outputSchema").is_some());
}

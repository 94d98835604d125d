//! Jobs of somebody else: they are not there, whichever face is asked.

use expect_test::expect;
use serde_json::{Value, json};

use super::{GRANTS, TASKS, begin, submit, with_tasks, worker};
use crate::{
    access,
    support::{
        MODERN, Setup, failure,
        http::{Answer, HttpHost},
        refusal, text_of,
    },
};

/// A request of a client that knows of tasks, with the headers that belong to it.
fn request(host: &HttpHost, method: &str, mut parameters: Value, name: &str) -> Answer {
    parameters["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {"extensions": {TASKS: {}}},
    });
    let version = format!("MCP-Protocol-Version: {MODERN}");
    let (method_header, name) = (format!("Mcp-Method: {method}"), format!("Mcp-Name: {name}"));
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters});
    host.post(&message, &[&version, &method_header, &name])
}

fn tool(host: &HttpHost, name: &str, arguments: &Value) -> Value {
    let parameters = json!({"name": name, "arguments": arguments});
    request(host, "tools/call", parameters, name).message()["result"].clone()
}

/// What every face says of a job, with its id left out.
fn told(host: &HttpHost, id: &str) -> Vec<String> {
    let mut told = Vec::new();
    for method in ["tasks/get", "tasks/cancel", "tasks/update"] {
        let parameters = json!({"taskId": id, "inputResponses": {}});
        told.push(refusal(&request(host, method, parameters, id).message()));
    }
    for name in ["job_status", "job_wait", "job_log", "job_result", "job_cancel"] {
        told.push(failure(&tool(host, name, &json!({"job_id": id}))));
    }
    for part in ["log", "result"] {
        let uri = format!("job://{id}/{part}");
        let answer = request(host, "resources/read", json!({"uri": uri}), &uri);
        told.push(refusal(&answer.message()));
    }
    told.into_iter().map(|text| text.replace(id, "ID")).collect()
}

#[test]
fn a_job_of_another_caller_is_as_unknown_as_one_that_never_was() {
    let mut local = with_tasks(worker());
    let task = begin(&mut local, &json!([{"text": 5}]));
    let job = submit(&mut local, &json!([{"pass": "never"}]));
    super::task_with(&mut local, &task, "completed");
    let mut host = local.restart().http();
    let somebody = access::key(&host.setup, "somebody", &["admin"]);
    host.speak_as(&somebody);
    let unknown = told(&host, "j_00000000-0000-4000-8000-000000000000");
    assert_eq!(told(&host, &task), unknown);
    assert_eq!(told(&host, &job), unknown);
    assert_eq!(unknown[0], "-32602: there is no task `ID`");
    assert_eq!(unknown[3], "NOT_FOUND: there is no job `ID`");
    let listed = tool(&host, "job_list", &json!({}));
    assert_eq!(listed["structuredContent"]["jobs"], json!([]));
    let resources = host.request("resources/list", json!({})).message();
    assert_eq!(resources["result"]["resources"], json!([]), "{resources}");

    // Nobody ended what was not theirs.
    let mut local = with_tasks(host.end().0);
    assert_eq!(super::get(&mut local, &job)["status"], "working");
}

#[test]
fn a_tool_comes_to_a_job_of_its_own_plugin_and_says_that_it_may() {
    let setup = Setup::new().plugins(&["worker", "nonsense"]).config(GRANTS);
    let mut host = with_tasks(setup);
    let id = begin(&mut host, &json!([]));
    super::task_with(&mut host, &id, "completed");
    let told = failure(&host.call("borrowed", json!({"id": id}))).replace(&id, "ID");
    assert_eq!(told, "NOT_FOUND: there is no job `ID`");
    let told = failure(&host.call("unannounced", json!({})));
    expect!["OTHER: tool `unannounced` of plugin `nonsense` broke its word: it came to a job, and does not say that it may"].assert_eq(&told);
}

#[test]
fn the_headers_of_a_request_name_its_task() {
    let host = worker().http();
    let arguments = json!({"plan": {"steps": [{"pass": "never"}]}});
    let created = tool(&host, "work_run", &arguments);
    let id = created["taskId"].as_str().unwrap();
    assert_eq!(request(&host, "tasks/get", json!({"taskId": id}), id).status, 200);
    for method in ["tasks/get", "tasks/cancel", "tasks/update"] {
        let parameters = json!({"taskId": id, "inputResponses": {}});
        let answer = request(&host, method, parameters, "j_other");
        assert_eq!((answer.status, &answer.message()["error"]["code"]), (400, &json!(-32020)));
    }
    let listed = tool(&host, "job_list", &json!({}));
    assert_eq!(listed["structuredContent"]["jobs"][0]["state"], "running", "{}", text_of(&listed));
}

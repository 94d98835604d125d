//! The host's own tools for jobs, the same for all plugins and both eras.

use expect_test::expect;
use serde_json::{Value, json};

use super::{ERAS, GRANTS, job_in, open, status, submit, worker};
use crate::support::{Host, LEGACY, Setup, failure};

const OWN: [&str; 6] =
    ["job_cancel", "job_list", "job_log", "job_result", "job_status", "job_wait"];

/// Those of the host's tools that a client sees.
fn own(host: &mut Host) -> Vec<String> {
    host.tools().into_iter().filter(|name| name.starts_with("job_")).collect()
}

#[test]
fn they_are_there_where_a_plugin_may_have_jobs() {
    assert_eq!(own(&mut Setup::new().plugins(&["echo"]).modern()), [""; 0]);
    assert_eq!(own(&mut worker().modern()), OWN);
    let config = format!("[server]\nread_only = true\n{GRANTS}");
    let mut host = Setup::new().plugins(&["worker"]).config(&config).modern();
    assert_eq!(own(&mut host), OWN[1..]);
    let config = format!("[server]\nexclude_tools = [\"job_log\"]\n{GRANTS}");
    let mut host = Setup::new().plugins(&["worker"]).config(&config).legacy();
    assert_eq!(own(&mut host).len(), OWN.len() - 1);
    let answer =
        host.request("tools/call", json!({"name": "job_log", "arguments": {"job_id": "j"}}));
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
}

#[test]
fn the_meta_tools_find_them() {
    let config = format!("[server]\nmeta_tools = true\n{GRANTS}");
    let mut host = Setup::new().plugins(&["worker"]).config(&config).modern();
    let found = host.call("tools_search", json!({"words": "job_wait"}));
    assert_eq!(found["structuredContent"]["tools"][0]["name"], "job_wait", "{found}");
    let id = submit(&mut host, &json!([]));
    let call = json!({"name": "job_wait", "arguments": {"job_id": id}});
    assert_eq!(host.call("tools_call", call)["structuredContent"]["state"], "completed");
}

#[test]
fn jobs_are_listed_the_latest_first_and_page_by_page() {
    for start in ERAS {
        let mut host = start(worker());
        let ids: Vec<_> = (0..3).map(|_| submit(&mut host, &json!([]))).collect();
        let waiting = submit(&mut host, &json!([{"pass": "never"}]));
        for id in &ids {
            job_in(&mut host, id, "completed");
        }
        let mut listed = |arguments: Value| {
            let page = host.call("job_list", arguments)["structuredContent"].clone();
            let jobs = page["jobs"].as_array().unwrap().iter();
            let ids: Vec<_> = jobs.map(|job| job["job_id"].as_str().unwrap().to_owned()).collect();
            (ids, page["next"].clone())
        };
        let (first, next) = listed(json!({"state": "completed", "limit": 2}));
        assert_eq!((&first, &next), (&vec![ids[2].clone(), ids[1].clone()], &json!(ids[1])));
        let (second, next) = listed(json!({"state": "completed", "limit": 2, "after": next}));
        assert_eq!((second, next), (vec![ids[0].clone()], Value::Null));
        job_in(&mut host, &waiting, "running");
    }
}

#[test]
fn a_job_is_looked_at_waited_for_and_fetched() {
    for start in ERAS {
        let mut host = start(worker());
        let steps = json!([{"say": "one"}, {"say": "two"}, {"report": 4.0}, {"pass": "go"}]);
        let id = submit(&mut host, &steps);
        let waited = host.call("job_wait", json!({"job_id": id, "seconds": 0}));
        assert!(!waited["structuredContent"]["state"].as_str().unwrap().is_empty(), "{waited}");
        while status(&mut host, &id)["message"] != "step 4" {}
        let job = status(&mut host, &id);
        assert_eq!((&job["state"], &job["plugin"]), (&json!("running"), &json!("worker")));
        assert_eq!(job["progress"], json!({"done": 4.0, "total": 10.0}));
        let early = host.call("job_result", json!({"job_id": id}));
        let told = failure(&early).replace(&id, "ID");
        expect!["CONFLICT: the job `ID` has no result yet: it is `running`; `job_wait` waits for its end"].assert_eq(&told);
        open(&mut host, "go");
        let waited = host.call("job_wait", json!({"job_id": id}))["structuredContent"].clone();
        assert_eq!(waited["state"], "completed", "{waited}");
        let result = host.call("job_result", json!({"job_id": id}))["structuredContent"].clone();
        assert_eq!((&result["job_id"], &result["result"]["attempt"]), (&json!(id), &json!(1)));
        let log = host.text("job_log", json!({"job_id": id, "tail_lines": 2}));
        let lines: Vec<_> = log.lines().collect();
        assert_eq!(lines.len(), 2, "{log}");
        assert!(lines[0].ends_with("info two") && lines[1].ends_with("host completed"), "{log}");
    }
}

#[test]
fn a_job_that_failed_says_why_and_one_that_was_canceled_that_it_was() {
    let mut host = worker().modern();
    let id = submit(&mut host, &json!([{"fail": "no luck"}]));
    let failed = job_in(&mut host, &id, "failed");
    assert_eq!(failed["error"], json!({"code": "FAILED", "message": "no luck"}));
    assert_eq!(failure(&host.call("job_result", json!({"job_id": id}))), "FAILED: no luck");
    let id = submit(&mut host, &json!([{"pass": "never"}]));
    for _ in 0..2 {
        let canceled = host.call("job_cancel", json!({"job_id": id}))["structuredContent"].clone();
        assert_eq!(canceled["state"], "canceled", "{canceled}");
    }
    let told = failure(&host.call("job_result", json!({"job_id": id})));
    assert_eq!(told.replace(&id, "ID"), "FAILED: the job `ID` was canceled");
}

#[test]
fn waiting_puts_what_a_job_asks_to_a_first_era_user() {
    let mut host = worker().start();
    host.initialize(LEGACY, &json!({"elicitation": {}}));
    let id = submit(&mut host, &json!([{"ask": ["name"]}]));
    let wait = json!({"name": "job_wait", "arguments": {"job_id": id}});
    let call = host.begin("tools/call", wait);
    for content in [json!({"value": 7}), json!({"value": "Ann"})] {
        let question = host.note("elicitation/create");
        assert_eq!(question["params"]["message"], "name?", "{question}");
        let answer = json!({"action": "accept", "content": content});
        host.send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": answer}));
    }
    assert_eq!(host.answer(call)["result"]["structuredContent"]["state"], "completed");
    let result = host.call("job_result", json!({"job_id": id}))["structuredContent"].clone();
    assert_eq!(result["result"]["name"], json!({"value": "Ann"}), "{result}");
}

#[test]
fn waiting_hands_what_a_job_asks_to_a_second_era_client() {
    let mut host = worker().modern();
    host.capabilities = json!({"elicitation": {"form": {}}});
    let id = submit(&mut host, &json!([{"ask": ["name"]}]));
    let call = json!({"name": "job_wait", "arguments": {"job_id": id}});
    let asked = host.request("tools/call", call.clone())["result"].clone();
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let yes = json!({"name": {"action": "accept", "content": {"value": "Ann"}}});

    // Without the state they answer nothing: nobody was asked.
    let mut answered = call.clone();
    answered["inputResponses"] = yes.clone();
    let again = host.request("tools/call", answered.clone())["result"].clone();
    assert_eq!(again["resultType"], "input_required", "{again}");
    assert_eq!(status(&mut host, &id)["state"], "input_required");

    // Nor do they with the state of another job's question.
    let other = submit(&mut host, &json!([{"ask": ["name"]}]));
    let moved = json!({"name": "job_wait", "arguments": {"job_id": other}, "inputResponses": yes, "requestState": asked["requestState"]});
    assert_eq!(host.request("tools/call", moved)["error"]["code"], -32602);

    answered["requestState"] = again["requestState"].clone();
    let done = host.request("tools/call", answered)["result"].clone();
    assert_eq!(done["structuredContent"]["state"], "completed", "{done}");
    let result = host.call("job_result", json!({"job_id": id}))["structuredContent"].clone();
    assert_eq!(result["result"]["name"], json!({"value": "Ann"}), "{result}");
}

#[test]
fn a_client_that_cannot_be_asked_reads_what_a_job_asks() {
    for start in ERAS {
        let mut host = start(worker());
        let id = submit(&mut host, &json!([{"ask": ["name"]}]));
        let waited = host.call("job_wait", json!({"job_id": id}))["structuredContent"].clone();
        assert_eq!(waited["state"], "input_required", "{waited}");
        assert_eq!(waited["asks"][0]["name"], "name", "{waited}");
        assert_eq!(waited["asks"][0]["message"], "name?", "{waited}");
        assert!(waited["advice"].as_str().unwrap().contains("cannot be asked"), "{waited}");
    }
}

#[test]
fn they_are_called_and_listed_without_a_client() {
    let mut host = worker().modern();
    let id = submit(&mut host, &json!([]));
    job_in(&mut host, &id, "completed");
    let setup = host.restart();
    let told = |output: std::process::Output| {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let listed = told(setup.run(&["call", "job_list", "--json"]));
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["structured"]["jobs"][0]["job_id"], json!(id), "{listed}");
    let tools = told(setup.run(&["tools"]));
    assert!(OWN.iter().all(|name| tools.contains(name)), "{tools}");
}

#[test]
fn no_plugin_takes_their_names() {
    let config = "[plugins.echo]\nprefix = \"job_\"\n";
    let told = Setup::new().plugins(&["echo"]).config(config).run(&["tools"]);
    let told = String::from_utf8_lossy(&told.stderr);
    assert!(told.contains("the tool name `job_wait` is the host's own; set a `prefix`"), "{told}");
}

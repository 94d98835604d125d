//! A call that came to a job, of a client that knows of no tasks: it waits, and the job goes on without it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{ERAS, GRANTS, job_in, open, run, worker};
use crate::support::{Setup, failure, text_of};

#[test]
fn a_call_waits_for_its_job_and_hears_of_its_progress() {
    for start in ERAS {
        let mut host = start(worker());
        let mut call = run(&json!([{"report": 1.0}, {"pass": "go"}, {"report": 2.0}]));
        call["_meta"] = json!({"progressToken": "token"});
        let id = host.begin("tools/call", call);
        let first = host.note("notifications/progress");
        assert_eq!(first["params"]["message"], "step 1", "{first}");
        assert_eq!(first["params"]["total"], 10.0, "{first}");
        open(&mut host, "go");
        let result = host.answer(id)["result"].clone();
        assert_eq!(result["structuredContent"]["attempt"], 1, "{result}");
    }
}

#[test]
fn a_call_that_waits_fails_as_its_job_does() {
    for start in ERAS {
        let mut host = start(worker());
        let result = host.request("tools/call", run(&json!([{"fail": "no luck"}])));
        assert_eq!(failure(&result["result"]), "FAILED: no luck");
    }
}

#[test]
fn a_job_outlives_the_call_that_waits_for_it() {
    for start in ERAS {
        let mut host = start(worker());
        let call = host.begin("tools/call", run(&json!([{"mark": "began"}, {"pass": "go"}])));
        let mut jobs = Value::Null;
        // From then on the call only waits.
        while jobs[0]["tool"] != "work_run" {
            jobs = host.call("job_list", json!({}))["structuredContent"]["jobs"].clone();
        }
        let id = jobs[0]["job_id"].as_str().unwrap().to_owned();
        let parameters = json!({"requestId": call});
        host.send(
            &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": parameters}),
        );
        open(&mut host, "go");
        job_in(&mut host, &id, "completed");
        let rest = host.rest();
        assert!(!rest.iter().any(|message| message["id"] == call), "{rest:?}");
    }
}

#[test]
fn a_call_is_answered_before_its_client_gives_up() {
    let mut hosts = ERAS.map(|start| start(worker()));
    let begun = Instant::now();
    let calls =
        hosts.each_mut().map(|host| host.begin("tools/call", run(&json!([{"pass": "go"}]))));
    for (host, call) in hosts.iter_mut().zip(calls) {
        let handle = host.answer(call)["result"]["structuredContent"].clone();
        assert!(begun.elapsed() >= Duration::from_secs(40), "{handle}");
        assert_eq!(handle["state"], "running", "{handle}");
        open(host, "go");
        let waited = host.call("job_wait", json!({"job_id": handle["job_id"]}));
        assert_eq!(waited["structuredContent"]["state"], "completed", "{waited}");
    }
}

#[test]
fn a_call_whose_job_asks_says_how_to_go_on() {
    for start in ERAS {
        let mut host = start(worker());
        let result = host.request("tools/call", run(&json!([{"ask": ["name"]}])))["result"].clone();
        let handle = &result["structuredContent"];
        assert_eq!(handle["state"], "input_required", "{result}");
        assert!(text_of(&result).contains("job_wait"), "{result}");
        let id = handle["job_id"].as_str().unwrap().to_owned();
        job_in(&mut host, &id, "input_required");
    }
}

#[test]
fn who_waits_for_a_job_takes_nobody_s_place() {
    let config = format!("[server]\nconcurrent_calls = 1\n{GRANTS}");
    let mut host = Setup::new().plugins(&["worker"]).config(&config).modern();
    let call = host.begin("tools/call", run(&json!([{"pass": "go"}])));
    let mut opened = String::new();
    while opened != "open" {
        // The first call has its place until there is a job.
        opened = host.text("work_open", json!({"gate": "go"}));
    }
    assert_eq!(host.answer(call)["result"]["structuredContent"]["attempt"], 1);
}

//! Jobs that run at once for one caller.

use serde_json::{Value, json};

use super::{Caller, killed};
use crate::support::{Setup, http::HttpHost, text_of, until};

const CONFIG: &str = "
[access.roles.narrow]
allow = ['*']
quota = { running_jobs = 1 }
[plugins.worker.grants]
store = true
jobs = true
";

fn submit(caller: &Caller, host: &HttpHost, steps: Value) -> String {
    let result = caller.call(host, "work_submit", json!({"plan": {"steps": steps}}));
    assert_eq!(result["isError"], false, "{result}");
    text_of(&result)
}

fn status(caller: &Caller, host: &HttpHost, id: &str) -> Value {
    caller.call(host, "job_status", json!({"job_id": id}))["structuredContent"].clone()
}

fn states(caller: &Caller, host: &HttpHost, ids: &[String]) -> Vec<String> {
    let state = |id: &String| status(caller, host, id)["state"].as_str().unwrap().to_owned();
    ids.iter().map(state).collect()
}

#[test]
fn further_jobs_wait_and_say_how_many_are_before_them_also_after_a_crash() {
    let host = Setup::new().plugins(&["worker"]).config(CONFIG).http();
    let [ann, bob] = ["ann", "bob"].map(|name| Caller::new(&host.setup, name, &["narrow"]));
    let gate = json!([{"pass": "gate"}]);
    let ids: Vec<_> = (0..3).map(|_| submit(&ann, &host, gate.clone())).collect();
    until("one runs", || states(&ann, &host, &ids)[0] == "running");
    let other = submit(&bob, &host, json!([]));
    until("another one's is done", || status(&bob, &host, &other)["state"] == "completed");
    assert_eq!(states(&ann, &host, &ids), ["running", "queued", "queued"]);
    let before = |host: &HttpHost, id: &str| status(&ann, host, id)["jobs_before"].clone();
    assert_eq!([before(&host, &ids[1]), before(&host, &ids[2])], [json!(0), json!(1)]);
    assert_eq!(before(&host, &ids[0]), Value::Null);

    let host = killed(host);
    // Nobody has said with which roles they come: it is known from before.
    until("one runs again", || states(&ann, &host, &ids)[0] == "running");
    let other = submit(&bob, &host, json!([]));
    until("another one's is done", || status(&bob, &host, &other)["state"] == "completed");
    assert_eq!(states(&ann, &host, &ids), ["running", "queued", "queued"]);
    assert_eq!(before(&host, &ids[2]), json!(1));
    ann.call(&host, "work_open", json!({"gate": "gate"}));
    until("all are done", || states(&ann, &host, &ids).iter().all(|state| state == "completed"));
}

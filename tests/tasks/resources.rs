//! Jobs as resources: their logs while they run, and their results.

use serde_json::{Value, json};

use super::{ERAS, job_in, open, submit, worker};
use crate::support::{Host, Setup, refusal};

const UPDATED: &str = "notifications/resources/updated";

fn read(host: &mut Host, uri: &str) -> Value {
    let answer = host.request("resources/read", json!({"uri": uri}));
    answer["result"]["contents"][0].clone()
}

#[test]
fn a_job_s_log_and_result_are_listed_and_read() {
    for start in ERAS {
        let mut host = start(worker());
        let id = submit(&mut host, &json!([{"say": "here"}, {"text": 3}]));
        job_in(&mut host, &id, "completed");
        let listed = host.request("resources/list", json!({}))["result"]["resources"].clone();
        let uris: Vec<_> = listed.as_array().unwrap().iter().map(|it| it["uri"].clone()).collect();
        let [log, result] = ["log", "result"].map(|part| format!("job://{id}/{part}"));
        assert_eq!(uris, [json!(log), json!(result)]);
        let text = read(&mut host, &log);
        assert_eq!(text["mimeType"], "text/plain", "{text}");
        assert!(text["text"].as_str().unwrap().contains("info here\n"), "{text}");
        let contents = read(&mut host, &result);
        assert_eq!(
            (&contents["mimeType"], &contents["text"]),
            (&json!("application/json"), &json!("\"xxx\""))
        );
    }
}

#[test]
fn a_job_has_no_result_before_its_end() {
    let mut host = worker().modern();
    let id = submit(&mut host, &json!([{"pass": "never"}]));
    job_in(&mut host, &id, "running");
    let answer = host.request("resources/read", json!({"uri": format!("job://{id}/result")}));
    let told = refusal(&answer).replace(&id, "ID");
    assert!(told.ends_with("the job `ID` has no result: it is `running`"), "{told}");
    let listed = host.request("resources/list", json!({}))["result"]["resources"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
}

#[test]
fn their_families_are_there_where_a_plugin_may_have_jobs() {
    let templates = |mut host: Host| {
        let answer = host.request("resources/templates/list", json!({}));
        let templates = answer["result"]["resourceTemplates"].as_array().unwrap().clone();
        templates.iter().map(|it| it["uriTemplate"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(templates(worker().legacy()), ["job://{id}/log", "job://{id}/result"]);
    assert_eq!(templates(Setup::new().plugins(&["echo"]).legacy()), [""; 0]);
}

#[test]
fn a_first_era_subscriber_hears_of_its_job() {
    let mut host = worker().legacy();
    let id = submit(&mut host, &json!([{"pass": "go"}, {"say": "more"}]));
    let [log, result] = ["log", "result"].map(|part| format!("job://{id}/{part}"));
    for uri in [&log, &result] {
        host.request("resources/subscribe", json!({"uri": uri}));
    }
    open(&mut host, "go");
    let mut heard = Vec::new();
    while !(heard.contains(&json!(log)) && heard.contains(&json!(result))) {
        heard.push(host.note(UPDATED)["params"]["uri"].clone());
    }
    job_in(&mut host, &id, "completed");
}

#[test]
fn a_second_era_subscriber_hears_of_its_job() {
    let mut host = worker().modern();
    let id = submit(&mut host, &json!([{"pass": "go"}, {"say": "more"}]));
    let log = format!("job://{id}/log");
    host.listen(json!({"resourceSubscriptions": [log]}));
    open(&mut host, "go");
    assert_eq!(host.note(UPDATED)["params"]["uri"], json!(log));
}

#[test]
fn what_is_no_job_is_not_found() {
    let mut host = worker().modern();
    for uri in ["job://j_0/log", "job://j_0/result", "job://j_0/other", "job://j_0"] {
        let answer = host.request("resources/read", json!({"uri": uri}));
        assert!(answer.get("error").is_some(), "{uri}: {answer}");
    }
}

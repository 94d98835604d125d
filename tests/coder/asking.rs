//! How Coder is asked: again where that may help, never twice where something is made, over connections that stay.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{coder, fleet, work};
use crate::support::{
    coder::{ALWAYS, BUSY, Fault, Generation, TOKEN},
    failure,
};

const TASK: &str = "/api/v2/tasks/ann/";

fn order(name: &str) -> Value {
    json!({"user": "me", "prompt": "Mend it", "workspace_name": name, "template_name": "tasks-docker"})
}

#[test]
fn what_breaks_off_is_asked_for_again() {
    let Some((coder, mut host)) = fleet(Generation::Tasks) else { return };
    host.call("list_all_agents", json!({}));
    for fault in [Fault::Cut, Fault::CloseBeforeAnswer, Fault::Status(502, None)] {
        coder.forget();
        coder.fault("GET", TASK, 2, fault.clone());
        let told = host.call("get_agent_details_by_id", work(BUSY));
        assert_eq!(told["structuredContent"]["data"]["status"], "busy", "{fault:?}: {told}");
        assert!(coder.count("GET", TASK) >= 3, "{fault:?}");
    }
    // An agent is counted once, however often the list of them broke off.
    coder.fault("GET", "/api/v2/tasks", 2, Fault::Cut);
    let listed = host.call("list_all_agents", json!({}))["structuredContent"].clone();
    assert_eq!(listed["total"], 3, "{listed}");
}

#[test]
fn it_is_asked_again_no_sooner_than_it_says_and_not_for_ever() {
    let Some((coder, mut host)) = fleet(Generation::Tasks) else { return };
    host.call("list_all_agents", json!({}));
    coder.fault("GET", TASK, 1, Fault::Status(429, Some("1")));
    let begin = Instant::now();
    let told = host.call("get_agent_details_by_id", work(BUSY));
    assert_eq!(told["isError"], false, "{told}");
    assert!(begin.elapsed() >= Duration::from_secs(1));
    coder.forget();
    coder.fault("GET", TASK, ALWAYS, Fault::Status(429, Some("3600")));
    let told = failure(&host.call("get_agent_details_by_id", work(BUSY)));
    assert!(told.starts_with("CODER_API_ERROR: Coder was asked too often"), "{told}");
    assert_eq!(coder.count("GET", TASK), 1, "an hour is too long to wait for");
    coder.heal();
    coder.forget();
    coder.fault("GET", TASK, ALWAYS, Fault::Status(503, None));
    failure(&host.call("get_agent_details_by_id", work(BUSY)));
    assert_eq!(coder.count("GET", TASK), 4, "once, and three times more");
}

#[test]
fn patience_and_retries_are_those_of_the_environment() {
    let Some(coder) = coder(Generation::Tasks) else { return };
    let setup = coder.setup().environment("CODER_TIMEOUT", "2");
    let mut host = setup.environment("CODER_MAX_RETRIES", "1").modern();
    assert_eq!(host.call("list_all_agents", json!({}))["isError"], false);
    coder.fault("GET", TASK, ALWAYS, Fault::Hang);
    let told = failure(&host.call("get_agent_details_by_id", work(BUSY)));
    assert_eq!(told, "NETWORK_ERROR: Coder did not answer in time");
    assert_eq!(coder.count("GET", TASK), 2);
    // So is one that begins to answer and stops.
    coder.heal();
    coder.forget();
    coder.fault("GET", TASK, 1, Fault::Stall);
    let told = host.call("get_agent_details_by_id", work(BUSY));
    assert_eq!((told["isError"] != true, coder.count("GET", TASK)), (true, 2), "{told}");
    let setup = coder.setup().environment("CODER_MAX_RETRIES", "many");
    let told = failure(&setup.modern().call("list_all_agents", json!({})));
    assert!(told.contains("`plugins.coder.config.max_retries` (CODER_MAX_RETRIES)"), "{told}");
}

#[test]
fn what_makes_something_is_said_once() {
    let Some(coder) = coder(Generation::Tasks) else { return };
    let mut host = coder.setup().environment("CODER_TIMEOUT", "2").modern();
    host.call("list_all_agents", json!({}));
    let faults = [
        Fault::Cut,
        Fault::CloseBeforeAnswer,
        Fault::Hang,
        Fault::Garbage,
        Fault::Status(500, None),
        Fault::Status(503, Some("0")),
        Fault::Status(429, Some("0")),
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        coder.forget();
        coder.fault("POST", "/api/v2/tasks/me", ALWAYS, fault.clone());
        let made = host.call("create_new_agent_task", order(&format!("w{number}")));
        assert_eq!(made["isError"], true, "{fault:?}: {made}");
        assert_eq!(coder.count("POST", ""), 1, "{fault:?}");
        if matches!(fault, Fault::Cut | Fault::CloseBeforeAnswer | Fault::Hang) {
            let details = &made["structuredContent"]["details"];
            assert_eq!(details["may_have_happened"], true, "{fault:?}: {made}");
        }
        coder.heal();
    }
    coder.forget();
    coder.fault("POST", TASK, ALWAYS, Fault::CloseBeforeAnswer);
    let input = json!({"user": "ann", "agent_id": BUSY, "input_text": "go on"});
    failure(&host.call("send_input_to_agent", input));
    assert_eq!(coder.count("POST", ""), 1);
}

#[test]
fn each_refusal_has_its_code() {
    let Some((coder, mut host)) = fleet(Generation::Tasks) else { return };
    host.call("list_all_agents", json!({}));
    let expected = [
        (401, "AUTHENTICATION_FAILED"),
        (403, "AUTHENTICATION_FAILED"),
        (404, "AGENT_NOT_FOUND"),
        (409, "CODER_API_ERROR"),
        (410, "AGENT_NOT_FOUND"),
        (422, "VALIDATION_ERROR"),
        (500, "CODER_API_ERROR"),
    ];
    for (status, code) in expected {
        coder.fault("GET", TASK, 1, Fault::Status(status, None));
        let told = host.call("get_agent_details_by_id", json!({"user": "ann", "agent_id": BUSY}));
        let told = failure(&told);
        assert!(told.starts_with(&format!("{code}: ")), "{status}: {told}");
    }
    coder.fault("GET", TASK, 1, Fault::Garbage);
    let told = failure(&host.call("get_agent_details_by_id", work(BUSY)));
    assert!(told.starts_with("CODER_API_ERROR: what answers is no Coder"), "{told}");
}

#[test]
fn one_connection_does_for_many_calls() {
    let Some((coder, mut host)) = fleet(Generation::Tasks) else { return };
    for _ in 0..20 {
        host.call("list_all_agents", json!({}));
    }
    // One may not be at rest yet when the next request comes.
    assert!(coder.connections() <= 3, "{}", coder.connections());
    // One that the other end has closed is no failure.
    coder.end_connections();
    assert_eq!(host.call("list_all_agents", json!({}))["isError"], false);
}

#[test]
fn what_a_deployment_offers_is_found_out_once_and_again_when_it_changes() {
    let Some((coder, mut host)) = fleet(Generation::Older) else { return };
    for _ in 0..3 {
        host.call("get_fleet_status_metrics", json!({}));
    }
    assert_eq!(coder.count("GET", "/api/v2/buildinfo"), 1);
    let mut kinds = |generation| {
        coder.turn(generation);
        let listed = host.call("list_all_agents", json!({}));
        let kind = &listed["structuredContent"]["result"][0]["metadata"]["kind"];
        kind.as_str().unwrap_or("none").to_owned()
    };
    assert_eq!(kinds(Generation::Tasks), "task");
    assert_eq!(kinds(Generation::Floor), "workspace");
    assert_eq!(coder.count("GET", "/api/v2/buildinfo"), 2, "both have the older path");
}

#[test]
fn a_token_that_is_replaced_counts_from_the_next_call_on() {
    let Some(coder) = coder(Generation::Tasks) else { return };
    let setup = coder.setup();
    let file = setup.path("token");
    std::fs::write(&file, TOKEN).unwrap();
    let config = format!("[plugins.coder.secrets]\nsession-token = 'file:{}'\n", file.display());
    let mut host = setup.config(&config).modern();
    assert_eq!(host.call("list_all_agents", json!({}))["isError"], false);
    let fresh = "Zb7Qm1xTt-uVw3KpRs8HnYc5DfGjLaEe2Io";
    coder.take_token(fresh);
    let told = failure(&host.call("list_all_agents", json!({})));
    assert!(told.starts_with("AUTHENTICATION_FAILED: "), "{told}");
    std::fs::write(&file, fresh).unwrap();
    assert_eq!(host.call("list_all_agents", json!({}))["isError"], false);
    let said = host.said();
    assert!(!said.contains(TOKEN) && !said.contains(fresh), "{said}");
}

#[test]
fn a_call_says_which_deployment_it_means() {
    let (Some(one), Some(other)) = (coder(Generation::Tasks), coder(Generation::Chats)) else {
        return;
    };
    let (first, second) = (one.origin(), other.origin());
    let config = format!(
        "[plugins.coder.config]\nurl = '{first}'\n\
         [plugins.coder.config.deployments.lab]\nurl = '{second}'\ntoken = 'lab-token'\n\
         [plugins.coder.secrets]\nsession-token = '${{CODER_SESSION_TOKEN}}'\nlab-token = '${{LAB_TOKEN}}'\n\
         [plugins.coder.grants]\njobs = true\nhttp = [\n\
         {{ to = '{first}', private = true, secrets = ['session-token'] }},\n\
         {{ to = '{second}', private = true, secrets = ['lab-token'] }},\n]\n"
    );
    let lab = "Lb7Qm1xTt-uVw3KpRs8HnYc5DfGjLaEe2Io";
    other.take_token(lab);
    let mut host = one.setup().environment("LAB_TOKEN", lab).config(&config).modern();
    let mut total = |deployment: Value| {
        host.call("list_all_agents", json!({"deployment": deployment}))["structuredContent"].clone()
    };
    assert_eq!(total(Value::Null)["total"], 3);
    assert_eq!(total(json!("lab"))["total"], 0, "its tasks are no agents of this generation");
    let told = total(json!("moon"));
    assert_eq!(told["error_code"], "VALIDATION_ERROR", "{told}");
    let lab_only =
        |it: &crate::support::coder::Request| it.header("coder-session-token") == Some(lab);
    assert!(other.requests().iter().all(lab_only) && !one.requests().iter().any(lab_only));
}

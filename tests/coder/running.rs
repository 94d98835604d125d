//! `run_agent_task`: an agent is made once, followed to its end, and its result is never lost.

use std::time::Duration;

use serde_json::{Value, json};

use super::coder;
use crate::support::{
    Host, Setup,
    coder::{ALWAYS, Coder, Fault, Generation, Life, Step, Turn},
    failure, until,
};

/// A host that looks often.
fn setup(coder: &Coder) -> Setup {
    coder.setup().environment("CODER_POLL_INTERVAL", "0.02")
}

fn order(more: Value) -> Value {
    let mut order = json!({
        "user": "me", "prompt": "Mend the login", "workspace_name": "mend", "template_name": "tasks-docker",
    });
    for (name, value) in more.as_object().unwrap() {
        order[name] = value.clone();
    }
    order
}

fn run(host: &mut Host, more: Value) -> Value {
    host.call("run_agent_task", order(more))
}

/// The job that there is, once it is in this state.
#[track_caller]
fn job_in(host: &mut Host, state: &str) -> Value {
    let mut last = Value::Null;
    until(&format!("a job that is {state}"), || {
        last = host.call("job_list", json!({}))["structuredContent"]["jobs"][0].clone();
        last["state"] == state
    });
    last
}

#[track_caller]
fn killed(mut host: Host) -> Setup {
    host.signal("-KILL");
    host.wait();
    host.restart()
}

#[test]
fn a_task_is_run_and_comes_to_what_its_agent_came_to() {
    let Some(coder) = coder(Generation::Tasks) else { return };
    let mut host = setup(&coder).modern();
    let done = run(&mut host, json!({}))["structuredContent"].clone();
    assert_eq!(done["success"], true, "{done}");
    assert_eq!((&done["data"]["status"], &done["data"]["user"]), (&json!("idle"), &json!("ann")));
    assert_eq!(done["final_output"], "Done", "{done}");
    assert_eq!(done["log"][0]["message"], "Mend the login", "{done}");
    let job = job_in(&mut host, "completed");
    let log = host.text("job_log", json!({"job_id": job["job_id"]}));
    for line in ["working: Reading code", "working: Writing the change", "complete: Done"] {
        assert!(log.contains(line), "{log}");
    }
    assert_eq!(coder.count("POST", "/api/v2/tasks/me"), 1);
}

#[test]
fn whatever_its_agent_comes_to_is_told() {
    let Some(coder) = coder(Generation::Tasks) else { return };
    let mut host = setup(&coder).modern();
    coder.next(Life::Fails);
    let failed = run(&mut host, json!({"workspace_name": "one"}));
    assert_eq!(failure(&failed), "TASK_FAILED: the agent failed: The tests do not pass");
    assert_eq!(failed["structuredContent"]["details"]["data"]["status"], "error", "{failed}");
    coder.next(Life::BuildFails);
    let failed = run(&mut host, json!({"workspace_name": "two"}));
    assert!(failure(&failed).starts_with("TASK_FAILED: the agent failed: "), "{failed}");
    coder.next(Life::Idles);
    let rests = run(&mut host, json!({"workspace_name": "three"}))["structuredContent"].clone();
    assert_eq!(rests["final_output"], "Waiting for input", "{rests}");
}

#[test]
fn an_agent_is_left_as_it_is_wanted() {
    let Some(coder) = coder(Generation::Tasks) else { return };
    let mut host = setup(&coder).modern();
    let mut left = |name: &str, when_done: &str| {
        let done = run(&mut host, json!({"workspace_name": name, "when_done": when_done}));
        assert_eq!(done["isError"], false, "{done}");
    };
    left("kept", "keep");
    left("paused", "pause");
    left("deleted", "delete");
    assert_eq!((coder.count("POST", "/api/v2/tasks/ann/"), coder.count("DELETE", "")), (1, 1));
}

#[test]
fn a_chat_is_run_where_there_are_no_tasks() {
    let Some(coder) = coder(Generation::Chats) else { return };
    let mut host = setup(&coder).modern();
    coder.next_turns(&[
        Turn::Running,
        Turn::Calls("bash"),
        Turn::Says("All is well."),
        Turn::Waiting,
    ]);
    let chat = json!({"template_name": null, "workspace_name": "fix-login"});
    let done = run(&mut host, chat.clone())["structuredContent"].clone();
    assert_eq!(done["data"]["metadata"]["kind"], "chat", "{done}");
    assert!(done["final_output"].as_str().unwrap().ends_with("All is well."), "{done}");
    assert!(done["diff"].is_string(), "{done}");
    coder.next_turns(&[Turn::Running, Turn::Fails("The provider is down")]);
    let failed = failure(&run(&mut host, chat));
    assert!(failed.starts_with("TASK_FAILED: the agent failed: The provider is down"), "{failed}");
}

#[test]
fn what_cannot_start_is_refused_before_there_is_a_job() {
    let Some(coder) = coder(Generation::Tasks) else { return };
    let mut host = setup(&coder).modern();
    let told = failure(&run(&mut host, json!({"template_name": "nothing"})));
    assert!(told.starts_with("VALIDATION_ERROR: there is no template `nothing`"), "{told}");
    let jobs = host.call("job_list", json!({}))["structuredContent"]["jobs"].clone();
    assert_eq!((jobs, coder.count("POST", "")), (json!([]), 0));
}

#[test]
fn a_job_that_is_canceled_pauses_its_agent() {
    let Some(coder) = coder(Generation::Tasks) else { return };
    coder.next(Life::StaysWorking);
    let mut host = setup(&coder).modern();
    host.begin("tools/call", json!({"name": "run_agent_task", "arguments": order(json!({}))}));
    until("it is followed", || coder.count("GET", "/api/v2/tasks/ann/") > 3);
    let job = job_in(&mut host, "running");
    let canceled = host.call("job_cancel", json!({"job_id": job["job_id"]}));
    assert_eq!(canceled["structuredContent"]["state"], "canceled", "{canceled}");
    until("it is paused", || coder.count("POST", "/api/v2/tasks/ann/") == 1);
    assert!(coder.paths().iter().any(|path| path.ends_with("/pause")));
}

#[test]
fn a_host_that_is_killed_goes_on_with_the_same_agent() {
    let Some(coder) = coder(Generation::Tasks) else { return };
    coder.next(
        [Step::Pending, Step::Building, Step::Starting]
            .into_iter()
            .chain(vec![Step::Working("Reading code"); 400])
            .chain([Step::Complete("Done")])
            .collect::<Vec<_>>(),
    );
    let mut host = setup(&coder).modern();
    host.begin("tools/call", json!({"name": "run_agent_task", "arguments": order(json!({}))}));
    until("it is followed", || coder.count("GET", "/api/v2/tasks/ann/") > 5);
    let setup = killed(host).environment("CODER_POLL_INTERVAL", "0.001");
    let mut host = setup.modern();
    let job = job_in(&mut host, "completed");
    assert_eq!(job["attempt"], 2, "{job}");
    let result = host.call("job_result", json!({"job_id": job["job_id"]}));
    assert_eq!(result["structuredContent"]["result"]["final_output"], "Done", "{result}");
    assert_eq!(coder.count("POST", "/api/v2/tasks/me"), 1);
}

#[test]
fn an_agent_that_was_being_made_when_the_host_was_killed_is_found_again() {
    for generation in [Generation::Tasks, Generation::Chats] {
        let Some(coder) = coder(generation) else { return };
        let path =
            if generation == Generation::Tasks { "/api/v2/tasks/me" } else { "/api/v2/chats" };
        // It is made, and nobody hears of it.
        coder.fault("POST", path, 1, Fault::Hang);
        let mut host = setup(&coder).modern();
        let name = if generation == Generation::Tasks { "mend" } else { "fix-login" };
        let arguments = order(json!({"workspace_name": name}));
        host.begin("tools/call", json!({"name": "run_agent_task", "arguments": arguments}));
        until("it is being made", || coder.count("POST", path) == 1);
        let mut host = killed(host).modern();
        job_in(&mut host, "completed");
        assert_eq!(coder.count("POST", path), 1, "it was made twice");
    }
}

#[test]
fn an_agent_that_was_made_without_a_word_is_found() {
    let Some(coder) = coder(Generation::Tasks) else { return };
    coder.fault("POST", "/api/v2/tasks/me", 1, Fault::CloseBeforeAnswer);
    let mut host = setup(&coder).modern();
    let done = run(&mut host, json!({}));
    assert_eq!(done["structuredContent"]["final_output"], "Done", "{done}");
    assert_eq!(coder.count("POST", "/api/v2/tasks/me"), 1);
}

#[test]
fn a_workspace_of_somebodys_is_never_taken_for_a_chat() {
    let Some(coder) = coder(Generation::Chats) else { return };
    coder.fault("POST", "/api/v2/chats", 1, Fault::Status(503, None));
    let mut host = setup(&coder).modern();
    let order =
        json!({"template_name": null, "workspace_name": "fix-login", "when_done": "delete"});
    let failed = run(&mut host, order);
    assert_eq!(failed["structuredContent"]["details"]["may_have_happened"], true, "{failed}");
    assert_eq!(coder.count("POST", "/api/v2/workspaces/"), 0, "{:?}", coder.paths());
}

#[test]
fn a_coder_that_is_away_for_a_while_is_waited_for() {
    let Some(coder) = coder(Generation::Tasks) else { return };
    coder.next(Life::StaysWorking);
    let mut host = setup(&coder).environment("CODER_MAX_RETRIES", "0").modern();
    host.begin("tools/call", json!({"name": "run_agent_task", "arguments": order(json!({}))}));
    until("it is followed", || coder.count("GET", "/api/v2/tasks/ann/") > 3);
    coder.fault("GET", "/api/v2/tasks/ann/", 3, Fault::Status(503, None));
    coder.fault("GET", "/api/v2/tasks/ann/", 3, Fault::CloseBeforeAnswer);
    coder.fault("GET", "/api/v2/tasks/ann/", 3, Fault::Garbage);
    // What stands in its place says no to everything.
    coder.fault("GET", "/api/v2/tasks/ann/", 3, Fault::Answer(404, json!("default backend")));
    coder.fault("GET", "/api/v2/tasks/ann/", 1, Fault::Delay(Duration::from_millis(10)));
    let before = coder.count("GET", "/api/v2/tasks/ann/");
    until("it is followed on", || coder.count("GET", "/api/v2/tasks/ann/") > before + 12);
    let job = job_in(&mut host, "running");
    let log = host.text("job_log", json!({"job_id": job["job_id"]}));
    assert!(log.contains("Coder cannot be asked"), "{log}");
    // What will not pass ends it.
    coder.fault("GET", "/api/v2/tasks/ann/", ALWAYS, Fault::Status(401, None));
    let failed = job_in(&mut host, "failed");
    let told = failed["error"]["message"].as_str().unwrap();
    assert!(told.starts_with("Coder does not take the session token"), "{failed}");
}

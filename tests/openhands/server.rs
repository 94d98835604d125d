//! The agent-server: conversations that are begun, followed, interrupted, and servers that do not keep to anything.

use std::time::Instant;

use serde_json::{Value, json};

use super::{desk::Desk, outcomes::check};
use crate::support::bench::text;

#[test]
fn a_conversation_is_a_task() {
    let Some(mut desk) = Desk::served() else { return };
    let session = desk.session();
    let task = desk.code(&session, "PRINT 2\nAWAIT go\nWRITE a.txt hi\nSAY that was it");
    let running = desk.when(&session, &task, |it| !it["events"].is_null());
    assert_eq!((&running["status"], &running["outcome"]), (&json!("running"), &json!("running")));
    assert!(text(&running["events"][0]).contains("MessageEvent: PRINT 2"), "{running}");
    let state = desk.folder(&session).join(".git/windlass").join(&task).join("conversations");
    assert_eq!(std::fs::read_dir(state).unwrap().count(), 1);
    desk.release(&session, "go");
    let ended = desk.ended(&session, &task);
    assert_eq!(
        (&ended["outcome"], &ended["final_message"]),
        (&json!("completed"), &json!("that was it"))
    );
    assert!(text(&ended["logs"]).contains("line 2"), "{ended}");
    assert_eq!(ended["diff_stat"]["files"], 2);
    assert_eq!(desk.task_containers(), Vec::<Value>::new(), "no server outlives its task");
    desk.bench.restart();
    assert_eq!(desk.status(&session, &task), ended);
}

#[test]
fn each_end_of_a_conversation_is_told_as_what_it_is() {
    let Some(mut desk) = Desk::served() else { return };
    let session = desk.session();
    for (task, outcome, error) in [
        ("SAY good", "completed", ""),
        ("FAIL no such model", "failed", "LLMBadRequestError: no such model"),
        ("STUCK", "stuck", "over"),
        ("SERVER dead", "error", "went away"),
    ] {
        check(&mut desk, &session, task, outcome, error);
    }
}

#[test]
fn a_conversation_goes_on_when_the_host_is_killed() {
    let Some(mut desk) = Desk::served() else { return };
    let session = desk.session();
    let task = desk.code(&session, "AWAIT go\nSAY still here");
    desk.bench.killed(|_| {});
    assert_eq!(desk.status(&session, &task)["outcome"], "running");
    desk.release(&session, "go");
    let ended = desk.ended(&session, &task);
    assert_eq!(
        (&ended["outcome"], &ended["final_message"]),
        (&json!("completed"), &json!("still here"))
    );
}

#[test]
fn a_conversation_is_interrupted() {
    let Some(mut desk) = Desk::served() else { return };
    let session = desk.session();
    let task = desk.code(&session, "PRINT 1\nAWAIT never");
    let arguments = json!({"session_id": session, "task_id": task});
    let told = desk.call("cancel_coding_task", arguments);
    assert_eq!(told["task"]["outcome"], "cancelled", "{told}");
    assert_eq!(desk.task_containers(), Vec::<Value>::new());
}

#[test]
fn a_server_that_does_not_come_up_is_told_and_leaves_nothing() {
    // Those that answer get as long as a slow machine needs.
    for (mood, seconds, why) in [
        ("dead", 120, "ended with 3"),
        ("sick", 2, "not healthy within 2 s"),
        ("deaf", 2, "not healthy within 2 s"),
        ("garbage", 2, "not healthy within 2 s"),
        ("slow", 2, "not healthy within 2 s"),
        ("refusing", 120, "answers 422: {\"detail\":\"not that agent\"}"),
    ] {
        let config = format!(
            "mode = 'agent-server'\nserver_start_s = {seconds}\nenvironment = {{ STUB_SERVER = '{mood}' }}"
        );
        let Some(mut desk) = Desk::configured(&config) else { return };
        let session = desk.session();
        let told = desk.code_fails(&session, "SAY x");
        assert!(told.contains(why), "{mood}: {told}");
        assert_eq!(desk.task_containers(), Vec::<Value>::new(), "{mood}");
        let left = desk.call("get_coding_task_status", json!({"session_id": session}));
        assert_eq!(left["tasks"], json!([]), "{mood}");
    }
}

#[test]
fn a_server_that_goes_deaf_costs_seconds_and_no_more() {
    for mood in ["deaf", "garbage", "slow"] {
        let Some(mut desk) = Desk::served() else { return };
        let session = desk.session();
        let task = desk.code(&session, &format!("SERVER {mood}\nAWAIT never"));
        let begin = Instant::now();
        let told = desk.when(&session, &task, |it| !it["error"].is_null());
        assert_eq!(told["outcome"], "running", "{mood}: it may answer the next time: {told}");
        let cancelled =
            desk.call("cancel_coding_task", json!({"session_id": session, "task_id": task}));
        assert_eq!(cancelled["task"]["outcome"], "cancelled", "{mood}: {cancelled}");
        assert!(begin.elapsed().as_secs() < 90, "{mood}: {:?}", begin.elapsed());
        assert_eq!(desk.task_containers(), Vec::<Value>::new(), "{mood}");
    }
}

#[test]
fn the_password_of_a_server_is_long_and_not_told() {
    let Some(mut desk) = Desk::served() else { return };
    let session = desk.session();
    let task = desk.code(&session, "AWAIT go");
    let container = &desk.task_containers()[0];
    let id = text(&container["Labels"]["windlass.id"]);
    let environment = desk.bench.inspect(&id)["Config"]["Env"].clone();
    let password = environment.as_array().unwrap().iter().map(text);
    let password = password.filter_map(|it| it.strip_prefix("SESSION_API_KEY=").map(str::to_owned));
    let passwords: Vec<_> = password.collect();
    assert_eq!(passwords.len(), 1);
    assert_eq!(passwords[0].len(), 64);
    let told = desk.status(&session, &task);
    assert!(!told.to_string().contains(&passwords[0]), "{told}");
}

#[test]
fn a_server_that_floods_costs_no_call() {
    let Some(mut desk) = Desk::served() else { return };
    let session = desk.session();
    let task = desk.code(&session, "SERVER flood\nAWAIT go");
    for _ in 0..6 {
        assert_eq!(desk.status(&session, &task)["outcome"], "running");
    }
    desk.release(&session, "go");
    assert_eq!(desk.ended(&session, &task)["outcome"], "completed");
}

//! Hours later: records go, and what was promised holds.

use serde_json::{Value, json};

use super::desk::Desk;
use crate::support::{bench::text, clock::age, until};

/// Longer than anything is kept that has an end.
const HOURS: u64 = 25;

#[test]
fn what_a_task_came_to_outlives_all_records_of_it() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let task = desk.code(&session, "PRINT 3\nWRITE a.txt x");
    let mut told = desk.ended(&session, &task);
    desk.bench.ended(|bench| age(&bench.state(), HOURS));
    let mut later = desk.status(&session, &task);
    // That it is older is the only difference.
    told["created_at"].take();
    later["created_at"].take();
    assert_eq!(later, told);
}

#[test]
fn a_task_whose_process_nobody_remembers_is_told_by_what_it_left() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let task = desk.code(&session, "WRITE a.txt x\nSAY long ago");
    let left = desk.folder(&session).join(".git/windlass").join(&task).join("trajectory.json");
    until("the task leaves its trajectory", || left.exists());
    until("the host hears of its end", || {
        let id = text(&desk.task_containers()[0]["Labels"]["windlass.id"]);
        !desk.bench.top(&id).iter().any(|line| line.contains("openhands.core.main"))
    });
    desk.bench.ended(|bench| age(&bench.state(), HOURS));
    // The host forgets results once an hour, and at its start.
    let told = desk.ended(&session, &task);
    assert_eq!(
        (&told["outcome"], &told["final_message"]),
        (&json!("completed"), &json!("long ago"))
    );
}

#[test]
fn a_place_that_was_taken_when_the_host_was_killed_is_free_later() {
    let Some(mut desk) = Desk::configured("max_tasks = 1") else { return };
    let session = desk.session();
    let arguments = json!({"session_id": session, "task_description": "AWAIT go"});
    let call = json!({"name": "code", "arguments": arguments});
    for _ in 0..3 {
        desk.bench.host().begin("tools/call", call.clone());
        // Another call is answered meanwhile, so that this one is somewhere in its middle.
        desk.call("list_sessions", json!({}));
        desk.bench.killed(|bench| age(&bench.state(), 1));
        let all = desk.call("get_coding_task_status", json!({"session_id": session}));
        for task in all["tasks"].as_array().unwrap() {
            let arguments = json!({"session_id": session, "task_id": task["id"]});
            desk.call("cancel_coding_task", arguments);
        }
        assert_eq!(desk.ran(&session, "SAY its turn")["outcome"], "completed");
        assert_eq!(desk.task_containers(), Vec::<Value>::new());
    }
}

#[test]
fn a_session_that_was_being_cloned_when_the_host_was_killed_is_removed_later() {
    let Some(mut desk) = Desk::new() else { return };
    let url = desk.git.url("one");
    for _ in 0..3 {
        let call = json!({"name": "start_session", "arguments": {"repo_url": url}});
        desk.bench.host().begin("tools/call", call);
        desk.call("list_sessions", json!({}));
        desk.bench.killed(|_| {});
        assert_eq!(desk.call("list_sessions", json!({})), json!({}), "it was never answered");
        desk.bench.ended(|bench| age(&bench.state(), 1));
    }
    let session = desk.session();
    desk.call("teardown", json!({"session_id": session}));
    assert_eq!(desk.bench.containers(), Vec::<Value>::new());
    // Who dies between making a workspace and writing down what it is for leaves an empty folder.
    let folder = desk.bench.state().join("workspaces");
    let left = std::fs::read_dir(&folder).unwrap().map(|it| it.unwrap());
    let left = left.filter(|it| it.file_name().to_string_lossy().starts_with("w_"));
    let left = left.filter(|it| std::fs::read_dir(it.path()).unwrap().next().is_some()).count();
    assert_eq!(left, 0, "no files are left of them");
}

//! The host is killed, containers go behind its back: what was promised holds afterwards.

use serde_json::{Value, json};

use super::desk::Desk;
use crate::support::bench::text;

#[test]
fn tasks_go_on_when_the_host_is_killed_and_still_count() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let tasks: Vec<_> = (0..3).map(|_| desk.code(&session, "AWAIT go\nPRINT 5\nSAY yes")).collect();
    desk.bench.killed(|_| {});
    assert!(desk.code_fails(&session, "x").starts_with("LIMIT: "));
    for task in &tasks {
        assert_eq!(desk.status(&session, task)["outcome"], "running");
    }
    desk.release(&session, "go");
    for task in &tasks {
        let told = desk.ended(&session, task);
        assert_eq!(
            (&told["outcome"], &told["final_message"]),
            (&json!("completed"), &json!("yes"))
        );
        assert!(text(&told["logs"]).contains("line 5"), "{told}");
    }
    assert_eq!(desk.task_containers(), Vec::<Value>::new());
}

#[test]
fn a_task_that_ends_while_no_host_is_there_is_told_of_all_the_same() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let task = desk.code(&session, "AWAIT go\nPRINT 5\nWRITE done x");
    let folder = desk.folder(&session);
    desk.bench.killed(|_| {
        std::fs::write(folder.join("go"), "").unwrap();
        crate::support::until("the task does its work", || folder.join("done").exists());
    });
    let told = desk.ended(&session, &task);
    assert_eq!((&told["outcome"], &told["exit_code"]), (&json!("completed"), &json!(0)));
    assert!(text(&told["logs"]).contains("line 5"), "{told}");
}

#[test]
fn a_container_that_goes_behind_our_back_is_told() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let task = desk.code(&session, "AWAIT never");
    let container = text(&desk.task_containers()[0]["Id"]);
    desk.bench.engine.delete(&format!("/containers/{container}?force=1")).unwrap();
    let told = desk.ended(&session, &task);
    assert_eq!(told["outcome"], "error", "{told}");
    assert!(!text(&told["error"]).is_empty());
    let next = desk.code(&session, "SAY next");
    assert_eq!(desk.ended(&session, &next)["outcome"], "completed");
    desk.call("teardown", json!({"session_id": session}));
    assert_eq!(desk.bench.containers(), Vec::<Value>::new());
}

#[test]
fn a_container_that_goes_while_no_host_is_there_is_told() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let task = desk.code(&session, "AWAIT never");
    let container = text(&desk.task_containers()[0]["Id"]);
    desk.bench.killed(|bench| {
        bench.engine.delete(&format!("/containers/{container}?force=1")).unwrap();
    });
    let told = desk.ended(&session, &task);
    assert_eq!(told["outcome"], "error", "{told}");
    desk.code(&session, "AWAIT never");
    desk.code(&session, "AWAIT never");
    desk.code(&session, "AWAIT never");
    assert!(desk.code_fails(&session, "x").starts_with("LIMIT: "), "its place was free again");
}

#[test]
fn a_kill_while_tasks_begin_leaves_nothing_that_counts_for_ever() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let call = json!({"name": "code", "arguments": {"session_id": session, "task_description": "AWAIT go"}});
    desk.bench.host().begin("tools/call", call.clone());
    let first = desk.code(&session, "AWAIT go");
    desk.bench.host().begin("tools/call", call);
    desk.bench.killed(|_| {});
    let told = desk.call("get_coding_task_status", json!({"session_id": session}));
    for task in told["tasks"].as_array().unwrap() {
        let known = ["running", "error"].contains(&task["outcome"].as_str().unwrap());
        assert!(known, "{task}");
    }
    assert!(desk.task_containers().len() <= 3);
    desk.release(&session, "go");
    assert_eq!(desk.ended(&session, &first)["outcome"], "completed");
    // Whatever is half begun is ended by who does not want it.
    for task in told["tasks"].as_array().unwrap() {
        let arguments = json!({"session_id": session, "task_id": task["id"]});
        assert_ne!(desk.call("cancel_coding_task", arguments)["task"]["outcome"], "running");
    }
    desk.call("teardown", json!({"session_id": session}));
    assert_eq!(desk.bench.containers(), Vec::<Value>::new());
}

#[test]
fn a_teardown_that_was_killed_is_ended_by_the_next() {
    let Some(mut desk) = Desk::new() else { return };
    for _ in 0..4 {
        let session = desk.session();
        desk.ran(&session, "WRITE a.txt x\nRUN head -c 20000000 /dev/urandom > big");
        desk.code(&session, "AWAIT never");
        let call = json!({"name": "teardown", "arguments": {"session_id": session}});
        desk.bench.host().begin("tools/call", call);
        crate::support::until("the teardown has begun", || desk.task_containers().is_empty());
        desk.bench.killed(|_| {});
        let told = desk.call("teardown", json!({"session_id": session}));
        assert_eq!((&told["success"], &told["archived"]), (&json!(true), &json!(true)), "{told}");
        assert!(!desk.folder(&session).exists());
        let archive = text(&told["archive_path"]);
        let file = archive.trim_start_matches("workspace://");
        let size =
            std::fs::metadata(desk.bench.state().join("workspaces").join(file)).unwrap().len();
        assert!(size > 20_000_000, "{size}");
        assert_eq!(desk.bench.containers(), Vec::<Value>::new());
    }
}

#[test]
fn ten_sessions_with_a_task_each_leave_nothing() {
    let Some(mut desk) = Desk::new() else { return };
    let sessions: Vec<_> = (0..10).map(|_| desk.session()).collect();
    let host = desk.bench.host();
    let call = |session: &String| {
        let arguments =
            json!({"session_id": session, "task_description": "AWAIT go\nWRITE a.txt x"});
        json!({"name": "code", "arguments": arguments})
    };
    let begun: Vec<_> =
        sessions.iter().map(|session| host.begin("tools/call", call(session))).collect();
    let answers: Vec<_> = begun.into_iter().map(|id| host.answer(id)["result"].clone()).collect();
    desk.bench.killed(|_| {});
    sessions.iter().for_each(|session| desk.release(session, "go"));
    for (session, answer) in sessions.iter().zip(answers) {
        assert_ne!(answer["isError"], true, "{answer}");
        let task = text(&answer["structuredContent"]["task_id"]);
        assert_eq!(desk.ended(session, &task)["outcome"], "completed");
    }
    assert_eq!(desk.task_containers(), Vec::<Value>::new());
    for session in &sessions {
        let told = desk.call("teardown", json!({"session_id": session}));
        assert_eq!(told["archived"], true, "{told}");
    }
    assert_eq!(desk.bench.containers(), Vec::<Value>::new());
}

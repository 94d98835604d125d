//! Coding tasks: how many there may be, what is told of them, and how they are ended and forgotten.

use serde_json::{Value, json};

use super::desk::{Desk, Wish};
use crate::support::bench::text;

#[test]
fn a_task_is_answered_at_once_and_told_of_when_it_ends() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let arguments =
        json!({"session_id": session, "task_description": "AWAIT go\nWRITE a.txt hi\nPRINT 2"});
    let begun = desk.call("code", arguments.clone());
    assert_eq!((&begun["success"], &begun["isError"]), (&json!(true), &json!(false)));
    assert_eq!(begun["session_id"], json!(session));
    assert_eq!(begun["task_description"], arguments["task_description"]);
    assert_eq!(begun["container"], desk.task_containers()[0]["Id"]);
    let task = text(&begun["task_id"]);
    let running = desk.status(&session, &task);
    assert_eq!((&running["status"], &running["outcome"]), (&json!("running"), &json!("running")));
    assert_eq!((&running["exit_code"], &running["final_message"]), (&Value::Null, &Value::Null));
    desk.release(&session, "go");
    let ended = desk.ended(&session, &task);
    assert_eq!((&ended["status"], &ended["outcome"]), (&json!("exited"), &json!("completed")));
    assert_eq!((&ended["exit_code"], &ended["final_message"]), (&json!(0), &json!("all done")));
    assert!(text(&ended["logs"]).contains("line 1\nline 2\n"), "{ended}");
    let expected = json!([
        {"path": "a.txt", "insertions": null, "deletions": null, "untracked": true},
        {"path": "go", "insertions": null, "deletions": null, "untracked": true},
    ]);
    assert_eq!(ended["changed_files"], expected);
    assert_eq!(ended["diff_stat"], json!({"files": 2, "insertions": 0, "deletions": 0}));
    assert_eq!(
        desk.task_containers(),
        Vec::<Value>::new(),
        "a task that has ended keeps no memory"
    );
}

#[test]
fn what_a_task_changes_is_counted_from_its_own_beginning() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let first = desk.ran(&session, "WRITE README.md one");
    assert_eq!(first["changed_files"][0]["path"], "README.md");
    assert_eq!(first["diff_stat"], json!({"files": 1, "insertions": 1, "deletions": 1}));
    let commits = "RUN git -c user.name=a -c user.email=a@b commit -qam first";
    let second = desk.ran(&session, commits);
    assert_eq!(second["diff_stat"], json!({"files": 1, "insertions": 1, "deletions": 1}));
    let third = desk.ran(&session, "WRITE src/main.py print(2)");
    assert_eq!(third["changed_files"][0]["path"], "src/main.py", "{third}");
    assert_eq!(third["diff_stat"], json!({"files": 1, "insertions": 1, "deletions": 1}));
}

#[test]
fn oh_2_there_are_no_more_tasks_than_may_be() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let tasks: Vec<_> = (0..3).map(|_| desk.code(&session, "AWAIT go")).collect();
    let (told, details) =
        desk.fails("code", json!({"session_id": session, "task_description": "AWAIT go"}));
    assert_eq!(told, "LIMIT: Max coding tasks (3) already running for this session.");
    assert_eq!(details["session_id"], json!(session));
    assert_eq!(desk.task_containers().len(), 3);
    let other = desk.session();
    desk.code(&other, "AWAIT go");
    desk.call("cancel_coding_task", json!({"session_id": session, "task_id": tasks[0]}));
    desk.code(&session, "AWAIT go");
    assert!(desk.code_fails(&session, "x").starts_with("LIMIT: "));
}

#[test]
fn oh_2_a_place_is_free_when_a_task_has_ended_though_nobody_looked() {
    let Some(mut desk) = Desk::configured("max_tasks = 1") else { return };
    let session = desk.session();
    for _ in 0..3 {
        desk.code(&session, "AWAIT go");
        assert!(desk.code_fails(&session, "x").starts_with("LIMIT: Max coding tasks (1)"));
        desk.release(&session, "go");
        // It has ended when its process has, which only the engine knows.
        crate::support::until("the task ends", || {
            desk.task_containers().iter().all(|it| {
                let id = text(&it["Labels"]["windlass.id"]);
                !desk.bench.top(&id).iter().any(|line| line.contains("openhands.core.main"))
            })
        });
        std::fs::remove_file(desk.folder(&session).join("go")).unwrap();
    }
}

#[test]
fn the_number_of_tasks_is_a_variable_that_users_know() {
    let environment = [("OPENHANDS_MAX_TASKS", "1")];
    let wish = Wish { environment: &environment, ..Wish::default() };
    let Some(mut desk) = Desk::with(&wish) else { return };
    let session = desk.session();
    desk.code(&session, "AWAIT go");
    assert_eq!(
        desk.code_fails(&session, "x"),
        "LIMIT: Max coding tasks (1) already running for this session."
    );
}

#[test]
fn tasks_that_begin_together_have_names_of_their_own() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let arguments = json!({"session_id": session, "task_description": "AWAIT go"});
    let call = json!({"name": "code", "arguments": arguments});
    let host = desk.bench.host();
    let begun: Vec<_> = (0..6).map(|_| host.begin("tools/call", call.clone())).collect();
    let answers: Vec<_> = begun.into_iter().map(|id| host.answer(id)["result"].clone()).collect();
    let (failed, made): (Vec<_>, Vec<_>) = answers.iter().partition(|it| it["isError"] == true);
    assert_eq!(made.len(), 3, "{answers:?}");
    assert!(failed.iter().all(|it| it["structuredContent"]["error_code"] == "LIMIT"), "{failed:?}");
    let containers = desk.task_containers();
    assert_eq!(containers.len(), 3);
    desk.release(&session, "go");
    for made in made {
        let task = text(&made["structuredContent"]["task_id"]);
        assert_eq!(desk.ended(&session, &task)["outcome"], "completed");
    }
}

#[test]
fn oh_3_what_a_task_came_to_is_told_whatever_comes_after() {
    let Some(mut desk) = Desk::with(&Wish { git: true, ..Wish::default() }) else { return };
    let session = desk.session();
    let task = desk.code(&session, "PRINT 3\nSAY that was it");
    let told = desk.ended(&session, &task);
    assert_eq!(
        (&told["outcome"], &told["final_message"]),
        (&json!("completed"), &json!("that was it"))
    );
    assert!(text(&told["logs"]).contains("line 3"));
    desk.ran(&session, "WRITE other.txt x");
    for command in ["status", "git add -A", "commit -m other", "log"] {
        desk.call("git", json!({"session_id": session, "command": command}));
    }
    assert_eq!(desk.status(&session, &task), told);
    desk.bench.restart();
    assert_eq!(desk.status(&session, &task), told);
    let all = desk.call("coding_task_status", json!({"session_id": session}));
    assert_eq!((&all["success"], &all["isError"]), (&json!(true), &json!(false)));
    assert_eq!((all["tasks"].as_array().unwrap().len(), &all["tasks"][0]), (2, &told));
}

#[test]
fn oh_3_the_last_thousand_lines_are_told_whatever_they_hold() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let told = desk.ran(&session, "PRINT 3000\nBYTES");
    let logs = text(&told["logs"]);
    assert_eq!(logs.lines().count(), 1000);
    assert!(logs.contains("line 3000\nbad \u{fffd}\u{fffd} bytes \0\n"), "{logs:.200}");
    assert!(!logs.contains("line 1000\n"));
}

#[test]
fn a_task_is_cancelled() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let task = desk.code(&session, "PRINT 1\nRUN sleep 3600 & sleep 3600\nAWAIT never");
    desk.when(&session, &task, |it| text(&it["logs"]).contains("line 1"));
    let arguments = json!({"session_id": session, "task_id": task});
    let cancelled = desk.call("cancel_coding_task", arguments.clone());
    assert_eq!(
        (&cancelled["success"], &cancelled["task"]["outcome"]),
        (&json!(true), &json!("cancelled"))
    );
    assert_eq!(desk.task_containers(), Vec::<Value>::new());
    assert_eq!(desk.call("cancel_coding_task", arguments), cancelled, "twice is once");
    assert!(text(&desk.status(&session, &task)["logs"]).contains("line 1"));
    let done = desk.code(&session, "SAY done");
    let told = desk.ended(&session, &done);
    let arguments = json!({"session_id": session, "task_id": done});
    assert_eq!(desk.call("cancel_coding_task", arguments)["task"], told, "what is over is over");
}

#[test]
fn tasks_that_have_ended_are_forgotten_and_those_that_run_are_not() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let ended = desk.code(&session, "SAY x");
    desk.ended(&session, &ended);
    let unseen = desk.code(&session, "SAY x");
    desk.ended(&session, &unseen);
    let running = desk.code(&session, "AWAIT go");
    let cleaned = desk.call("cleanup_coding_tasks", json!({"session_id": session}));
    assert_eq!((&cleaned["success"], &cleaned["isError"]), (&json!(false), &json!(false)));
    let expected = json!([
        {"id": ended, "status": "removed"},
        {"id": unseen, "status": "removed"},
        {"id": running, "status": "error", "error": "it still runs: `cancel_coding_task` ends it"},
    ]);
    assert_eq!(cleaned["results"], expected);
    let left = desk.call("get_coding_task_status", json!({"session_id": session}));
    assert_eq!(left["tasks"].as_array().unwrap().len(), 1, "{left}");
    assert!(!desk.folder(&session).join(".git/windlass").join(&ended).exists());
    desk.release(&session, "go");
    desk.ended(&session, &running);
    let cleaned = desk.call("cleanup_coding_tasks", json!({"session_id": session}));
    assert_eq!(cleaned["results"], json!([{"id": running, "status": "removed"}]));
    assert_eq!(cleaned["success"], true);
    assert_eq!(
        desk.call("cleanup_coding_tasks", json!({"session_id": session}))["results"],
        json!([])
    );
}

#[test]
fn a_task_has_limits_and_no_engine() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    desk.code(&session, "AWAIT go");
    let container = text(&desk.task_containers()[0]["Labels"]["windlass.id"]);
    let seen = desk.bench.inspect(&container);
    let host = &seen["HostConfig"];
    assert_eq!((&host["Memory"], &host["NetworkMode"]), (&json!(256 << 20), &json!("none")));
    assert_eq!((&host["CapDrop"], &host["ReadonlyRootfs"]), (&json!(["ALL"]), &json!(true)));
    assert!(!seen.to_string().contains("docker.sock"), "{seen}");
    let places: Vec<_> =
        seen["Mounts"].as_array().unwrap().iter().map(|it| text(&it["Destination"])).collect();
    assert!(
        places.iter().all(|it| it == "/workspace" || it.starts_with("/.windlass")),
        "{places:?}"
    );
    assert_eq!(seen["Config"]["Labels"]["windlass.persistent"], "true");
}

//! Sessions begin, are listed, and are good for every plugin.

use expect_test::expect_file;
use serde_json::{Value, json};

use super::desk::{Desk, Wish};
use crate::support::{bench::text, githttp};

#[test]
fn the_tools_are_those_that_users_know() {
    let Some(mut desk) = Desk::new() else { return };
    let answer = desk.bench.host().request("tools/list", json!({}));
    let shown = serde_json::to_string_pretty(&answer["result"]["tools"]).unwrap();
    expect_file!["../surface/openhands.json"].assert_eq(&format!("{shown}\n"));
}

#[test]
fn oh_1_a_session_is_a_clone() {
    let Some(mut desk) = Desk::new() else { return };
    let url = desk.git.url("one");
    let made = desk.call("start_session", json!({"repo_url": url}));
    let session = text(&made["session_id"]);
    assert_eq!((&made["success"], &made["repo_url"]), (&json!(true), &json!(url)));
    assert_eq!((&made["branch"], &made["branch_created"]), (&json!("main"), &json!(false)));
    assert_eq!(made["workspace_path"], format!("workspace://{session}"));
    assert!(text(&made["created_at"]).ends_with('Z'), "{made}");
    let folder = desk.folder(&session);
    assert_eq!(std::fs::read_to_string(folder.join("README.md")).unwrap(), "hello\n");
    assert_eq!(branch(&folder), "ref: refs/heads/main\n");
}

#[test]
fn oh_1_a_branch_that_is_missing_is_made_and_said() {
    let Some(mut desk) = Desk::new() else { return };
    let url = desk.git.url("one");
    let made = desk.call("start_session", json!({"repo_url": url, "branch": "new/one"}));
    assert_eq!((&made["branch"], &made["branch_created"]), (&json!("new/one"), &json!(true)));
    let folder = desk.folder(&text(&made["session_id"]));
    assert_eq!(branch(&folder), "ref: refs/heads/new/one\n");
}

#[test]
fn a_session_that_cannot_begin_leaves_nothing() {
    let Some(mut desk) = Desk::new() else { return };
    let missing = desk.git.url("nobody");
    for url in [missing.as_str(), "http://elsewhere.example/x.git", "/etc", "ext::sh -c id", "-x"] {
        let (told, _) = desk.fails("start_session", json!({"repo_url": url}));
        assert!(told.contains("Failed to create session: "), "{told}");
    }
    assert_eq!(desk.call("list_sessions", json!({})), json!({}));
    assert_eq!(desk.bench.containers(), Vec::<Value>::new());
    let left = std::fs::read_dir(desk.bench.state().join("workspaces"));
    let left = left.map_or(0, |left| {
        left.filter(|it| {
            it.as_ref().is_ok_and(|it| it.file_name().to_string_lossy().starts_with("w_"))
        })
        .count()
    });
    assert_eq!(left, 0);
}

#[test]
fn oh_7_sessions_are_listed_by_their_ids() {
    let Some(mut desk) = Desk::new() else { return };
    assert_eq!(desk.call("list_sessions", json!({})), json!({}));
    let (one, other) = (desk.session(), desk.session());
    let task = desk.code(&one, "AWAIT go");
    let listed = desk.call("list_sessions", json!({}));
    assert_eq!(listed.as_object().unwrap().len(), 2, "{listed}");
    let told = &listed[&one];
    assert_eq!((&told["session_id"], &told["status"]), (&json!(one), &json!("active")));
    assert_eq!((&told["branch"], &told["repo_url"]), (&json!("main"), &json!(desk.git.url("one"))));
    let containers = told["coding_task_containers"].as_array().unwrap();
    let engine: Vec<_> = desk.task_containers().iter().map(|it| it["Id"].clone()).collect();
    assert_eq!(*containers, engine);
    assert_eq!(listed[&other]["coding_task_containers"], json!([]));
    desk.bench.restart();
    assert_eq!(desk.call("list_sessions", json!({})), listed);
    desk.release(&one, "go");
    desk.ended(&one, &task);
    let listed = desk.call("list_sessions", json!({}));
    assert_eq!(listed[&one]["coding_task_containers"], json!([]));
}

#[test]
fn failures_have_one_shape() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    for id in ["nobody", "w_nobody", "", "../x", "w_00000000-0000-4000-8000-000000000000"] {
        for tool in [
            "code",
            "get_coding_task_status",
            "coding_task_status",
            "cleanup_coding_tasks",
            "teardown",
        ] {
            let mut arguments = json!({"session_id": id});
            if tool == "code" {
                arguments["task_description"] = "x".into();
            }
            let (told, details) = desk.fails(tool, arguments);
            assert_eq!(told, format!("SESSION_NOT_FOUND: Session {id} not found"), "{tool}");
            assert_eq!((&details["session_id"], &details["isError"]), (&json!(id), &json!(true)));
        }
    }
    for task in ["x", "", "00000000-0000-4000-8000-000000000000", "../../x"] {
        let (told, _) =
            desk.fails("cancel_coding_task", json!({"session_id": session, "task_id": task}));
        assert_eq!(told, format!("TASK_NOT_FOUND: Task {task} not found in session {session}"));
    }
}

#[test]
fn a_task_belongs_to_its_session() {
    let Some(mut desk) = Desk::new() else { return };
    let (one, other) = (desk.session(), desk.session());
    let task = desk.code(&one, "AWAIT go");
    let theirs = json!({"session_id": other, "task_id": task});
    for tool in ["get_coding_task_status", "cancel_coding_task"] {
        let (told, _) = desk.fails(tool, theirs.clone());
        assert!(told.starts_with("TASK_NOT_FOUND: "), "{tool}: {told}");
    }
    assert_eq!(
        desk.call("cleanup_coding_tasks", json!({"session_id": other}))["results"],
        json!([])
    );
    assert_eq!(desk.status(&one, &task)["outcome"], "running");
    desk.release(&one, "go");
    assert_eq!(desk.ended(&one, &task)["outcome"], "completed");
}

#[test]
fn oh_1_a_session_is_made_of_a_local_repository_in_a_granted_directory() {
    use std::os::unix::fs::PermissionsExt as _;
    // Containers have a `/tmp` of their own.
    let place = tempfile::TempDir::new_in("/var/tmp").unwrap();
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    githttp::publish(&place.path().join("local.git"), &[("a.txt", "local\n")]);
    let grant = format!("mounts = ['{}']", place.path().display());
    let Some(mut desk) = Desk::with(&Wish { grant: &grant, ..Wish::default() }) else { return };
    let path = place.path().join("local.git").display().to_string();
    for url in [path.clone(), format!("file://{path}")] {
        let made = desk.call("start_session", json!({"repo_url": url}));
        let session = text(&made["session_id"]);
        assert_eq!(
            std::fs::read_to_string(desk.folder(&session).join("a.txt")).unwrap(),
            "local\n"
        );
        assert_eq!(desk.ran(&session, "SAY x")["outcome"], "completed");
    }
    let (told, _) = desk.fails("start_session", json!({"repo_url": "/etc"}));
    assert!(told.contains("Failed to create session"), "{told}");
}

#[test]
fn a_clone_of_the_plugin_git_is_a_session_and_the_other_way_round() {
    let Some(mut desk) = Desk::with(&Wish { git: true, ..Wish::default() }) else { return };
    let url = desk.git.url("one");
    let cloned = desk.call("git_clone", json!({"url": url}));
    let session = text(&cloned["session_id"]);
    assert_eq!(desk.ran(&session, "WRITE a.txt x")["outcome"], "completed");
    let listed = desk.call("list_sessions", json!({}));
    assert_eq!(
        (&listed[&session]["branch"], &listed[&session]["repo_url"]),
        (&json!("main"), &json!(desk.git.url("one")))
    );
    let status = desk.call("git_status", json!({"session_id": session}));
    assert_eq!(
        status["untracked"],
        json!(["a.txt"]),
        "what tasks leave of themselves is no part of the tree"
    );
    assert_eq!(desk.call("teardown", json!({"session_id": session}))["archived"], true);
    assert_eq!(desk.bench.containers(), Vec::<Value>::new());
    let (gone, _) = desk.fails("git_status", json!({"session_id": session}));
    assert!(gone.starts_with("SESSION_NOT_FOUND"), "{gone}");
}

/// What is checked out. The files are another user's, whom git on this machine does not trust.
fn branch(folder: &std::path::Path) -> String {
    std::fs::read_to_string(folder.join(".git/HEAD")).unwrap()
}

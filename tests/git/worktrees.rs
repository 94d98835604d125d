//! Several sessions on one repository, side by side.

use serde_json::json;

use super::desk::{Desk, MARKER};
use crate::support::bench::text;

#[test]
fn two_sessions_work_side_by_side_and_come_together() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    desk.write(&session, "untracked", "x\n");
    desk.write(&session, ".git/windlass/t_1/log", "x\n");
    let made = desk.tool(&session, "git_worktree", json!({"action": "create", "branch": "side"}));
    let second = text(&made["session_id"]);
    assert_eq!(
        (&made["worktrees"][0]["origin"], &made["worktrees"][0]["branch"]),
        (&json!(session), &json!("side"))
    );
    let status = desk.tool(&second, "git_status", json!({}));
    assert_eq!((&status["branch"], &status["clean"]), (&json!("side"), &json!(true)), "{status}");
    assert!(!desk.folder(&second).join(".git/windlass").exists());
    desk.write(&second, "a.txt", "side\n");
    let commit =
        text(&desk.tool(&second, "git_commit", json!({"message": "side", "all": true}))["commit"]);
    assert_eq!(desk.read(&session, "a.txt"), "one\ntwo\nthree\n", "the first one is not touched");
    let remove = json!({"session_id": second, "action": "remove"});
    let refused = desk.bench.refused("git_worktree", remove.clone());
    assert!(refused.starts_with("CONFLICT: its commit "), "{refused}");
    desk.tool(&session, "git_fetch", json!({"remote": second}));
    let there = desk.tool(&session, "git_branch", json!({"remotes": true}))["branches"].to_string();
    assert!(there.contains(&format!("{second}/side")), "{there}");
    let merged = desk.tool(&session, "git_merge", json!({"from_session": second}));
    assert_eq!((&merged["outcome"], &merged["head"]), (&json!("fast_forward"), &json!(commit)));
    assert_eq!(desk.read(&session, "a.txt"), "side\n");
    desk.write(&session, "a.txt", "first\n");
    desk.tool(&session, "git_commit", json!({"message": "first", "all": true}));
    desk.tool(&second, "git_pull", json!({"remote": session, "branch": "main"}));
    assert_eq!(desk.read(&second, "a.txt"), "first\n");
    for folder in [desk.folder(&session), desk.folder(&second)] {
        let git = std::fs::read_dir(folder.join(".git")).unwrap();
        let bundles =
            git.filter(|it| it.as_ref().unwrap().file_name().to_string_lossy().contains("bundle"));
        assert_eq!(bundles.count(), 0);
    }
    desk.bench.call("git_worktree", remove);
    assert!(!desk.folder(&second).exists());
    assert_eq!(desk.bench.call("git_worktree", json!({}))["worktrees"], json!([]));
    assert_eq!(
        desk.refused(&second, "status"),
        format!("SESSION_NOT_FOUND: Session {second} not found")
    );
}

#[test]
fn a_second_session_begins_where_it_is_told() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    desk.tool(&session, "git_commit", json!({"message": "x", "allow_empty": true}));
    let create = |branch: &str, start: Option<&str>| {
        let mut arguments = json!({"action": "create", "branch": branch});
        if let Some(start) = start {
            arguments["start"] = start.into();
        }
        arguments
    };
    let made = desk.tool(&session, "git_worktree", create("old", Some("HEAD~1")));
    let second = text(&made["session_id"]);
    assert_eq!(desk.tool(&second, "git_log", json!({}))["commits"].as_array().unwrap().len(), 1);
    let made = desk.tool(&session, "git_worktree", create("main", None));
    assert_eq!(made["worktrees"].as_array().unwrap().len(), 2);
    for (branch, start, code) in [
        ("-x", None, "VALIDATION_ERROR"),
        ("x", Some("--x"), "VALIDATION_ERROR"),
        ("x", Some("nowhere"), "GIT_ERROR"),
        ("main", Some("HEAD"), "CONFLICT"),
    ] {
        let mut arguments = create(branch, start);
        arguments["session_id"] = session.clone().into();
        assert_eq!(desk.bench.code("git_worktree", arguments), code, "{branch}");
    }
    // What is no second session is not removed.
    let remove = json!({"session_id": session, "action": "remove", "force": true});
    assert_eq!(desk.bench.code("git_worktree", remove), "SESSION_NOT_FOUND");
    desk.write(&second, "left", "x\n");
    let mut remove = json!({"session_id": second, "action": "remove"});
    assert_eq!(desk.bench.code("git_worktree", remove.clone()), "CONFLICT");
    remove["force"] = true.into();
    desk.bench.call("git_worktree", remove);
}

#[test]
fn a_session_with_a_commit_on_another_branch_is_not_removed() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let made = desk.tool(&session, "git_worktree", json!({"action": "create", "branch": "side"}));
    let second = text(&made["session_id"]);
    desk.git(&second, "checkout -b idea");
    desk.tool(&second, "git_commit", json!({"message": "idea", "allow_empty": true}));
    desk.git(&second, "checkout side");
    let remove = json!({"session_id": second, "action": "remove"});
    assert_eq!(desk.bench.code("git_worktree", remove.clone()), "CONFLICT");
    desk.tool(&session, "git_fetch", json!({"remote": second}));
    desk.bench.call("git_worktree", remove);
}

#[test]
fn what_a_session_plants_does_not_work_in_a_second_one() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let hook = format!("#!/bin/sh\ntouch {MARKER}\n");
    desk.write(&session, ".git/hooks/post-checkout", &hook);
    desk.write(&session, ".git/hooks/pre-commit", &hook);
    let config = desk.read(&session, ".git/config");
    desk.write(&session, ".git/config", &format!("{config}[core]\n\tfsmonitor = touch {MARKER}\n"));
    let made = desk.tool(&session, "git_worktree", json!({"action": "create", "branch": "side"}));
    let second = text(&made["session_id"]);
    desk.tool(&second, "git_commit", json!({"message": "x", "allow_empty": true}));
    desk.tool(&session, "git_merge", json!({"from_session": second}));
    for session in [session, second] {
        assert!(!desk.folder(&session).join(MARKER).exists());
    }
}

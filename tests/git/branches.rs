//! Branches and merges.

use serde_json::json;

use super::desk::Desk;
use crate::support::bench::text;

#[test]
fn branches_are_made_switched_and_deleted() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let names = |list: &serde_json::Value| {
        let branches = list["branches"].as_array().unwrap();
        branches.iter().map(|it| text(&it["name"])).collect::<Vec<_>>()
    };
    let made = desk.tool(&session, "git_branch", json!({"action": "create", "name": "b/x"}));
    assert_eq!(
        (names(&made), &made["current"]),
        (vec!["b/x".to_owned(), "main".to_owned()], &json!("main"))
    );
    let switched = desk.tool(&session, "git_branch", json!({"action": "switch", "name": "b/x"}));
    assert_eq!(switched["current"], "b/x");
    let delete = json!({"session_id": session, "action": "delete", "name": "b/x"});
    let refused = desk.bench.refused("git_branch", delete.clone());
    assert!(refused.contains("used by worktree") || refused.contains("checked out"), "{refused}");
    desk.tool(&session, "git_commit", json!({"message": "x", "allow_empty": true}));
    desk.git(&session, "checkout main");
    assert_eq!(desk.bench.code("git_branch", delete), "GIT_ERROR");
    let deleted = desk.tool(
        &session,
        "git_branch",
        json!({"action": "delete", "name": "b/x", "force": true}),
    );
    assert_eq!(names(&deleted), ["main"]);
    let tracking = json!({"action": "create", "name": "t", "start": "origin/main"});
    let made = desk.tool(&session, "git_branch", tracking);
    assert_eq!(made["branches"][1]["upstream"], "origin/main");
    assert!(desk.read(&session, ".git/config").contains("[branch \"t\"]"));
    desk.tool(&session, "git_branch", json!({"action": "delete", "name": "t"}));
    assert!(!desk.read(&session, ".git/config").contains("refs/heads/t\n"));
    for (arguments, code) in [
        (json!({"action": "create", "name": "-x"}), "VALIDATION_ERROR"),
        (json!({"action": "create", "name": "x", "start": "--x"}), "VALIDATION_ERROR"),
        (json!({"action": "create"}), "VALIDATION_ERROR"),
        (json!({"action": "create", "name": "main"}), "GIT_ERROR"),
        (json!({"action": "switch", "name": "nowhere"}), "GIT_ERROR"),
        (json!({"action": "delete", "name": "nowhere"}), "GIT_ERROR"),
        (json!({"action": "switch", "name": "main", "start": "HEAD"}), "VALIDATION_ERROR"),
    ] {
        let mut arguments = arguments;
        arguments["session_id"] = session.clone().into();
        assert_eq!(desk.bench.code("git_branch", arguments.clone()), code, "{arguments}");
    }
}

#[test]
fn a_merge_tells_its_conflicts_as_data() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    desk.git(&session, "checkout -b theirs");
    desk.write(&session, "a.txt", "one\ntheirs\nthree\n");
    desk.write(&session, "folder/b.txt", "theirs\n");
    desk.tool(&session, "git_commit", json!({"message": "theirs", "all": true}));
    desk.git(&session, "checkout main");
    desk.write(&session, "a.txt", "one\nours\nthree\n");
    std::fs::remove_file(desk.folder(&session).join("folder/b.txt")).unwrap();
    desk.tool(&session, "git_commit", json!({"message": "ours", "all": true}));
    let merge = desk.tool(&session, "git_merge", json!({"ref": "theirs"}));
    assert_eq!(merge["outcome"], "conflicts", "{merge}");
    let torn = &merge["conflicts"][0];
    assert_eq!((&torn["path"], &torn["kind"]), (&json!("a.txt"), &json!("both_modified")));
    assert_eq!(torn["base"], "one\ntwo\nthree\n");
    assert_eq!(
        (&torn["ours"], &torn["theirs"]),
        (&json!("one\nours\nthree\n"), &json!("one\ntheirs\nthree\n"))
    );
    assert_eq!(torn["markers"], json!([[2, 6]]));
    let gone = &merge["conflicts"][1];
    assert_eq!(
        (&gone["kind"], &gone["ours"], &gone["theirs"]),
        (&json!("deleted_by_us"), &json!(null), &json!("theirs\n"))
    );
    assert_eq!(
        desk.tool(&session, "git_status", json!({}))["conflicts"].as_array().unwrap().len(),
        2
    );
    assert_eq!(desk.tool(&session, "git_merge", json!({"abort": true}))["outcome"], "aborted");
    assert_eq!(desk.tool(&session, "git_status", json!({}))["clean"], true);
    desk.tool(&session, "git_merge", json!({"ref": "theirs"}));
    desk.write(&session, "a.txt", "one\nboth\nthree\n");
    let done = desk.tool(&session, "git_commit", json!({"message": "both", "all": true}));
    let log = desk.tool(&session, "git_log", json!({"limit": 1}));
    assert_eq!(log["commits"][0]["id"], done["commit"]);
    assert_eq!(log["commits"][0]["parents"].as_array().unwrap().len(), 2);
}

#[test]
fn a_merge_without_conflicts_says_what_it_did() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let outcome =
        |desk: &mut Desk, arguments| text(&desk.tool(&session, "git_merge", arguments)["outcome"]);
    desk.git(&session, "checkout -b b");
    desk.tool(&session, "git_commit", json!({"message": "b", "allow_empty": true}));
    desk.git(&session, "checkout main");
    assert_eq!(outcome(&mut desk, json!({"ref": "main"})), "up_to_date");
    assert_eq!(outcome(&mut desk, json!({"ref": "b"})), "fast_forward");
    desk.git(&session, "checkout -b c HEAD~1");
    assert_eq!(
        outcome(&mut desk, json!({"ref": "b", "no_ff": true, "message": "joined"})),
        "merged"
    );
    assert_eq!(
        desk.tool(&session, "git_log", json!({"limit": 1}))["commits"][0]["subject"],
        "joined"
    );
    for (arguments, code) in [
        (json!({"ref": "nowhere"}), "GIT_ERROR"),
        (json!({"ref": "--abort"}), "VALIDATION_ERROR"),
        (json!({}), "VALIDATION_ERROR"),
        (json!({"ref": "b", "abort": true}), "VALIDATION_ERROR"),
        (json!({"abort": true}), "GIT_ERROR"),
    ] {
        let mut arguments = arguments;
        arguments["session_id"] = session.clone().into();
        assert_eq!(desk.bench.code("git_merge", arguments.clone()), code, "{arguments}");
    }
}

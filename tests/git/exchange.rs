//! Between a session and a server.

use serde_json::json;

use super::desk::{Desk, FILES};
use crate::support::{bench::text, githttp::run};

/// Two sessions on one repository.
fn two() -> Option<(Desk, String, String)> {
    let mut desk = Desk::new()?;
    let (one, other) = (desk.session(), desk.session());
    Some((desk, one, other))
}

fn commit(desk: &mut Desk, session: &str, path: &str, content: &str) -> String {
    desk.write(session, path, content);
    text(&desk.tool(session, "git_commit", json!({"message": path, "all": true}))["commit"])
}

#[test]
fn what_one_session_pushes_another_one_fetches_and_pulls() {
    let Some((mut desk, one, other)) = two() else { return };
    let pushed = commit(&mut desk, &one, "x", "x\n");
    desk.tool(&one, "git_push", json!({}));
    desk.tool(&other, "git_fetch", json!({}));
    assert_eq!(desk.tool(&other, "git_status", json!({}))["behind"], 1);
    let pulled = desk.tool(&other, "git_pull", json!({}));
    assert_eq!((&pulled["outcome"], &pulled["head"]), (&json!("fast_forward"), &json!(pushed)));
    assert_eq!(desk.read(&other, "x"), "x\n");
    commit(&mut desk, &one, "a.txt", "theirs\n");
    desk.git(&one, "push");
    commit(&mut desk, &other, "a.txt", "ours\n");
    let refused = desk.bench.refused("git_push", json!({"session_id": other}));
    assert!(refused.starts_with("GIT_ERROR: ") && refused.contains("rejected"), "{refused}");
    let refused = desk.refused(&other, "push");
    assert!(refused.contains("rejected"), "{refused}");
    let torn = desk.tool(&other, "git_pull", json!({}));
    assert_eq!(
        (&torn["outcome"], &torn["conflicts"][0]["theirs"]),
        (&json!("conflicts"), &json!("theirs\n"))
    );
    desk.tool(&other, "git_merge", json!({"abort": true}));
    let refused = desk.bench.refused("git_pull", json!({"session_id": other, "rebase": true}));
    assert!(refused.contains("conflict") || refused.contains("CONFLICT"), "{refused}");
    assert_eq!(desk.tool(&other, "git_status", json!({}))["clean"], true, "the rebase was undone");
    assert!(desk.git(&other, "pull --no-rebase -X ours").contains("Merge made"));
    desk.git(&other, "push");
}

#[test]
fn a_pull_by_hand_merges_or_rebases() {
    let Some((mut desk, one, other)) = two() else { return };
    commit(&mut desk, &one, "x", "x\n");
    desk.git(&one, "push origin main");
    commit(&mut desk, &other, "y", "y\n");
    assert!(desk.refused(&other, "pull --ff-only").contains("fast-forward"));
    desk.git(&other, "pull --rebase");
    assert_eq!(
        desk.git(&other, "log -3 --format=%s").lines().collect::<Vec<_>>(),
        ["y", "x", "first"]
    );
    commit(&mut desk, &one, "z", "z\n");
    desk.git(&one, "push");
    desk.git(&other, "pull origin main");
    assert!(desk.git(&other, "log -1 --format=%s").starts_with("Merge branch 'main' of http://"));
    desk.git(&other, "checkout -b lone");
    let refused = desk.refused(&other, "pull");
    assert!(refused.contains("follows none of the remote's"), "{refused}");
}

#[test]
fn a_push_forces_only_over_what_it_knows() {
    let Some((mut desk, one, other)) = two() else { return };
    let first = commit(&mut desk, &one, "x", "x\n");
    desk.tool(&one, "git_push", json!({"set_upstream": true, "tags": true}));
    commit(&mut desk, &other, "y", "y\n");
    let forced = json!({"session_id": other, "force": true});
    assert!(desk.bench.refused("git_push", forced.clone()).contains("stale info"));
    desk.tool(&other, "git_fetch", json!({"remote": "origin", "branch": "main"}));
    desk.bench.call("git_push", forced);
    desk.tool(&one, "git_fetch", json!({"prune": true}));
    let log = desk.tool(&one, "git_log", json!({"ref": "origin/main"}));
    assert!(!log.to_string().contains(&first));
    let nobody = desk.bench.refused("git_push", json!({"session_id": one, "remote": "nobody"}));
    assert_eq!(nobody, "VALIDATION_ERROR: there is no remote `nobody`; there is `origin`");
    assert_eq!(
        desk.bench.code("git_push", json!({"session_id": one, "branch": "--x"})),
        "VALIDATION_ERROR"
    );
}

#[test]
fn remotes_may_be_given_by_address() {
    let Some(mut desk) = Desk::new() else { return };
    let bare = desk.server.repository("b", FILES);
    let session = desk.session();
    let url = desk.server.url("b");
    let pushed = commit(&mut desk, &session, "x", "x\n");
    desk.git(&session, &format!("push {url} main:refs/heads/other"));
    assert_eq!(run(&bare, &["rev-parse", "other"]), pushed);
    desk.git(&session, &format!("pull {url} other"));
    for address in [
        "ext::sh -c x",
        "ssh://git@example.com/x",
        "https://u:p@example.com/x",
        "-x",
        "/workspace/x",
        "..",
    ] {
        for tool in ["git_push", "git_fetch", "git_pull"] {
            let arguments = json!({"session_id": session, "remote": address});
            assert_eq!(desk.bench.code(tool, arguments), "VALIDATION_ERROR", "{tool} {address}");
        }
        assert_eq!(
            desk.bench.code("git_clone", json!({"url": address})),
            "VALIDATION_ERROR",
            "{address}"
        );
    }
}

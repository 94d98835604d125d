//! Repositories in folders of this machine that the operator granted.

use serde_json::json;
use tempfile::TempDir;

use super::desk::{Desk, FILES, Wanted};
use crate::support::{
    bench::text,
    githttp::{GitServer, publish, run},
};

/// A host that is granted one folder of two.
fn granted() -> Option<(Desk, TempDir, TempDir)> {
    let (open, closed) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for folder in [&open, &closed] {
        publish(&folder.path().join("a.git"), FILES);
    }
    run(open.path(), &["clone", "--quiet", "a.git", "worked-on"]);
    let readable = |folder: &TempDir| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    readable(&open);
    readable(&closed);
    let grants = format!("mounts = ['{}']", open.path().display());
    let desk = Desk::granting(GitServer::open(), &grants, &Wanted::default())?;
    Some((desk, open, closed))
}

#[test]
fn a_granted_folder_can_be_cloned_from_and_no_other_one() {
    let Some((mut desk, open, closed)) = granted() else { return };
    let path = |folder: &TempDir, name: &str| folder.path().join(name).display().to_string();
    for url in
        [path(&open, "a.git"), format!("file://{}", path(&open, "a.git")), path(&open, "worked-on")]
    {
        for options in [json!({}), json!({"depth": 1})] {
            let mut arguments = options;
            arguments["url"] = url.clone().into();
            let session = text(&desk.bench.call("git_clone", arguments)["session_id"]);
            assert_eq!(desk.read(&session, "folder/b.txt"), "b\n");
            desk.tool(&session, "git_fetch", json!({}));
        }
    }
    for url in [path(&closed, "a.git"), format!("file://{}", path(&closed, "a.git"))] {
        let refused = desk.bench.refused("git_clone", json!({"url": url}));
        assert!(
            refused.starts_with("GIT_ERROR: ") && refused.contains("`grants.containers.mounts`"),
            "{refused}"
        );
    }
    for url in ["/etc", "/", "/proc/self/root", "file:///etc", "file:///workspace/x"] {
        assert_eq!(desk.bench.code("git_clone", json!({"url": url})), "VALIDATION_ERROR", "{url}");
    }
    // What is granted is granted to read.
    let session =
        text(&desk.bench.call("git_clone", json!({"url": path(&open, "a.git")}))["session_id"]);
    desk.tool(&session, "git_commit", json!({"message": "x", "allow_empty": true}));
    desk.bench.refused("git_push", json!({"session_id": session}));
    assert_eq!(run(&open.path().join("a.git"), &["log", "--format=%s", "main"]), "first");
}

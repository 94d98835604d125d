//! One workspace, four plugins' worth of work: cloned, worked on by an agent, read, compared, committed.

use serde_json::{Value, json};

use super::desk::{Desk, Wish};
use crate::support::{bench::text, engine::IMAGE, githttp::GitServer};

#[test]
fn a_clone_is_worked_on_read_compared_and_committed() {
    let git = GitServer::open();
    git.repository("project", &[("README.md", "# A project\n")]);
    let wish = Wish { others: true, places: vec![git.place()], ..Wish::default() };
    let Some(mut desk) = Desk::with(&wish) else { return };
    let cloned = desk.call("git_clone", json!({"url": git.url("project")}));
    let id = text(&cloned["session_id"]);

    let session = desk.call("create_or_reuse_session", json!({"workspace": id, "name": "agent"}));
    assert_eq!(session["session_id"], id.as_str(), "{session}");
    let task = "TOOL:edit:{\"filePath\": \"/workspace/README.md\", \"oldString\": \"# A project\", \"newString\": \"# A better project\"}";
    let read_first = format!("TOOL:read:{{\"filePath\": \"/workspace/README.md\"}} {task}");
    let run = desk.submit(&id, &read_first);
    let told = desk.comes_to(&id, &run, "completed");
    assert!(text(&told["result_summary"]).contains("1 file changed (+1 −1)"), "{told}");

    let room =
        text(&desk.call("spawn", json!({"image": IMAGE, "workspace_id": id}))["container_id"]);
    assert_eq!(desk.bench.read(&room, "/workspace/README.md"), "# A better project\n");
    let diff = desk.call("git_diff", json!({"session_id": id}));
    assert!(diff.to_string().contains("+# A better project"), "{diff}");
    let done = desk.call("git_commit", json!({"session_id": id, "message": "better", "all": true}));
    assert_ne!(done["success"], Value::Bool(false), "{done}");
    let log = desk.call("git_log", json!({"session_id": id}));
    assert!(log.to_string().contains("better"), "{log}");
    desk.call("kill", json!({"container_id": room, "force": true}));
    desk.call("terminate_session", json!({"session_id": id}));
    assert_eq!(desk.containers(), Vec::<Value>::new());
}

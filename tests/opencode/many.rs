//! Twenty sessions at once.

use serde_json::{Value, json};

use super::desk::{Desk, Wish, is_over};
use crate::support::{bench::text, until};

const MANY: usize = 20;

#[test]
fn twenty_sessions_do_a_task_each_at_once() {
    let Some(mut desk) = Desk::with(&Wish { silence_s: 900, ..Wish::default() }) else { return };
    let host = desk.bench.host();
    let call = json!({"name": "create_or_reuse_session", "arguments": {}});
    let begun: Vec<_> = (0..MANY).map(|_| host.begin("tools/call", call.clone())).collect();
    let sessions: Vec<_> = begun
        .into_iter()
        .map(|id| text(&host.answer(id)["result"]["structuredContent"]["session_id"]))
        .collect();
    let task = |number: usize| {
        let arguments = json!({"filePath": "/workspace/own.txt", "content": format!("{number}\n")});
        format!("TOOL:write:{arguments}")
    };
    let runs: Vec<_> = sessions
        .iter()
        .enumerate()
        .map(|(number, session)| desk.submit(session, &task(number)))
        .collect();
    // One that comes to an end gives the others the machine.
    let mut left = runs.len();
    while left > 0 {
        until("another run ends or says something", || {
            let told = desk.call("opencode_runs", json!({"limit": MANY}));
            let open = told["runs"].as_array().unwrap().iter().filter(|run| !is_over(run)).count();
            std::mem::replace(&mut left, open) > open || open == 0
        });
    }
    for (number, (session, run)) in sessions.iter().zip(&runs).enumerate() {
        assert_eq!(desk.status(session, run)["state"], "completed", "{}", desk.logs(run));
        let own = std::fs::read_to_string(desk.folder(session).join("own.txt")).unwrap();
        assert_eq!(own, format!("{number}\n"));
    }
    for session in &sessions {
        desk.call("terminate_session", json!({"session_id": session, "remove_workspace": true}));
    }
    assert_eq!(desk.bench.containers(), Vec::<Value>::new());
}

//! Twenty sessions at once.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::desk::{Desk, Wish, is_over};
use crate::support::bench::text;

const MANY: usize = 20;
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Each of them takes seconds of a processor to start, and it does so beside nineteen others and the other tests.
const PATIENCE: Duration = Duration::from_secs(900);

#[test]
fn twenty_sessions_do_a_task_each_at_once() {
    // Each has a small share, so that what runs beside this test goes on.
    let wish = Wish { config: "cpus = 0.2", silence_s: 900, alone: true, ..Wish::default() };
    let Some(mut desk) = Desk::with(&wish) else { return };
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
    let begin = Instant::now();
    loop {
        let told = desk.call("opencode_runs", json!({"limit": MANY}))["runs"].clone();
        if told.as_array().unwrap().iter().all(is_over) {
            break;
        }
        assert!(begin.elapsed() < PATIENCE, "they do not end: {told}");
        sleep(LOOK_EVERY);
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

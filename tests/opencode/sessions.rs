//! Sessions: made once for each key, listed, terminated.

use serde_json::{Value, json};

use super::desk::{Desk, Wish};
use crate::support::{Setup, bench::text, engine::IMAGE, failure, inside::inside};

#[test]
fn whoever_has_the_same_key_gets_the_same_session_until_it_is_terminated() {
    let Some(mut desk) = Desk::new() else { return };
    let call = json!({"name": "create_or_reuse_session", "arguments": {"name": "one", "reuse_key": "the same"}});
    let host = desk.bench.host();
    let begun: Vec<_> = (0..8).map(|_| host.begin("tools/call", call.clone())).collect();
    let answers: Vec<_> = begun
        .into_iter()
        .map(|id| host.answer(id)["result"]["structuredContent"].clone())
        .collect();
    let first = text(&answers[0]["session_id"]);
    assert!(answers.iter().all(|it| it["session_id"] == first), "{answers:?}");
    assert_eq!(answers.iter().filter(|it| it["reused"] == false).count(), 1, "{answers:?}");
    assert_eq!(desk.containers().len(), 1);
    assert_eq!(desk.ran(&first, "ECHO one")["state"], "completed");

    desk.bench.restart();
    let key = json!({"reuse_key": "the same"});
    let again = desk.call("create_or_reuse_session", key.clone());
    assert_eq!((&again["session_id"], &again["reused"]), (&json!(first), &json!(true)), "{again}");
    assert_eq!(again["name"], "one");
    assert_eq!(desk.ran(&first, "ECHO two")["state"], "completed");
    assert_eq!(desk.containers().len(), 1);

    let other = desk.call("create_or_reuse_session", json!({"reuse_key": "another"}));
    let other = text(&other["session_id"]);
    assert_ne!(other, first);
    let listed = desk.call("opencode_sessions", json!({}));
    assert_eq!(listed["total"], 2, "{listed}");
    assert_eq!(listed["sessions"][0]["session_id"], other.as_str(), "{listed}");

    let running = desk.submit(&first, "SLEEP:600");
    let queued = desk.submit(&first, "ECHO never");
    desk.until_asked("SLEEP:600");
    let ended = desk.call("terminate_session", json!({"session_id": first}));
    assert_eq!((&ended["canceled_runs"], &ended["success"]), (&json!(2), &json!(true)), "{ended}");
    for run in [&running, &queued] {
        assert_eq!(desk.status(&first, run)["state"], "canceled");
    }
    assert_eq!(desk.containers().len(), 1, "the other one's");
    let twice =
        desk.call("terminate_session", json!({"session_id": first, "remove_workspace": true}));
    assert_eq!((&twice["canceled_runs"], &twice["workspace_removed"]), (&json!(0), &json!(true)));
    assert!(!desk.folder(&first).exists());
    let told = desk.fails("submit_task", json!({"session_id": first, "task": "x"}));
    assert!(told.starts_with("SESSION_NOT_FOUND: "), "{told}");
    let fresh = desk.call("create_or_reuse_session", key);
    assert_eq!(fresh["reused"], false, "{fresh}");
    assert_ne!(fresh["session_id"], first.as_str());

    let runs = desk.call("opencode_runs", json!({"session_id": first}));
    let states: Vec<_> =
        runs["runs"].as_array().unwrap().iter().map(|run| run["state"].clone()).collect();
    assert_eq!(states, ["canceled", "canceled", "completed", "completed"]);
    let some = desk.call("opencode_runs", json!({"state": "completed", "limit": 1}));
    assert_eq!(some["runs"][0]["title"], "ECHO two", "{some}");
    for session in [text(&fresh["session_id"]), other] {
        desk.call("terminate_session", json!({"session_id": session, "remove_workspace": true}));
    }
    assert_eq!(desk.bench.containers(), Vec::<Value>::new());
}

#[test]
fn a_model_of_another_provider_is_refused_before_anything_is_made() {
    let Some(()) = inside("opencode") else { return };
    let mut variables = vec![("MCP_OPENCODE_PROVIDER", "openai")];
    let mut refused = |name, value| {
        variables.push((name, value));
        let setup = Setup::new().arguments(&["--plugins", "opencode"]);
        let with = |setup: Setup, (name, value): &(&str, &str)| setup.environment(name, value);
        let mut host = variables.iter().fold(setup, with).modern();
        failure(&host.call("create_or_reuse_session", json!({})))
    };
    let told = refused("MCP_OPENCODE_MODEL", "gpt-4.1");
    assert!(told.starts_with("INVALID: ") && told.contains("`openai/gpt-4.1`"), "{told}");
    let told = refused("MCP_OPENCODE_MODEL", "gemini/gemini-2.5-pro");
    assert!(
        told.contains("MCP_OPENCODE_MODEL") && told.contains("must be `provider/model`"),
        "{told}"
    );
    let told = refused("MCP_OPENCODE_PROVIDER", "nobody");
    assert!(told.contains("`nobody` is none of") || told.contains("must be"), "{told}");
}

#[test]
fn what_is_no_session_is_told_as_such() {
    let Some(()) = inside("opencode") else { return };
    let mut host = Setup::new().arguments(&["--plugins", "opencode"]).modern();
    for session in ["w_none", "", "w_../../x", "j_1"] {
        for (tool, arguments) in [
            ("submit_task", json!({"session_id": session, "task": "x"})),
            ("get_status", json!({"session_id": session})),
            ("list_artifacts", json!({"session_id": session})),
            ("terminate_session", json!({"session_id": session})),
        ] {
            let result = host.call(tool, arguments);
            let told = failure(&result);
            assert!(told.starts_with("SESSION_NOT_FOUND: "), "{tool} {session}: {told}");
        }
    }
}

#[test]
fn an_image_without_opencode_is_told_and_tried_once() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.call("create_or_reuse_session", json!({"image": IMAGE}));
    let session = text(&session["session_id"]);
    let told = desk.ran(&session, "ECHO");
    assert_eq!(told["state"], "failed", "{told}");
    assert!(text(&told["error"]).starts_with("opencode ended "), "{told}");
    assert_eq!(desk.llm.prompts().len(), 0);
}

#[test]
fn a_container_that_nobody_uses_is_removed_and_made_again_when_it_is_wanted() {
    let Some(mut desk) = Desk::with(&Wish { config: "unused_days = 0", ..Wish::default() }) else {
        return;
    };
    let session = desk.session();
    assert_eq!(desk.ran(&session, "ECHO before")["state"], "completed");
    let first = desk.containers();
    // Whoever makes a session clears away what others have left.
    let other = desk.call("create_or_reuse_session", json!({"image": IMAGE}));
    let left = desk.containers();
    assert_eq!((first.len(), left.len()), (1, 1), "{left:?}");
    assert_ne!(first[0]["Id"], left[0]["Id"]);
    assert_eq!(desk.ran(&session, "ECHO after")["state"], "completed");
    let history = desk.llm.prompts().last().unwrap().to_string();
    assert!(history.contains("ECHO before"), "{history}");
    for session in [&session, &text(&other["session_id"])] {
        desk.call("terminate_session", json!({"session_id": session}));
    }
}

//! What opencode may not do without being asked: it never hangs a run.

use serde_json::{Value, json};

use super::desk::{Desk, Wish};
use crate::support::{bench::text, until};

const WRITE: &str = "TOOL:bash:{\"command\": \"echo hi > /workspace/asked.txt\"}";

/// A host that asks, with a client that can be asked.
fn asking() -> Option<Desk> {
    let mut desk = Desk::with(&Wish { config: "permission = 'ask'", ..Wish::default() })?;
    desk.bench.host().capabilities = json!({"elicitation": {"form": {}}});
    Some(desk)
}

/// Lets somebody answer what a run asks, through the tool that waits for jobs.
#[track_caller]
fn answer(desk: &mut Desk, run: &str, content: Value) {
    let call = json!({"name": "job_wait", "arguments": {"job_id": run, "seconds": 1}});
    let asked = desk.bench.host().request("tools/call", call.clone())["result"].clone();
    let requests =
        asked["inputRequests"].as_object().unwrap_or_else(|| panic!("it asks nothing: {asked}"));
    let given = requests.keys().map(|name| {
        let answer = json!({"action": "accept", "content": content});
        (name.clone(), answer)
    });
    let given: serde_json::Map<_, _> = given.collect();
    let mut again = call;
    again["inputResponses"] = given.into();
    again["requestState"] = asked["requestState"].clone();
    let answered = desk.bench.host().request("tools/call", again);
    assert!(answered.get("error").is_none(), "{answered}");
}

#[test]
fn a_run_asks_and_goes_on_as_it_is_told() {
    let Some(mut desk) = asking() else { return };
    let session = desk.session();
    let file = desk.folder(&session).join("asked.txt");

    let run = desk.submit(&session, WRITE);
    let told = desk.comes_to(&session, &run, "input_required");
    assert!(text(&told["questions"][0]["wants"]).starts_with("bash: echo hi"), "{told}");
    assert!(!file.exists(), "before the answer");
    answer(&mut desk, &run, json!({"decision": "reject", "reason": "not here"}));
    let told = desk.comes_to(&session, &run, "completed");
    assert_eq!((&told["questions"], file.exists()), (&Value::Null, false), "{told}");
    assert!(desk.llm.prompts().iter().any(|prompt| prompt.to_string().contains("not here")));

    let run = desk.submit(&session, WRITE);
    desk.comes_to(&session, &run, "input_required");
    // What waits for an answer waits for a host that is away as well.
    desk.bench.killed(|_| {});
    desk.bench.host().capabilities = json!({"elicitation": {"form": {}}});
    desk.comes_to(&session, &run, "input_required");
    answer(&mut desk, &run, json!({"decision": "once"}));
    desk.comes_to(&session, &run, "completed");
    assert!(file.exists());

    let run = desk.submit(&session, WRITE);
    desk.comes_to(&session, &run, "input_required");
    let told = desk.call("cancel_run", json!({"run_id": run}));
    assert_eq!(told["run"]["state"], "canceled", "{told}");
    // What the cancelled one asked is not asked again.
    assert_eq!(desk.ran(&session, "ECHO on")["state"], "completed");
    one_that_works_for_the_agent_asks_too(&mut desk, &session);
}

fn one_that_works_for_the_agent_asks_too(desk: &mut Desk, session: &str) {
    // The model would take what is in the prompt for its own.
    let below = "\\u0054OOL:bash:{\\\"command\\\": \\\"echo hi > /workspace/below.txt\\\"}";
    let task = format!(
        "TOOL:task:{{\"description\": \"below\", \"subagent_type\": \"general\", \"prompt\": \"{below}\"}}"
    );
    let run = desk.submit(session, &task);
    let told = desk.comes_to(session, &run, "input_required");
    assert!(text(&told["questions"][0]["wants"]).starts_with("bash: echo hi"), "{told}");
    answer(desk, &run, json!({"decision": "once"}));
    desk.comes_to(session, &run, "completed");
    assert!(desk.folder(session).join("below.txt").exists());
}

#[test]
fn what_is_denied_is_not_done_and_does_not_stop_the_run() {
    let Some(mut desk) = Desk::with(&Wish { config: "permission = 'deny'", ..Wish::default() })
    else {
        return;
    };
    let session = desk.session();
    let run = desk.submit(&session, WRITE);
    until("it ends", || super::desk::is_over(&desk.status(&session, &run)));
    assert!(!desk.folder(&session).join("asked.txt").exists());
    let tools = desk.llm.prompts()[0]["tools"].to_string();
    assert!(!tools.contains("\"bash\"") && tools.contains("\"read\""), "{tools}");
}

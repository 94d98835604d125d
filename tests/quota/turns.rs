//! Whose turn it is where all places are taken.

use std::io::Write as _;

use expect_test::expect;
use serde_json::{Value, json};

use super::{Caller, failed};
use crate::support::{
    Host, MODERN, Setup, failure,
    http::{ACCEPT, Answer, HttpHost},
    until,
};

const LONG: u32 = 600_000;

fn host(server: &str) -> Host {
    let config = format!("[server]\n{server}\n");
    Setup::new().plugins(&["echo"]).config(&config).legacy()
}

fn begin_waiting(host: &mut Host) -> u64 {
    host.begin("tools/call", json!({"name": "wait", "arguments": {"milliseconds": LONG}}))
}

/// A call that hears of its place under this token.
fn begin(host: &mut Host, token: &str) -> u64 {
    let meta = json!({"progressToken": token});
    let arguments = json!({"message": token});
    host.begin("tools/call", json!({"name": "echo", "arguments": arguments, "_meta": meta}))
}

fn cancel(host: &mut Host, id: u64) {
    let parameters = json!({"requestId": id});
    host.send(
        &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": parameters}),
    );
}

/// What a call hears next while it waits.
#[track_caller]
fn place(host: &mut Host, token: &str) -> (f64, String) {
    let note = host.note("notifications/progress");
    let parameters = &note["params"];
    assert_eq!(parameters["progressToken"], token, "{note}");
    (parameters["progress"].as_f64().unwrap(), parameters["message"].as_str().unwrap().to_owned())
}

#[test]
fn a_call_that_waits_hears_its_place_and_then_runs() {
    let mut host = host("concurrent_calls = 1");
    let running = begin_waiting(&mut host);
    let first = begin(&mut host, "first");
    assert_eq!(place(&mut host, "first"), (-1.0, "waits for a place: it is the next".to_owned()));
    let second = begin(&mut host, "second");
    assert_eq!(place(&mut host, "second"), (-2.0, "waits for a place: 1 before it".to_owned()));
    cancel(&mut host, running);
    for (id, message) in [(first, "first"), (second, "second")] {
        let answer = host.answer(id);
        assert_eq!(answer["result"]["structuredContent"]["message"], message, "{answer}");
    }
    assert_eq!(host.tools().len(), 2);
}

#[test]
fn who_is_cancelled_while_waiting_leaves_at_once() {
    let mut host = host("concurrent_calls = 1\nwaiting_calls = 1");
    let running = begin_waiting(&mut host);
    let waiting = begin(&mut host, "waiting");
    place(&mut host, "waiting");
    expect!["LIMIT: busy: 1 calls run and 1 wait; try again in a moment, or raise `server.waiting_calls`"].assert_eq(&failure(&host.call("echo", json!({"message": "full"}))));
    cancel(&mut host, waiting);
    let mut next = 0;
    until("there is room again", || {
        next = begin(&mut host, "next");
        // Either a place in the room, or a refusal.
        let message = host.next_message().unwrap();
        message["method"] == "notifications/progress"
    });
    cancel(&mut host, running);
    assert_eq!(host.answer(next)["result"]["structuredContent"]["message"], "next");
    assert!(!host.rest().iter().any(|message| message["id"] == waiting), "it was answered");
}

#[test]
fn nobody_waits_for_ever() {
    let mut host = host("concurrent_calls = 1\nwaiting_seconds = 1");
    begin_waiting(&mut host);
    expect!["LIMIT: busy: 1 calls run and 1 wait, and this one waited 1 s; try again in a moment, or raise `server.concurrent_calls`"].assert_eq(&failure(&host.call("echo", json!({"message": "hi"}))));
}

#[test]
fn a_plugin_that_is_full_keeps_no_other_one_waiting() {
    let config = "[plugins.echo.limits]\nconcurrent_calls = 1\n";
    let mut host = Setup::new().plugins(&["echo", "crash"]).config(config).legacy();
    let running = begin_waiting(&mut host);
    let waiting = begin(&mut host, "waiting");
    place(&mut host, "waiting");
    assert_eq!(host.text("fine", json!({})), "fine");
    cancel(&mut host, running);
    assert_eq!(host.answer(waiting)["result"]["structuredContent"]["message"], "waiting");
}

#[test]
fn a_question_to_the_user_takes_no_place_of_the_plugin() {
    let config = "[limits]\nconcurrent_calls = 1\n[plugins.asker.grants]\nstore = true\n";
    let mut host = Setup::new().plugins(&["asker"]).config(config).start();
    host.initialize(crate::support::LEGACY, &json!({"elicitation": {}}));
    let arguments = json!({"name": "survey", "arguments": {}});
    let ids = [host.begin("tools/call", arguments.clone()), host.begin("tools/call", arguments)];
    // Both ask, though only one of them may run at a time.
    for _ in ids {
        let asked = host.note("elicitation/create");
        let answer = json!({"action": "accept", "content": {"name": "Ann"}});
        host.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": answer}));
    }
    for id in ids {
        let answer = host.answer(id);
        assert_eq!(answer["result"]["isError"], false, "{answer}");
    }
}

/// A call that is sent and not waited for.
fn raw(host: &HttpHost, caller: &Caller, tool: &str, arguments: &Value) -> String {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let parameters = json!({"name": tool, "arguments": arguments, "_meta": meta});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": parameters});
    let body = body.to_string();
    let (address, key, length) = (&host.address, &caller.0, body.len());
    format!(
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n{ACCEPT}\r\n\
         Content-Type: application/json\r\nMCP-Protocol-Version: {MODERN}\r\nMcp-Method: tools/call\r\n\
         Mcp-Name: {tool}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// The noisy one fills every place and the whole room; none of the quiet one's calls is refused, nor is the host's own word.
#[test]
fn a_thousand_calls_of_one_caller_leave_another_one_its_turn() {
    let config = "[server]\nconcurrent_calls = 4\nwaiting_calls = 100\n";
    let host = Setup::new().plugins(&["echo"]).config(config).http();
    let [noisy, quiet] = ["noisy", "quiet"].map(|name| Caller::new(&host.setup, name, &["admin"]));
    let request = raw(&host, &noisy, "wait", &json!({"milliseconds": 100}));
    let mut streams: Vec<_> = (0..1000).map(|_| host.connect()).collect();
    for stream in &mut streams {
        stream.write_all(request.as_bytes()).unwrap();
    }
    let call = |number: usize| ("echo", json!({"message": number.to_string()}));
    let results = quiet.call_at_once(&host, 10, call);
    assert_eq!(failed(&results), 0, "{results:?}");
    let answers: Vec<_> =
        streams.iter_mut().map(|stream| Answer::read(stream).message()["result"].clone()).collect();
    let refused: Vec<_> = answers.iter().filter(|it| it["isError"] == true).map(failure).collect();
    assert!(!refused.is_empty(), "the room was never full");
    let is_told =
        |text: &String| text.starts_with("LIMIT: busy: 4 calls run and ") && text.contains(" wait");
    assert!(refused.iter().all(is_told), "{:?}", refused.iter().find(|it| !is_told(it)));
    assert!(answers.len() - refused.len() >= 90, "{} were done", answers.len() - refused.len());
}

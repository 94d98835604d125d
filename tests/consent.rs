//! What needs the user: nothing dangerous is done without a yes, and a yes counts once, for what was asked.

use expect_test::expect;
use serde_json::{Value, json};

use crate::support::{Host, LEGACY, Setup, failure, refusal, text_of};

/// What `asker` and `noter` import.
const GRANTS: &str = "[plugins.asker.grants]\nstore = true\n";

fn asker() -> Setup {
    Setup::new().plugins(&["asker"]).config(GRANTS)
}

/// A first-era client that can put forms to its user.
fn legacy() -> Host {
    let mut host = asker().start();
    host.initialize(LEGACY, &json!({"elicitation": {}}));
    host
}

/// A second-era client that can.
fn modern() -> Host {
    let mut host = asker().modern();
    host.capabilities = json!({"elicitation": {"form": {}}});
    host
}

/// Whether `/a` was deleted.
fn is_wiped(host: &mut Host) -> bool {
    host.text("wiped", json!({"path": "/a"})) == "true"
}

fn wipe() -> Value {
    json!({"name": "wipe", "arguments": {"path": "/a"}})
}

/// First era: calls a tool, answers what the host asks one after the other, and returns the result.
fn converse(host: &mut Host, call: Value, answers: &[Value]) -> Value {
    let id = host.begin("tools/call", call);
    for answer in answers {
        let question = host.note("elicitation/create");
        host.send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": answer}));
    }
    let result = host.answer(id)["result"].clone();
    assert!(!host.notes.iter().any(|note| note["method"] == "elicitation/create"), "it asked more");
    result
}

#[test]
fn a_first_era_user_is_asked_what_and_how() {
    let mut host = legacy();
    let id = host.begin("tools/call", wipe());
    let question = host.note("elicitation/create");
    let parameters = &question["params"];
    assert_eq!(parameters["message"], "Delete /a?");
    assert_eq!(parameters["requestedSchema"], json!({"type": "object", "properties": {}}));
    assert!(!is_wiped(&mut host), "before the answer");
    let yes = json!({"action": "accept", "content": {}});
    host.send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": yes}));
    assert_eq!(text_of(&host.answer(id)["result"]), "deleted /a");
    assert!(is_wiped(&mut host));
}

#[test]
fn a_first_era_no_is_a_no() {
    for action in ["decline", "cancel"] {
        let mut host = legacy();
        let result = converse(&mut host, wipe(), &[json!({"action": action})]);
        assert_eq!(failure(&result), "DENIED: the user said no", "{action}");
        assert!(!is_wiped(&mut host), "{action}");
    }
}

#[test]
fn a_first_era_client_that_fails_to_ask_gave_no_consent() {
    let mut host = legacy();
    let id = host.begin("tools/call", wipe());
    let question = host.note("elicitation/create");
    let error = json!({"code": -32603, "message": "no window"});
    host.send(&json!({"jsonrpc": "2.0", "id": question["id"], "error": error}));
    assert!(failure(&host.answer(id)["result"]).starts_with("UNAVAILABLE"));
    assert!(!is_wiped(&mut host));
}

#[test]
fn a_first_era_client_that_cannot_ask_is_refused() {
    for capabilities in [json!({}), json!({"elicitation": {"url": {}}}), json!({"sampling": {}})] {
        let mut host = asker().start();
        host.initialize(LEGACY, &capabilities);
        let result = host.request("tools/call", wipe())["result"].clone();
        expect!["DENIED: nothing was done: the call needs the user's answer, and this client cannot ask (it lacks `elicitation`)"].assert_eq(&failure(&result));
        assert!(!is_wiped(&mut host), "{capabilities}");
    }
}

#[test]
fn a_call_that_waits_for_its_user_can_be_cancelled() {
    let mut host = legacy();
    let id = host.begin("tools/call", wipe());
    let question = host.note("elicitation/create");
    let parameters = json!({"requestId": id});
    host.send(
        &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": parameters}),
    );
    let yes = json!({"action": "accept", "content": {}});
    host.send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": yes}));
    assert!(!is_wiped(&mut host));
    assert!(
        !host.rest().iter().any(|message| message["id"] == id && message.get("method").is_none())
    );
}

/// Second era: a first call, which must come back with this question, and the state that came along.
fn ask(host: &mut Host, call: &Value, question: &str) -> String {
    let result = host.request("tools/call", call.clone())["result"].clone();
    state(&result, question)
}

/// The state of a result that must ask this question.
#[track_caller]
fn state(result: &Value, question: &str) -> String {
    assert_eq!(result["resultType"], "input_required", "{result}");
    assert_eq!(result["inputRequests"][question]["method"], "elicitation/create", "{result}");
    result["requestState"].as_str().unwrap().to_owned()
}

/// The same call with an answer.
fn answered(call: &Value, question: &str, answer: &Value, state: &str) -> Value {
    let mut call = call.clone();
    call["inputResponses"] = json!({question: answer});
    call["requestState"] = state.into();
    call
}

fn yes() -> Value {
    json!({"action": "accept", "content": {}})
}

#[test]
fn a_second_era_user_is_asked_what_and_how() {
    let mut host = modern();
    let result = host.request("tools/call", wipe())["result"].clone();
    let state = state(&result, "confirm");
    let parameters = &result["inputRequests"]["confirm"]["params"];
    assert_eq!(parameters["message"], "Delete /a?");
    assert_eq!(parameters["requestedSchema"], json!({"type": "object", "properties": {}}));
    assert!(!is_wiped(&mut host), "before the answer");
    let answer = host.request("tools/call", answered(&wipe(), "confirm", &yes(), &state));
    assert_eq!(text_of(&answer["result"]), "deleted /a");
    assert!(is_wiped(&mut host));
}

#[test]
fn a_second_era_no_is_a_no() {
    for action in ["decline", "cancel"] {
        let mut host = modern();
        let state = ask(&mut host, &wipe(), "confirm");
        let no = answered(&wipe(), "confirm", &json!({"action": action}), &state);
        let result = host.request("tools/call", no)["result"].clone();
        assert_eq!(failure(&result), "DENIED: the user said no", "{action}");
        assert!(!is_wiped(&mut host), "{action}");
    }
}

#[test]
fn a_second_era_client_that_cannot_ask_is_told_what_it_lacks() {
    for capabilities in [json!({}), json!({"elicitation": {"url": {}}}), json!({"sampling": {}})] {
        let mut host = asker().modern();
        host.capabilities = capabilities;
        let answer = host.request("tools/call", wipe());
        assert!(refusal(&answer).starts_with("-32021: "), "{answer}");
        let required = &answer["error"]["data"]["requiredCapabilities"];
        assert!(required["elicitation"].is_object(), "{answer}");
        assert!(!is_wiped(&mut host));
    }
}

/// A yes that was not given to this question. The host refuses it, or asks again.
#[track_caller]
fn check_no_consent(host: &mut Host, call: Value) {
    let answer = host.request("tools/call", call);
    let refused = answer["error"]["code"] == -32602;
    assert!(refused || answer["result"]["resultType"] == "input_required", "{answer}");
    assert!(!is_wiped(host), "{answer}");
}

#[test]
fn a_yes_without_its_question_is_none() {
    let mut host = modern();
    let mut call = wipe();
    call["inputResponses"] = json!({"confirm": yes()});
    check_no_consent(&mut host, call.clone());
    for state in ["", "!", "AAAA", &"A".repeat(100), &"A".repeat(100_000)] {
        call["requestState"] = state.into();
        check_no_consent(&mut host, call.clone());
    }
}

#[test]
fn a_yes_to_a_changed_state_is_none() {
    let mut host = modern();
    let state = ask(&mut host, &wipe(), "confirm");
    for place in 0..state.len() {
        let mut changed = state.clone().into_bytes();
        changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        let call = answered(&wipe(), "confirm", &yes(), &changed);
        assert!(refusal(&host.request("tools/call", call)).starts_with("-32602: requestState"));
    }
    assert!(!is_wiped(&mut host));
    // All of that did not use it up.
    host.request("tools/call", answered(&wipe(), "confirm", &yes(), &state));
    assert!(is_wiped(&mut host));
}

#[test]
fn a_yes_to_another_question_is_none() {
    let mut host = modern();
    let other = json!({"name": "wipe", "arguments": {"path": "/b"}});
    let state = ask(&mut host, &other, "confirm");
    check_no_consent(&mut host, answered(&wipe(), "confirm", &yes(), &state));
    let survey = json!({"name": "survey", "arguments": {}});
    let state = ask(&mut host, &survey, "person");
    check_no_consent(&mut host, answered(&wipe(), "confirm", &yes(), &state));
    check_no_consent(&mut host, answered(&wipe(), "person", &yes(), &state));
    let state = ask(&mut host, &wipe(), "confirm");
    check_no_consent(&mut host, answered(&wipe(), "other", &yes(), &state));
}

#[test]
fn a_yes_counts_once() {
    let mut host = modern();
    let state = ask(&mut host, &wipe(), "confirm");
    let call = answered(&wipe(), "confirm", &yes(), &state);
    assert_eq!(text_of(&host.request("tools/call", call.clone())["result"]), "deleted /a");
    let again = host.request("tools/call", call);
    assert_eq!(refusal(&again), "-32602: requestState: it was used already; call again without it");
    let state = ask(&mut host, &wipe(), "confirm");
    let no = answered(&wipe(), "confirm", &json!({"action": "decline"}), &state);
    assert!(failure(&host.request("tools/call", no)["result"]).starts_with("DENIED"));
    let changed_mind = answered(&wipe(), "confirm", &yes(), &state);
    assert!(refusal(&host.request("tools/call", changed_mind)).contains("it was used already"));
}

#[test]
fn a_yes_does_not_outlive_the_host() {
    let mut host = modern();
    let state = ask(&mut host, &wipe(), "confirm");
    let mut host = host.restart().modern();
    host.capabilities = json!({"elicitation": {}});
    check_no_consent(&mut host, answered(&wipe(), "confirm", &yes(), &state));
}

#[test]
fn a_state_tells_its_client_nothing() {
    let mut host = modern();
    let survey = json!({"name": "survey", "arguments": {}});
    let (one, other) = (ask(&mut host, &survey, "person"), ask(&mut host, &survey, "person"));
    assert_ne!(one, other);
    assert!(!one.contains("round-1") && !one.contains("cm91bmQtMQ"), "{one}");
}

/// Answers that do not fit the survey's form, and one that does.
fn answers() -> Vec<Value> {
    let accept = |content: Value| json!({"action": "accept", "content": content});
    vec![
        accept(json!({})),
        accept(json!({"name": 3})),
        accept(json!({"name": "Ann", "age": "old"})),
        json!({"action": "perhaps"}),
        accept(json!({"name": "Ann", "age": 33})),
    ]
}

#[test]
fn a_first_era_form_is_put_until_its_answer_fits_and_the_plugin_remembers() {
    let mut host = legacy();
    let call = json!({"name": "survey", "arguments": {}});
    let fitting: Vec<_> = answers().into_iter().filter(|it| it["action"] == "accept").collect();
    let result = converse(&mut host, call, &fitting);
    assert_eq!(text_of(&result), "Hello, Ann! (round-1)");
}

#[test]
fn a_second_era_form_is_put_until_its_answer_fits_and_the_plugin_remembers() {
    let mut host = modern();
    let call = json!({"name": "survey", "arguments": {}});
    let mut answers = answers();
    let fitting = answers.pop().unwrap();
    let mut open = ask(&mut host, &call, "person");
    for answer in answers {
        let result = host.request("tools/call", answered(&call, "person", &answer, &open));
        open = state(&result["result"], "person");
    }
    let answer = host.request("tools/call", answered(&call, "person", &fitting, &open));
    assert_eq!(text_of(&answer["result"]), "Hello, Ann! (round-1)");
}

#[test]
fn a_first_era_user_is_not_asked_for_ever() {
    let mut host = legacy();
    let call = json!({"name": "survey", "arguments": {}});
    let empty = json!({"action": "accept", "content": {}});
    let result = converse(&mut host, call, &vec![empty; 10]);
    assert_eq!(failure(&result), "LIMIT: it asked more than 10 times");
}

/// Roles whose destructive tools ask first, for whoever started the host.
const CAREFUL: &str = "
[access]
local = ['careful']
[access.roles.careful]
allow = ['*']
[plugins.noter.grants]
store = true
";

fn careful() -> Setup {
    let config = format!("{GRANTS}{CAREFUL}");
    Setup::new().plugins(&["asker", "noter"]).config(&config)
}

fn write() -> Value {
    json!({"name": "note_write", "arguments": {"id": "plan", "text": "a"}})
}

fn is_written(host: &mut Host) -> bool {
    let read = host.request("resources/read", json!({"uri": "note://plan"}));
    read["result"]["contents"][0]["text"] == "a"
}

const QUESTION: &str = r#"`note_write` of plugin `noter` may destroy what cannot be had back. Call it with {"id":"plan","text":"a"}?"#;

#[test]
fn the_host_asks_for_a_tool_that_destroys_and_does_not_ask() {
    let mut host = careful().modern();
    host.capabilities = json!({"elicitation": {"form": {}}});
    let result = host.request("tools/call", write())["result"].clone();
    assert_eq!(result["inputRequests"]["confirm"]["params"]["message"], QUESTION);
    let state = state(&result, "confirm");
    assert!(!is_written(&mut host), "before the answer");
    let no = answered(&write(), "confirm", &json!({"action": "decline"}), &state);
    let refused = host.request("tools/call", no)["result"].clone();
    assert_eq!(failure(&refused), "DENIED: the user said no");
    assert!(!is_written(&mut host));
    // The question was answered: that it was asked counts no more.
    let late = host.request("tools/call", answered(&write(), "confirm", &yes(), &state));
    assert!(!is_written(&mut host), "{late}");
    let state = ask(&mut host, &write(), "confirm");
    host.request("tools/call", answered(&write(), "confirm", &yes(), &state));
    assert!(is_written(&mut host));
}

#[test]
fn the_host_asks_in_the_first_era_too() {
    let mut host = careful().start();
    host.initialize(LEGACY, &json!({"elicitation": {}}));
    let no = converse(&mut host, write(), &[json!({"action": "cancel"})]);
    assert_eq!(failure(&no), "DENIED: the user said no");
    assert!(!is_written(&mut host));
    converse(&mut host, write(), &[yes()]);
    assert!(is_written(&mut host));
}

#[test]
fn a_tool_that_asks_by_itself_is_not_asked_about_twice() {
    let mut host = careful().modern();
    host.capabilities = json!({"elicitation": {"form": {}}});
    let result = host.request("tools/call", wipe())["result"].clone();
    assert_eq!(result["inputRequests"]["confirm"]["params"]["message"], "Delete /a?");
    let state = state(&result, "confirm");
    let done = host.request("tools/call", answered(&wipe(), "confirm", &yes(), &state));
    assert_eq!(text_of(&done["result"]), "deleted /a");
    assert!(is_wiped(&mut host));
}

#[test]
fn without_a_way_to_ask_nothing_is_destroyed() {
    let mut host = careful().modern();
    for call in [write(), wipe()] {
        let refused = host.request("tools/call", call)["result"].clone();
        assert!(failure(&refused).contains("`access.roles.careful.unasked = true`"), "{refused}");
    }
    assert!(!is_written(&mut host) && !is_wiped(&mut host));
}

//! The protocol itself: versions, eras, bad input, what is told during a call, cancellation, the end.

use std::{
    fs,
    time::{Duration, Instant},
};

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::support::{Host, LEGACY, MODERN, Setup, refusal, until};

/// What `greedy` imports.
const GRANTS: &str = "[plugins.greedy.grants]\nstore = true\nhttp = ['https://example.com']\n";

/// Both kinds of clients.
const ERAS: [fn(Setup) -> Host; 2] = [Setup::legacy, Setup::modern];

#[test]
fn each_version_of_the_first_era_is_spoken() {
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", LEGACY] {
        let mut host = Setup::new().plugins(&["echo"]).start();
        let answer = host.initialize(version, &json!({}));
        assert_eq!(answer["result"]["protocolVersion"], version);
        assert_eq!(host.text("echo", json!({"message": "hi"})), r#"{"message":"hi"}"#);
    }
}

#[test]
fn a_hello_in_an_unknown_version_is_answered_with_the_last_that_has_hellos() {
    for version in ["1999-01-01", MODERN, "2099-01-01", ""] {
        let mut host = Setup::new().plugins(&["echo"]).start();
        let answer = host.initialize(version, &json!({}));
        assert_eq!(answer["result"]["protocolVersion"], LEGACY, "asked for `{version}`");
        assert_eq!(host.text("echo", json!({"message": "hi"})), r#"{"message":"hi"}"#);
    }
}

#[test]
fn the_second_era_needs_no_hello() {
    let mut host = Setup::new().plugins(&["echo"]).modern();
    let answer = host.request("server/discover", json!({}));
    assert!(
        answer["result"]["supportedVersions"].as_array().unwrap().contains(&"2026-07-28".into())
    );
    assert_eq!(host.call("echo", json!({"message": "hi"}))["resultType"], "complete");
}

/// Sends the same request as the first message and as the second, to a host without a hello.
#[track_caller]
fn check_refused(method: &str, parameters: &Value, expected: &Expect) {
    let mut host = Setup::new().plugins(&["echo"]).start();
    let first = host.request(method, parameters.clone());
    expected.assert_eq(&refusal(&first));
    let second = host.request(method, parameters.clone());
    expected.assert_eq(&refusal(&second));
}

fn meta(version: &str) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

#[test]
fn a_request_of_the_second_era_names_version_and_capabilities() {
    let neither = expect![
        "-32602: request _meta is missing or has malformed required fields: io.modelcontextprotocol/protocolVersion, io.modelcontextprotocol/clientCapabilities"
    ];
    check_refused("tools/list", &json!({}), &neither);
    check_refused("tools/list", &json!({"_meta": {}}), &neither);
    let mut meta = meta(MODERN);
    meta.as_object_mut().unwrap().remove("io.modelcontextprotocol/clientCapabilities");
    check_refused(
        "tools/list",
        &json!({"_meta": meta}),
        &expect![
            "-32602: request _meta is missing or has malformed required fields: io.modelcontextprotocol/clientCapabilities"
        ],
    );
}

#[test]
fn an_unknown_version_of_the_second_era_is_told_which_there_are() {
    let parameters = json!({"_meta": meta("2099-01-01")});
    check_refused("tools/list", &parameters, &expect!["-32022: Unsupported protocol version"]);
    let mut host = Setup::new().plugins(&["echo"]).start();
    let error = &host.request("tools/list", parameters)["error"];
    assert!(error["data"]["supported"].as_array().unwrap().contains(&MODERN.into()), "{error}");
}

#[test]
fn a_request_that_makes_no_sense_is_refused_and_says_why() {
    let unknown = expect!["-32602: Unknown tool: `nope`; tools/list names all there are"];
    let nameless = expect!["-32602: the parameters are none that `tools/call` takes"];
    let method = expect!["-32601: there is no method `no/such`"];
    for start in ERAS {
        let mut host = start(Setup::new().plugins(&["echo"]));
        let mut check = |method, parameters, expected: &Expect| {
            expected.assert_eq(&refusal(&host.request(method, parameters)));
        };
        check("tools/call", json!({"name": "nope", "arguments": {}}), &unknown);
        check("tools/call", json!({"arguments": {}}), &nameless);
        check("tools/call", json!({"name": "echo", "arguments": 3}), &nameless);
        check("no/such", json!({}), &method);
        assert_eq!(host.text("echo", json!({"message": "hi"})), r#"{"message":"hi"}"#);
    }
}

#[test]
fn what_the_second_era_has_given_up_is_no_method_there() {
    let gone = ["ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"];
    let mut host = Setup::new().plugins(&["echo"]).modern();
    host.tools();
    for method in gone {
        let error = host.request(method, json!({}))["error"].clone();
        assert_eq!(error["code"], -32601, "{method}: {error}");
    }
}

#[test]
fn a_first_era_client_may_ping() {
    let mut host = Setup::new().plugins(&["echo"]).legacy();
    assert_eq!(host.request("ping", json!({}))["result"], json!({}));
}

/// Lines that are no message of the protocol.
fn garbage() -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = [
        "garbage",
        "",
        "\r",
        "{",
        "null",
        "3",
        r#""text""#,
        "{}",
        r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":4711,"result":{}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":4714}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/nothing"}"#,
        r#"[{"jsonrpc":"2.0","id":4712,"method":"ping"}]"#,
    ]
    .map(|line| line.as_bytes().to_vec())
    .to_vec();
    lines.push(b"\xff\xfe\x00".to_vec());
    lines.push(vec![b'['; 100_000]);
    lines.push([r#"{"a":"#.repeat(100_000), "1".to_owned(), "}".repeat(100_000)].concat().into());
    let long = "y".repeat(17 << 20);
    lines.push(json!({"jsonrpc": "2.0", "id": 4713, "method": long}).to_string().into());
    lines
}

#[test]
fn a_line_that_is_no_message_does_not_hurt() {
    for start in ERAS {
        let mut host = start(Setup::new().plugins(&["echo"]));
        for line in garbage() {
            host.send_bytes(&[line.as_slice(), b"\n"].concat());
            assert_eq!(host.text("echo", json!({"message": "hi"})), r#"{"message":"hi"}"#);
        }
        let answered = |message: &Value| message["id"].as_u64().is_some_and(|id| id > 4000);
        assert!(!host.rest().iter().any(answered), "a part of the garbage was taken for a request");
    }
}

#[test]
fn garbage_before_the_first_message_does_not_hurt() {
    for line in garbage() {
        let mut host = Setup::new().plugins(&["echo"]).start();
        host.send_bytes(&[line.as_slice(), b"\n"].concat());
        let answer = host.initialize(LEGACY, &json!({}));
        assert_eq!(answer["result"]["protocolVersion"], LEGACY);
    }
}

#[test]
fn stdout_holds_nothing_but_messages_whatever_is_logged() {
    let setup = Setup::new().plugins(&["python", "crash"]);
    let mut host = setup.environment("WINDLASS_LOG", "trace").legacy();
    host.request("logging/setLevel", json!({"level": "debug"}));
    for tool in ["leak", "crash", "leak"] {
        host.call(tool, json!({}));
    }
    // Reading to the end parses every line.
    host.rest();
    assert!(host.wait().success());
    assert!(host.errors().contains("TRACE"), "{}", host.errors());
}

/// How many log messages reach a client of either era from a tool that logs thrice at `info`.
fn messages(host: &mut Host, meta: &Value) -> usize {
    let parameters = json!({"name": "chatter", "arguments": {"lines": 3}, "_meta": meta});
    assert_eq!(host.request("tools/call", parameters)["result"]["isError"], false);
    let notes: Vec<_> = host.notes.drain(..).collect();
    for note in &notes {
        assert_eq!(note["method"], "notifications/message");
        assert_eq!(
            (&note["params"]["level"], &note["params"]["logger"]),
            (&"info".into(), &"greedy".into())
        );
    }
    notes.len()
}

/// Levels that a client may ask for, and how many messages at `info` it then gets.
const LEVELS: [(&str, usize); 5] =
    [("debug", 3), ("info", 3), ("notice", 0), ("warning", 0), ("emergency", 0)];

#[test]
fn log_messages_reach_a_first_era_client_that_set_a_level_and_no_other() {
    let mut host = Setup::new().plugins(&["greedy"]).config(GRANTS).legacy();
    assert_eq!(messages(&mut host, &json!({})), 0, "it asked for none");
    for (level, expected) in LEVELS {
        host.request("logging/setLevel", json!({"level": level}));
        assert_eq!(messages(&mut host, &json!({})), expected, "{level}");
    }
}

#[test]
fn log_messages_reach_a_second_era_client_in_the_request_that_asks() {
    let mut host = Setup::new().plugins(&["greedy"]).config(GRANTS).modern();
    for (level, expected) in LEVELS {
        let meta = json!({"io.modelcontextprotocol/logLevel": level});
        assert_eq!(messages(&mut host, &meta), expected, "{level}");
        assert_eq!(messages(&mut host, &json!({})), 0, "that request asked for none");
    }
}

/// The numbers of all progress reports so far, which must be this token's.
fn progress(host: &mut Host) -> Vec<f64> {
    let number = |note: Value| {
        assert_eq!(note["method"], "notifications/progress");
        assert_eq!(note["params"]["progressToken"], "token");
        note["params"]["progress"].as_f64().unwrap()
    };
    host.notes.drain(..).map(number).collect()
}

#[test]
fn progress_is_told_to_who_sent_a_token_and_always_grows() {
    for start in ERAS {
        let mut host = start(Setup::new().plugins(&["echo"]));
        let arguments = json!({"milliseconds": 300});
        host.request("tools/call", json!({"name": "wait", "arguments": arguments}));
        assert_eq!(progress(&mut host), [0.0; 0]);
        let meta = json!({"progressToken": "token"});
        host.request("tools/call", json!({"name": "wait", "arguments": arguments, "_meta": meta}));
        assert_eq!(progress(&mut host), [100.0, 200.0, 300.0]);
    }
}

#[test]
fn a_flood_of_progress_is_thinned_out() {
    let reports = 1_000_000;
    let config = format!("{GRANTS}[limits]\nhost_calls = 2_000_000\n");
    let mut host = Setup::new().plugins(&["greedy"]).config(&config).legacy();
    let begin = Instant::now();
    let parameters = json!({"name": "flood", "arguments": {"reports": reports}, "_meta": {"progressToken": "token"}});
    let answer = host.request("tools/call", parameters);
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    let told = progress(&mut host);
    let most = 16 * (begin.elapsed().as_millis() / 10 + 2);
    assert!(told.len() as u128 <= most, "{} reports in {:?}", told.len(), begin.elapsed());
    assert!(told.is_sorted_by(|one, other| one < other), "it does not grow");
    assert_eq!(told.last(), Some(&f64::from(reports)), "the last one is missing");
}

/// The processor time that a process has used, in the kernel's ticks.
pub(crate) fn used(host: &Host) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", host.pid())).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum()
}

/// Waits until the host has used no processor time for a second.
pub(crate) fn until_still(host: &Host) {
    let mut last = (used(host), Instant::now());
    until("the host uses no processor time", || {
        if used(host) != last.0 {
            last = (used(host), Instant::now());
        }
        last.1.elapsed() > Duration::from_secs(1)
    });
}

/// Begins a call that computes for ever, and waits until it does.
pub(crate) fn begin_spinning(host: &mut Host) -> u64 {
    let before = used(host);
    let id = host.begin("tools/call", json!({"name": "spin", "arguments": {}}));
    until("the guest spins", || used(host) > before + 10);
    id
}

fn cancel(host: &mut Host, id: u64) {
    let parameters = json!({"requestId": id, "reason": "enough"});
    host.send(
        &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": parameters}),
    );
}

#[test]
fn a_cancelled_computation_stops_and_is_not_answered() {
    for start in ERAS {
        let mut host = start(Setup::new().plugins(&["echo", "looping"]));
        let id = begin_spinning(&mut host);
        cancel(&mut host, id);
        assert_eq!(host.text("echo", json!({"message": "hi"})), r#"{"message":"hi"}"#);
        until_still(&host);
        assert!(!host.rest().iter().any(|message| message["id"] == id), "it was answered");
    }
}

#[test]
fn a_cancelled_wait_ends_and_is_not_answered() {
    for start in ERAS {
        let config = "[server]\nwaiting_calls = 0\n[limits]\nconcurrent_calls = 1\n";
        let mut host = start(Setup::new().plugins(&["echo"]).config(config));
        let busy = |host: &mut Host| host.call("echo", json!({"message": "hi"}))["isError"] == true;
        let arguments = json!({"milliseconds": 600_000});
        let id = host.begin("tools/call", json!({"name": "wait", "arguments": arguments}));
        until("the wait has begun", || busy(&mut host));
        cancel(&mut host, id);
        until("the wait has ended", || !busy(&mut host));
        assert!(!host.rest().iter().any(|message| message["id"] == id), "it was answered");
    }
}

#[test]
fn the_host_ends_with_its_client_also_while_guests_compute() {
    for start in ERAS {
        let mut host = start(Setup::new().plugins(&["echo", "looping"]));
        begin_spinning(&mut host);
        host.begin("tools/call", json!({"name": "wait", "arguments": {"milliseconds": 600_000}}));
        assert!(host.end().success());
    }
    assert!(Setup::new().plugins(&["echo"]).start().end().success(), "before the first message");
}

#[test]
fn the_host_ends_when_it_is_told_to_also_while_guests_compute() {
    for signal in ["-TERM", "-INT"] {
        let mut host = Setup::new().plugins(&["echo", "looping"]).modern();
        begin_spinning(&mut host);
        host.signal(signal);
        assert!(host.wait().success(), "{signal}");
    }
}

#[test]
fn arguments_and_results_are_in_no_log_at_any_level() {
    let setup = Setup::new().environment("WINDLASS_LOG", "trace").plugins(&["echo", "crash"]);
    let mut host = setup.legacy();
    assert!(host.text("echo", json!({"message": "canary-77"})).contains("canary-77"));
    host.call("echo", json!({"message": 1, "canary-77": "canary-77"}));
    host.request("tools/call", json!({"name": "canary-77", "arguments": {}}));
    host.call("crash", json!({}));
    host.end();
    let errors = host.errors();
    assert!(errors.contains("trapped"), "the log is on: {errors}");
    assert!(!errors.contains("canary-77"), "{errors}");
}

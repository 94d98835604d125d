//! What one call may take, and that nobody else notices who takes more.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::{
    protocol::{until_still, used},
    support::{Host, Setup, failure, root, text_of, until},
};

/// What `greedy` imports.
const GRANTS: &str = "[plugins.greedy.grants]\nstore = true\nhttp = ['https://example.com']\n";

#[test]
fn no_memory_outlives_a_call() {
    let mut host = Setup::new().plugins(&["greedy"]).config(GRANTS).legacy();
    for _ in 0..5 {
        assert_eq!(host.text("remember", json!({})), "1");
    }
}

/// A call that goes beyond a limit, however the limit is configured, and others that do not notice.
#[track_caller]
fn check_limit(plugin: &str, limit: &str, (tool, arguments): (&str, Value), expected: &Expect) {
    for table in ["limits".to_owned(), format!("plugins.{plugin}.limits")] {
        let config = format!("{GRANTS}[{table}]\n{limit}\n");
        let mut host = Setup::new().plugins(&[plugin, "echo"]).config(&config).legacy();
        let arguments = json!({"name": tool, "arguments": arguments});
        let id = host.begin("tools/call", arguments);
        check_echo(&mut host);
        expected.assert_eq(&failure(&host.answer(id)["result"]));
        check_echo(&mut host);
    }
}

#[track_caller]
fn check_echo(host: &mut Host) {
    assert_eq!(host.text("echo", json!({"message": "hi"})), r#"{"message":"hi"}"#);
}

#[test]
fn a_call_ends_at_its_deadline() {
    let told = expect![
        "TIMEOUT: out of time: plugin `looping` may take 1 s for one call (`plugins.looping.limits.deadline_seconds`)"
    ];
    check_limit("looping", "deadline_seconds = 1", ("spin", json!({})), &told);
}

#[test]
fn a_call_that_waits_ends_at_its_deadline() {
    let config = "[plugins.echo.limits]\ndeadline_seconds = 1\n";
    let mut host = Setup::new().plugins(&["echo"]).config(config).legacy();
    let result = host.call("wait", json!({"milliseconds": 600_000}));
    assert!(failure(&result).starts_with("TIMEOUT: out of time"), "{result}");
}

#[test]
fn a_call_has_no_more_memory_than_it_may() {
    check_limit(
        "bomb",
        "memory_mib = 16",
        ("grow", json!({})),
        &expect![
            "LIMIT: plugin `bomb` needs more memory than its 16 MiB (`plugins.bomb.limits.memory_mib`)"
        ],
    );
}

#[test]
fn a_result_is_no_larger_than_it_may_be() {
    let too_large = json!({"bytes": (1 << 20) + 1});
    check_limit(
        "greedy",
        "output_mib = 1",
        ("heap", too_large),
        &expect![
            "LIMIT: the result of plugin `greedy` is larger than 1 MiB (`plugins.greedy.limits.output_mib`)"
        ],
    );
    let config = format!("{GRANTS}[limits]\noutput_mib = 1\n");
    let mut host = Setup::new().plugins(&["greedy"]).config(&config).legacy();
    assert_eq!(host.text("heap", json!({"bytes": 1 << 20})).len(), 1 << 20);
}

#[test]
fn a_result_beyond_what_the_host_takes_at_once_is_told_like_any_other() {
    let config = format!("{GRANTS}[limits]\noutput_mib = 100\nmemory_mib = 256\n");
    let mut host = Setup::new().plugins(&["greedy"]).config(&config).legacy();
    let result = host.call("heap", json!({"bytes": 50 << 20}));
    assert!(
        failure(&result).starts_with("LIMIT: the result of plugin `greedy` is larger"),
        "{result}"
    );
}

#[test]
fn a_call_calls_the_host_no_more_often_than_it_may() {
    let too_often = json!({"calls": 101});
    check_limit(
        "greedy",
        "host_calls = 100",
        ("hammer", too_often),
        &expect![
            "LIMIT: plugin `greedy` called the host more than 100 times in one call (`plugins.greedy.limits.host_calls`)"
        ],
    );
    let config = format!("{GRANTS}[limits]\nhost_calls = 100\n");
    let mut host = Setup::new().plugins(&["greedy"]).config(&config).legacy();
    assert_eq!(host.text("hammer", json!({"calls": 50})), "called 50 times");
}

#[test]
fn a_call_logs_no_more_than_it_may_and_says_so_once() {
    for table in ["limits", "plugins.greedy.limits"] {
        let config = format!("{GRANTS}[{table}]\nlog_kib = 1\n");
        let setup = Setup::new().plugins(&["greedy"]).config(&config);
        let mut host = setup.environment("WINDLASS_LOG", "info").legacy();
        host.request("logging/setLevel", json!({"level": "debug"}));
        assert_eq!(host.text("chatter", json!({"lines": 1000})), "wrote 1000 lines");
        let told: Vec<_> =
            host.notes.drain(..).map(|note| note["params"]["data"].clone()).collect();
        let last = "this call has logged all that it may; the rest is dropped";
        assert_eq!((told.len(), told.last()), (6, Some(&json!(last))));
        host.end();
        until("the log ends", || host.errors().contains(last));
        assert_eq!(host.errors().matches("xxxxxxxx").count() / 24, 5, "{}", host.errors());
        assert_eq!(host.errors().matches(last).count(), 1);
    }
}

#[test]
fn a_crash_tells_the_client_nothing_of_the_machine() {
    let mut host = Setup::new().plugins(&["crash"]).legacy();
    let home = host.setup.path("").display().to_string();
    let source = root().display().to_string();
    let result = host.call("crash", json!({}));
    let whole = result.to_string();
    expect!["OTHER: plugin `crash` crashed; the host's log says where"]
        .assert_eq(&failure(&result));
    for secret in ["canary", "/etc", &source, &home, "0x", "wasm", ".rs", "panicked"] {
        assert!(!whole.contains(secret), "`{secret}` in {whole}");
    }
    assert_eq!(host.text("fine", json!({})), "fine");
}

/// A host whose plugin `crash` is out of service for so long after two crashes.
fn crashing(table: &str, seconds: u32) -> Host {
    let config = format!("[{table}]\ncrashes = 2\nquarantine_seconds = {seconds}\n");
    Setup::new().plugins(&["crash", "echo"]).config(&config).legacy()
}

#[test]
fn a_plugin_that_crashes_again_and_again_is_taken_out_of_service() {
    for table in ["limits", "plugins.crash.limits"] {
        let mut host = crashing(table, 600);
        for _ in 0..2 {
            let text = failure(&host.call("crash", json!({})));
            assert!(text.starts_with("OTHER: plugin `crash` crashed"), "{text}");
        }
        let text = failure(&host.call("fine", json!({})));
        let told = "UNAVAILABLE: plugin `crash` is out of service after 2 crashes in a row; it is tried again in ";
        assert!(text.starts_with(told), "{text}");
        check_echo(&mut host);
    }
}

#[test]
fn crashes_with_a_success_between_them_are_forgiven() {
    let mut host = crashing("limits", 600);
    for _ in 0..5 {
        host.call("crash", json!({}));
        assert_eq!(host.text("fine", json!({})), "fine");
    }
}

#[test]
fn a_plugin_comes_back_into_service() {
    let mut host = crashing("limits", 1);
    for _ in 0..2 {
        host.call("crash", json!({}));
    }
    until("it is back", || text_of(&host.call("fine", json!({}))) == "fine");
}

fn begin_waiting(host: &mut Host) -> u64 {
    host.begin("tools/call", json!({"name": "wait", "arguments": {"milliseconds": 600_000}}))
}

#[test]
fn a_plugin_runs_no_more_calls_at_once_than_it_may() {
    for table in ["limits", "plugins.echo.limits"] {
        let config = format!("[server]\nwaiting_calls = 0\n[{table}]\nconcurrent_calls = 2\n");
        let mut host = Setup::new().plugins(&["echo", "crash"]).config(&config).legacy();
        begin_waiting(&mut host);
        check_echo(&mut host);
        begin_waiting(&mut host);
        let busy = expect![
            "LIMIT: busy: plugin `echo` runs 2 calls and 0 wait; try again in a moment, or raise `plugins.echo.limits.concurrent_calls`"
        ];
        busy.assert_eq(&failure(&host.call("echo", json!({"message": "hi"}))));
        assert_eq!(host.text("fine", json!({})), "fine");
    }
}

#[test]
fn the_host_runs_no_more_calls_at_once_than_it_may() {
    let config = "[server]\nconcurrent_calls = 2\nwaiting_calls = 0\n";
    let mut host = Setup::new().plugins(&["echo", "crash"]).config(config).legacy();
    begin_waiting(&mut host);
    check_echo(&mut host);
    begin_waiting(&mut host);
    expect!["LIMIT: busy: 2 calls run and 0 wait; try again in a moment, or raise `server.concurrent_calls`"].assert_eq(&failure(&host.call("fine", json!({}))));
    assert_eq!(host.tools().len(), 5, "what enters no guest still works");
}

#[test]
fn guests_that_compute_stand_in_nobodys_way() {
    let mut host = Setup::new().plugins(&["echo", "looping"]).legacy();
    for _ in 0..4 {
        host.begin("tools/call", json!({"name": "spin", "arguments": {}}));
    }
    let before = used(&host);
    until("they spin", || used(&host) > before + 20);
    for _ in 0..20 {
        check_echo(&mut host);
    }
    assert_eq!(host.tools(), ["echo", "spin", "wait"]);
}

#[test]
fn a_cancelled_call_leaves_its_place_to_the_next() {
    let config = "[server]\nconcurrent_calls = 1\nwaiting_calls = 0\n[limits]\ncrashes = 1\n";
    let mut host = Setup::new().plugins(&["echo", "looping"]).config(config).legacy();
    for _ in 0..8 {
        let before = used(&host);
        let id = host.begin("tools/call", json!({"name": "spin", "arguments": {}}));
        until("it spins", || used(&host) > before + 2);
        let parameters = json!({"requestId": id});
        host.send(
            &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": parameters}),
        );
        until("its place is free", || {
            let result = host.call("echo", json!({"message": "hi"}));
            let busy = result["isError"] == true && failure(&result).starts_with("LIMIT: busy");
            assert!(busy || result["isError"] == false, "{result}");
            !busy
        });
    }
}

#[test]
fn a_guest_stops_with_its_call_however_long_its_slices_are() {
    for table in ["limits", "plugins.looping.limits"] {
        let config = format!("[{table}]\nslice_ms = 400\ndeadline_seconds = 1\n");
        let mut host = Setup::new().plugins(&["looping"]).config(&config).legacy();
        assert!(failure(&host.call("spin", json!({}))).starts_with("TIMEOUT"));
        until_still(&host);
    }
}

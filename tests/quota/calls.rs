//! Calls within a minute, and calls at once.

use std::time::{Duration, Instant};

use expect_test::expect;
use serde_json::{Value, json};

use super::{Caller, failed};
use crate::support::{Setup, failure, http::HttpHost, until};

const QUOTAS: &str = "
[access.quota]
calls_per_minute = 3
[access.roles.wide]
allow = ['*']
[access.roles.wide.quota]
calls_per_minute = 5
";

fn echo(caller: &Caller, host: &HttpHost) -> Value {
    caller.call(host, "echo", json!({"message": "hi"}))
}

/// How many calls there are before one is refused, and with what. None where that took longer than it counts.
fn before_refused(caller: &Caller, host: &HttpHost) -> Option<(usize, Value)> {
    let begin = Instant::now();
    let mut calls = 0;
    loop {
        let result = echo(caller, host);
        if result["isError"] == true {
            return (begin.elapsed() < Duration::from_secs(60)).then_some((calls, result));
        }
        calls += 1;
    }
}

#[test]
fn a_caller_makes_so_many_calls_a_minute_and_hears_when_there_are_more() {
    let host = Setup::new().plugins(&["echo"]).config(QUOTAS).http();
    let [ann, bob] = ["ann", "bob"].map(|name| Caller::new(&host.setup, name, &["admin"]));
    let eve = Caller::new(&host.setup, "eve", &["admin", "wide"]);
    if let Some((calls, refused)) = before_refused(&ann, &host) {
        assert_eq!(calls, 3);
        let text = failure(&refused);
        let told = "QUOTA_EXCEEDED: quota: `ann` may make 3 calls a minute (`access.quota.calls_per_minute`); try again in ";
        assert!(text.starts_with(told), "{text}");
        let structured = &refused["structuredContent"];
        assert_eq!(structured["error_code"], "QUOTA_EXCEEDED", "{refused}");
        // Looking at what there is is no call.
        let listed = host.request_as(&ann.0, "tools/list", json!({})).message();
        assert!(listed["result"]["tools"].is_array(), "{listed}");
    }
    assert_eq!(echo(&bob, &host)["isError"], false, "each has a minute of their own");
    if let Some((calls, _)) = before_refused(&eve, &host) {
        assert_eq!(calls, 5);
    }
    // Whoever started the host is not meant.
    let own = Caller(host.token());
    assert!((0..10).all(|_| echo(&own, &host)["isError"] == false));
}

#[test]
fn a_thousand_tries_at_once_are_not_one_call_more() {
    let config = "[access.quota]\ncalls_per_minute = 20\n";
    let host = Setup::new().plugins(&["echo"]).config(config).http();
    let ann = Caller::new(&host.setup, "ann", &["admin"]);
    let begin = Instant::now();
    let call = |_| ("echo", json!({"message": "hi"}));
    let results: Vec<_> = (0..10).flat_map(|_| ann.call_at_once(&host, 100, call)).collect();
    let done = results.len() - failed(&results);
    assert!(done == 20 || begin.elapsed() > Duration::from_secs(60), "{done} were done");
}

#[test]
fn tools_of_jobs_count_like_any_other() {
    let config = format!("{QUOTAS}[plugins.worker.grants]\nstore = true\njobs = true\n");
    let host = Setup::new().plugins(&["worker"]).config(&config).http();
    let ann = Caller::new(&host.setup, "ann", &["admin"]);
    let begin = Instant::now();
    let list = |_| ann.call(&host, "job_list", json!({}));
    let results: Vec<_> = (0..4).map(list).collect();
    assert!(failed(&results) == 1 || begin.elapsed() > Duration::from_secs(60), "{results:?}");
}

#[test]
fn a_changed_quota_counts_for_the_next_call() {
    let host = Setup::new().plugins(&["echo"]).config(QUOTAS).http();
    let ann = Caller::new(&host.setup, "ann", &["admin"]);
    before_refused(&ann, &host);
    std::fs::write(host.setup.path("windlass.toml"), QUOTAS.replace("= 3", "= 1000")).unwrap();
    until("the wider quota counts", || echo(&ann, &host)["isError"] == false);
}

#[test]
fn who_has_all_the_calls_they_may_waits_and_nobody_else_does() {
    let config = "[server]\nwaiting_seconds = 1\n[access.roles.narrow]\nallow = ['*']\n\
                  quota = { concurrent_calls = 1 }\n";
    let host = Setup::new().plugins(&["echo"]).config(config).http();
    let [ann, bob] = ["ann", "bob"].map(|name| Caller::new(&host.setup, name, &["narrow"]));
    std::thread::scope(|scope| {
        scope.spawn(|| ann.call(&host, "wait", json!({"milliseconds": 10_000})));
        let mut text = String::new();
        until("the call has its place", || {
            let result = echo(&ann, &host);
            let is_refused = result["isError"] == true;
            if is_refused {
                text = failure(&result);
            }
            is_refused
        });
        expect!["LIMIT: busy: `ann` runs 1 calls and 1 wait, and this one waited 1 s; try again in a moment, or raise `access.roles.narrow.quota.concurrent_calls`"].assert_eq(&text);
        assert_eq!(echo(&bob, &host)["isError"], false);
    });
}

#[test]
fn explain_says_which_quotas_count() {
    let setup = Setup::new().plugins(&["echo"]).config(QUOTAS);
    Caller::new(&setup, "eve", &["admin", "wide"]);
    let file = crate::support::fixture("echo").display().to_string();
    let explained = |caller: &str| {
        let ended = setup.run(&["explain", "--as", caller, &file]);
        String::from_utf8_lossy(&ended.stdout).into_owned()
    };
    let line = "at most 5 calls_per_minute, by `access.roles.wide.quota.calls_per_minute`";
    assert!(explained("eve").contains(line), "{}", explained("eve"));
    let line = "at most 3 calls_per_minute, by `access.quota.calls_per_minute`";
    assert!(explained("user").contains(line), "{}", explained("user"));
    assert!(!explained("local").contains("at most"), "{}", explained("local"));
}

#[test]
fn a_quota_that_lets_nothing_happen_stops_the_start() {
    for (text, told) in [
        (
            "[access.quota]\ncalls_per_minute = 0",
            "access.quota.calls_per_minute: 0 lets nothing happen",
        ),
        (
            "[access.roles.a.quota]\nrunning_jobs = 0",
            "access.roles.a.quota.running_jobs: 0 lets nothing happen",
        ),
        (
            "[access.roles.a.quota]\ncpus = -1",
            "access.roles.a.quota.cpus: -1 is no number of processors",
        ),
        ("[access.quota]\ncontainer = 1", "unknown field `container`"),
    ] {
        let ended = Setup::new().config(text).ended(&["tools"]);
        assert!(ended.stderr.contains(told), "no `{told}` in {}", ended.stderr);
    }
}

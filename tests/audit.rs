//! The record of what happened: what stands there, that no change of it goes unseen, and what happens where it cannot be written.

use std::{fs, path::PathBuf, process::Output};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::{
    access::key,
    support::{Host, Setup, failure, http::HttpHost, small_disk::SmallDisk, text_of, until},
};

const NOTER: &str = "[plugins.noter.grants]\nstore = true\n";

fn setup() -> Setup {
    Setup::new().plugins(&["echo", "noter"]).config(NOTER)
}

/// What an `audit` command prints.
fn audit(setup: &Setup, words: &[&str]) -> Value {
    let ended = run(setup, words);
    let text = String::from_utf8_lossy(&ended.stdout).into_owned();
    serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{words:?}: {text}{}", String::from_utf8_lossy(&ended.stderr)))
}

fn run(setup: &Setup, words: &[&str]) -> Output {
    setup.run(&[&["audit"], words, &["--json"]].concat())
}

fn rows(setup: &Setup, words: &[&str]) -> Vec<Value> {
    audit(setup, &[&["list"], words].concat()).as_array().unwrap().clone()
}

/// Ends a host in order: all that it recorded is on disk.
fn end(mut host: Host) -> Setup {
    assert!(host.end().success());
    host.restart()
}

/// A record of a few calls.
fn recorded() -> Setup {
    let mut host = setup().modern();
    for number in 0..20 {
        host.call("echo", json!({"message": format!("number {number}")}));
    }
    host.call("note_write", json!({"id": "plan", "text": "a"}));
    end(host)
}

fn trail(setup: &Setup) -> PathBuf {
    setup.state().join("audit.db")
}

/// Changes the record as somebody would who wants it to say something else.
fn tamper(setup: &Setup, sql: &str) {
    let connection = Connection::open(trail(setup)).unwrap();
    let triggers =
        "DROP TRIGGER rows_stay; DROP TRIGGER rows_go_in_order; DROP TRIGGER marks_stay;";
    connection.execute_batch(triggers).unwrap();
    connection.execute_batch(sql).unwrap();
}

#[test]
fn a_call_stands_in_the_record_with_all_that_it_was() {
    let mut host = setup().environment("KEY", "hunter2-hunter2").modern();
    let arguments = json!({"message": "hi", "api_key": "abc"});
    let unknown = host.request("tools/call", json!({"name": "no\u{7}such", "arguments": {}}));
    assert!(unknown["error"].is_object());
    host.call("echo", json!({"message": "hi"}));
    host.call("echo", arguments);
    host.call("note_write", json!({"id": "plan", "text": "my token"}));
    let setup = end(host);
    let all = rows(&setup, &[]);
    let of = |tool: &str| all.iter().filter(|it| it["tool_name"] == tool).collect::<Vec<_>>();
    let [bad, good] = of("echo")[..] else { panic!("{all:?}") };
    assert_eq!(
        (&good["event_type"], &good["username"], &good["status"], &good["plugin"]),
        (&json!("tool_execution"), &json!("local"), &json!("success"), &json!("echo"))
    );
    assert_eq!(good["arguments"], json!({"message": "hi"}));
    assert_eq!(good["arguments_hash"].as_str().unwrap().len(), 64);
    assert_eq!(good["digest"].as_str().unwrap().len(), 64);
    assert!(!good["policy"].as_str().unwrap().is_empty());
    assert!(good["bytes"].as_u64().unwrap() > 0, "{good}");
    assert!(good["timestamp"].as_str().unwrap().ends_with('Z'));
    assert_eq!(bad["status"], "error");
    assert_eq!(bad["arguments"]["api_key"], "***REDACTED***");
    let [done, begun] = of("note_write")[..] else { panic!("{all:?}") };
    assert_eq!(begun["event_type"], "tool_start");
    assert_eq!(done["effects"], json!(["store write notes/plan"]), "{done}");
    let [unknown] = of("?")[..] else { panic!("{all:?}") };
    assert!(unknown["error"].as_str().unwrap().contains("no\\u{7}such"));
    for act in ["host start", "host end"] {
        assert_eq!(of(act).len(), 1, "{all:?}");
    }
}

#[test]
fn what_was_done_is_found_by_who_what_and_when() {
    let mut host = setup().http();
    let [ann, bob] = ["ann", "bob"].map(|name| key(&host.setup, name, &["admin"]));
    for (who, count) in [(&ann, 3), (&bob, 2)] {
        host.speak_as(who);
        for _ in 0..count {
            host.request("tools/call", json!({"name": "echo", "arguments": {"message": "a"}}));
        }
        host.request("tools/call", json!({"name": "echo", "arguments": {}}));
    }
    let (setup, _) = host.stop();
    let count = |words: &[&str]| rows(&setup, words).len();
    assert_eq!(count(&["--username", "ann", "--tool", "echo"]), 4);
    assert_eq!(count(&["--username", "bob", "--status", "success", "--type", "tool_execution"]), 2);
    assert_eq!(count(&["--tool", "echo", "--status", "error"]), 2);
    assert_eq!(count(&["--tool", "echo", "--limit", "3"]), 3);
    assert_eq!(count(&["--tool", "echo", "--since", "1h"]), 7);
    assert_eq!(count(&["--tool", "echo", "--until", "2020-01-01"]), 0);
    assert_eq!(count(&["--type", "admin", "--tool", "token new"]), 2);
    let wrong = run(&setup, &["list", "--type", "nonsense"]);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("there are tool_execution"));
}

#[test]
fn a_record_that_nobody_touched_is_whole() {
    let setup = recorded();
    let whole = audit(&setup, &["verify"]);
    assert_eq!(whole["whole"], true, "{whole}");
    let head = audit(&setup, &["head"])["head"].as_str().unwrap().to_owned();
    assert_eq!(whole["head"], head.as_str());
    let mut host = setup.modern();
    host.call("echo", json!({"message": "more"}));
    let setup = end(host);
    assert_eq!(audit(&setup, &["verify", "--at", &head])["whole"], true);
}

#[test]
fn no_change_of_a_record_goes_unseen() {
    for (what, sql) in [
        ("a body", "UPDATE rows SET body = replace(body, 'number 3', 'number 4')"),
        ("a time", "UPDATE rows SET time = time + 1 WHERE seq = 6"),
        ("a caller", "UPDATE marks SET caller = 'eve'"),
        ("a mark", "UPDATE rows SET mark = (SELECT max(id) FROM marks) WHERE seq = 6"),
        ("a hash", "UPDATE rows SET hash = zeroblob(32) WHERE seq = 6"),
        ("a row that is gone", "DELETE FROM rows WHERE seq = 6"),
        (
            "two that changed places",
            "UPDATE rows SET seq = -6 WHERE seq = 6; UPDATE rows SET seq = 6 WHERE seq = 7; UPDATE rows SET seq = 7 WHERE seq = -6",
        ),
        ("the end that is gone", "DELETE FROM rows WHERE seq > 10"),
        (
            "the beginning that is gone",
            "UPDATE start SET seq = 5, hash = (SELECT hash FROM rows WHERE seq = 5); DELETE FROM rows WHERE seq <= 5",
        ),
        ("all that is gone", "DELETE FROM rows"),
    ] {
        let setup = recorded();
        tamper(&setup, sql);
        let ended = run(&setup, &["verify"]);
        let told: Value = serde_json::from_slice(&ended.stdout).unwrap();
        assert!(!ended.status.success() && told["whole"] == false, "{what}: {told}");
    }
}

#[test]
fn one_that_was_written_anew_does_not_go_through_what_was_noted() {
    let setup = recorded();
    let head = audit(&setup, &["head"])["head"].as_str().unwrap().to_owned();
    // All files of it, by a host of one's own.
    for name in ["audit.db", "audit.db-wal", "audit.db-shm", "audit.head"] {
        let _ = fs::remove_file(setup.state().join(name));
    }
    let mut host = setup.modern();
    for _ in 0..40 {
        host.call("echo", json!({"message": "innocent"}));
    }
    let setup = end(host);
    assert_eq!(audit(&setup, &["verify"])["whole"], true);
    let told = audit(&setup, &["verify", "--at", &head]);
    assert!(told["error"].as_str().unwrap().contains("written anew"), "{told}");
}

#[test]
fn a_host_that_finds_its_record_cut_says_so_in_it() {
    let setup = recorded();
    tamper(&setup, "DELETE FROM rows WHERE seq > 10");
    let mut host = setup.modern();
    host.call("echo", json!({"message": "a"}));
    let setup = end(host);
    let told = rows(&setup, &["--tool", "record"]);
    assert!(told[0]["error"].as_str().unwrap().contains("rows are missing"), "{told:?}");
}

#[test]
fn what_is_taken_away_is_an_archive_from_which_the_rest_goes_on() {
    let setup = recorded();
    let before = audit(&setup, &["verify"])["rows"].as_u64().unwrap();
    assert_eq!(audit(&setup, &["rotate", "--keep-days", "1"]), json!({"rows": 0}));
    let rotated = audit(&setup, &["rotate", "--keep-days", "0"]);
    assert_eq!(rotated["rows"], before);
    let archive = rotated["archive"].as_str().unwrap();
    let old = audit(&setup, &["verify", "--file", archive]);
    let new = audit(&setup, &["verify"]);
    assert_eq!((&old["whole"], &old["rows"]), (&json!(true), &json!(before)));
    assert_eq!(new["whole"], true, "{new}");
    assert_eq!(old["head"], new["start"]);
    let text = fs::read_to_string(archive).unwrap();
    fs::write(archive, text.replacen("number 3", "number 4", 1)).unwrap();
    assert_eq!(audit(&setup, &["verify", "--file", archive])["whole"], false);
    let mut host = setup.modern();
    host.call("echo", json!({"message": "a"}));
    assert_eq!(audit(&end(host), &["verify"])["whole"], true);
}

#[test]
fn a_host_that_is_killed_loses_nothing_that_was_to_be_recorded_first() {
    let mut host = setup().modern();
    for number in 0..5 {
        host.call("note_write", json!({"id": format!("n{number}"), "text": "a"}));
    }
    host.signal("-KILL");
    host.wait();
    let setup = host.restart();
    assert_eq!(rows(&setup, &["--type", "tool_start"]).len(), 5);
    assert_eq!(audit(&setup, &["verify"])["whole"], true);
}

#[test]
fn whoever_may_reads_it_with_a_tool() {
    let config = format!(
        "{NOTER}[audit]\ntool = true\n[access.roles.auditor]\nallow = ['audit-logs']\n[access.roles.caller]\nallow = ['echo']\n"
    );
    let mut host = Setup::new().plugins(&["echo", "noter"]).config(&config).http();
    let [eve, ann] = [key(&host.setup, "eve", &["auditor"]), key(&host.setup, "ann", &["caller"])];
    let call = |host: &HttpHost, arguments: Value| {
        host.request("tools/call", json!({"name": "audit-logs", "arguments": arguments})).message()
    };
    host.speak_as(&ann);
    host.request("tools/call", json!({"name": "echo", "arguments": {"message": "a"}}));
    assert!(call(&host, json!({}))["error"].is_object(), "ann reads it");
    host.speak_as(&eve);
    until("it is written", || {
        let told = call(&host, json!({"username": "ann", "tool_name": "echo", "limit": 1}));
        let events = &told["result"]["structuredContent"]["events"];
        events[0]["arguments"] == json!({"message": "a"})
    });
    let wrong = call(&host, json!({"start_time": "yesterday"}));
    assert!(failure(&wrong["result"]).contains("is no time"), "{}", text_of(&wrong["result"]));
}

#[test]
fn where_nothing_can_be_recorded_nothing_is_destroyed_and_all_else_goes_on() {
    let setup = setup();
    let Some(disk) = SmallDisk::mount(&setup.state()) else { return };
    let mut host = setup.modern();
    let write = |host: &mut Host| host.call("note_write", json!({"id": "plan", "text": "a"}));
    assert!(write(&mut host)["isError"] != true);
    disk.fill(0);
    until("the disk is found full", || {
        let refused = write(&mut host);
        refused["isError"] == true && failure(&refused).contains("it cannot be recorded")
    });
    assert_eq!(host.call("echo", json!({"message": "hi"}))["structuredContent"]["message"], "hi");
    assert!(host.errors().contains("destructive calls are refused"), "{}", host.errors());
    disk.empty();
    until("there is room again", || write(&mut host)["isError"] != true);
    let setup = end(host);
    assert_eq!(audit(&setup, &["verify"])["whole"], true);
    assert!(!rows(&setup, &["--tool", "echo"]).is_empty(), "what was kept meanwhile is lost");
}

//! What does not load, why not, and that it harms nothing else: files, the cache, the state directory.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt as _, path::PathBuf, thread};

use serde_json::json;

use crate::support::{
    Setup,
    ended::{Ended, patched},
    fixture, root,
    small_disk::SmallDisk,
    until,
};

/// Tries to load a plugin beside `echo`, which must not mind.
#[track_caller]
fn check(bytes: &[u8], told: &str) {
    let ended = Setup::new().plugins(&["echo"]).plugin("broken", bytes).ended(&["tools"]);
    check_refusal(&ended, "broken", told);
}

#[track_caller]
fn check_refusal(ended: &Ended, name: &str, told: &str) {
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains(&format!("plugin `{name}` does not load: ")), "{ended:?}");
    assert!(ended.stderr.contains(told), "no `{told}` in {}", ended.stderr);
    assert!(ended.stdout.contains("echo") && ended.stdout.contains("2 tools"), "{ended:?}");
}

#[track_caller]
fn check_fixture(name: &str, told: &str) {
    check_refusal(&Setup::new().plugins(&["echo", name]).ended(&["tools"]), name, told);
}

#[test]
fn what_is_no_plugin_is_told_what_it_is() {
    let echo = fs::read(fixture("echo")).unwrap();
    check(b"", "it is no WebAssembly");
    check(b"#!/bin/sh\n", "it is no WebAssembly");
    check(&echo[..7], "it is no valid WebAssembly component");
    check(&echo[..echo.len() / 2], "it is no valid WebAssembly component");
    check(b"\0asm\x01\0\0\0", "it does not export `windlass:plugin/tools`");
    check(b"\0asm\x0d\0\x01\0", "it does not export `windlass:plugin/tools`");
}

#[test]
fn bytes_that_were_flipped_do_no_harm() {
    let echo = fs::read(fixture("echo")).unwrap();
    let mut setup = Setup::new().own_cache().plugins(&["echo"]);
    for step in 0..8 {
        let mut bytes = echo.clone();
        let at = 8 + step * (echo.len() - 8) / 8;
        bytes[at] ^= 0xff;
        setup = setup.plugin(&format!("flipped{step}"), &bytes);
    }
    let ended = setup.ended(&["call", "crash"]);
    assert!(ended.code.is_some(), "the host died: {ended:?}");
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
}

#[test]
fn another_version_of_the_contract_is_refused_and_both_are_named() {
    let another = patched("echo", "@0.1.0", "@0.9.0");
    check(
        &another,
        "built against `windlass:plugin@0.9.0`, and this host speaks `windlass:plugin@0.1.0`",
    );
}

#[test]
fn an_interface_that_nobody_knows_is_refused() {
    let strange = patched("echo", "windlass:plugin/clock@", "windlass:plugin/clunk@");
    check(&strange, "clunk");
    let foreign = patched("echo", "windlass:plugin/clock@", "windlest:plugin/clock@");
    check(&foreign, "which is not part of `windlass:plugin@0.1.0`");
}

#[test]
fn what_would_harm_clients_is_refused() {
    check_fixture("evilschema", "it refers to `http://127.0.0.1:9/x.json`, which is not inside it");
    check_fixture("deepschema", "tool `dig`, input schema: ");
    check_fixture("poison", "it holds the invisible character `\\u{200b}`");
    check_fixture("badname", "the tool name `bad name!` is none that every client takes");
}

#[test]
fn a_schema_on_the_network_is_never_fetched() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let there = format!("{}/xxxxxx", listener.local_addr().unwrap());
    let lure = patched("evilschema", "127.0.0.1:9/x.json", &there[..18]);
    check(&lure, "which is not inside it");
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "the schema was asked for");
}

#[test]
fn a_core_module_with_its_contract_inside_is_a_plugin() {
    let module = root().join("target/wasm/wasm32-unknown-unknown/release/echo.wasm");
    let Ok(bytes) = fs::read(&module) else {
        eprintln!("SKIPPED: `{}` is missing", module.display());
        return;
    };
    assert_eq!(bytes[..8], *b"\0asm\x01\0\0\0", "it is a core module");
    let ended = Setup::new().plugin("module", &bytes).ended(&["call", "echo", "message=hi"]);
    assert_eq!(
        (ended.code, ended.stdout.trim()),
        (Some(0), "{\n  \"message\": \"hi\"\n}"),
        "{ended:?}"
    );
}

/// Calls `echo` from a cache of its own, and gives what was said.
#[track_caller]
fn call(setup: &Setup) -> String {
    let ended = setup.ended(&["call", "echo", "message=hi"]);
    assert!(ended.code == Some(0) && ended.stdout.contains("hi"), "{ended:?}");
    ended.stderr
}

/// The one file of this kind in the cache: `cwasm` is code, `sha256` its digest.
fn entry(setup: &Setup, kind: &str) -> PathBuf {
    let files = fs::read_dir(setup.cache()).unwrap().map(|it| it.unwrap().path());
    let files: Vec<_> = files.filter(|it| it.extension().is_some_and(|it| it == kind)).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

#[test]
fn a_damaged_cache_entry_is_made_again() {
    let setup = Setup::new().own_cache().plugins(&["echo"]);
    call(&setup);
    for kind in ["cwasm", "sha256"] {
        let path = entry(&setup, kind);
        let whole = fs::read(&path).unwrap();
        let flipped = |at: usize| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            bytes
        };
        let cut = [0, whole.len() / 2, whole.len() - 1].map(|length| whole[..length].to_vec());
        let flipped = [0, whole.len() / 2, whole.len() - 1].map(flipped);
        for damaged in cut.into_iter().chain(flipped) {
            fs::write(&path, &damaged).unwrap();
            assert!(call(&setup).contains("is damaged and is made again"), "it was trusted");
            assert_ne!(fs::read(entry(&setup, kind)).unwrap(), damaged, "it was left as it was");
            assert_eq!(call(&setup), "", "its successor is not used");
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(call(&setup), "");
        assert!(path.exists(), "it was not made again");
    }
}

#[test]
fn what_others_can_write_is_not_trusted() {
    let setup = Setup::new().own_cache().plugins(&["echo"]);
    call(&setup);
    let path = entry(&setup, "cwasm");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(call(&setup).contains("can be written by others"));
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600,
        "it is another file"
    );
    fs::set_permissions(setup.cache(), fs::Permissions::from_mode(0o777)).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(call(&setup).contains("is not cached in"));
    assert!(!path.exists(), "code was left where others can write");
}

#[test]
fn a_cache_that_cannot_be_made_costs_time_and_no_more() {
    let setup = Setup::new().own_cache().plugins(&["echo"]);
    fs::write(setup.cache(), "in the way").unwrap();
    assert!(call(&setup).contains("is not cached in"));
}

#[test]
fn a_second_host_on_the_same_state_is_refused() {
    let mut host = Setup::new().plugins(&["echo"]).modern();
    host.tools();
    let pid = format!("in use by process {};", host.pid());
    for command in [["serve", "--log=warn"], ["serve", "--http"]] {
        let ended = host.setup.ended(&command);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(&pid) && ended.stderr.contains("--state-dir"), "{ended:?}");
    }
    host.tools();
    let mut next = host.restart().modern();
    assert_eq!(next.tools(), ["echo", "wait"]);
}

/// What stops the start is told, and stays as it was.
#[track_caller]
fn check_start(setup: &Setup, told: &str) {
    let ended = setup.ended(&["serve"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains(told), "no `{told}` in {}", ended.stderr);
    assert!(ended.stdout.is_empty(), "{ended:?}");
}

#[test]
fn a_state_directory_that_cannot_be_made_stops_the_start() {
    let setup = Setup::new().plugins(&["echo"]);
    fs::write(setup.state(), "in the way").unwrap();
    check_start(&setup, &format!("cannot make the state directory `{}`", setup.state().display()));
}

#[test]
fn a_database_that_is_none_stops_the_start_and_stays() {
    let setup = Setup::new().plugins(&["echo"]);
    let path = setup.state().join("windlass.db");
    fs::create_dir(setup.state()).unwrap();
    let text = "somebody's precious notes\n".repeat(400);
    fs::write(&path, &text).unwrap();
    check_start(&setup, &format!("cannot open the database `{}`", path.display()));
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_database_of_a_newer_version_stops_the_start() {
    let setup = Setup::new().plugins(&["echo"]);
    fs::create_dir(setup.state()).unwrap();
    let path = setup.state().join("windlass.db");
    fs::write(&path, empty_database(99)).unwrap();
    check_start(&setup, "it was written by a newer version of windlass (schema 99, known ");
    fs::write(&path, empty_database(0)).unwrap();
    let mut host = setup.modern();
    assert_eq!(host.tools(), ["echo", "wait"]);
}

/// An SQLite database of one page, with this `user_version`.
fn empty_database(version: u32) -> Vec<u8> {
    let mut page = vec![0; 4096];
    page[..16].copy_from_slice(b"SQLite format 3\0");
    page[16..24].copy_from_slice(&[0x10, 0, 1, 1, 0, 64, 32, 32]);
    for (at, value) in [(24, 1), (28, 1), (44, 4), (56, 1), (60, version), (92, 1), (96, 3_045_000)]
    {
        page[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }
    // An empty leaf of the schema's table, whose cells would start at the page's end.
    page[100..108].copy_from_slice(&[0x0d, 0, 0, 0, 0, 0x10, 0, 0]);
    page
}

#[test]
fn a_full_disk_costs_what_is_written_and_no_more() {
    let setup = Setup::new().plugins(&["echo", "greedy"]);
    let setup =
        setup.config("[plugins.greedy.grants]\nstore = true\nhttp = [\"https://example.com\"]");
    let state = setup.state();
    let Some(_disk) = SmallDisk::mount(&state) else { return };
    let mut host = setup.modern();
    let document = "x".repeat(200 << 10);
    let mut kept = Vec::new();
    let refused = loop {
        let key = format!("{}", kept.len());
        let result = host.call("keep", json!({"key": key, "document": document}));
        if result["isError"] == true {
            break result;
        }
        kept.push(key);
        assert!(kept.len() < 100, "the disk is never full");
    };
    assert_eq!(refused["structuredContent"]["error_code"], "UNAVAILABLE", "{refused}");
    assert!(!kept.is_empty());
    for key in &kept {
        assert_eq!(host.text("kept", json!({"key": key})), document);
    }
    assert_eq!(host.text("echo", json!({"message": "hi"})), r#"{"message":"hi"}"#);
    let mut next = host.restart().modern();
    assert_eq!(next.text("keys", json!({})), kept.join("\n"));
    next.end();
}

#[test]
fn a_broken_file_that_comes_later_leaves_the_rest_alone() {
    let mut host = Setup::new().plugins(&["echo"]).modern();
    assert_eq!(host.tools(), ["echo", "wait"]);
    let folder = host.setup.state().join("plugins");
    fs::write(folder.join("broken.wasm"), "nonsense").unwrap();
    fs::write(folder.join("no name.wasm"), "nonsense").unwrap();
    fs::write(folder.join("notes.txt"), "nonsense").unwrap();
    fs::copy(fixture("evilschema"), folder.join("evil.wasm")).unwrap();
    until("what is broken is told", || {
        let said = host.errors();
        said.contains("it is no WebAssembly")
            && said.contains("no name")
            && said.contains("which is not inside it")
    });
    assert!(!host.errors().contains("notes"), "{}", host.errors());
    assert_eq!(host.tools(), ["echo", "wait"]);
    assert_eq!(host.text("echo", json!({"message": "hi"})), r#"{"message":"hi"}"#);
}

#[test]
fn a_file_that_comes_changes_and_goes_is_followed() {
    let mut host = Setup::new().legacy();
    assert!(host.tools().is_empty());
    let file = host.setup.state().join("plugins/thing.wasm");
    fs::copy(fixture("looping"), &file).unwrap();
    host.note("notifications/tools/list_changed");
    until("it is there", || host.tools() == ["spin"]);
    let next = file.with_extension("next");
    fs::copy(fixture("echo"), &next).unwrap();
    fs::rename(next, &file).unwrap();
    until("it is another", || host.tools() == ["echo", "wait"]);
    assert_eq!(host.text("echo", json!({"message": "hi"})), r#"{"message":"hi"}"#);
    fs::write(&file, "nonsense").unwrap();
    until("its successor is refused", || host.errors().contains("it is no WebAssembly"));
    assert_eq!(host.tools(), ["echo", "wait"], "what works was taken away");
    fs::remove_file(file).unwrap();
    until("it is gone", || host.tools().is_empty());
}

#[test]
fn a_file_that_comes_slowly_is_loaded_when_it_is_whole() {
    let mut host = Setup::new().modern();
    assert!(host.tools().is_empty());
    let file = host.setup.state().join("plugins/slow.wasm");
    let bytes = fs::read(fixture("echo")).unwrap();
    let (first, rest) = bytes.split_at(bytes.len() / 2);
    fs::write(&file, first).unwrap();
    until("half of it is looked at", || host.errors().contains("slow"));
    let mut all = fs::OpenOptions::new().append(true).open(&file).unwrap();
    thread::scope(|scope| {
        scope.spawn(move || std::io::Write::write_all(&mut all, rest).unwrap());
    });
    until("all of it is loaded", || host.tools() == ["echo", "wait"]);
}

#[test]
fn a_clash_with_what_comes_later_leaves_the_first_alone() {
    let mut host = Setup::new().plugins(&["echo"]).modern();
    assert_eq!(host.tools(), ["echo", "wait"]);
    fs::copy(fixture("echo"), host.setup.state().join("plugins/other.wasm")).unwrap();
    until("the clash is told", || host.errors().contains("both offer the tool `echo`"));
    assert!(host.errors().contains("prefix"), "{}", host.errors());
    assert_eq!(host.text("echo", json!({"message": "hi"})), r#"{"message":"hi"}"#);
}

#[test]
fn a_file_does_not_take_another_plugin_s_name() {
    let mut host = Setup::new().plugins(&["echo"]).modern();
    assert_eq!(host.tools(), ["echo", "wait"]);
    let folder = host.setup.state().join("plugins");
    fs::copy(fixture("looping"), folder.join("echo.wasm")).unwrap();
    until("it is told", || host.errors().contains("two plugins are called `echo`; rename"));
    fs::remove_file(folder.join("echo.wasm")).unwrap();
    fs::copy(fixture("looping"), folder.join("other.wasm")).unwrap();
    until("the folder is followed on", || host.tools() == ["echo", "spin", "wait"]);
}

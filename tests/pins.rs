//! Plugins that are pinned: other bytes than those that were looked at do not get their grants.

use std::fs;

use serde_json::json;

use crate::support::{Setup, fixture, until};

/// The digest of a fixture, as people see it.
fn digest(name: &str) -> String {
    let file = fixture(name).display().to_string();
    let seen = Setup::new().ended(&["plugins", "inspect", "--json", &file]).json();
    seen["sha256"].as_str().unwrap().to_owned()
}

/// A host with `echo` in its folder of added plugins, under this configuration.
fn added(config: &str) -> Setup {
    let setup = Setup::new().config(config);
    let folder = setup.state().join("plugins");
    fs::create_dir_all(&folder).unwrap();
    fs::copy(fixture("echo"), folder.join("thing.wasm")).unwrap();
    setup
}

#[test]
fn a_pinned_plugin_is_that_one_and_no_other() {
    let mut host = added(&format!("[plugins.thing]\nsha256 = '{}'", digest("echo"))).legacy();
    assert_eq!(host.tools(), ["echo", "wait"]);
    let file = host.setup.state().join("plugins/thing.wasm");
    let next = file.with_extension("next");
    fs::copy(fixture("looping"), &next).unwrap();
    fs::rename(&next, &file).unwrap();
    until("the other one is refused", || host.errors().contains("`plugins.thing.sha256` pins"));
    assert!(host.errors().contains(&digest("looping")), "{}", host.errors());
    assert_eq!(host.tools(), ["echo", "wait"], "the one that was looked at is gone");
    assert_eq!(host.text("echo", json!({"message": "hi"})), r#"{"message":"hi"}"#);

    let ended = host.restart().ended(&["tools", "--json"]);
    assert_eq!((ended.code, ended.stdout.trim()), (Some(1), "[]"), "{ended:?}");
    assert!(ended.stderr.contains("it is another one than"), "{ended:?}");
}

#[test]
fn what_is_approved_is_loaded_at_once() {
    let mut host = added(&format!("[plugins.thing]\nsha256 = '{}'", digest("looping"))).legacy();
    assert!(host.tools().is_empty());
    let approved = format!("[plugins.thing]\nsha256 = '{}'", digest("echo").to_uppercase());
    fs::write(host.setup.path("windlass.toml"), approved).unwrap();
    until("it is there", || host.tools() == ["echo", "wait"]);
    fs::write(host.setup.path("windlass.toml"), format!("[plugins.thing]\nsha256 = '{:064}'", 0))
        .unwrap();
    until("it is gone with its pin", || host.tools().is_empty());
}

#[test]
fn a_host_that_wants_pins_loads_nothing_without() {
    let wants = "[server]\npinned_plugins = true\n";
    let ended = added(wants).ended(&["tools"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let line = format!("set `plugins.thing.sha256 = \"{}\"`", digest("echo"));
    assert!(ended.stderr.contains(&line), "{ended:?}");
    let pinned = format!("{wants}[plugins.thing]\nsha256 = '{}'", digest("echo"));
    assert_eq!(added(&pinned).modern().tools(), ["echo", "wait"]);
}

#[test]
fn what_is_no_digest_is_a_mistake() {
    let ended = added("[plugins.thing]\nsha256 = 'abc'").ended(&["serve"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("plugins.thing.sha256: it is no SHA-256"), "{ended:?}");
}

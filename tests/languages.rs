//! A plugin in another language: its runtime imports all of WASI, and nothing of that leads anywhere.

use std::{env, fs, net::TcpListener, path::Path, sync::Once};

use serde_json::{Value, json};

use crate::support::{Host, Setup, root};

/// What a careless host would show.
const CANARY: &str = "canary-of-the-coal-mine";

/// A host with the plugin in Python. None: it was not built.
fn python() -> Option<Host> {
    let built = env::var_os("WINDLASS_COMPONENTS");
    let components = built.map_or_else(|| root().join("target/plugins"), Into::into);
    let file = components.join("fixtures/python.wasm");
    if !file.is_file() {
        eprintln!("SKIPPED: `{}` is missing", file.display());
        return None;
    }
    let setup = Setup::new().plugins(&["python"]).environment("CANARY", CANARY);
    // A whole interpreter takes long to compile: once, and not in every test at the same time.
    static COMPILED: Once = Once::new();
    COMPILED.call_once(|| assert_eq!(setup.ended(&["tools"]).code, Some(0)));
    Some(setup.environment("WINDLASS_LOG", "info").modern())
}

#[test]
fn a_plugin_in_python_is_one_like_any_other() {
    let Some(mut host) = python() else { return };
    assert_eq!(host.tools(), ["hello", "leak"]);
    assert_eq!(host.text("hello", json!({"name": "Ada"})), "Hello, Ada, from Python");
    let refused = host.call("hello", json!({"name": 1}));
    assert_eq!(refused["structuredContent"]["error_code"], "INVALID", "{refused}");
}

#[test]
fn a_language_s_runtime_reaches_nothing() {
    let Some(mut host) = python() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let result = host.call("leak", json!({"port": port}));
    let leaked = &result["structuredContent"];
    assert_eq!(leaked["environment"], json!({"found": {}}));
    assert!(
        leaked["arguments"]["found"].as_array().is_none_or(|it| it.iter().all(|it| it == "")),
        "{leaked}"
    );
    for closed in ["root", "file", "written", "connected", "resolved"] {
        let attempt = &leaked[closed];
        assert!(
            attempt["error"].is_string() && attempt["found"] == Value::Null,
            "{closed}: {attempt}"
        );
    }
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "a connection came");
    assert!(!Path::new("/tmp/windlass-canary").exists(), "a file was written");
    assert!(!result.to_string().contains(CANARY), "{result}");
    assert!(!result.to_string().contains(env!("CARGO_MANIFEST_DIR")), "{result}");
}

#[test]
fn what_a_language_prints_goes_to_the_log() {
    let Some(mut host) = python() else { return };
    // Every line of stdout is held to be a message: `Host` reads no other.
    assert_eq!(host.text("hello", json!({"name": "Ada"})), "Hello, Ada, from Python");
    let said = host.said();
    for line in ["hello at 1", "printed by hello"] {
        let logged = said.lines().any(|it| it.contains(line) && it.contains("plugin=\"python\""));
        assert!(logged, "no `{line}` in {said}");
    }
}

#[test]
fn nothing_of_a_call_is_left_for_the_next() {
    let Some(mut host) = python() else { return };
    let first = host.call("leak", json!({}));
    assert_eq!(host.call("leak", json!({})), first);
    let state = fs::read_dir(host.setup.state()).unwrap().map(|it| it.unwrap().file_name());
    let known = |it: &str| it.starts_with("windlass.db") || it.starts_with("audit.");
    let strange = state.filter(|it| !known(&it.to_string_lossy()));
    let strange: Vec<_> = strange.filter(|it| it != "lock" && it != "plugins").collect();
    assert!(strange.is_empty(), "{strange:?}");
}

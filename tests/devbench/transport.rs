//! The plugin over both transports.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{
    bench::{self, Bench, text},
    engine::{self, IMAGE, api::Api},
};

/// What a host over HTTP made goes before its state does.
struct Swept {
    state: PathBuf,
    engine: Api,
}

impl Drop for Swept {
    fn drop(&mut self) {
        engine::sweep(&self.engine, &engine::instance(&self.state));
    }
}

#[test]
fn defect_01_and_04_it_serves_over_http_to_whoever_has_the_token() {
    let Some(engine) = engine::docker() else { return };
    let Some(setup) = bench::setup(engine.address(), &bench::granting(""), &[]) else { return };
    let host = setup.http();
    let _swept = Swept { state: host.setup.state(), engine };
    let call = |name: &str, arguments: Value| {
        let answer = host.request("tools/call", json!({"name": name, "arguments": arguments}));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.message()["result"]["structuredContent"].clone()
    };
    assert_eq!(call("health", json!({}))["status"], "healthy");
    let id = text(&call("spawn", json!({"image": IMAGE}))["container_id"]);
    let killed = call("kill", json!({"container_id": id, "force": true}));
    assert_eq!(killed["status"], "stopped");
    let wrong = host.send("POST", "/mcp", &["Authorization: Bearer wrong"], "{}");
    assert_eq!(wrong.status, 401);
}

#[test]
fn defect_03_stdout_carries_messages_and_nothing_else() {
    let environment = [("WINDLASS_LOG", "trace")];
    let Some(mut bench) = Bench::with("", &environment) else { return };
    let id = bench.spawn();
    for round in 0..50 {
        bench.write(&id, "f", &round.to_string());
    }
    bench.run(&id, "echo text that is no message");
    // Each line of it is looked at as it is read.
    for message in bench.host().rest() {
        assert_eq!(message["jsonrpc"], "2.0", "{message}");
    }
}

#[test]
fn files_are_resources() {
    let Some(mut bench) = Bench::new() else { return };
    let made = bench.call("spawn", json!({"image": IMAGE}));
    let (id, workspace) = (text(&made["container_id"]), text(&made["workspace_id"]));
    bench.write(&id, "notes/a.txt", "read me");
    let uri = format!("workspace://{workspace}/notes/a.txt");
    let read = bench.host().request("resources/read", json!({"uri": uri}));
    assert_eq!(read["result"]["contents"][0]["text"], "read me", "{read}");
    for path in ["../../instance", "%2e%2e/%2e%2e/instance", "/etc/passwd"] {
        let uri = format!("workspace://{workspace}/{path}");
        let read = bench.host().request("resources/read", json!({"uri": uri}));
        assert!(read.get("error").is_some(), "{path}: {read}");
    }
}

//! How a host ends whose clients are gone, or that is told to end while they are there.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::json;

use super::{call, echo, raw};
use crate::support::{PATIENCE, Setup, until, wait};

#[test]
fn a_host_that_is_told_to_ends_also_while_clients_wait_and_guests_compute() {
    for signal in ["-TERM", "-INT"] {
        let host = Setup::new().plugins(&["echo", "looping"]).http();
        let mut open = [host.connect(), host.connect(), host.connect()];
        open[0].write_all(raw(&host, "spin", &json!({})).as_bytes()).unwrap();
        let wait = json!({"milliseconds": 600_000});
        open[1].write_all(raw(&host, "wait", &wait).as_bytes()).unwrap();
        let computed = super::computed(&host);
        until("the guest computes", || super::computed(&host) > computed + 10);
        let said = host.request("tools/call", call("echo", &json!({"message": "hi"})));
        assert_eq!(said.status, 200);
        host.signal(signal);
        let (status, errors) = host.ended();
        assert!(status.success(), "{signal}: {status}: {errors}");
    }
}

#[test]
fn a_host_outlives_no_client_that_was_killed() {
    let setup = Setup::new().plugins(&["echo", "looping"]);
    // What the client writes comes through a program that dies without a word.
    let mut client =
        Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let line = client.stdout.take().unwrap();
    let mut host = setup.command(&["serve"]).stdin(line).spawn().unwrap();
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": crate::support::MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let spin = json!({"name": "spin", "arguments": {}, "_meta": meta});
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": spin});
    let mut stdin = client.stdin.take().unwrap();
    stdin.write_all(format!("{message}\n").as_bytes()).unwrap();
    stdin.flush().unwrap();
    let computed = super::computed_by(host.id());
    until("the guest computes", || super::computed_by(host.id()) > computed + 10);
    client.kill().unwrap();
    client.wait().unwrap();
    assert!(wait(&mut host).success(), "within {PATIENCE:?}");
    drop(stdin);
}

#[test]
fn what_is_said_over_http_is_in_no_log_at_any_level() {
    let (setup, _) = echo().end();
    let host = setup.environment("WINDLASS_LOG", "trace").http();
    let said = host.request("tools/call", call("echo", &json!({"message": "canary-78"})));
    assert!(said.body.contains("canary-78"), "{said:?}");
    host.request("tools/call", call("echo", &json!({"message": 1, "canary-78": "canary-78"})));
    host.request("tools/call", call("canary-78", &json!({})));
    host.request("resources/read", json!({"uri": "canary-78://a"}));
    let (_, errors) = host.end();
    assert!(errors.contains("called"), "the log is on: {errors}");
    assert!(!errors.contains("canary-78"), "{errors}");
}

//! More than a host can serve: it refuses what is too much, stays small, and goes on.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use serde_json::json;

use crate::support::{Setup, failure, text_of, until};

/// How many calls come at once.
const CALLS: u64 = 50_000;

/// How many of them may be under way or wait: the others have to be answered.
const MOST_HELD: u64 = 1_024;

/// What the host may take for them, in KiB. Without a bound it would be some 8 KiB for each.
const MOST_MEMORY: u64 = 200 << 10;

/// How many connections a host serves at once.
const CONNECTIONS: usize = 1_024;

/// What a process takes of the machine's memory at most so far, in KiB.
fn peak(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn fifty_thousand_calls_at_once_are_refused_and_not_kept() {
    let config = "[limits]\nconcurrent_calls = 64\n[server]\nconcurrent_calls = 32\n";
    let mut host = Setup::new().plugins(&["echo"]).config(config).modern();
    host.text("echo", json!({"message": "hi"}));
    let before = peak(host.pid());
    let mut stdin = host.take_stdin();
    let call = |id: u64| {
        let arguments = json!({"milliseconds": 3_600_000});
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": crate::support::MODERN,
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let parameters = json!({"name": "wait", "arguments": arguments, "_meta": meta});
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": parameters})
    };
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || {
            for id in 0..CALLS {
                stdin.write_all(format!("{}\n", call(10_000 + id)).as_bytes()).unwrap();
            }
            stdin
        });
        for _ in 0..CALLS - MOST_HELD {
            let answer = host.next_message().unwrap();
            let told = failure(&answer["result"]);
            assert!(told.starts_with("LIMIT: ") && told.contains("busy"), "{told}");
        }
        drop(writer.join().unwrap());
    });
    let taken = peak(host.pid()) - before;
    assert!(taken < MOST_MEMORY, "{taken} KiB");
    assert!(host.wait().success());
}

#[test]
fn connections_beyond_the_most_wait_and_are_served_when_others_go() {
    let host = Setup::new().plugins(&["echo"]).http();
    let mut open: Vec<TcpStream> = (0..CONNECTIONS).map(|_| host.connect()).collect();
    // Each is served, so each has its place.
    for stream in &mut open {
        stream
            .write_all(format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", host.address).as_bytes())
            .unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 404");
    }
    let mut late = host.connect();
    late.write_all(format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", host.address).as_bytes()).unwrap();
    late.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut first = [0; 12];
    assert!(late.read(&mut first).is_err(), "more are served than may be");
    drop(open);
    late.set_read_timeout(Some(crate::support::PATIENCE)).unwrap();
    late.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 404");
    until("the others are served as well", || {
        let said =
            host.request("tools/call", json!({"name": "echo", "arguments": {"message": "hi"}}));
        said.status == 200 && text_of(&said.message()["result"]).contains("hi")
    });
}

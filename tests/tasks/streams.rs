//! News of jobs over HTTP: they reach whoever holds the token that the job is for.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpStream,
};

use serde_json::{Value, json};

use super::worker;
use crate::support::{LEGACY, MODERN, http::HttpHost};

/// Reads a stream until a line holds these words.
fn until_it_says(stream: &mut BufReader<TcpStream>, words: &str) {
    let mut line = String::new();
    while !line.contains(words) {
        line.clear();
        let read = stream.read_line(&mut line).unwrap();
        assert!(read > 0, "the stream ended before it said `{words}`");
    }
}

/// A job that waits until it may write into its log.
fn submit(host: &HttpHost) -> String {
    let plan = json!({"steps": [{"pass": "go"}, {"say": "more"}]});
    let call = json!({"name": "work_submit", "arguments": {"plan": plan}});
    let answer = host.request("tools/call", call).message();
    answer["result"]["content"][0]["text"].as_str().unwrap().to_owned()
}

fn open(host: &HttpHost) {
    let call = json!({"name": "work_open", "arguments": {"gate": "go"}});
    assert_eq!(host.request("tools/call", call).status, 200);
}

#[test]
fn a_second_era_stream_tells_of_the_job() {
    let host = worker().http();
    let log = format!("job://{}/log", submit(&host));
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let parameters = json!({"notifications": {"resourceSubscriptions": [log]}, "_meta": meta});
    let method = "subscriptions/listen";
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters});
    let headers = [&format!("MCP-Protocol-Version: {MODERN}"), "Mcp-Method: subscriptions/listen"];
    let mut heard = host.stream("POST", &headers, &message.to_string());
    until_it_says(&mut heard, "notifications/subscriptions/acknowledged");
    open(&host);
    until_it_says(&mut heard, "notifications/resources/updated");
}

#[test]
fn a_first_era_session_tells_of_the_job() {
    let host = worker().http();
    let log = format!("job://{}/log", submit(&host));
    let version = format!("MCP-Protocol-Version: {LEGACY}");
    let request = |method: &str, parameters: &Value| json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters});
    let client = json!({"name": "t", "version": "0"});
    let hello = json!({"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": client});
    let answer = host.post(&request("initialize", &hello), &[]);
    let session = format!("Mcp-Session-Id: {}", answer.header("Mcp-Session-Id").unwrap());
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(host.post(&ready, &[&session, &version]).status, 202);
    let mut heard = host.stream("GET", &[&session, &version], "");
    until_it_says(&mut heard, "200 OK");
    let subscribed = request("resources/subscribe", &json!({"uri": log}));
    assert_eq!(host.post(&subscribed, &[&session, &version]).status, 200);
    open(&host);
    until_it_says(&mut heard, "notifications/resources/updated");
}

//! Traces: from the client through the host to what a call starts, and to a collector.

use std::{
    io::Read as _,
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};

use super::echo;
use crate::support::{
    Host, Setup,
    bench::Bench,
    served::{self, Reply},
    until,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn parent() -> String {
    format!("00-{TRACE}-{SPAN}-01")
}

/// A collector, and all spans that it was told.
struct Collector {
    origin: String,
    spans: Arc<Mutex<Vec<Value>>>,
}

impl Collector {
    fn new() -> Self {
        let spans: Arc<Mutex<Vec<Value>>> = Arc::default();
        let told = spans.clone();
        let address = served::serve(move |asked| {
            assert_eq!((asked.method.as_str(), asked.target.as_str()), ("POST", "/v1/traces"));
            assert_eq!(asked.header("content-type"), Some("application/json"));
            let body: Value = serde_json::from_slice(&asked.body).unwrap();
            let of = &body["resourceSpans"][0]["scopeSpans"][0]["spans"];
            told.lock().unwrap().extend(of.as_array().unwrap().iter().cloned());
            Reply::new(200, "application/json", "{}")
        });
        Self { origin: format!("http://{address}"), spans }
    }

    fn config(&self, more: &str) -> String {
        format!("[traces]\nendpoint = '{}'\n{more}\n", self.origin)
    }

    fn spans(&self) -> Vec<Value> {
        self.spans.lock().unwrap().clone()
    }

    fn until(&self, count: usize) -> Vec<Value> {
        until("the collector is told", || self.spans().len() >= count);
        self.spans()
    }
}

fn call_within(host: &mut Host, tool: &str, arguments: &Value, parent: &str) -> Value {
    let meta = json!({"traceparent": parent, "tracestate": "vendor=1"});
    let parameters = json!({"name": tool, "arguments": arguments, "_meta": meta});
    host.request("tools/call", parameters)["result"].clone()
}

fn attribute<'a>(span: &'a Value, name: &str) -> &'a Value {
    let attributes = span["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|it| it["key"] == name);
    found.map_or(&Value::Null, |it| &it["value"]["stringValue"])
}

#[test]
fn a_call_is_a_span_below_the_client_s_and_its_stages_are_below_it() {
    let collector = Collector::new();
    let mut host = echo().config(&collector.config("")).modern();
    call_within(&mut host, "echo", &json!({"message": "nobody traces this"}), &parent());
    let spans = collector.until(3);
    let call = spans.iter().find(|it| it["name"] == "tools/call echo").unwrap();
    assert_eq!((&call["traceId"], &call["parentSpanId"]), (&json!(TRACE), &json!(SPAN)));
    assert_eq!(call["traceState"], "vendor=1");
    assert_eq!(attribute(call, "windlass.plugin"), "echo");
    assert_eq!(attribute(call, "windlass.outcome"), "success");
    assert_eq!(call["status"]["code"], 1);
    let guest = spans.iter().find(|it| it["name"] == "guest").unwrap();
    assert_eq!((&guest["traceId"], &guest["parentSpanId"]), (&call["traceId"], &call["spanId"]));
    let nanoseconds = |it: &Value| it.as_str().unwrap().parse::<u128>().unwrap();
    assert!(nanoseconds(&guest["endTimeUnixNano"]) >= nanoseconds(&guest["startTimeUnixNano"]));
    assert!(!json!(spans).to_string().contains("nobody traces this"), "{spans:?}");
    host.call("echo", json!({"wrong": 1}));
    let spans = collector.until(5);
    let failed = spans.iter().find(|it| it["status"]["code"] == 2).unwrap();
    assert_ne!(failed["traceId"], TRACE, "it begins a trace of its own");
    assert_eq!(failed["parentSpanId"], "");
}

#[test]
fn what_a_client_does_not_sample_is_not_collected() {
    let collector = Collector::new();
    let mut host = echo().config(&collector.config("sample = 0")).modern();
    let silent = format!("00-{TRACE}-{SPAN}-00");
    call_within(&mut host, "echo", &json!({"message": "a"}), &silent);
    host.call("echo", json!({"message": "b"}));
    call_within(&mut host, "echo", &json!({"message": "c"}), "nonsense");
    call_within(&mut host, "echo", &json!({"message": "d"}), &parent());
    host.end();
    let calls = collector.spans();
    assert!(!calls.is_empty() && calls.iter().all(|it| it["traceId"] == TRACE), "{calls:?}");
    assert_eq!(calls.iter().filter(|it| it["kind"] == 2).count(), 1, "{calls:?}");
}

/// It takes every connection and never answers.
#[test]
fn a_collector_that_hangs_holds_up_no_call() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(0));
    let seen = asked.clone();
    thread::spawn(move || {
        let mut kept = Vec::new();
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 1024]);
            *seen.lock().unwrap() += 1;
            kept.push(stream);
        }
    });
    let mut host = echo().config(&format!("[traces]\nendpoint = '{endpoint}'\n")).modern();
    let call = |host: &mut Host| {
        let said = host.call("echo", json!({"message": "hi"}));
        assert_eq!(said["structuredContent"]["message"], "hi");
    };
    call(&mut host);
    until("the collector is asked", || *asked.lock().unwrap() > 0);
    (0..200).for_each(|_| call(&mut host));
    assert!(host.end().success());
}

#[test]
fn a_plugin_s_log_lines_name_the_trace() {
    let config = "[plugins.greedy.grants]\nstore = true\nhttp = ['https://example.org']\n";
    let setup = Setup::new().plugins(&["greedy"]).config(config);
    let mut host = setup.environment("WINDLASS_LOG", "info").modern();
    call_within(&mut host, "chatter", &json!({"lines": 1}), &parent());
    host.call("chatter", json!({"lines": 1}));
    host.end();
    let said = host.errors();
    let lines: Vec<_> = said.lines().filter(|line| line.contains("xxx")).collect();
    assert_eq!(lines.iter().filter(|line| line.contains(TRACE)).count(), 1, "{said}");
    assert_eq!(lines.len(), 2, "{said}");
}

#[test]
fn what_a_call_starts_belongs_to_its_trace() {
    let Some(mut bench) = Bench::new() else { return };
    let spawn = json!({"image": crate::support::engine::IMAGE});
    let spawned = call_within(bench.host(), "spawn", &spawn, &parent());
    let id = spawned["structuredContent"]["container_id"].as_str().unwrap().to_owned();
    let env = bench.inspect(&id)["Config"]["Env"].to_string();
    assert!(env.contains(&format!("TRACEPARENT={}", parent())), "{env}");
    let other = parent().replace(SPAN, "00f067aa0ba902b8");
    let start = json!({"container_id": id, "cmd": ["sh", "-c", "echo $TRACEPARENT"]});
    let started = call_within(bench.host(), "exec_start", &start, &other);
    let exec = started["structuredContent"]["exec_id"].as_str().unwrap().to_owned();
    assert_eq!(bench.end(&exec).stdout.trim(), other);
    let own = json!({"env": {"TRACEPARENT": "mine"}});
    assert_eq!(bench.run_with(&id, "echo $TRACEPARENT", own).stdout.trim(), "mine");
}

#[test]
fn over_http_the_header_says_it() {
    let collector = Collector::new();
    let host = echo().config(&collector.config("")).http();
    let parameters = json!({
        "name": "echo",
        "arguments": {"message": "hi"},
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": crate::support::MODERN,
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    });
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": parameters});
    let version = format!("MCP-Protocol-Version: {}", crate::support::MODERN);
    let trace = format!("traceparent: {}", parent());
    let headers = [version.as_str(), "Mcp-Method: tools/call", "Mcp-Name: echo", &trace];
    assert_eq!(host.post(&message, &headers).status, 200);
    let spans = collector.until(3);
    assert!(spans.iter().all(|it| it["traceId"] == TRACE), "{spans:?}");
}

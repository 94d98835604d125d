//! Who may come in over HTTP, what a stranger gets, and what becomes of those who go away or dawdle.

mod ends;
mod headers;

use std::{fs, io::Write as _, net::TcpStream, os::unix::fs::PermissionsExt as _};

use serde_json::{Value, json};

use crate::support::{
    LEGACY, Setup,
    http::{ACCEPT, Answer, HttpHost},
    site::Site,
    text_of, until,
};

fn echo() -> HttpHost {
    Setup::new().plugins(&["echo"]).http()
}

/// The status of a good call with these headers beside the usual ones.
#[track_caller]
fn check(host: &HttpHost, headers: &[&str], status: u16) {
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello()});
    let answer = host.post(&list, headers);
    assert_eq!(answer.status, status, "{headers:?}: {answer:?}");
}

fn hello() -> Value {
    json!({"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}})
}

fn call(tool: &str, arguments: &Value) -> Value {
    json!({"name": tool, "arguments": arguments})
}

fn bearer(host: &HttpHost) -> String {
    format!("Authorization: Bearer {}", host.token())
}

/// A call that works, so the host does.
#[track_caller]
fn check_alive(host: &HttpHost) {
    let answer = host.request("tools/call", call("echo", &json!({"message": "hi"})));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.message()["result"]["structuredContent"]["message"], "hi");
}

/// A request of the second era as bytes, for a connection that is the test's own.
fn raw(host: &HttpHost, tool: &str, arguments: &Value) -> String {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": crate::support::MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let parameters = json!({"name": tool, "arguments": arguments, "_meta": meta});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": parameters});
    let body = body.to_string();
    let (address, bearer, length) = (&host.address, bearer(host), body.len());
    let version = crate::support::MODERN;
    format!(
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{bearer}\r\n{ACCEPT}\r\n\
         Content-Type: application/json\r\nMCP-Protocol-Version: {version}\r\nMcp-Method: tools/call\r\n\
         Mcp-Name: {tool}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

#[test]
fn only_this_machine_s_names_and_pages_come_in() {
    let host = echo();
    let port = host.address.rsplit(':').next().unwrap().to_owned();
    let own = format!("Origin: http://127.0.0.1:{port}");
    let by_name = format!("Origin: http://localhost:{port}");
    check(&host, &[], 200);
    check(&host, &[&own], 200);
    check(&host, &[&by_name], 200);
    check(&host, &[&format!("Host: localhost:{port}")], 200);
    check(&host, &["Host: evil.example"], 403);
    check(&host, &["Host: localhost.evil.example"], 403);
    check(&host, &["Host: evil.example", "Origin: http://evil.example"], 403);
    check(&host, &["Origin: http://evil.example"], 403);
    check(&host, &["Origin: null"], 403);
    check(&host, &["Origin: http://localhost.evil.com"], 403);
    check(&host, &[&format!("Origin: http://localhost.evil.com:{port}")], 403);
    check(&host, &["Origin: http://127.0.0.1:1"], 403);
    check(&host, &["Origin: http://127.0.0.1"], 403);
    check(&host, &[&format!("Origin: https://127.0.0.1:{port}")], 403);
}

#[test]
fn what_decides_who_comes_in_is_said_once() {
    let host = echo();
    let own = format!("Host: {}", host.address);
    let origin = format!("Origin: http://{}", host.address);
    check(&host, &[&own, "Host: evil.example"], 400);
    check(&host, &[&origin, "Origin: http://evil.example"], 400);
    check(&host, &["Authorization: Bearer another"], 400);
}

#[test]
fn a_web_page_cannot_send_a_simple_request() {
    let host = echo();
    let bearer = bearer(&host);
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        let kind = format!("Content-Type: {kind}");
        let answer = host.send("POST", "/mcp", &[&kind, ACCEPT, &bearer], "{}");
        assert_eq!(answer.status, 415, "{answer:?}");
    }
    let asking = ["Origin: http://evil.example", "Access-Control-Request-Method: POST"];
    let answer = host.send("OPTIONS", "/mcp", &asking, "");
    assert_eq!(answer.status, 405);
    assert!(!answer.head.to_lowercase().contains("access-control"), "{answer:?}");
}

#[test]
fn there_is_nothing_beside_mcp() {
    let host = echo();
    for path in ["/", "/mcp/", "/mcp2", "/.well-known/oauth-protected-resource", "/..%2fmcp"] {
        assert_eq!(host.send("GET", path, &[&bearer(&host)], "").status, 404, "{path}");
    }
}

#[test]
fn nobody_calls_without_the_token() {
    let host = echo();
    let token = host.token();
    let basic = format!("Authorization: Basic {token}");
    let (short, long) = (&token[..token.len() - 1], format!("{token}x"));
    let wrong: String = token.chars().rev().collect();
    let bearers = [short, &long, &wrong, ""].map(|it| format!("Authorization: Bearer {it}"));
    let mut attempts: Vec<Vec<&str>> = vec![vec![], vec![&basic]];
    attempts.extend(bearers.iter().map(|header| vec![header.as_str()]));
    for (path, method) in [("/mcp", "POST"), ("/mcp", "GET"), ("/mcp", "DELETE")] {
        for attempt in &attempts {
            let mut headers = vec!["Content-Type: application/json", ACCEPT];
            headers.extend(attempt);
            let answer = host.send(method, path, &headers, "{}");
            assert_eq!(answer.status, 401, "{method} {headers:?}: {answer:?}");
            assert!(answer.header("WWW-Authenticate").unwrap().starts_with("Bearer"));
        }
    }
    let query = format!("/mcp?token={token}&access_token={token}");
    let headers = ["Content-Type: application/json", ACCEPT];
    assert_eq!(host.send("POST", &query, &headers, "{}").status, 401);
    check(&host, &[], 200);
}

#[test]
fn the_token_stays_the_same_and_in_its_file() {
    let mut setup = Setup::new().plugins(&["echo"]);
    setup = setup.environment("WINDLASS_LOG", "trace,rmcp::transport=trace,hyper::proto=trace");
    let host = setup.http();
    let token = host.token();
    assert!(token.len() >= 32, "{}", token.len());
    let mode = fs::metadata(host.setup.state().join("token")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    until("people are told where it lies", || host.errors().contains("token lies in"));
    check_alive(&host);
    check(&host, &["Origin: http://evil.example"], 403);
    host.send("POST", "/mcp", &["Authorization: Bearer wrong"], "{}");
    let arguments = fs::read(format!("/proc/{}/cmdline", host.pid())).unwrap();
    assert!(!String::from_utf8_lossy(&arguments).contains(&token));
    let (setup, said) = host.end();
    assert!(said.contains("DEBUG"), "nothing is logged: {said}");
    assert!(!said.contains(&token), "stderr holds the token");
    assert_eq!(setup.http().token(), token, "a restart changed the token");
}

#[test]
fn a_token_that_others_can_read_stops_the_start() {
    let (setup, _) = echo().end();
    let token = setup.state().join("token");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).unwrap();
    let ended = setup.ended(&["serve", "--http"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended.stderr.contains("others can read the token") && ended.stderr.contains("chmod 600"),
        "{ended:?}"
    );
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&token, "short").unwrap();
    let ended = setup.ended(&["serve", "--http"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("too short"), "{ended:?}");
}

#[test]
fn an_address_that_others_reach_needs_the_token() {
    let setup = Setup::new().plugins(&["echo"]);
    for address in ["0.0.0.0:0", "[::]:0"] {
        let ended = setup.ended(&["serve", "--http", address, "--auth", "none"]);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains("can be reached by others"), "{ended:?}");
    }
    let host = setup.config("[http]\nlisten = \"0.0.0.0:0\"").http();
    let local = host.address.replace("0.0.0.0", "127.0.0.1");
    check(&host, &[&format!("Host: {local}")], 200);
    let strange = ["Content-Type: application/json", ACCEPT];
    assert_eq!(host.send("POST", "/mcp", &strange, "{}").status, 401);
}

#[test]
fn the_host_listens_on_loopback_alone() {
    let host = echo();
    let port: u16 = host.address.rsplit(':').next().unwrap().parse().unwrap();
    let wanted = format!(":{port:04X}");
    let mut listening = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let table = fs::read_to_string(table).unwrap_or_default();
        let fields = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
        // `0A` is the state of who listens.
        let ours = fields.filter(|it| it[1].ends_with(&wanted) && it[3] == "0A");
        listening.extend(ours.map(|it| it[1].to_owned()));
    }
    assert_eq!(listening, [format!("0100007F{wanted}")]);
}

#[test]
fn the_client_s_token_does_not_go_out_with_a_plugin() {
    let site = Site::saying("hello");
    let origin = site.origin();
    let grant = format!(
        "[plugins.greedy.grants]\nstore = true\nhttp = [{{ to = \"{origin}\", private = true }}]"
    );
    let host = Setup::new().plugins(&["greedy"]).config(&grant).http();
    let answer = host.request("tools/call", call("fetch", &json!({"url": origin})));
    assert_eq!(answer.message()["result"]["structuredContent"]["body"], "hello", "{answer:?}");
    let [request] = &site.requests()[..] else { panic!("one request was made") };
    assert!(
        !request.contains(&host.token()) && !request.to_lowercase().contains("authorization"),
        "{request}"
    );
}

/// Says hello in the first era, and gives the session's header.
fn session(host: &HttpHost) -> String {
    let answer = host
        .post(&json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello()}), &[]);
    let id = answer.header("Mcp-Session-Id").unwrap_or_else(|| panic!("{answer:?}"));
    let session = format!("Mcp-Session-Id: {id}");
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(host.post(&ready, &[&session]).status, 202);
    session
}

fn call_in(host: &HttpHost, session: &str, tool: &str, arguments: &Value) -> Answer {
    let call =
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call(tool, arguments)});
    host.post(&call, &[session, &format!("MCP-Protocol-Version: {LEGACY}")])
}

#[test]
fn a_session_lasts_until_it_is_deleted() {
    let host = echo();
    let (one, other) = (session(&host), session(&host));
    let digits = |session: &str| session.chars().skip(16).filter(char::is_ascii_hexdigit).count();
    assert!(digits(&one) >= 32, "128 bits, as hexadecimal digits: {one}");
    assert_ne!(one, other);
    let arguments = json!({"message": "hi"});
    let answer = call_in(&host, &one, "echo", &arguments);
    assert_eq!(answer.message()["result"]["structuredContent"], arguments, "{answer:?}");
    let deleted = host.send("DELETE", "/mcp", &[&bearer(&host), &one], "");
    assert!(deleted.status == 202 || deleted.status == 204, "{deleted:?}");
    until("the session is over", || call_in(&host, &one, "echo", &arguments).status == 404);
    assert_eq!(call_in(&host, &other, "echo", &arguments).status, 200);
    let made_up = "Mcp-Session-Id: 00000000-0000-4000-8000-000000000000";
    assert_eq!(call_in(&host, made_up, "echo", &arguments).status, 404);
}

#[test]
fn a_session_is_no_authority() {
    let host = echo();
    let session = session(&host);
    let headers = ["Content-Type: application/json", ACCEPT, &session];
    assert_eq!(host.send("POST", "/mcp", &headers, "{}").status, 401);
}

#[test]
fn a_long_call_of_a_session_is_answered() {
    let host = echo();
    let session = session(&host);
    let answer = call_in(&host, &session, "wait", &json!({"milliseconds": 3000}));
    assert_eq!(text_of(&answer.message()["result"]), "waited 3000 ms", "{answer:?}");
    assert_eq!(call_in(&host, &session, "echo", &json!({"message": "hi"})).status, 200);
}

#[test]
fn headers_must_say_what_the_body_says() {
    let host = echo();
    let request = raw(&host, "echo", &json!({"message": "hi"}));
    let sent = |request: &str| {
        let mut stream = host.connect();
        stream.write_all(request.as_bytes()).unwrap();
        Answer::read(&mut stream)
    };
    assert_eq!(sent(&request).status, 200);
    for (from, to) in [
        ("Mcp-Method: tools/call", "Mcp-Method: tools/list"),
        ("Mcp-Name: echo", "Mcp-Name: wait"),
        ("Mcp-Method: tools/call\r\n", ""),
        ("Mcp-Name: echo\r\n", ""),
        ("Mcp-Name: echo", "Mcp-Name: echo\r\nMcp-Name: wait"),
        ("Mcp-Method: tools/call", "Mcp-Method: tools/call\r\nMcp-Method: tools/list"),
        ("MCP-Protocol-Version: 2026", "MCP-Protocol-Version: 2025"),
    ] {
        let answer = sent(&request.replace(from, to));
        assert_eq!(answer.status, 400, "{to}: {answer:?}");
        assert_eq!(answer.message()["error"]["code"], -32020, "{to}: {answer:?}");
    }
    check_alive(&host);
}

#[test]
fn what_is_no_message_is_refused_and_no_more() {
    let host = echo();
    let headers = ["Content-Type: application/json", ACCEPT, &bearer(&host)];
    let deep = "[".repeat(100_000);
    for body in ["", "{", "null", "[]", "\u{0}", "{\"jsonrpc\": \"2.0\"}", &deep] {
        let answer = host.send("POST", "/mcp", &headers, body);
        assert!((400..500).contains(&answer.status), "{body:.20}: {answer:?}");
    }
    check_alive(&host);
}

#[test]
fn a_request_of_5_mib_is_too_large() {
    let host = echo();
    for _ in 0..10 {
        let large = json!({"message": "x".repeat(5 << 20)});
        let answer = host.request("tools/call", call("echo", &large));
        assert_eq!(answer.status, 413, "{answer:?}");
    }
    check_alive(&host);
}

#[test]
fn who_dawdles_is_hung_up_on() {
    let host = echo();
    let request = raw(&host, "echo", &json!({"message": "hi"}));
    let (mut head, mut body) = (host.connect(), host.connect());
    head.write_all(&request.as_bytes()[..40]).unwrap();
    body.write_all(&request.as_bytes()[..request.len() - 1]).unwrap();
    check_alive(&host);
    let answer = Answer::read(&mut head);
    assert!(answer.status == 0 || answer.status == 408, "{answer:?}");
    assert_eq!(Answer::read(&mut body).status, 408);
    check_alive(&host);
}

#[test]
fn who_goes_away_takes_the_call_along() {
    let setup = Setup::new().plugins(&["echo", "looping"]);
    let host = setup.config("[server]\nconcurrent_calls = 1\nwaiting_calls = 0").http();
    let mut stream = host.connect();
    stream.write_all(raw(&host, "spin", &json!({})).as_bytes()).unwrap();
    let busy = |host: &HttpHost| {
        let answer = host.request("tools/call", call("echo", &json!({"message": "hi"})));
        answer.message()["result"]["structuredContent"]["error_code"] == "LIMIT"
    };
    until("the call runs", || busy(&host));
    let before = computed(&host);
    until("the call computes", || computed(&host) > before + 10);
    drop(stream);
    until("its place is free", || !busy(&host));
    until("the guest has stopped", || {
        let before = computed(&host);
        std::thread::sleep(std::time::Duration::from_millis(500));
        computed(&host) <= before + 5
    });
}

/// How long the host has computed, in hundredths of a second.
fn computed(host: &HttpHost) -> u64 {
    computed_by(host.pid())
}

fn computed_by(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields = status.rsplit(") ").next().unwrap().split(' ');
    // Fields 14 and 15, and two came before the parenthesis.
    fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

#[test]
fn a_hundred_connections_at_once_are_served() {
    let host = echo();
    let mut streams: Vec<TcpStream> = (0..100).map(|_| host.connect()).collect();
    for (number, stream) in streams.iter_mut().enumerate() {
        let request = raw(&host, "echo", &json!({"message": number.to_string()}));
        stream.write_all(request.as_bytes()).unwrap();
    }
    for (number, stream) in streams.iter_mut().enumerate() {
        let answer = Answer::read(stream);
        assert_eq!(
            text_of(&answer.message()["result"]),
            json!({"message": number.to_string()}).to_string()
        );
    }
}

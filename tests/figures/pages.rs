//! What can be asked for over HTTP, beside MCP and on an address of its own.

use serde_json::{Value, json};

use super::{LOOKOUT, echo, get, lookout, names, text};
use crate::{
    access::key,
    support::{Setup, http::HttpHost, inside::inside, until},
};

const ROLES: &str = "
[access.roles.watcher]
allow = ['metrics']
[access.roles.worker]
allow = ['echo']
";

fn ask(host: &HttpHost, path: &str, headers: &[&str]) -> (u16, String) {
    let answer = host.send("GET", path, headers, "");
    (answer.status, answer.body)
}

#[test]
fn health_and_readiness_are_one_word_to_everybody() {
    let host = echo().http();
    let (status, body) = ask(&host, "/health", &[]);
    let health: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &health["status"]), (200, &json!("healthy")));
    let uptime = health["uptime"].as_str().unwrap();
    assert!(uptime.starts_with("0d 0h ") && uptime.ends_with('s'), "{uptime}");
    assert!(health["uptime_seconds"].is_u64() && health["version"].is_string(), "{health}");
    assert_eq!(health.as_object().unwrap().len(), 4, "{health}");
    assert_eq!(ask(&host, "/ready", &[]), (200, "ready".to_owned()));
}

#[test]
fn who_needs_an_engine_is_not_ready_without_one() {
    if inside("devbench").is_none() {
        return;
    }
    let host = Setup::new()
        .arguments(&["--plugins", "devbench"])
        .environment("DOCKER_HOST", "unix:///nowhere/docker.sock")
        .http();
    assert_eq!(ask(&host, "/ready", &[]), (503, "not ready: engine".to_owned()));
    assert_eq!(ask(&host, "/health", &[]).0, 200);
}

#[test]
fn figures_are_for_who_may_call_the_tool_that_shows_them() {
    let host = echo().config(ROLES).http();
    let bearer = |key: &str| format!("Authorization: Bearer {key}");
    let watcher = bearer(&key(&host.setup, "ann", &["watcher"]));
    let worker = bearer(&key(&host.setup, "bob", &["worker"]));
    let owner = bearer(&host.token());
    for path in ["/metrics", "/prometheus"] {
        assert_eq!(ask(&host, path, &[]).0, 401);
        assert_eq!(ask(&host, path, &["Authorization: Bearer wrong"]).0, 401);
        assert_eq!(ask(&host, path, &[&worker]).0, 403);
        for allowed in [&watcher, &owner] {
            let (status, page) = ask(&host, path, &[allowed]);
            assert_eq!(status, 200);
            assert!(page.contains("windlass_info{"), "{page}");
        }
    }
    let (_, page) = ask(&host, "/metrics", &[&watcher]);
    let attempts = |status: &str| {
        let name = format!("windlass_authentication_attempts_total{{status=\"{status}\"}} ");
        page.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse::<u64>().unwrap()
    };
    assert_eq!((attempts("failure"), attempts("success")), (2, 7), "{page}");
}

#[test]
fn a_page_of_the_web_learns_nothing() {
    let host = echo().http();
    let token = format!("Authorization: Bearer {}", host.token());
    for path in ["/health", "/ready", "/metrics", "/prometheus"] {
        assert_eq!(ask(&host, path, &["Host: evil.example", &token]).0, 403, "{path}");
        assert_eq!(ask(&host, path, &["Origin: http://evil.example", &token]).0, 403, "{path}");
        let two = ["Host: 127.0.0.1", "Host: evil.example", token.as_str()];
        assert_eq!(ask(&host, path, &two).0, 400, "{path}");
        assert_eq!(host.send("POST", path, &[&token], "").status, 405, "{path}");
    }
    for path in ["/tools", "/executions", "/execute", "/metrics/", "/metrics/../metrics"] {
        assert_eq!(ask(&host, path, &[&token]).0, 404, "{path}");
    }
}

#[test]
fn an_address_of_its_own_needs_no_token_on_loopback_and_one_elsewhere() {
    let mut host = echo().config(LOOKOUT).modern();
    until("the host tells where its figures are", || lookout(&host.errors()).is_some());
    let origin = lookout(&host.errors()).unwrap();
    host.call("echo", json!({"message": "hi"}));
    let page = get(&origin, "/metrics", &[]);
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(names(&text(&page)), names(&text(&get(&origin, "/prometheus", &[]))));
    assert_eq!(text(&get(&origin, "/ready", &[])), "ready");
    assert_eq!(get(&origin, "/mcp", &[]).status, 404);
    assert_eq!(get(&origin, "/metrics", &[("Origin", "http://evil.example")]).status, 403);
    let open = echo().config("[metrics]\nlisten = '0.0.0.0:0'\n").ended(&["serve"]);
    assert_eq!(open.code, Some(2));
    assert!(open.stderr.contains("so `metrics.token` has to be set"), "{open:?}");
}

#[test]
fn an_address_with_a_token_is_closed_without_it() {
    let config = format!("{LOOKOUT}token = '${{FIGURES}}'\n");
    let host = echo().config(&config).environment("FIGURES", "watch-me-if-you-can").modern();
    until("the host tells where its figures are", || lookout(&host.errors()).is_some());
    let origin = lookout(&host.errors()).unwrap();
    let bearer = |token: &str| format!("Bearer {token}");
    for wrong in ["", "watch-me", "watch-me-if-you-can-not"] {
        let refused = get(&origin, "/metrics", &[("Authorization", &bearer(wrong))]);
        assert_eq!(refused.status, 401, "{wrong}");
        assert!(refused.header("www-authenticate").is_some());
    }
    assert_eq!(get(&origin, "/metrics", &[]).status, 401);
    let page = get(&origin, "/metrics", &[("Authorization", &bearer("watch-me-if-you-can"))]);
    assert_eq!(page.status, 200);
    assert_eq!(get(&origin, "/health", &[]).status, 200);
}

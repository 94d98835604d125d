//! Sessions of the first era: whose they are. To know the name of one is not to be who began it.

use serde_json::{Value, json};

use super::{host, key};
use crate::support::{
    LEGACY,
    http::{Answer, HttpHost},
    until,
};

const MADE_UP: &str = "Mcp-Session-Id: 00000000-0000-4000-8000-000000000000";

fn session(host: &HttpHost) -> String {
    let parameters = json!({"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}});
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": parameters});
    let answer = host.post(&hello, &[]);
    let id = answer.header("Mcp-Session-Id").unwrap_or_else(|| panic!("{answer:?}"));
    let session = format!("Mcp-Session-Id: {id}");
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(host.post(&ready, &[&session]).status, 202);
    session
}

fn list(host: &HttpHost, session: &str) -> Answer {
    let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}});
    host.post(&list, &[session, &format!("MCP-Protocol-Version: {LEGACY}")])
}

fn without_body(host: &HttpHost, method: &str, session: &str) -> Answer {
    let bearer = format!("Authorization: Bearer {}", host.token());
    let version = format!("MCP-Protocol-Version: {LEGACY}");
    let accept = "Accept: text/event-stream";
    host.send(method, "/mcp", &[&bearer, &version, accept, session], "")
}

#[test]
fn a_session_of_another_caller_is_as_unknown_as_one_that_never_was() {
    let mut host = host();
    let [ann, bob] = ["ann", "bob"].map(|name| key(&host.setup, name, &["admin"]));
    host.speak_as(&ann);
    let hers = session(&host);
    assert_eq!(list(&host, &hers).status, 200);
    host.speak_as(&bob);
    let told = |answer: Answer| (answer.status, answer.body);
    let unknown = told(list(&host, MADE_UP));
    assert_eq!(unknown.0, 404);
    assert_eq!(told(list(&host, &hers)), unknown);
    for method in ["GET", "DELETE"] {
        let unknown = told(without_body(&host, method, MADE_UP));
        assert_eq!(told(without_body(&host, method, &hers)), unknown, "{method}");
    }
    host.speak_as(&ann);
    assert_eq!(list(&host, &hers).status, 200, "somebody else ended it");
    let local = host.setup.state().join("token");
    host.speak_as(std::fs::read_to_string(local).unwrap().trim());
    assert_eq!(list(&host, &hers).status, 404);
}

#[test]
fn a_session_that_was_deleted_is_over_for_its_caller_too() {
    let mut host = host();
    let ann = key(&host.setup, "ann", &["admin"]);
    host.speak_as(&ann);
    let hers = session(&host);
    let deleted = without_body(&host, "DELETE", &hers);
    assert!(matches!(deleted.status, 202 | 204), "{deleted:?}");
    until("the session is over", || list(&host, &hers).status == 404);
}

#[test]
fn sessions_have_names_that_nobody_guesses() {
    let mut host = host();
    let ann = key(&host.setup, "ann", &["admin"]);
    host.speak_as(&ann);
    let names: std::collections::BTreeSet<String> = (0..32).map(|_| session(&host)).collect();
    assert_eq!(names.len(), 32);
    let digits = |name: &str| name.chars().skip(16).filter(char::is_ascii_hexdigit).count();
    assert!(names.iter().all(|it| digits(it) >= 32), "128 bits: {names:?}");
}

#[test]
fn who_ends_is_out_of_the_session_as_well() {
    let mut host = host();
    let ann = key(&host.setup, "ann", &["admin"]);
    host.speak_as(&ann);
    let hers = session(&host);
    assert!(host.setup.run(&["token", "revoke", "ann"]).status.success());
    assert_eq!(list(&host, &hers).status, 401);
    let listed = host.setup.run(&["token", "list", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed[0]["state"], "revoked");
}

//! Who may call what over HTTP: tokens with roles, what each of them sees, and what is there for them alone.

mod oauth;
mod hour;
mod record;
mod sessions;
mod tls;

use serde_json::{Value, json};

use crate::support::{Setup, failure, http::HttpHost, refusal, text_of};

/// What `noter` asks for.
const NOTER: &str = "[plugins.noter.grants]\nstore = true\n";

const ROLES: &str = "
[plugins.noter.grants]
store = true
[access]
auto_approve = ['health']
[access.roles.reader]
allow = [{ read_only = true }]
[access.roles.writer]
allow = [{ plugins = ['noter', 'counter'] }, 'echo']
deny = [{ tools = ['echo'], arguments = { message = '*secret*' } }]
";

/// Makes a token as an operator does.
pub(crate) fn key(setup: &Setup, name: &str, roles: &[&str]) -> String {
    let mut words = vec!["token", "new", name, "--json"];
    words.extend(roles.iter().flat_map(|role| ["--role", role]));
    let made = setup.run(&words);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    made["token"].as_str().unwrap().to_owned()
}

fn host() -> HttpHost {
    Setup::new().plugins(&["echo", "noter"]).config(ROLES).http()
}

fn call(host: &HttpHost, tool: &str, arguments: &Value) -> Value {
    host.request("tools/call", json!({"name": tool, "arguments": arguments})).message()
}

fn tools(host: &HttpHost) -> Vec<String> {
    let listed = host.request("tools/list", json!({})).message();
    let tools = listed["result"]["tools"].as_array().unwrap();
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_caller_sees_what_it_may_call_and_nothing_else() {
    let mut host = host();
    let [reader, writer, both] = [
        key(&host.setup, "ann", &["reader"]),
        key(&host.setup, "bob", &["writer"]),
        key(&host.setup, "eve", &["reader", "writer"]),
    ];
    let all = tools(&host);
    assert!(all.contains(&"note_write".to_owned()) && all.contains(&"echo".to_owned()), "{all:?}");
    host.speak_as(&reader);
    assert!(!tools(&host).contains(&"note_write".to_owned()));
    let unknown = refusal(&call(&host, "no_such_tool", &json!({})));
    let hidden = refusal(&call(&host, "note_write", &json!({"id": "a", "text": "b"})));
    assert_eq!(hidden, unknown.replace("no_such_tool", "note_write"));
    host.speak_as(&writer);
    assert!(tools(&host).contains(&"note_write".to_owned()));
    let said = call(&host, "echo", &json!({"message": "hi"}));
    assert_eq!(said["result"]["structuredContent"]["message"], "hi");
    let denied = failure(&call(&host, "echo", &json!({"message": "a secret word"}))["result"]);
    assert_eq!(denied, "DENIED: not allowed: `echo`: `access.roles.writer.deny` names it");
    host.speak_as(&both);
    assert!(tools(&host).len() >= 2);
}

#[test]
fn what_a_caller_makes_is_there_for_that_caller_alone() {
    let mut host = host();
    let [ann, bob] = ["ann", "bob"].map(|name| key(&host.setup, name, &["admin"]));
    let note = |host: &HttpHost, text: &str| {
        let written = call(host, "note_write", &json!({"id": "plan", "text": text}));
        assert!(written["result"]["isError"] != true, "{written}");
    };
    let read = |host: &HttpHost| {
        let read = host.request("resources/read", json!({"uri": "note://plan"})).message();
        read["result"]["contents"][0]["text"].as_str().map(str::to_owned)
    };
    host.speak_as(&ann);
    note(&host, "ann's");
    host.speak_as(&bob);
    assert_eq!(read(&host), None);
    note(&host, "bob's");
    assert_eq!(read(&host).as_deref(), Some("bob's"));
    host.speak_as(&ann);
    assert_eq!(read(&host).as_deref(), Some("ann's"));
}

#[test]
fn what_is_shared_is_there_for_all() {
    let setup =
        Setup::new().plugins(&["noter"]).config(&format!("{NOTER}[access]\nshared = true\n"));
    let mut host = setup.http();
    let [ann, bob] = ["ann", "bob"].map(|name| key(&host.setup, name, &["admin"]));
    host.speak_as(&ann);
    call(&host, "note_write", &json!({"id": "plan", "text": "ours"}));
    host.speak_as(&bob);
    let read = host.request("resources/read", json!({"uri": "note://plan"})).message();
    assert_eq!(read["result"]["contents"][0]["text"], "ours");
}

#[test]
fn a_token_ends_when_it_is_revoked() {
    let mut host = host();
    let ann = key(&host.setup, "ann", &["reader"]);
    host.speak_as(&ann);
    assert!(!tools(&host).is_empty());
    let listed = host.setup.run(&["token", "list", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!((&listed[0]["name"], &listed[0]["state"]), (&json!("ann"), &json!("good")));
    assert!(!listed.to_string().contains(&ann[4..]), "a token is shown again");
    let taken = host.setup.run(&["token", "new", "ann", "--role", "reader"]);
    assert!(String::from_utf8_lossy(&taken.stderr).contains("a token `ann` already"));
    assert!(host.setup.run(&["token", "revoke", "ann"]).status.success());
    assert_eq!(host.request("tools/list", json!({})).status, 401);
    let again = host.setup.run(&["token", "revoke", "ann"]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("there is no token `ann`"));
}

#[test]
fn no_token_is_kept_where_anybody_could_read_it() {
    let host = host();
    let ann = key(&host.setup, "ann", &["reader"]);
    for entry in std::fs::read_dir(host.setup.state()).unwrap().flatten() {
        let Ok(bytes) = std::fs::read(entry.path()) else { continue };
        let found = bytes.windows(ann.len()).any(|it| it == ann.as_bytes());
        assert!(!found, "{}", entry.path().display());
    }
    assert!(!host.errors().contains(&ann));
}

#[test]
fn who_guesses_is_told_nothing_and_then_has_to_wait() {
    let mut host = host();
    key(&host.setup, "ann", &["reader"]);
    let mut first = None;
    for number in 0..20 {
        host.speak_as(&format!("wl_{number:043}"));
        let answer = host.request("tools/list", json!({}));
        assert_eq!(answer.status, 401, "{answer:?}");
        let told = first.get_or_insert_with(|| answer.body.clone());
        assert_eq!(*told, answer.body);
    }
    let answer = host.request("tools/list", json!({}));
    assert_eq!(answer.status, 429, "{answer:?}");
    assert!(answer.head.to_lowercase().contains("retry-after:"), "{answer:?}");
}

#[test]
fn a_role_that_is_not_there_makes_no_token() {
    let setup = Setup::new();
    let made = setup.run(&["token", "new", "ann", "--role", "emperor"]);
    assert!(!made.status.success());
    assert!(String::from_utf8_lossy(&made.stderr).contains("there is no role `emperor`"));
    for name in ["local", "a b", "", "a@b"] {
        let made = setup.run(&["token", "new", name, "--role", "user"]);
        assert!(!made.status.success(), "{name}");
    }
}

#[test]
fn explain_says_why_somebody_may_or_may_not() {
    let setup = Setup::new().plugins(&["echo", "noter"]).config(ROLES);
    key(&setup, "ann", &["reader"]);
    let explain = |words: &[&str]| {
        let ended = setup.run(&[&["explain", "--as"], words].concat());
        (ended.status.success(), String::from_utf8_lossy(&ended.stdout).into_owned())
    };
    let (allowed, why) = explain(&["ann", "noter", "note_write"]);
    assert!(!allowed && why.contains("it is not in `access.roles.reader.allow`"), "{why}");
    let (allowed, why) = explain(&["local", "noter", "note_write"]);
    assert!(allowed && why.contains("by `access.roles.admin.allow`"), "{why}");
    let (allowed, why) = explain(&["writer", "noter"]);
    assert!(allowed && why.contains("note_write"), "{why}");
    let ended = setup.run(&["explain", "--as", "nobody", "echo"]);
    assert!(String::from_utf8_lossy(&ended.stderr).contains("nobody is called `nobody`"));
}

#[test]
fn stdio_is_whoever_started_the_host() {
    let local = format!(
        "{NOTER}[access]\nlocal = ['reader']\n[access.roles.reader]\nallow = [{{ read_only = true }}]\n"
    );
    let mut host = Setup::new().plugins(&["noter", "echo"]).config(&local).modern();
    assert!(!host.tools().contains(&"note_write".to_owned()));
    let mut host = Setup::new().plugins(&["noter"]).config(NOTER).modern();
    let written = host.call("note_write", json!({"id": "a", "text": "b"}));
    assert!(written["isError"] != true, "{}", text_of(&written));
}

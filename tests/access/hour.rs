//! `authenticate`: tokens of an hour, whom they let in, and when they end.

use serde_json::{Value, json};

use super::{call, key};
use crate::support::{
    Host, Setup, failure,
    http::{ACCEPT, HttpHost},
    refusal,
};

const OFFERED: &str = "
[plugins.noter.grants]
store = true
[access]
authenticate = true
local = ['reader']
[access.roles.reader]
allow = [{ read_only = true }]
";

fn setup() -> Setup {
    Setup::new().plugins(&["echo", "noter"]).config(OFFERED)
}

fn arguments(name: &str, secret: &str) -> Value {
    json!({"username": name, "api_key": secret})
}

fn granted(result: &Value) -> String {
    let token = result["structuredContent"]["token"].as_str();
    token.unwrap_or_else(|| panic!("{result}")).to_owned()
}

/// Writes a note over stdio, as whoever the request says.
fn write(host: &mut Host, said: &Value) -> Value {
    let arguments = json!({"id": "plan", "text": "x"});
    let meta = json!({"authorization": said});
    host.request("tools/call", json!({"name": "note_write", "arguments": arguments, "_meta": meta}))
}

#[test]
fn a_request_over_stdio_is_whose_it_says() {
    let mut host = setup().modern();
    let secret = key(&host.setup, "ann", &["admin"]);
    assert!(host.tools().contains(&"authenticate".to_owned()));
    assert!(!host.tools().contains(&"note_write".to_owned()));
    let token = granted(&host.call("authenticate", arguments("ann", &secret)));
    let parts: Vec<_> = token.split(':').collect();
    assert_eq!((parts[0], parts[2].len()), ("ann", 64));
    for said in [token.clone(), format!("Bearer {token}"), secret] {
        let written = write(&mut host, &json!(said));
        assert!(written["result"]["isError"] == false, "{written}");
    }
    let read = |host: &mut Host, meta: Value| {
        host.request("resources/read", json!({"uri": "note://plan", "_meta": meta}))
    };
    let hers = read(&mut host, json!({"authorization": token}));
    assert_eq!(hers["result"]["contents"][0]["text"], "x", "{hers}");
    assert!(read(&mut host, json!({}))["result"].is_null());
}

#[test]
fn a_request_that_lies_is_refused_and_never_passed_over() {
    let mut host = setup().modern();
    let secret = key(&host.setup, "ann", &["admin"]);
    let token = granted(&host.call("authenticate", arguments("ann", &secret)));
    let (rest, mac) = token.rsplit_once(':').unwrap();
    let other = if mac.starts_with('0') { "1" } else { "0" };
    let mut told = None;
    for said in [
        json!(""),
        json!(null),
        json!(rest),
        json!(format!("{rest}:{other}{}", &mac[1..])),
        json!(token.replace("ann", "bob")),
        json!("admin:1:00"),
    ] {
        for method in ["tools/list", "tools/call", "prompts/list"] {
            let parameters = json!({"name": "echo", "arguments": {"message": "hi"}, "_meta": {"authorization": said}});
            let refused = refusal(&host.request(method, parameters));
            assert_eq!(*told.get_or_insert_with(|| refused.clone()), refused, "{said}");
        }
    }
    assert!(told.unwrap().contains("`_meta.authorization` is good for nobody"));
    for said in [json!(5), json!({"a": "b"})] {
        assert!(refusal(&write(&mut host, &said)).contains("good for nobody"), "{said}");
    }
    // It was tried too often: from here on nothing is looked at, be it right or wrong.
    let refused = refusal(&write(&mut host, &json!(token)));
    assert!(refused.contains("too many attempts"), "{refused}");
    let said = failure(&host.call("authenticate", arguments("ann", &secret)));
    assert!(said.contains("too many attempts"), "{said}");
    let answer = host.call("echo", json!({"message": "hi"}));
    assert_eq!(answer["structuredContent"]["message"], "hi", "{answer}");
}

#[test]
fn nobody_learns_which_half_was_wrong() {
    let mut host = setup().modern();
    let secret = key(&host.setup, "ann", &["admin"]);
    key(&host.setup, "bob", &["admin"]);
    let mut told = None;
    for (name, secret) in [
        ("ann", "wl_wrong"),
        ("ann", ""),
        ("nobody", &*secret),
        ("bob", &secret),
        ("nobody", "wl_wrong"),
        ("admin", "admin_api_key"),
        ("user", "user_api_key"),
    ] {
        let said = failure(&host.call("authenticate", arguments(name, secret)));
        assert_eq!(*told.get_or_insert_with(|| said.clone()), said, "{name}");
    }
    assert_eq!(told.unwrap(), "DENIED: the username or the api_key is wrong");
    let prompt = json!({"name": "authenticate", "arguments": arguments("ann", "wl_wrong")});
    let said = refusal(&host.request("prompts/get", prompt));
    assert!(said.contains("the username or the api_key is wrong"), "{said}");
}

#[test]
fn the_prompt_gives_a_token_as_well() {
    let mut host = setup().modern();
    let secret = key(&host.setup, "ann", &["admin"]);
    let listed = host.request("prompts/list", json!({}))["result"]["prompts"].to_string();
    assert!(listed.contains("\"authenticate\""), "{listed}");
    let parameters = json!({"name": "authenticate", "arguments": arguments("ann", &secret)});
    let got = host.request("prompts/get", parameters);
    let text = got["result"]["messages"][0]["content"]["text"].as_str().unwrap();
    let token = text.split_whitespace().find(|it| it.starts_with("ann:")).unwrap();
    let written = write(&mut host, &json!(token));
    assert!(written["result"]["isError"] == false, "{written}");
}

fn listed(host: &HttpHost) -> u16 {
    host.request("tools/list", json!({})).status
}

#[test]
fn over_http_it_stands_in_the_header_or_in_the_request() {
    let mut host = setup().http();
    let [ann, bob] = ["ann", "bob"].map(|name| key(&host.setup, name, &["admin"]));
    host.speak_as(&bob);
    let token = granted(&call(&host, "authenticate", &arguments("ann", &ann))["result"]);
    let note = json!({"name": "note_write", "arguments": {"id": "plan", "text": "hers"}});
    let written = host.request_with("tools/call", note, &json!({"authorization": token}));
    assert!(written.message()["result"]["isError"] == false, "{written:?}");
    let read = |host: &HttpHost| {
        host.request("resources/read", json!({"uri": "note://plan"})).message()["result"].clone()
    };
    assert_eq!(read(&host), Value::Null, "bob has what ann wrote");
    host.speak_as(&token);
    assert_eq!(read(&host)["contents"][0]["text"], "hers");
    host.speak_as(&bob);
    let lie = host.request_with("tools/list", json!({}), &json!({"authorization": "x"}));
    assert_eq!(lie.status, 401, "{lie:?}");
    let headers = ["Content-Type: application/json", ACCEPT];
    let query = format!("/mcp?token={token}&authorization={token}");
    assert_eq!(host.send("POST", &query, &headers, "{}").status, 401);
}

#[test]
fn it_ends_with_the_token_that_it_comes_from() {
    let mut host = setup().http();
    let secret = key(&host.setup, "ann", &["admin"]);
    host.speak_as(&secret);
    let token = granted(&call(&host, "authenticate", &arguments("ann", &secret))["result"]);
    host.speak_as(&token);
    assert_eq!(listed(&host), 200);
    assert!(host.setup.run(&["token", "revoke", "ann"]).status.success());
    assert_eq!(listed(&host), 401);
    // Another one of the same name is not the one it comes from.
    key(&host.setup, "ann", &["admin"]);
    assert_eq!(listed(&host), 401);
}

#[test]
fn it_outlasts_the_host_only_where_the_operator_gives_a_key() {
    let grant = |setup: Setup| {
        let mut host = setup.http();
        let secret = key(&host.setup, "ann", &["admin"]);
        host.speak_as(&secret);
        let token = granted(&call(&host, "authenticate", &arguments("ann", &secret))["result"]);
        let mut host = host.end().0.http();
        host.speak_as(&token);
        listed(&host)
    };
    assert_eq!(grant(setup()), 401);
    let kept = "[access]\nauthenticate = true\nauthenticate_secret = '${HOUR}'\n";
    let kept = Setup::new().plugins(&["echo"]).config(kept);
    assert_eq!(grant(kept.environment("HOUR", &"k".repeat(32))), 200);
    let short = "[access]\nauthenticate = true\nauthenticate_secret = '${HOUR}'\n";
    let short = Setup::new().config(short).environment("HOUR", "short");
    let ended = short.ended(&["serve", "--http"]);
    assert!(ended.stderr.contains("access.authenticate_secret"), "{ended:?}");
    assert!(ended.stderr.contains("fewer than 32 characters"), "{ended:?}");
}

#[test]
fn it_is_offered_only_where_the_operator_says_so() {
    let mut host = Setup::new().plugins(&["echo"]).modern();
    assert!(!host.tools().contains(&"authenticate".to_owned()));
    let answer = host
        .request("tools/call", json!({"name": "authenticate", "arguments": arguments("ann", "x")}));
    assert!(refusal(&answer).contains("Unknown tool"), "{answer}");
    let secret = key(&host.setup, "ann", &["user"]);
    let parameters = json!({"_meta": {"authorization": secret}});
    let shown = host.request("tools/list", parameters);
    assert_eq!(shown["result"]["tools"], json!([]), "{shown}");
}

#[test]
fn neither_the_secret_nor_the_token_is_kept_or_logged() {
    let mut host = setup().environment("WINDLASS_LOG", "trace,hyper::proto=trace").http();
    let secret = key(&host.setup, "ann", &["admin"]);
    host.speak_as(&secret);
    let token = granted(&call(&host, "authenticate", &arguments("ann", &secret))["result"]);
    host.request_with("tools/list", json!({}), &json!({"authorization": token}));
    let parameters = json!({"name": "authenticate", "arguments": arguments("ann", &secret)});
    host.request("prompts/get", parameters);
    call(&host, "echo", &json!({"message": "hi"}));
    let (setup, said) = host.end();
    assert!(said.contains("DEBUG"), "nothing is logged: {said}");
    let mac = token.rsplit(':').next().unwrap();
    for secret in [&*secret, mac] {
        assert!(!said.contains(secret), "stderr holds it");
        for entry in std::fs::read_dir(setup.state()).unwrap().flatten() {
            let Ok(bytes) = std::fs::read(entry.path()) else { continue };
            let held = bytes.windows(secret.len()).any(|it| it == secret.as_bytes());
            assert!(!held, "{}", entry.path().display());
        }
    }
}

#[test]
fn in_the_first_era_a_request_says_it_as_well() {
    let mut host = setup().legacy();
    let secret = key(&host.setup, "ann", &["admin"]);
    let written = write(&mut host, &json!(secret));
    assert!(written["result"]["isError"] == false, "{written}");
    let refused = refusal(&write(&mut host, &json!("x")));
    assert!(refused.contains("good for nobody"), "{refused}");
}

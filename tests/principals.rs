//! Callers beside each other over HTTP: what one of them has is not there for another, whichever way it is asked for.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpStream,
};

use serde_json::{Value, json};

use crate::{
    access,
    support::{
        MODERN, Setup, failure,
        http::{Answer, HttpHost},
        refusal, text_of,
    },
};

const CONFIG: &str = "
[plugins.noter.grants]
store = true
[plugins.asker.grants]
store = true
[access.roles.asker]
allow = [{ plugins = ['asker'] }]
[access.roles.noter]
allow = [{ plugins = ['noter'] }]
unasked = true
[access.roles.bold]
allow = ['*']
unasked = true
[access.roles.careful]
allow = ['*']
";

/// Parameters of the second era.
fn modern(parameters: &Value, capabilities: &Value) -> Value {
    let mut parameters = parameters.clone();
    parameters["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    });
    parameters
}

/// A request of the second era by a client that says that it can do this.
fn request(host: &HttpHost, method: &str, parameters: &Value, capabilities: &Value) -> Answer {
    let parameters = modern(parameters, capabilities);
    let name = parameters.get("name").or(parameters.get("uri")).and_then(Value::as_str);
    let name = name.map(|name| format!("Mcp-Name: {name}"));
    let (version, kind) =
        (format!("MCP-Protocol-Version: {MODERN}"), format!("Mcp-Method: {method}"));
    let mut headers = vec![version.as_str(), &kind];
    headers.extend(name.as_deref());
    host.post(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}), &headers)
}

fn ask(host: &HttpHost, method: &str, parameters: &Value) -> Value {
    request(host, method, parameters, &json!({})).message()
}

fn write(host: &HttpHost, id: &str) -> Value {
    let call = json!({"name": "note_write", "arguments": {"id": id, "text": id}});
    ask(host, "tools/call", &call)["result"].clone()
}

/// What completes the id of a note, by its template and by the argument of a prompt.
fn completed(host: &HttpHost) -> [Value; 2] {
    let template = json!({"type": "ref/resource", "uri": "note://{id}"});
    let prompt = json!({"type": "ref/prompt", "name": "summarise"});
    [template, prompt].map(|reference| {
        let parameters = json!({"ref": reference, "argument": {"name": "id", "value": ""}});
        ask(host, "completion/complete", &parameters)
    })
}

fn host(plugins: &[&str]) -> HttpHost {
    Setup::new().plugins(plugins).config(CONFIG).http()
}

#[test]
fn what_is_completed_is_what_its_caller_has() {
    let mut host = host(&["noter"]);
    let [ann, bob] = ["ann", "bob"].map(|name| access::key(&host.setup, name, &["admin"]));
    write(&host, "of-the-operator");
    host.speak_as(&ann);
    write(&host, "of-ann");
    let values =
        |host: &HttpHost| completed(host).map(|it| it["result"]["completion"]["values"].clone());
    assert_eq!(values(&host), [json!(["of-ann"]), json!(["of-ann"])]);
    host.speak_as(&bob);
    assert_eq!(values(&host), [json!([]), json!([])]);
}

#[test]
fn who_may_call_none_of_a_plugin_s_tools_has_nothing_of_it() {
    let mut host = host(&["noter", "asker"]);
    let [ann, bob] = [("ann", "noter"), ("bob", "asker")]
        .map(|(name, role)| access::key(&host.setup, name, &[role]));
    host.speak_as(&ann);
    write(&host, "a");
    let count = |host: &HttpHost, method: &str, list: &str| {
        ask(host, method, &json!({}))["result"][list].as_array().unwrap().len()
    };
    let lists = [
        ("prompts/list", "prompts"),
        ("resources/list", "resources"),
        ("resources/templates/list", "resourceTemplates"),
    ];
    assert_eq!(lists.map(|(method, list)| count(&host, method, list)), [1, 1, 1]);
    host.speak_as(&bob);
    assert_eq!(lists.map(|(method, list)| count(&host, method, list)), [0, 0, 0]);
    let prompt = |name: &str| json!({"name": name, "arguments": {"id": "a"}});
    let [hidden, unknown] =
        ["summarise", "nothing"].map(|name| refusal(&ask(&host, "prompts/get", &prompt(name))));
    assert_eq!(hidden.replace("summarise", "nothing"), unknown);
    let [hidden, unknown] = ["note://a", "nobody://a"]
        .map(|uri| refusal(&ask(&host, "resources/read", &json!({"uri": uri}))));
    assert_eq!(hidden.replace("note://", "nobody://"), unknown);
    for answer in completed(&host) {
        assert!(refusal(&answer).starts_with("-32602: there is no "), "{answer}");
    }
}

#[test]
fn a_yes_to_one_caller_s_question_is_none_to_another_s() {
    let mut host = host(&["asker"]);
    let [ann, bob] = ["ann", "bob"].map(|name| access::key(&host.setup, name, &["admin"]));
    let forms = json!({"elicitation": {"form": {}}});
    let wipe = json!({"name": "wipe", "arguments": {"path": "/a"}});
    let wiped = |host: &HttpHost| {
        let call = json!({"name": "wiped", "arguments": {"path": "/a"}});
        text_of(&ask(host, "tools/call", &call)["result"])
    };
    host.speak_as(&ann);
    let asked = request(&host, "tools/call", &wipe, &forms).message();
    let mut answered = wipe.clone();
    answered["requestState"] = asked["result"]["requestState"].clone();
    answered["inputResponses"] = json!({"confirm": {"action": "accept", "content": {}}});
    host.speak_as(&bob);
    let refused = refusal(&request(&host, "tools/call", &answered, &forms).message());
    assert!(refused.contains("it was changed, or belongs to another call"), "{refused}");
    assert_eq!(wiped(&host), "false");
    host.speak_as(&ann);
    assert_eq!(wiped(&host), "false");
    request(&host, "tools/call", &answered, &forms);
    assert_eq!(wiped(&host), "true");
}

#[test]
fn what_destroys_is_refused_where_nobody_can_be_asked_and_no_role_says_otherwise() {
    let mut host = host(&["noter"]);
    let [bold, careful] = ["bold", "careful"].map(|role| access::key(&host.setup, role, &[role]));
    host.speak_as(&careful);
    let told = failure(&write(&host, "a"));
    assert!(told.starts_with("DENIED") && told.contains("access.roles.careful.unasked"), "{told}");
    let read = ask(&host, "resources/read", &json!({"uri": "note://a"}));
    assert!(read.get("error").is_some(), "it was written: {read}");
    host.speak_as(&bold);
    assert_eq!(text_of(&write(&host, "a")), "wrote note://a");
}

/// The method of the next message of a stream.
fn next(heard: &mut BufReader<TcpStream>) -> String {
    loop {
        let mut line = String::new();
        assert!(heard.read_line(&mut line).unwrap() > 0, "the stream has ended");
        let Some(data) = line.strip_prefix("data:") else { continue };
        if let Ok(message) = serde_json::from_str::<Value>(data) {
            return message["method"].as_str().unwrap_or_default().to_owned();
        }
    }
}

#[test]
fn nobody_hears_what_another_caller_changed() {
    let mut host = host(&["noter"]);
    let [ann, bob] = ["ann", "bob"].map(|name| access::key(&host.setup, name, &["admin"]));
    host.speak_as(&ann);
    let filter = json!({"resourceSubscriptions": ["note://a"], "resourcesListChanged": true});
    let parameters = modern(&json!({"notifications": filter}), &json!({}));
    let method = "subscriptions/listen";
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters});
    let headers = [format!("MCP-Protocol-Version: {MODERN}"), format!("Mcp-Method: {method}")];
    let headers = headers.each_ref().map(String::as_str);
    let mut heard = host.stream("POST", &headers, &message.to_string());
    assert_eq!(next(&mut heard), "notifications/subscriptions/acknowledged");
    for key in [&bob, &ann] {
        host.speak_as(key);
        write(&host, "a");
    }
    let told = [(); 3].map(|()| next(&mut heard));
    let [changed, updated] =
        ["notifications/resources/list_changed", "notifications/resources/updated"];
    assert_eq!(told, [changed, updated, changed], "only the second wrote what is ann's");
}

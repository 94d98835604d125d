//! The log on stderr: objects where they are wanted, and no secret at any level.

use serde_json::{Value, json};

use crate::support::{Host, Setup, site::Site};

/// Values that nobody would write by chance.
const SECRET: &str = "canary-of-the-\"deep\"-mine";
/// A filter that names even what rmcp keeps to itself.
const EVERYTHING: &str = "trace,rmcp=trace,rmcp::service=trace,rmcp::transport=trace,hyper=trace";
const TOKEN: &str = "canary-of-the-token";

/// A host that logs all that it can, with a secret that travels, and a tool called with more of them.
fn busy(more: &str) -> Host {
    let site = Site::saying("hello");
    let config = format!(
        "{more}[plugins.greedy.grants]\nstore = true\nhttp = [{{ to = \"{}\", private = true, secrets = [\"key\"] }}]\n\
         [plugins.greedy.secrets]\nkey = \"${{KEY}}\"",
        site.origin()
    );
    let setup = Setup::new().plugins(&["greedy", "echo"]).config(&config);
    let setup = setup.environment("KEY", SECRET).environment("WINDLASS_LOG", EVERYTHING);
    let mut host = setup.environment("MCP_BEARER_TOKEN", TOKEN).modern();
    let secret = json!({"name": "authorization", "secret": "key"});
    call(&mut host, "fetch", &json!({"url": site.origin(), "headers": [secret]}));
    call(&mut host, "fetch", &json!({"url": "http://127.0.0.1:9/", "headers": [secret]}));
    call(&mut host, "echo", &json!({"message": SECRET}));
    call(&mut host, "echo", &json!({"message": "a", "password": SECRET}));
    call(&mut host, "echo", &json!({"message": 1, SECRET: 1}));
    call(&mut host, SECRET, &json!({}));
    host
}

/// It may fail, and that is told.
fn call(host: &mut Host, tool: &str, arguments: &Value) {
    host.request("tools/call", json!({"name": tool, "arguments": arguments}));
}

#[test]
fn no_secret_is_in_a_log_of_any_level() {
    for more in ["", "[logs]\nformat = 'json'\n"] {
        let mut host = busy(more);
        host.end();
        let said = host.errors();
        assert!(said.contains("called"), "little is logged: {said}");
        assert!(
            !said.contains("canary"),
            "{}",
            said.lines().find(|it| it.contains("canary")).unwrap()
        );
    }
}

#[test]
fn each_line_is_an_object_where_that_is_wanted() {
    for (more, variable) in [("[logs]\nformat = 'json'\n", ""), ("", "json")] {
        let setup = Setup::new().plugins(&["echo"]).config(more);
        let setup = setup.environment("WINDLASS_LOG", "debug");
        let setup = if variable.is_empty() {
            setup
        } else {
            setup.environment("WINDLASS_LOG_FORMAT", variable)
        };
        let mut host = setup.modern();
        call(&mut host, "echo", &json!({"message": "hi"}));
        host.end();
        let said = host.errors();
        let lines: Vec<Value> =
            said.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        let called = lines.iter().find(|it| it["fields"]["message"] == "called").unwrap();
        assert_eq!(
            (&called["level"], &called["fields"]["tool"]),
            (&json!("DEBUG"), &json!("echo"))
        );
        assert!(called["timestamp"].is_string() && called["target"].is_string(), "{called}");
    }
    // Who starts it has the last word.
    let setup = Setup::new().plugins(&["badname"]).config("[logs]\nformat = 'json'\n");
    let text = setup.ended(&["tools", "--log-format", "text"]);
    let is_object = |line: &str| serde_json::from_str::<Value>(line).is_ok();
    assert!(!text.stderr.is_empty() && !text.stderr.lines().any(is_object), "{text:?}");
}

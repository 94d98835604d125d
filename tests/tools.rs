//! Tools: what is listed, what a call may say, what it comes to, and how the list changes.

use std::fs;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::support::{Host, Setup, failure, fixture, refusal, text_of};

/// What `greedy` and `asker` import.
const GRANTS: &str = "\
[plugins.greedy.grants]
store = true
http = ['https://example.com']
[plugins.asker.grants]
store = true
";

/// Both kinds of clients.
const ERAS: [fn(Setup) -> Host; 2] = [Setup::legacy, Setup::modern];

#[test]
fn the_list_is_sorted_and_says_all_that_clients_ask_for() {
    for start in ERAS {
        let setup = Setup::new().plugins(&["looping", "greedy", "echo", "crash", "asker"]);
        let mut host = start(setup.config(GRANTS));
        let tools = host.request("tools/list", json!({}))["result"]["tools"].clone();
        let tools = tools.as_array().unwrap();
        let name = |tool: &Value| tool["name"].as_str().unwrap().to_owned();
        assert!(tools.is_sorted_by_key(name), "{tools:?}");
        assert_eq!(tools.len(), 20);
        for tool in tools {
            for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
                assert!(tool["annotations"][hint].is_boolean(), "{hint} of {tool}");
            }
            assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
            assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{tool}");
            assert!(!tool["description"].as_str().unwrap().is_empty(), "{tool}");
        }
    }
}

#[test]
fn a_tool_is_listed_with_the_hints_and_schemas_that_its_plugin_gave() {
    let mut host = Setup::new().plugins(&["echo", "asker"]).config(GRANTS).modern();
    let answer = host.request("tools/list", json!({}));
    let tools = answer["result"]["tools"].as_array().unwrap();
    let annotations = |name: &str| {
        let tool = tools.iter().find(|tool| tool["name"] == name).unwrap();
        tool["annotations"].clone()
    };
    let hints = |read_only: bool, destructive: bool, idempotent: bool| {
        json!({
            "readOnlyHint": read_only,
            "destructiveHint": destructive,
            "idempotentHint": idempotent,
            "openWorldHint": false,
        })
    };
    assert_eq!(annotations("echo"), hints(true, false, true));
    assert_eq!(annotations("wipe"), hints(false, true, false));
    let echo = tools.iter().find(|tool| tool["name"] == "echo").unwrap();
    assert_eq!(echo["inputSchema"]["required"], json!(["message"]));
    assert_eq!(echo["outputSchema"]["properties"]["message"]["type"], "string");
}

#[test]
fn a_second_era_list_says_how_long_it_may_be_kept_and_by_whom() {
    let mut host = Setup::new().plugins(&["echo"]).modern();
    for (method, scope) in [
        ("tools/list", "private"),
        ("prompts/list", "private"),
        ("resources/templates/list", "private"),
        ("resources/list", "private"),
    ] {
        let result = &host.request(method, json!({}))["result"];
        assert_eq!(result["resultType"], "complete", "{method}");
        assert_eq!(
            (&result["ttlMs"], &result["cacheScope"]),
            (&json!(0), &json!(scope)),
            "{method}"
        );
    }
}

#[test]
fn arguments_are_checked_before_the_guest_runs() {
    let setup = Setup::new().plugins(&["echo", "crash", "looping", "greedy"]).config(GRANTS);
    let mut host = setup.legacy();
    let mut check = |tool: &str, arguments: Value, expected: Expect| {
        expected.assert_eq(&failure(&host.call(tool, arguments)));
    };
    check(
        "echo",
        json!({}),
        expect![[
            r#"INVALID: the arguments of `echo` do not fit: "message" is a required property"#
        ]],
    );
    check(
        "echo",
        json!({"message": 3}),
        expect![[
            r#"INVALID: the arguments of `echo` do not fit: `message`: 3 is not of type "string""#
        ]],
    );
    check(
        "echo",
        json!({"message": null}),
        expect![[
            r#"INVALID: the arguments of `echo` do not fit: `message`: null is not of type "string""#
        ]],
    );
    check(
        "swap",
        json!({"key": 3, "document": [], "surprise": true}),
        expect![[
            r#"INVALID: the arguments of `swap` do not fit: `document`: [] is not of type "string"; `key`: 3 is not of type "string"; Additional properties are not allowed ('surprise' was unexpected)"#
        ]],
    );
    // These would crash and never return if they ran.
    check(
        "crash",
        json!({"surprise": true}),
        expect![
            "INVALID: the arguments of `crash` do not fit: Additional properties are not allowed ('surprise' was unexpected)"
        ],
    );
    check(
        "spin",
        json!({"message": {"a": 1}}),
        expect![[
            r#"INVALID: the arguments of `spin` do not fit: `message`: {"a":1} is not of type "string""#
        ]],
    );
}

#[test]
fn a_null_for_an_optional_argument_is_no_argument() {
    let mut host = Setup::new().plugins(&["greedy"]).config(GRANTS).legacy();
    let arguments = json!({"key": "a", "document": "1", "expected": null});
    assert_eq!(host.text("swap", arguments), "swapped `a`");
}

#[test]
fn a_result_that_breaks_the_tools_own_word_is_not_passed_on() {
    let mut host = Setup::new().plugins(&["nonsense"]).legacy();
    let mut check = |tool: &str, expected: Expect| {
        expected.assert_eq(&failure(&host.call(tool, json!({}))));
    };
    check(
        "wrong",
        expect![[
            r#"OTHER: tool `wrong` of plugin `nonsense` broke its word: its result does not fit its schema: `count`: "many" is not of type "integer""#
        ]],
    );
    check(
        "garbage",
        expect![
            "OTHER: tool `garbage` of plugin `nonsense` broke its word: its structured result is no JSON: EOF while parsing a value at line 1 column 9"
        ],
    );
}

#[test]
fn a_failure_is_told_to_models_and_to_programs() {
    for start in ERAS {
        let mut host = start(Setup::new().plugins(&["crash"]));
        let result = host.call("complain", json!({}));
        assert_eq!(result["isError"], true);
        assert_eq!(result["content"], json!([{"type": "text", "text": "as asked"}]));
        assert_eq!(
            result["structuredContent"],
            json!({"success": false, "error": "as asked", "error_code": "FAILED", "details": null})
        );
    }
}

#[test]
fn a_structured_result_is_told_as_text_as_well() {
    let mut host = Setup::new().plugins(&["echo"]).legacy();
    let result = host.call("echo", json!({"message": "größer\n"}));
    assert_eq!(result["structuredContent"], json!({"message": "größer\n"}));
    assert_eq!(text_of(&result), "{\"message\":\"größer\\n\"}");
}

/// The tools of `asker` that a client gets to see.
#[track_caller]
fn check_visible(arguments: &[&str], config: &str, expected: &[&str]) {
    let setup = Setup::new().plugins(&["asker"]).config(&format!("{GRANTS}{config}"));
    let mut host = setup.arguments(arguments).legacy();
    assert_eq!(host.tools(), expected);
    for tool in ["survey", "wipe", "wiped"].iter().filter(|tool| !expected.contains(tool)) {
        let answer = host.request("tools/call", json!({"name": tool, "arguments": {"path": "a"}}));
        assert!(refusal(&answer).starts_with("-32602: Unknown tool"), "{tool} is hidden and works");
    }
}

#[test]
fn the_operator_chooses_which_tools_there_are() {
    check_visible(&[], "", &["survey", "wipe", "wiped"]);
    check_visible(&["--read-only"], "", &["survey", "wiped"]);
    check_visible(&[], "[server]\nread_only = true", &["survey", "wiped"]);
    check_visible(&["--tools", "wipe,survey"], "", &["survey", "wipe"]);
    check_visible(&[], "[server]\ntools = ['wipe', 'survey']", &["survey", "wipe"]);
    check_visible(&["--exclude-tools", "wipe"], "", &["survey", "wiped"]);
    check_visible(&[], "[server]\nexclude_tools = ['wipe']", &["survey", "wiped"]);
    check_visible(&["--tools", "wipe,survey", "--exclude-tools", "wipe"], "", &["survey"]);
    check_visible(&["--tools", "wipe,survey", "--read-only"], "", &["survey"]);
    check_visible(&["--tools", "wipe"], "[server]\nexclude_tools = ['wipe']", &[]);
}

#[test]
fn a_prefix_stands_before_the_names_of_tools_and_prompts() {
    let component = fixture("noter");
    let config = format!(
        "[plugins.notes]\ncomponent = '{}'\nprefix = 'my_'\ngrants.store = true",
        component.display()
    );
    let mut host = Setup::new().config(&config).legacy();
    assert_eq!(host.tools(), ["my_note_write"]);
    assert_eq!(host.text("my_note_write", json!({"id": "a", "text": "A"})), "wrote note://a");
    assert_eq!(
        host.request("prompts/list", json!({}))["result"]["prompts"][0]["name"],
        "my_summarise"
    );
    let answer =
        host.request("prompts/get", json!({"name": "my_summarise", "arguments": {"id": "a"}}));
    assert_eq!(answer["result"]["messages"][0]["role"], "user", "{answer}");
    let answer = host.request("tools/call", json!({"name": "note_write", "arguments": {}}));
    assert!(refusal(&answer).contains("Unknown tool: `note_write`"));
}

const META_TOOLS: [&str; 3] = ["tools_call", "tools_describe", "tools_search"];

#[test]
fn the_meta_tools_are_there_when_asked_for() {
    let mut host = Setup::new().plugins(&["echo"]).legacy();
    assert_eq!(host.tools(), ["echo", "wait"]);
    for tool in META_TOOLS {
        let answer =
            host.request("tools/call", json!({"name": tool, "arguments": {"name": "echo"}}));
        assert!(refusal(&answer).contains("Unknown tool"));
    }
    for (arguments, config) in [(vec!["--meta-tools"], ""), (vec![], "[server]\nmeta_tools = true")]
    {
        let setup = Setup::new().plugins(&["echo"]).config(config).arguments(&arguments);
        let tools = setup.legacy().tools();
        assert!(META_TOOLS.iter().all(|tool| tools.contains(&(*tool).to_owned())), "{tools:?}");
        assert!(tools.is_sorted(), "{tools:?}");
    }
}

#[test]
fn the_meta_tools_reach_every_visible_tool_and_no_other() {
    let setup = Setup::new().plugins(&["echo", "crash"]);
    let mut host = setup.arguments(&["--meta-tools", "--exclude-tools", "crash"]).legacy();
    let found = host.call("tools_search", json!({"words": "SAYS told"}));
    let echo = json!({"name": "echo", "summary": "Says what it was told."});
    assert_eq!(found["structuredContent"], json!({"tools": [echo]}));
    let all = host.call("tools_search", json!({}))["structuredContent"]["tools"].clone();
    assert_eq!(all.as_array().unwrap().len(), 4);
    let described = host.call("tools_describe", json!({"name": "echo"}));
    assert_eq!(described["structuredContent"]["inputSchema"]["required"], json!(["message"]));
    let called = json!({"name": "echo", "arguments": {"message": "hi"}});
    assert_eq!(host.call("tools_call", called)["structuredContent"], json!({"message": "hi"}));
    let wrong = host.call("tools_call", json!({"name": "echo", "arguments": {"message": 3}}));
    assert!(failure(&wrong).starts_with("INVALID: the arguments of `echo`"));
    let unknown = host.call("tools_describe", json!({"name": "crash"}));
    assert!(failure(&unknown).starts_with("NOT_FOUND: there is no tool `crash`"));
    let hidden = json!({"name": "tools_call", "arguments": {"name": "crash", "arguments": {}}});
    assert!(refusal(&host.request("tools/call", hidden)).contains("Unknown tool: `crash`"));
    let twice = json!({"name": "tools_call", "arguments": {"name": "tools_call", "arguments": called_echo()}});
    assert!(refusal(&host.request("tools/call", twice)).contains("Unknown tool: `tools_call`"));
}

fn called_echo() -> Value {
    json!({"name": "echo", "arguments": {"message": "hi"}})
}

#[test]
fn arguments_of_the_meta_tools_are_checked_too() {
    let mut host = Setup::new().plugins(&["echo"]).arguments(&["--meta-tools"]).legacy();
    for (tool, arguments) in [
        ("tools_search", json!({"words": 3})),
        ("tools_search", json!({"surprise": "echo"})),
        ("tools_describe", json!({})),
        ("tools_call", json!({"name": "echo", "arguments": "message"})),
    ] {
        let text = failure(&host.call(tool, arguments));
        assert!(
            text.starts_with(&format!("INVALID: the arguments of `{tool}` do not fit")),
            "{text}"
        );
    }
}

/// Drops a component into the folder of added plugins, at once as a whole.
fn drop_in(host: &Host, name: &str) {
    let folder = host.setup.state().join("plugins");
    let whole = folder.join(format!("{name}.partial"));
    fs::copy(fixture(name), &whole).unwrap();
    fs::rename(whole, folder.join(format!("{name}.wasm"))).unwrap();
}

/// A component comes and goes. The client is told each time, and finds what it was told.
fn check_comes_and_goes(host: &mut Host, check_note: impl Fn(&Value)) {
    let changed = "notifications/tools/list_changed";
    assert_eq!(host.tools(), ["complain", "crash", "fine"]);
    drop_in(host, "echo");
    check_note(&host.note(changed));
    assert_eq!(host.tools(), ["complain", "crash", "echo", "fine", "wait"]);
    assert_eq!(host.text("echo", json!({"message": "hi"})), r#"{"message":"hi"}"#);
    fs::remove_file(host.setup.state().join("plugins/echo.wasm")).unwrap();
    check_note(&host.note(changed));
    assert_eq!(host.tools(), ["complain", "crash", "fine"]);
    let answer = host.request("tools/call", called_echo());
    assert!(refusal(&answer).starts_with("-32602: Unknown tool: `echo`"));
}

#[test]
fn a_first_era_client_hears_of_plugins_that_come_and_go() {
    let mut host = Setup::new().plugins(&["crash"]).legacy();
    check_comes_and_goes(&mut host, |_| {});
}

#[test]
fn a_second_era_subscriber_hears_of_plugins_that_come_and_go() {
    let mut host = Setup::new().plugins(&["crash"]).modern();
    host.request("server/discover", json!({}));
    let id = host.listen(json!({"toolsListChanged": true}));
    check_comes_and_goes(&mut host, |note| {
        let subscription = &note["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"];
        assert_eq!(subscription, &json!(id), "{note}");
    });
    let others = ["notifications/prompts/list_changed", "notifications/resources/list_changed"];
    let heard = |note: &Value| others.iter().any(|other| note["method"] == *other);
    assert!(!host.notes.iter().any(heard), "it did not ask for these: {:?}", host.notes);
}

#[test]
fn a_thousand_calls_at_once_are_all_answered() {
    let config =
        "[server]\nconcurrent_calls = 1000\n[limits]\nconcurrent_calls = 1000\nmemory_mib = 8\n";
    for start in ERAS {
        let mut host = start(Setup::new().plugins(&["echo"]).config(config));
        let call = |host: &mut Host, number: usize| {
            let arguments = json!({"message": number.to_string()});
            host.begin("tools/call", json!({"name": "echo", "arguments": arguments}))
        };
        let ids: Vec<_> = (0..1000).map(|number| call(&mut host, number)).collect();
        let mut answers: Vec<_> = ids.iter().map(|_| host.next_message().unwrap()).collect();
        answers.sort_by_key(|answer| answer["id"].as_u64());
        for (number, answer) in answers.iter().enumerate() {
            assert_eq!(answer["id"], ids[number]);
            let message = &answer["result"]["structuredContent"]["message"];
            assert_eq!(message, &json!(number.to_string()), "{answer}");
        }
    }
}

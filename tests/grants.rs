//! What a plugin may do: what its grants allow, what its tools promised, and what the operator wrote.

use std::fs;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::support::{Host, Setup, failure, fixture, text_of};

/// What `greedy` imports.
const GRANTS: &str = "[plugins.greedy.grants]\nstore = true\nhttp = ['https://example.com']\n";

/// What is told after the log, which tells the same with a time.
fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or_default()
}

/// A plugin that imports more than it is granted. It does not load, and all others do.
#[track_caller]
fn check_ungranted(plugin: &str, grants: &str, expected: &Expect) {
    let config = format!("[plugins.{plugin}.grants]\n{grants}\n");
    let setup = || Setup::new().plugins(&["echo", plugin]).config(&config);
    let ended = setup().ended(&["tools"]);
    expected.assert_eq(last_line(&ended.stderr));
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.contains("echo"), "{ended:?}");
    let mut host = setup().legacy();
    assert_eq!(host.tools(), ["echo", "wait"]);
    assert!(host.errors().contains("grants allow"), "{}", host.errors());
}

#[test]
fn an_ungranted_import_does_not_load() {
    check_ungranted(
        "greedy",
        "",
        &expect![[
            r#"plugin `greedy` does not load: it imports more than its grants allow: `store` (needs `plugins.greedy.grants.store = true`), `http` (needs `plugins.greedy.grants.http = ["https://…"]`)"#
        ]],
    );
    check_ungranted(
        "greedy",
        "store = true",
        &expect![[
            r#"plugin `greedy` does not load: it imports more than its grants allow: `http` (needs `plugins.greedy.grants.http = ["https://…"]`)"#
        ]],
    );
    check_ungranted(
        "asker",
        "http = ['https://example.com']",
        &expect![[
            r#"plugin `asker` does not load: it imports more than its grants allow: `store` (needs `plugins.asker.grants.store = true`)"#
        ]],
    );
}

#[test]
fn a_grant_without_a_table_is_no_grant() {
    let mut host = Setup::new().plugins(&["echo", "noter"]).legacy();
    assert_eq!(host.tools(), ["echo", "wait"]);
    assert_eq!(host.request("prompts/list", json!({}))["result"]["prompts"], json!([]));
    assert_eq!(host.request("resources/list", json!({}))["result"]["resources"], json!([]));
}

fn greedy() -> Host {
    Setup::new().plugins(&["greedy"]).config(GRANTS).legacy()
}

/// What a call comes to, be it a success or a failure.
fn outcome(host: &mut Host, tool: &str, arguments: Value) -> String {
    let result = host.call(tool, arguments);
    if result["isError"] == true { failure(&result) } else { text_of(&result) }
}

#[test]
fn documents_are_kept_and_swapped_and_listed_in_order() {
    let mut host = greedy();
    let mut check = |tool: &str, arguments: Value, expected: Expect| {
        expected.assert_eq(&outcome(&mut host, tool, arguments));
    };
    check("kept", json!({"key": "b"}), expect!["NOT_FOUND: no document `b`"]);
    check("keep", json!({"key": "b", "document": "1"}), expect!["kept `b`"]);
    check("keep", json!({"key": "a", "document": "größer\n"}), expect!["kept `a`"]);
    check(
        "kept",
        json!({"key": "a"}),
        expect![[r#"
        größer
    "#]],
    );
    check(
        "swap",
        json!({"key": "b", "expected": "0", "document": "2"}),
        expect!["CONFLICT: the document is not what it was expected to be; read it again"],
    );
    check(
        "swap",
        json!({"key": "b", "document": "2"}),
        expect!["CONFLICT: the document is not what it was expected to be; read it again"],
    );
    check("kept", json!({"key": "b"}), expect!["1"]);
    check("swap", json!({"key": "b", "expected": "1", "document": "2"}), expect!["swapped `b`"]);
    check("kept", json!({"key": "b"}), expect!["2"]);
    check("swap", json!({"key": "c", "document": "3"}), expect!["swapped `c`"]);
    check(
        "keys",
        json!({}),
        expect![[r#"
        a
        b
        c"#]],
    );
}

#[test]
fn a_document_that_is_none_is_not_kept() {
    let mut host = greedy();
    let mut check = |tool: &str, arguments: Value, expected: Expect| {
        expected.assert_eq(&outcome(&mut host, tool, arguments));
    };
    check(
        "keep",
        json!({"key": "", "document": "1"}),
        expect!["INVALID: a key is 1 to 512 bytes of text without NUL, and this one has 0"],
    );
    check(
        "keep",
        json!({"key": "x".repeat(513), "document": "1"}),
        expect!["INVALID: a key is 1 to 512 bytes of text without NUL, and this one has 513"],
    );
    check(
        "keep",
        json!({"key": "d", "document": "x".repeat((1 << 20) + 1)}),
        expect!["LIMIT: a document of 1048577 bytes is larger than the 1048576 that `store` takes"],
    );
    check("keys", json!({}), expect![[""]]);
}

#[test]
fn of_two_who_swap_at_once_one_wins() {
    let mut host = greedy();
    for round in 0..20 {
        let key = round.to_string();
        let swap = |host: &mut Host, document: &str| {
            let arguments = json!({"key": key, "document": document});
            host.begin("tools/call", json!({"name": "swap", "arguments": arguments}))
        };
        let ids = [swap(&mut host, "one"), swap(&mut host, "other")];
        let answers = ids.map(|id| host.answer(id));
        let lost = |answer: &&Value| answer["result"]["isError"] == true;
        assert_eq!(answers.iter().filter(lost).count(), 1, "{answers:?}");
    }
}

#[test]
fn documents_outlive_the_host() {
    let mut host = greedy();
    host.text("keep", json!({"key": "a", "document": "1"}));
    let mut host = host.restart().legacy();
    assert_eq!(host.text("kept", json!({"key": "a"})), "1");
}

#[test]
fn a_document_is_on_disk_when_its_keeping_is_answered() {
    let mut host = greedy();
    for round in 0..5 {
        host.text("keep", json!({"key": "a", "document": round.to_string()}));
        host.signal("-KILL");
        host = host.restart().legacy();
        assert_eq!(host.text("kept", json!({"key": "a"})), round.to_string());
    }
}

#[test]
fn no_plugin_sees_the_documents_of_another() {
    let component = fixture("greedy");
    let table = |name: &str| {
        let component = component.display();
        format!(
            "[plugins.{name}]\ncomponent = '{component}'\nprefix = '{name}_'\n\
             grants = {{ store = true, http = ['https://example.com'] }}\n"
        )
    };
    let mut host = Setup::new().config(&(table("a") + &table("b"))).legacy();
    host.text("a_keep", json!({"key": "k", "document": "of a"}));
    assert!(failure(&host.call("b_kept", json!({"key": "k"}))).starts_with("NOT_FOUND"));
    assert_eq!(host.text("b_keys", json!({})), "");
    host.text("b_keep", json!({"key": "k", "document": "of b"}));
    assert_eq!(host.text("a_kept", json!({"key": "k"})), "of a");
    assert_eq!(host.text("b_kept", json!({"key": "k"})), "of b");
}

#[test]
fn a_plugin_that_says_it_only_reads_and_imports_what_writes_does_not_load() {
    let config = "[plugins.liar.grants]\nstore = true\n";
    let ended = Setup::new().plugins(&["echo", "liar"]).config(config).ended(&["tools"]);
    expect![[r#"plugin `liar` does not load: all its tools say they are read-only, but it imports `store.put`, which writes"#]].assert_eq(last_line(&ended.stderr));
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.contains("echo") && !ended.stdout.contains("peek"), "{ended:?}");
}

#[test]
fn a_tool_is_held_to_what_it_said_whatever_its_plugin_may() {
    let config = "[plugins.twofaced.grants]\nstore = true\nhttp = ['https://example.com']\n";
    let mut host = Setup::new().plugins(&["twofaced"]).config(config).legacy();
    expect!["DENIED: tool `look` says it is read-only: `store` is refused"]
        .assert_eq(&failure(&host.call("look", json!({}))));
    let local = host.call("local", json!({"url": "https://example.com"}));
    expect!["DENIED: tool `local` does not say it is open-world: `http.send` is refused"]
        .assert_eq(&failure(&local));
    assert_eq!(host.text("write", json!({})), "wrote");
}

/// A host that does not start.
#[track_caller]
fn check_no_start(setup: &Setup, expected: &[&str]) -> String {
    for command in ["serve", "tools"] {
        let ended = setup.ended(&[command]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
        for expected in expected {
            assert!(ended.stderr.contains(expected), "no `{expected}` in {}", ended.stderr);
        }
    }
    setup.ended(&["serve"]).stderr
}

#[test]
fn two_plugins_with_one_name_for_a_tool_stop_the_start() {
    let other = format!("[plugins.other]\ncomponent = '{}'\n", fixture("echo").display());
    let setup = Setup::new().plugins(&["echo"]).config(&other);
    check_no_start(
        &setup,
        &["`echo` and `other`", "tool `echo`", "plugins.other.prefix = \"other_\""],
    );
    let setup = Setup::new().plugins(&["echo"]).config(&format!("{other}prefix = 'other_'\n"));
    assert_eq!(setup.legacy().tools(), ["echo", "other_echo", "other_wait", "wait"]);
}

#[test]
fn a_mistake_in_the_configuration_is_told_with_its_line() {
    let check = |config: &str, expected: &[&str]| {
        let setup = Setup::new().plugins(&["echo"]).config(config);
        let file = setup.path("windlass.toml").display().to_string();
        let text = check_no_start(&setup, expected);
        assert!(text.contains(&file), "{text}");
    };
    check("[server]\nread_onyl = true", &["windlass.toml:2: ", "did you mean `read_only`?"]);
    check("[limits]\n\nmemory_mb = 3", &["windlass.toml:3: ", "did you mean `memory_mib`?"]);
    check("[limits]\nmemory_mib = 'x'", &["windlass.toml:2: ", "`memory_mib`"]);
    check(
        "[plugins.echo.limits]\ndeadline = 3",
        &["windlass.toml:2: ", "did you mean `deadline_seconds`?"],
    );
    check("[plugins.echo.grants]\nshop = true", &["windlass.toml:2: ", "unknown field `shop`"]);
    check("[plugins.echo.grants]\nhttp = [3]", &["windlass.toml:2: "]);
    check("[server\n", &["windlass.toml:1: "]);
}

#[test]
fn a_configuration_that_cannot_be_read_stops_the_start() {
    let told = |setup: &Setup, name: &str| {
        let path = setup.path(name).display().to_string();
        check_no_start(setup, &["cannot read the configuration", &path]);
    };
    let setup = Setup::new();
    let missing = setup.path("missing.toml").display().to_string();
    told(&setup.arguments(&["--config", &missing]), "missing.toml");
    let setup = Setup::new();
    let folder = setup.path("folder").display().to_string();
    fs::create_dir(&folder).unwrap();
    told(&setup.arguments(&["--config", &folder]), "folder");
}

#[test]
fn a_secret_that_is_written_down_is_refused_and_not_shown() {
    for config in [
        "[plugins.echo.secrets]\ntoken = 'hunter2'",
        "[plugins.echo]\nsecrets = { token = 'hunter2' }",
        "plugins.echo.secrets.token = 'hunter2'",
    ] {
        let setup = Setup::new().plugins(&["echo"]).config(config);
        let text = check_no_start(&setup, &["a secret is written as a reference"]);
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_secret_that_is_not_there_costs_its_plugin_alone() {
    let config = "[plugins.crash.secrets]\ntoken = '${WINDLASS_TEST_NOWHERE}'";
    let setup = Setup::new().plugins(&["echo", "crash"]).config(config);
    let ended = setup.ended(&["tools"]);
    assert_eq!(ended.code, Some(1));
    let told =
        "plugins.crash.secrets.token: the environment variable `WINDLASS_TEST_NOWHERE` is not set";
    assert!(ended.stderr.contains(told), "{ended:?}");
    assert_eq!(setup.legacy().tools(), ["echo", "wait"]);
}

#[test]
fn configuration_for_a_plugin_that_takes_none_is_an_error() {
    let config = "[plugins.crash.config]\ncolour = 'red'";
    let ended = Setup::new().plugins(&["echo", "crash"]).config(config).ended(&["tools"]);
    assert_eq!(ended.code, Some(1));
    let told = "plugins.crash.config: the plugin takes no configuration";
    assert!(ended.stderr.contains(told), "{ended:?}");
    assert!(ended.stdout.contains("echo") && !ended.stdout.contains("complain"), "{ended:?}");
}

#[test]
fn a_table_for_a_plugin_that_is_nowhere_is_told() {
    let setup = Setup::new().plugins(&["echo"]).config("[plugins.eccho.grants]\nstore = true");
    let ended = setup.ended(&["tools"]);
    assert!(ended.stderr.contains("`plugins.eccho` has no `component`"), "{ended:?}");
}

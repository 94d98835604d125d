//! The command line, as people and their scripts use it.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Stdio};

use serde_json::{Value, json};

use crate::support::{Setup, ended::Ended, fixture, root, until, wait};

const CLIENTS: &[&str] = &[
    "claude-code",
    "claude-desktop",
    "cursor",
    "vscode",
    "opencode",
    "zed",
    "goose",
    "codex",
    "windsurf",
];

fn setup(plugins: &[&str]) -> Setup {
    Setup::new().plugins(plugins)
}

/// Runs a command, and holds it to its exit code and to some of what it says.
#[track_caller]
fn check(setup: &Setup, command: &[&str], code: i32, said: &[&str]) -> Ended {
    let ended = setup.ended(command);
    assert_eq!(ended.code, Some(code), "{command:?}: {ended:?}");
    let all = format!("{}{}", ended.stdout, ended.stderr);
    for said in said {
        assert!(all.contains(said), "{command:?} does not say `{said}`: {all}");
    }
    ended
}

#[test]
fn tools_are_listed_for_people() {
    let ended = check(&setup(&["echo", "greedy"]), &["tools"], 1, &["greedy", "grants.store"]);
    let lines: Vec<_> = ended.stdout.lines().collect();
    assert!(lines[0].contains("TOOL") && lines[0].contains("TOKENS"), "{ended:?}");
    assert!(lines[1].contains("echo") && lines[1].contains("read-only idempotent"), "{ended:?}");
    assert!(lines.last().unwrap().starts_with("2 tools, about "), "{ended:?}");
    check(&setup(&["echo"]), &["tools"], 0, &["Says what it was told."]);
}

#[test]
fn tools_are_listed_for_programs() {
    let tools = check(&setup(&["echo"]), &["tools", "--json"], 0, &[]).json();
    let names: Vec<_> = tools.as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["echo", "wait"]);
    assert!(tools[0]["tokens"].as_u64().unwrap() > 0);
    assert_eq!(tools[0]["inputSchema"]["properties"]["message"]["type"], "string");
    let chosen = check(&setup(&["echo"]), &["tools", "--json", "--tools", "wait"], 0, &[]).json();
    assert_eq!(chosen.as_array().unwrap().len(), 1);
    let left =
        check(&setup(&["echo"]), &["tools", "--json", "--exclude-tools=wait,echo"], 0, &[]).json();
    assert_eq!(left, json!([]));
}

#[test]
fn a_call_s_exit_code_says_how_it_went() {
    let setup = setup(&["echo", "crash"]);
    check(&setup, &["call", "echo", "message=hi there"], 0, &["hi there"]);
    check(&setup, &["call", "complain"], 1, &["FAILED: as asked"]);
    check(&setup, &["call", "crash"], 1, &["plugin `crash` crashed"]);
    check(&setup, &["call", "ghost"], 2, &["there is no tool `ghost`", "`windlass tools`"]);
    check(&setup, &["call", "echo"], 2, &["the arguments do not fit", "message"]);
    check(&setup, &["call", "echo", "message=hi", "massage=no"], 2, &["massage"]);
    check(&setup, &["call", "echo", "message"], 2, &["`message` is not written as key=value"]);
    check(&setup, &["call", "echo", "message=5"], 2, &["`message`"]);
    check(&setup, &["call"], 2, &["Usage"]);
}

#[test]
fn a_call_s_arguments_are_json_where_they_can_be() {
    let setup = setup(&["echo"]);
    check(&setup, &["call", "wait", "milliseconds=1"], 0, &["waited 1 ms"]);
    check(&setup, &["call", "echo", "message=\"5\""], 0, &["\"message\": \"5\""]);
    check(&setup, &["call", "echo", "message=a=b"], 0, &["a=b"]);
    let answer = check(&setup, &["call", "echo", "message=hi", "--json"], 0, &[]).json();
    assert_eq!(answer["structured"], json!({"message": "hi"}));
    let failure = check(&self::setup(&["crash"]), &["call", "complain", "--json"], 1, &[]).json();
    assert_eq!((&failure["error_code"], &failure["error"]), (&json!("FAILED"), &json!("as asked")));
}

#[test]
fn a_call_reads_its_arguments_from_stdin() {
    let setup = setup(&["echo"]);
    let long = "x".repeat(200_000);
    for (stdin, code, said) in [
        (r#"{"message": "hi"}"#.to_owned(), 0, "hi"),
        (json!({"message": long}).to_string(), 0, long.as_str()),
        ("[]".to_owned(), 2, "no object"),
        ("{".to_owned(), 2, "stdin holds no JSON"),
        (String::new(), 2, "stdin holds no JSON"),
    ] {
        let ended = setup.ended_with(&["call", "echo", "-"], &stdin);
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert!(format!("{}{}", ended.stdout, ended.stderr).contains(said), "{ended:?}");
    }
}

#[test]
fn plugins_are_listed_with_their_state() {
    let setup = setup(&["echo", "greedy"]);
    let ended = check(
        &setup,
        &["plugins", "list"],
        0,
        &["NAME", "not loaded: it imports more than its grants allow"],
    );
    assert!(
        ended.stdout.lines().any(|line| line.contains("echo") && line.contains("loaded")),
        "{ended:?}"
    );
    let list = check(&setup, &["plugins", "list", "--json"], 0, &[]).json();
    let echo = list.as_array().unwrap().iter().find(|it| it["name"] == "echo").unwrap();
    assert_eq!((&echo["state"], &echo["tools"]), (&json!("loaded"), &json!(2)));
}

#[test]
fn a_component_is_inspected_without_being_granted_anything() {
    let greedy = fixture("greedy").display().to_string();
    let setup = Setup::new();
    check(
        &setup,
        &["plugins", "inspect", &greedy],
        0,
        &["fetch", "store", "http", "https://example.com"],
    );
    let value = check(&setup, &["plugins", "inspect", &greedy, "--json"], 0, &[]).json();
    assert_eq!(value["name"], "greedy", "{value}");
    check(&setup, &["plugins", "inspect", "ghost"], 2, &["no plugin and no file `ghost`"]);
}

#[test]
fn a_component_is_checked_before_it_is_used() {
    let setup = Setup::new();
    let file = |name: &str| fixture(name).display().to_string();
    check(&setup, &["plugins", "check", &file("echo")], 0, &["ok"]);
    check(
        &setup,
        &["plugins", "check", &file("greedy")],
        0,
        &["ok", "needs the grant `store = true`"],
    );
    check(
        &setup,
        &["plugins", "check", "--strict", &file("greedy")],
        1,
        &["needs the grant `store = true`"],
    );
    check(&setup, &["plugins", "check", &file("badname")], 1, &["bad name!"]);
    check(&setup, &["plugins", "check", &file("poison")], 1, &["invisible character"]);
    check(&setup, &["plugins", "check", &file("liar")], 1, &["read-only", "store.put"]);
    check(
        &setup,
        &["plugins", "check", &file("echo"), &file("evilschema")],
        1,
        &["ok", "not inside it"],
    );
    check(&setup, &["plugins", "check", "/not/there.wasm"], 1, &["cannot read `/not/there.wasm`"]);
}

#[test]
fn a_running_host_takes_in_what_is_added_and_lets_go_of_what_is_removed() {
    let mut host = Setup::new().legacy();
    assert!(host.tools().is_empty());
    let echo = fixture("echo").display().to_string();
    check(&host.setup, &["plugins", "add", &echo], 0, &["added `echo`"]);
    host.note("notifications/tools/list_changed");
    until("it is there", || host.tools() == ["echo", "wait"]);
    assert_eq!(host.text("echo", json!({"message": "hi"})), r#"{"message":"hi"}"#);
    check(&host.setup, &["plugins", "add", &echo], 2, &["is there already", "--replace"]);
    check(&host.setup, &["plugins", "add", &echo, "--replace"], 0, &["added `echo`"]);
    let bad = fixture("badname").display().to_string();
    check(&host.setup, &["plugins", "add", &bad], 2, &["it is not added", "bad name!"]);
    host.notes.clear();
    check(&host.setup, &["plugins", "remove", "echo"], 0, &["removed `echo`"]);
    host.note("notifications/tools/list_changed");
    until("it is gone", || host.tools().is_empty());
    check(&host.setup, &["plugins", "remove", "echo"], 2, &["no plugin `echo` was added"]);
}

#[test]
fn what_is_added_without_its_grants_says_what_it_needs() {
    let setup = Setup::new();
    let greedy = fixture("greedy").display().to_string();
    let needs = ["added `greedy`", "[plugins.greedy.grants]", "store = true"];
    check(&setup, &["plugins", "add", &greedy], 0, &needs);
    check(
        &setup,
        &["tools"],
        1,
        &["plugin `greedy` does not load", "`plugins.greedy.grants.store = true`"],
    );
}

#[test]
fn explain_names_the_lines_that_would_allow_what_is_refused() {
    let refused = ["store = true", "https://example.com", "[plugins.greedy.grants]"];
    check(&setup(&["greedy"]), &["explain", "greedy"], 1, &refused);
    let allowed = "[plugins.greedy.grants]\nstore = true\nhttp = [\"https://example.com\"]";
    let setup_allowed = setup(&["greedy"]).config(allowed);
    let value = check(&setup_allowed, &["explain", "greedy", "--json"], 0, &[]).json();
    assert_eq!((&value["loads"], &value["refused"]), (&json!(true), &json!([])), "{value}");
    // What it tells to write is what allows it.
    let value = check(&setup(&["greedy"]), &["explain", "greedy", "--json"], 1, &[]).json();
    let written = value["would_allow"].as_str().unwrap();
    check(&setup(&["greedy"]).config(written), &["explain", "greedy"], 0, &[]);
    check(
        &setup(&["greedy"]),
        &["explain", "ghost"],
        2,
        &["no plugin and no file `ghost`", "greedy"],
    );
}

#[test]
fn explain_tells_of_secrets_and_not_their_values() {
    let config = "[plugins.greedy.grants]\nstore = true\nhttp = [{ to = \"https://example.com\", secrets = [\"key\", \"lost\"] }]\n\
                  [plugins.greedy.secrets]\nkey = \"${KEY}\"";
    let setup = setup(&["greedy"]).config(config).environment("KEY", "hunter2-of-the-deep-sea");
    let ended =
        check(&setup, &["explain", "greedy"], 0, &["${KEY}", "lost", "it has no reference"]);
    assert!(!format!("{ended:?}").contains("hunter2"), "{ended:?}");
}

#[test]
fn doctor_tells_what_is_wrong_and_fails() {
    check(&setup(&["echo"]), &["doctor"], 0, &[]);
    check(&setup(&["echo", "badname"]), &["doctor"], 1, &["badname"]);
    let wrong = setup(&["echo"]).config("[server]\nread_onyl = true");
    check(&wrong, &["doctor"], 1, &["windlass.toml:2", "did you mean `read_only`?"]);
    let setup = setup(&["echo"]);
    fs::create_dir(setup.state()).unwrap();
    fs::write(setup.state().join("token"), "x".repeat(40)).unwrap();
    fs::write(setup.state().join("windlass.db"), "nonsense ".repeat(100)).unwrap();
    fs::set_permissions(setup.state().join("token"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(setup.state(), fs::Permissions::from_mode(0o755)).unwrap();
    let told = [
        "warn  state directory",
        "fail  token",
        "`chmod 600`",
        "fail  database",
        "ok    plugin `echo`",
    ];
    check(&setup, &["doctor"], 1, &told);
    let mut host = self::setup(&["echo"]).modern();
    host.tools();
    check(&host.setup, &["doctor"], 0, &[&format!("process {}", host.pid())]);
}

#[test]
fn each_client_s_entry_can_be_read_and_names_this_program() {
    let setup = Setup::new();
    let binary = |text: &str| text.contains("/windlass\"") && text.contains("serve");
    for client in CLIENTS {
        let ended = setup.plain(&["config", client]);
        assert_eq!(ended.code, Some(0), "{client}: {ended:?}");
        assert!(binary(&ended.stdout), "{client}: {ended:?}");
        match *client {
            "codex" => {
                check_command(&from_toml(&ended.stdout)["mcp_servers"]["windlass"]["command"])
            }
            "goose" => {
                let line = ended.stdout.lines().find_map(|line| line.trim().strip_prefix("cmd: "));
                check_command(&serde_json::from_str(line.unwrap()).unwrap());
            }
            "opencode" => check_command(&ended.json()["mcp"]["windlass"]["command"][0]),
            _ => {
                let entry = ended.json();
                let servers = entry.as_object().unwrap().values().next().unwrap();
                check_command(&servers["windlass"]["command"]);
            }
        }
    }
    let ended = setup.plain(&["config", "notepad"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(CLIENTS.iter().all(|client| ended.stderr.contains(client)), "{ended:?}");
}

#[track_caller]
fn check_command(command: &Value) {
    let program = Path::new(command.as_str().unwrap());
    assert!(program.is_absolute() && program.is_file(), "{command}");
}

/// As much of TOML as an entry is: tables of strings, numbers and lists.
fn from_toml(text: &str) -> Value {
    let mut tables = json!({});
    let mut place = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        if let Some(name) = line.strip_prefix('[') {
            place = name.trim_end_matches(']').split('.').collect();
            continue;
        }
        let (key, value) = line.split_once(" = ").unwrap_or_else(|| panic!("no TOML: {line}"));
        let table = place.iter().fold(&mut tables, |table, name| &mut table[*name]);
        table[key] = serde_json::from_str(value).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    tables
}

#[test]
fn an_entry_works_in_the_client() {
    let setup = Setup::new();
    let file = fixture("echo").display().to_string();
    let entry =
        setup.plain(&["config", "claude-code", "--plugin", &file, "--state-dir", "here"]).json();
    let arguments = entry["mcpServers"]["windlass"]["args"].as_array().unwrap();
    let arguments: Vec<_> = arguments.iter().map(|it| it.as_str().unwrap()).collect();
    let state = root().join("tests/here").display().to_string();
    assert_eq!(arguments, ["serve", "--state-dir", &state, "--plugin", &file]);
}

#[test]
fn every_command_helps() {
    let setup = Setup::new();
    let commands =
        ["serve", "tools", "call", "plugins", "explain", "doctor", "config", "completions"];
    let overview = setup.plain(&["--help"]);
    assert_eq!(overview.code, Some(0));
    for command in commands {
        assert!(overview.stdout.contains(&format!("\n  {command} ")), "{overview:?}");
        let ended = setup.plain(&[command, "--help"]);
        assert!(ended.code == Some(0) && ended.stdout.contains("Usage: windlass"), "{ended:?}");
    }
    for wrong in [&[][..], &["sreve"], &["serve", "--htpp"], &["completions", "csh"]] {
        assert_eq!(setup.plain(wrong).code, Some(2), "{wrong:?}");
    }
    let script = setup.plain(&["completions", "bash"]);
    assert!(script.code == Some(0) && script.stdout.contains("_windlass()"), "{script:?}");
    assert!(setup.plain(&["--version"]).stdout.starts_with("windlass "));
}

#[test]
fn a_reader_who_leaves_early_does_no_harm() {
    let file = fixture("greedy").display().to_string();
    let setup = setup(&["echo"]);
    let reading: [&[&str]; 7] = [
        &["tools"],
        &["tools", "--json"],
        &["plugins", "list"],
        &["plugins", "inspect", &file],
        &["explain", "echo"],
        &["call", "echo", "message=hi"],
        &["doctor"],
    ];
    let mut programs: Vec<_> = reading.iter().map(|command| setup.command(command)).collect();
    for plain in [&["completions", "bash"][..], &["config", "codex"], &["--help"]] {
        programs.push(setup.plain_command(plain));
    }
    for mut program in programs {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut child = program.stdin(Stdio::null()).stdout(writer).spawn().unwrap();
        assert_eq!(wait(&mut child).code(), Some(0), "{program:?}");
    }
}

#[test]
fn a_log_filter_that_makes_no_sense_is_told() {
    let ended = setup(&["echo"]).ended(&["tools", "--log", "windlass=loud"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("--log `windlass=loud`"), "{ended:?}");
    let json = setup(&["echo", "badname"]).ended(&["tools", "--log-format", "json"]);
    let line = json.stderr.lines().next().unwrap();
    let logged: Value =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert_eq!(logged["level"], "ERROR");
}

#[test]
fn nothing_is_left_where_nothing_was_asked_for() {
    let setup = setup(&["echo"]);
    check(&setup, &["tools"], 0, &[]);
    check(&setup, &["explain", "echo"], 0, &[]);
    assert!(fs::read_dir(setup.state()).is_err(), "a look made the state directory");
    // A call leaves that it was made, and nothing else.
    check(&setup, &["call", "echo", "message=hi"], 0, &[]);
    let left = fs::read_dir(setup.state()).unwrap().flatten();
    let left: Vec<_> = left.map(|it| it.file_name().into_string().unwrap()).collect();
    assert!(left.iter().all(|it| it.starts_with("audit.")), "{left:?}");
}

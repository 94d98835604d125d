//! The grants of containers, processes and workspaces, tried by plugins that keep to nothing.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::support::{
    Setup,
    bench::{self, Bench},
    engine::{IMAGE, docker},
    failure, fixture, text_of, until,
};

pub(crate) const OWN: &str = "workspaces = 'own'\ncontainers = {}";
pub(crate) const SHARED: &str = "workspaces = 'shared'\ncontainers = {}";
/// Long enough that it is masked, and nowhere by chance.
const SECRET: &str = "hunter2-of-the-deep-sea";

/// What a tool is told to do, and what it needs for it.
pub(crate) fn act(name: &str, more: Value) -> Value {
    json!({"act": {name: more}})
}

/// The plugin twice, under names of its own, with these grants.
pub(crate) fn configuration(one: &str, other: &str) -> String {
    format!(
        "[plugins.one]\ncomponent = '{file}'\n[plugins.one.grants]\n{one}\n\
         [plugins.one.secrets]\ntoken = '${{TOKEN}}'\n\
         [plugins.other]\ncomponent = '{file}'\nprefix = 'other_'\n[plugins.other.grants]\n{other}\n",
        file = fixture("rooms").display()
    )
}

pub(crate) fn rooms(one: &str, other: &str) -> Option<Bench> {
    let engine = docker()?;
    let setup = Setup::new().config(&configuration(one, other)).environment("TOKEN", SECRET);
    let setup = setup.environment("DOCKER_HOST", engine.address());
    Some(Bench::of(engine, setup))
}

/// What the tool answers; it must succeed.
#[track_caller]
pub(crate) fn told(bench: &mut Bench, tool: &str, name: &str, more: Value) -> String {
    let result = bench.host().call(tool, act(name, more));
    assert_ne!(result["isError"], true, "`{name}` failed: {result}");
    text_of(&result)
}

/// With what it fails.
#[track_caller]
pub(crate) fn refused(bench: &mut Bench, tool: &str, name: &str, more: Value) -> String {
    failure(&bench.host().call(tool, act(name, more)))
}

pub(crate) fn make(bench: &mut Bench) -> String {
    told(bench, "room_do", "make", json!({"image": IMAGE}))
}

/// The id of the workspace at its `/workspace`.
pub(crate) fn workspace_of(bench: &mut Bench, container: &str) -> String {
    let both = told(bench, "room_do", "open", json!({"name": container}));
    both.split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn a_plugin_without_the_grant_does_not_load_and_the_message_names_the_line() {
    for (grants, missing) in [
        ("", "containers = {}"),
        ("workspaces = 'own'", "containers = {}"),
        ("containers = {}", "workspaces = \"own\""),
    ] {
        let config = format!("[plugins.rooms.grants]\n{grants}\n");
        let ended = Setup::new().plugins(&["echo", "rooms"]).config(&config).ended(&["tools"]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains(missing), "no `{missing}` in {}", ended.stderr);
        assert!(ended.stdout.contains("echo") && !ended.stdout.contains("room_do"), "{ended:?}");
    }
}

#[test]
fn what_a_check_says_is_needed_is_enough() {
    let file = fixture("rooms").display().to_string();
    let checked = Setup::new().ended(&["plugins", "check", &file]);
    let needs = checked.stdout.lines().filter_map(|line| line.split_once("needs the grant `"));
    let needs: Vec<_> = needs.map(|(_, line)| line.trim_end_matches('`')).collect();
    let (registries, powers) = (
        "containers.registries = [\"${WINDLASS_TEST_REGISTRIES:-docker.io,ghcr.io}\"]",
        "containers.powers = [\"root\"]",
    );
    assert_eq!(needs.len(), 3, "{checked:?}");
    for line in ["workspaces = \"own\"", registries, powers] {
        assert!(needs.contains(&line), "no `{line}` in {checked:?}");
    }
    let table = format!("[plugins.rooms.grants]\n{}\n", needs.join("\n"));
    assert_eq!(refusals("rooms", &Setup::new().plugins(&["rooms"]).config(&table)), json!([]));
}

/// What `windlass explain` says that a plugin is refused. It loads.
#[track_caller]
fn refusals(plugin: &str, setup: &Setup) -> Value {
    let explained = setup.ended(&["explain", plugin, "--json"]);
    assert_eq!(explained.code, Some(0), "{explained:?}");
    explained.json()["refused"].clone()
}

#[test]
fn explain_compares_containers_key_by_key() {
    let explained = |containers: &str| {
        let table = format!("[plugins.rooms.grants]\nworkspaces = 'shared'\n{containers}\n");
        refusals("rooms", &Setup::new().plugins(&["rooms"]).config(&table))
    };
    let line =
        |what: &str, line: &str| json!({"what": what, "line": line, "needed_to_load": false});
    let root = line("the powers `root`", "containers.powers = [\"root\"]");
    // The registries are those that are granted where nothing is said.
    assert_eq!(explained("containers = {}"), json!([root]));
    assert_eq!(
        explained("containers = { powers = ['bridge', 'root'], memory_mib = 64 }"),
        json!([])
    );
    let ghcr =
        line("images from `docker.io`", "containers.registries = [\"ghcr.io\", \"docker.io\"]");
    let narrow = explained("containers = { registries = ['ghcr.io'] }");
    assert_eq!(narrow, json!([ghcr, root]));
}

#[test]
fn devbench_is_refused_nothing_that_it_asks_for() {
    let Some(setup) = bench::setup("unix:///nowhere", "", &[]) else { return };
    assert_eq!(refusals("devbench", &setup), json!([]));
}

#[test]
fn a_tool_that_says_it_only_reads_changes_nothing() {
    let Some(mut bench) = rooms(OWN, OWN) else { return };
    let id = make(&mut bench);
    let workspace = workspace_of(&mut bench, &id);
    let exec = told(&mut bench, "room_do", "start", json!({"name": id, "script": "sleep 98760"}));
    let other = bench.host().text("room_do", json!({"act": "workspace"}));
    let other_copy = json!({"workspace": other, "origin": workspace, "path": "", "target": ""});
    let attempts = [
        ("make", json!({"image": IMAGE}), "containers.create"),
        ("stop", json!({"name": id}), "containers"),
        ("remove", json!({"name": id}), "containers"),
        ("reconcile", Value::Null, "containers"),
        ("collect", Value::Null, "containers"),
        ("connect", json!({"name": id, "port": 80, "text": ""}), "containers"),
        ("start", json!({"name": id, "script": "touch x"}), "processes.start"),
        ("signal", json!({"id": exec, "number": 9}), "containers"),
        ("cancel", json!({"id": exec}), "containers"),
        ("workspace", Value::Null, "workspaces"),
        ("write", json!({"workspace": workspace, "path": "x", "text": ""}), "workspaces"),
        ("delete", json!({"workspace": workspace, "path": "x"}), "workspaces"),
        ("copy_from", other_copy.clone(), "workspaces.copy-from"),
        ("destroy", json!({"workspace": workspace}), "workspaces"),
    ];
    for (name, more, function) in attempts {
        let arguments = if more.is_null() { json!({"act": name}) } else { act(name, more) };
        let told = failure(&bench.host().call("room_peek", arguments));
        let expected = format!("DENIED: tool `room_peek` says it is read-only: `{function}");
        assert!(told.starts_with(&expected), "{name}: {told}");
    }
    // To look is allowed, and there is one container, which goes on.
    assert_eq!(
        told(&mut bench, "room_peek", "open", json!({"name": id})),
        format!("{id} {workspace}")
    );
    assert_eq!(bench.containers().len(), 1);
    until("the program goes on", || bench.top(&id).iter().any(|line| line.contains("98760")));
}

#[test]
fn nothing_of_one_plugin_is_found_by_another() {
    let Some(mut bench) = rooms(OWN, OWN) else { return };
    let alias = json!({"image": IMAGE, "alias": "mine"});
    let id = told(&mut bench, "room_do", "make", alias);
    let workspace = workspace_of(&mut bench, &id);
    let exec = told(&mut bench, "room_do", "start", json!({"name": id, "script": "sleep 98759"}));
    let file = json!({"workspace": workspace, "path": "f", "text": "own"});
    told(&mut bench, "room_do", "write", file);
    for name in [id.as_str(), "mine"] {
        for (what, more) in [
            ("open", json!({"name": name})),
            ("stop", json!({"name": name})),
            ("remove", json!({"name": name})),
            ("run", json!({"name": name, "script": "cat f"})),
            ("connect", json!({"name": name, "port": 80, "text": ""})),
        ] {
            let told = refused(&mut bench, "other_room_do", what, more);
            assert!(told.starts_with("NOT_FOUND: "), "{what}: {told}");
        }
    }
    for (what, more) in [
        ("output", json!({"id": exec})),
        ("signal", json!({"id": exec, "number": 9})),
        ("cancel", json!({"id": exec})),
        ("read", json!({"workspace": workspace, "path": "f"})),
        ("write", json!({"workspace": workspace, "path": "f", "text": "theirs"})),
        ("delete", json!({"workspace": workspace, "path": "f"})),
        ("destroy", json!({"workspace": workspace})),
        ("make", json!({"image": IMAGE, "workspace": workspace})),
    ] {
        let told = refused(&mut bench, "other_room_do", what, more);
        assert!(told.starts_with("NOT_FOUND: "), "{what}: {told}");
    }
    for what in ["containers", "running", "workspaces"] {
        let listed = bench.host().text("other_room_do", json!({"act": what}));
        assert_eq!(listed, "", "{what}");
    }
    // The same alias is free for it, and means another container.
    let theirs =
        told(&mut bench, "other_room_do", "make", json!({"image": IMAGE, "alias": "mine"}));
    assert_ne!(theirs, id);
    assert_eq!(
        told(&mut bench, "room_do", "run", json!({"name": "mine", "script": "cat f"})),
        "own"
    );
}

#[test]
fn a_shared_workspace_is_opened_by_whom_the_grant_lets() {
    let Some(mut bench) = rooms(OWN, SHARED) else { return };
    let id = make(&mut bench);
    let workspace = workspace_of(&mut bench, &id);
    let file = json!({"workspace": workspace, "path": "f", "text": "for both"});
    told(&mut bench, "room_do", "write", file);
    let read = json!({"workspace": workspace, "path": "f"});
    assert_eq!(told(&mut bench, "other_room_do", "read", read), "for both");
    let spec = json!({"image": IMAGE, "workspace": workspace});
    let theirs = told(&mut bench, "other_room_do", "make", spec);
    let script = json!({"name": theirs, "script": "cat f; echo back > g"});
    assert_eq!(told(&mut bench, "other_room_do", "run", script), "for both");
    let script = json!({"name": id, "script": "cat g"});
    assert_eq!(told(&mut bench, "room_do", "run", script), "back\n");
    // Not the other way round, and the container stays its maker's.
    let workspace = told(&mut bench, "other_room_do", "open", json!({"name": theirs}));
    assert!(
        refused(&mut bench, "other_room_do", "open", json!({"name": id})).starts_with("NOT_FOUND")
    );
    let own = bench.host().text("other_room_do", json!({"act": "workspace"}));
    let told = refused(&mut bench, "room_do", "read", json!({"workspace": own, "path": "f"}));
    assert!(told.starts_with("NOT_FOUND: "), "{told}, {workspace}");
}

#[test]
fn a_secret_reaches_the_program_and_nobody_else() {
    let granted = "workspaces = 'own'\n[plugins.one.grants.containers]\nsecrets = ['token']";
    let Some(mut bench) = rooms(granted, OWN) else { return };
    let spec = json!({"image": IMAGE, "secret": "token"});
    let id = told(&mut bench, "room_do", "make", spec.clone());
    // What is looked for below must not come from the script, so it stands there in two pieces.
    let script = "[ \"$TOKEN\" = 'hunter2''-of-the-deep-sea' ] && echo same; echo ${#TOKEN}";
    let ran = told(&mut bench, "room_do", "run", json!({"name": id, "script": script}));
    assert_eq!(ran, format!("same\n{}\n", SECRET.len()));
    let denied = refused(&mut bench, "other_room_do", "make", spec);
    assert!(
        denied.starts_with("DENIED: not allowed: `plugins.other.grants.containers.secrets`"),
        "{denied}"
    );
    let missing =
        refused(&mut bench, "room_do", "make", json!({"image": IMAGE, "secret": "nothing"}));
    assert!(missing.contains("has no `nothing`"), "{missing}");
    assert!(!bench.host().errors().contains(SECRET), "{}", bench.host().errors());
    assert_eq!(holding(&bench.state(), SECRET), [""; 0]);
}

#[test]
fn a_container_gets_what_the_file_of_a_secret_holds_when_it_is_made() {
    let granted = "workspaces = 'own'\n[plugins.one.grants.containers]\nsecrets = ['token']";
    let Some(engine) = docker() else { return };
    let setup = Setup::new().environment("DOCKER_HOST", engine.address());
    let file = setup.path("token");
    fs::write(&file, "the-first-of-them").unwrap();
    let reference = format!("file:{}", file.display());
    let setup = setup.config(&configuration(granted, OWN).replace("${TOKEN}", &reference));
    let mut bench = Bench::of(engine, setup);
    let spec = json!({"image": IMAGE, "secret": "token"});
    for (value, length) in [("the-first-of-them", 17), ("the-next-one", 12)] {
        fs::write(&file, value).unwrap();
        let id = told(&mut bench, "room_do", "make", spec.clone());
        let run = json!({"name": id, "script": "echo ${#TOKEN}"});
        assert_eq!(told(&mut bench, "room_do", "run", run), format!("{length}\n"));
        assert_eq!(holding(&bench.state(), value), [""; 0]);
    }
}

/// The files below a folder that hold this.
fn holding(folder: &Path, wanted: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let kind = fs::symlink_metadata(&path).unwrap().file_type();
        if kind.is_dir() {
            found.extend(holding(&path, wanted));
        } else if kind.is_file() {
            let bytes = fs::read(&path).unwrap();
            if bytes.windows(wanted.len()).any(|it| it == wanted.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

#[test]
fn a_port_inside_is_reached_by_the_container_s_handle() {
    let Some(mut bench) = rooms(OWN, OWN) else { return };
    let id = make(&mut bench);
    let script = "echo hello > f; httpd -f -p 127.0.0.1:8080 -h /workspace";
    told(&mut bench, "room_do", "start", json!({"name": id, "script": script}));
    let ask = json!({"name": id, "port": 8080, "text": "GET /f HTTP/1.0\r\n\r\n"});
    until("the server inside listens", || {
        bench.host().call("room_do", act("connect", ask.clone()))["isError"] != true
    });
    let answer = told(&mut bench, "room_do", "connect", ask);
    assert!(answer.starts_with("HTTP/1.") && answer.ends_with("hello\n"), "{answer}");
    let closed = json!({"name": id, "port": 8081, "text": ""});
    assert!(refused(&mut bench, "room_do", "connect", closed).contains("8081"));
}

#[test]
fn without_the_power_nothing_is_loosened() {
    let Some(mut bench) =
        rooms("workspaces = 'own'\ncontainers = { most = 1, memory_mib = 64 }", OWN)
    else {
        return;
    };
    let id = make(&mut bench);
    let second = refused(&mut bench, "room_do", "make", json!({"image": IMAGE}));
    assert!(second.contains("plugins.one.grants.containers.most"), "{second}");
    let host = &bench.inspect(&id)["HostConfig"];
    assert_eq!((&host["Memory"], &host["Privileged"]), (&json!(64 << 20), &json!(false)));
    let image = refused(&mut bench, "room_do", "make", json!({"image": "evil.example.com/x"}));
    assert!(image.contains("plugins.one.grants.containers.registries"), "{image}");
}

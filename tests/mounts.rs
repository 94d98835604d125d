//! Directories and groups of this machine that containers are granted: seen inside, bounded, and withdrawn again.

use std::{fs, os::unix::fs::PermissionsExt as _, os::unix::fs::symlink, path::PathBuf};

use serde_json::json;
use tempfile::TempDir;

use crate::{
    rooms::{OWN, act, configuration, refused, rooms, told},
    support::{
        Setup,
        bench::Bench,
        engine::{IMAGE, docker},
        failure,
        site::Site,
        until,
    },
};

/// A directory that an operator might grant, with a file in it.
struct Outside {
    _folder: TempDir,
    path: PathBuf,
}

impl Outside {
    fn new() -> Self {
        let folder = TempDir::new_in("/var/tmp").unwrap();
        let path = folder.path().canonicalize().unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        fs::write(path.join("f"), "theirs").unwrap();
        Self { _folder: folder, path }
    }

    fn grant(&self) -> String {
        granting(&format!("mounts = ['{}']", self.path.display()))
    }

    /// Reads the file, and tries to write another one.
    fn script(&self) -> String {
        let path = self.path.display();
        format!("cat {path}/f 2>/dev/null; touch {path}/x 2>/dev/null && echo WRITTEN; id -G")
    }
}

fn granting(containers: &str) -> String {
    format!("workspaces = 'own'\n[plugins.one.grants.containers]\n{containers}")
}

fn run(bench: &mut Bench, tool: &str, name: &str, script: &str) -> String {
    told(bench, tool, "run", json!({"name": name, "script": script}))
}

#[test]
fn a_granted_directory_is_seen_by_that_plugin_s_containers_and_by_no_other() {
    let outside = Outside::new();
    let grant = format!("{}\ngroups = [42420]", outside.grant());
    let Some(mut bench) = rooms(&grant, OWN) else { return };
    let make = json!({"image": IMAGE});
    let id = told(&mut bench, "room_do", "make", make.clone());
    assert_eq!(run(&mut bench, "room_do", &id, &outside.script()), "theirs1000 42420\n");
    let other = told(&mut bench, "other_room_do", "make", make);
    assert_eq!(run(&mut bench, "other_room_do", &other, &outside.script()), "1000\n");
    assert!(!outside.path.join("x").exists());
}

#[test]
fn one_that_was_made_ahead_has_them_too() {
    let outside = Outside::new();
    let Some(mut bench) = rooms(&format!("{}\nwarm = {{ '{IMAGE}' = 1 }}", outside.grant()), OWN)
    else {
        return;
    };
    bench.host().text("room_do", json!({"act": "containers"}));
    until("one is made ahead", || !bench.containers().is_empty());
    let id = told(&mut bench, "room_do", "make", json!({"image": IMAGE}));
    assert!(run(&mut bench, "room_do", &id, &outside.script()).starts_with("theirs"));
}

#[test]
fn in_what_was_made_with_a_withdrawn_grant_nothing_starts() {
    let outside = Outside::new();
    let Some(mut bench) = rooms(&format!("{}\ngroups = [42420]", outside.grant()), OWN) else {
        return;
    };
    let id = told(&mut bench, "room_do", "make", json!({"image": IMAGE}));
    let start = json!({"name": id, "script": "cat f"});
    for (grant, missing) in [
        (granting("groups = [42420]"), "`plugins.one.grants.containers.mounts` has no `/var/tmp/"),
        (outside.grant(), "`plugins.one.grants.containers.groups` has no `42420`"),
    ] {
        bench.configure(&configuration(&grant, OWN));
        // What was withdrawn before is told until the file is read.
        until("the grant is withdrawn", || {
            let result = bench.host().call("room_do", act("run", start.clone()));
            result["isError"] == true && failure(&result).contains(missing)
        });
        let why = refused(&mut bench, "room_do", "run", start.clone());
        assert!(why.starts_with("DENIED: "), "{why}");
    }
    // Records that are lost change nothing about it: its labels say the same.
    bench.ended(|bench| {
        let connection = rusqlite::Connection::open(bench.state().join("windlass.db")).unwrap();
        connection.execute("DELETE FROM records", []).unwrap();
    });
    bench.host().text("room_do", json!({"act": "reconcile"}));
    let why = refused(&mut bench, "room_do", "run", start);
    assert!(why.contains("groups` has no `42420`"), "{why}");
    told(&mut bench, "room_do", "remove", json!({"name": id}));
    let id = told(&mut bench, "room_do", "make", json!({"image": IMAGE}));
    assert_eq!(run(&mut bench, "room_do", &id, &outside.script()), "theirs1000\n");
}

/// The same grants with what these variables hold.
fn with_variables(containers: &str, variables: &[(&str, &str)]) -> Option<Bench> {
    let engine = docker()?;
    let setup = Setup::new().config(&configuration(&granting(containers), OWN));
    let setup =
        setup.environment("TOKEN", "not a secret").environment("DOCKER_HOST", engine.address());
    let add = |setup: Setup, &(name, value): &(&str, &str)| setup.environment(name, value);
    Some(Bench::of(engine, variables.iter().fold(setup, add)))
}

#[test]
fn a_variable_names_a_directory_or_none() {
    let outside = Outside::new();
    let path = outside.path.to_str().unwrap();
    for (variables, seen) in [
        (&[("SHELF", path)] as &[_], "theirs1000\n"),
        (&[("SHELF", "")], "1000\n"),
        (&[], "1000\n"),
    ] {
        let Some(mut bench) = with_variables("mounts = ['${SHELF:-}']", variables) else { return };
        let id = told(&mut bench, "room_do", "make", json!({"image": IMAGE}));
        assert_eq!(run(&mut bench, "room_do", &id, &outside.script()), seen, "{variables:?}");
    }
    assert!(!outside.path.join("x").exists());
}

#[test]
fn a_variable_names_a_place_to_reach_as_a_url() {
    let site = Site::saying("a model");
    let url = format!("http://host.docker.internal:{}/v1", site.port());
    let egress = "egress = ['${MODEL_URL:-}', '${OTHER_URL:-}']";
    let Some(mut bench) = with_variables(egress, &[("MODEL_URL", &url)]) else { return };
    let id = told(&mut bench, "room_do", "make", json!({"image": IMAGE}));
    let script = format!("wget -q -O - {url}/models");
    assert_eq!(run(&mut bench, "room_do", &id, &script), "a model");
    assert!(site.requests().last().unwrap().starts_with("GET /v1/models "));
}

/// The start fails, and says this.
#[track_caller]
fn check(setup: &Setup, said: &str) {
    let ended = setup.ended(&["tools"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains(said), "no `{said}` in {}", ended.stderr);
}

fn mounting(setup: Setup, path: &str) -> Setup {
    let grants = format!(
        "[plugins.rooms.grants]\nworkspaces = 'own'\n[plugins.rooms.grants.containers]\nmounts = [\n  '{path}',\n]\n"
    );
    setup.plugins(&["rooms"]).config(&grants)
}

#[test]
fn a_directory_that_cannot_be_granted_stops_the_start() {
    let outside = Outside::new();
    let link = outside.path.join("link");
    symlink(&outside.path, &link).unwrap();
    for (path, said) in [
        ("/etc/ssh", "windlass.toml:4: `mounts`: `/etc/ssh` cannot be mounted"),
        ("/var/run/docker.sock", "the sockets of services"),
        (
            "/nowhere/at/all",
            "windlass.toml:5: `mounts`: `/nowhere/at/all` cannot be mounted: No such",
        ),
        (link.to_str().unwrap(), "leads over a link; write `/var/tmp/"),
        (outside.path.join("f").to_str().unwrap(), "/f` is no directory"),
    ] {
        check(&mounting(Setup::new(), path), said);
    }
}

#[test]
fn the_host_s_own_state_and_the_engine_s_socket_are_no_mounts() {
    // The directory of a test is also the home of its host.
    for (name, said) in [
        ("", "holds the home of the host's own user"),
        ("state", "the host's own state"),
        ("state/workspaces", "the host's own state"),
    ] {
        let setup = Setup::new();
        fs::create_dir_all(setup.state().join("workspaces")).unwrap();
        let path = setup.path(name).canonicalize().unwrap();
        check(&mounting(setup, path.to_str().unwrap()), said);
    }
    let outside = Outside::new();
    let socket = format!("unix://{}/engine.sock", outside.path.display());
    let setup = mounting(Setup::new(), outside.path.to_str().unwrap());
    check(&setup.environment("DOCKER_HOST", &socket), "holds the socket of an engine");
}

#[test]
fn what_a_variable_names_is_held_to_the_same() {
    let outside = Outside::new();
    fs::create_dir_all(outside.path.join(".ssh")).unwrap();
    let keys = outside.path.join(".ssh");
    let mounted = |path: &str| mounting(Setup::new().environment("SHELF", path), "${SHELF:-}");
    for (path, said) in [
        ("/etc/ssh", "windlass.toml:5: `mounts`: `/etc/ssh` cannot be mounted"),
        (
            "/nowhere/at/all",
            "windlass.toml:5: `mounts`: `/nowhere/at/all` cannot be mounted: No such",
        ),
        ("shelf", "windlass.toml:5: `mounts`: `shelf` is no absolute path"),
        (keys.to_str().unwrap(), "`.ssh` holds keys"),
        (outside.path.join("f").to_str().unwrap(), "/f` is no directory"),
    ] {
        check(&mounted(path), said);
    }
    let unset = mounting(Setup::new(), "${SHELF}");
    check(&unset, "windlass.toml:5: `mounts`: the environment variable `SHELF` is not set");
    let setup = Setup::new();
    fs::create_dir_all(setup.state().join("workspaces")).unwrap();
    let state = setup.state().canonicalize().unwrap();
    let setup = mounting(setup.environment("SHELF", state.to_str().unwrap()), "${SHELF:-}");
    check(&setup, "the host's own state");
    let socket = format!("unix://{}/engine.sock", outside.path.display());
    let setup = mounted(outside.path.to_str().unwrap()).environment("DOCKER_HOST", &socket);
    check(&setup, "holds the socket of an engine");
    // One that names nothing is none.
    assert_eq!(mounted("").ended(&["tools"]).code, Some(0));
}

#[test]
fn explain_shows_what_variables_stand_for() {
    let outside = Outside::new();
    let path = outside.path.to_str().unwrap();
    let grants = "[plugins.rooms.grants]\nworkspaces = 'own'\n[plugins.rooms.grants.containers]\n\
         mounts = ['${SHELF:-}', '${OTHER:-}']\n\
         egress = [{ to = '${MODEL_URL:-http://model.example/v1}', private = true }, '${OTHER:-}']\n";
    let setup = Setup::new().plugins(&["rooms"]).config(grants).environment("SHELF", path);
    let explained = setup.ended(&["explain", "rooms"]);
    for line in [
        format!("containers.mounts = [\"{path}\"]"),
        "containers.egress = [{ private = true, to = \"model.example:80\" }]".to_owned(),
    ] {
        assert!(explained.stdout.contains(&line), "no `{line}` in {explained:?}");
    }
}

#[test]
fn explain_shows_what_is_granted() {
    let outside = Outside::new();
    let setup = mounting(Setup::new(), outside.path.to_str().unwrap());
    let explained = setup.ended(&["explain", "rooms"]);
    let line = format!("containers.mounts = [\"{}\"]", outside.path.display());
    assert!(explained.stdout.contains(&line), "{explained:?}");
}

//! What `deploy/` holds: files that others read, held to those who read them, and the image, run.

mod compose;
mod image;

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, Output},
};

use windlass::config::{Config, parse};

use crate::support::{Setup, engine::skip, http::HttpHost, inside::inside, root};

/// How much of the machine the service may have, in tenths of the points of `systemd-analyze`.
const MOST_EXPOSED: &str = "--threshold=15";

fn read(name: &str) -> String {
    fs::read_to_string(root().join("deploy").join(name)).unwrap()
}

/// A program of the machine, or why the test cannot run.
fn program(name: &str) -> Option<Command> {
    let path = env::var_os("PATH").unwrap_or_default();
    if env::split_paths(&path).any(|folder| folder.join(name).is_file()) {
        return Some(Command::new(name));
    }
    skip(&format!("no `{name}`: `cargo xtask test` installs it"))
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// The unit, as it would be installed with the program under test.
fn unit(setup: &Setup) -> PathBuf {
    let file = setup.path("windlass.service");
    let program = setup.command(&[]).get_program().to_owned();
    let text = read("systemd/windlass.service");
    let text = text.replace("/usr/local/bin/windlass", program.to_str().unwrap());
    fs::write(&file, text).unwrap();
    file
}

#[test]
fn the_service_is_one_and_is_as_closed_as_it_says() {
    let Some(mut analyze) = program("systemd-analyze") else { return };
    let setup = Setup::new();
    let unit = unit(&setup);
    let verified = analyze.arg("verify").arg(&unit).output().unwrap();
    assert!(verified.status.success() && said(&verified).is_empty(), "{}", said(&verified));
    let mut analyze = Command::new("systemd-analyze");
    analyze.args(["security", "--no-pager", "--offline=true", MOST_EXPOSED]).arg(&unit);
    let judged = analyze.output().unwrap();
    assert!(judged.status.success(), "{}", said(&judged));
}

#[test]
fn the_service_waits_for_what_a_host_waits_for() {
    let example: Config = parse(&read("windlass.toml")).unwrap();
    let (unit, compose) = (read("systemd/windlass.service"), read("compose.yaml"));
    for (text, key) in [(&unit, "TimeoutStopSec="), (&compose, "stop_grace_period: ")] {
        let (_, rest) = text.split_once(key).unwrap();
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        assert!(digits.parse::<u64>().unwrap() > example.containers.drain_grace_s, "{key}");
    }
}

/// The example with its secrets in a folder of this test's own.
fn team() -> Setup {
    let setup = Setup::new().bundled();
    let secrets = setup.path("secrets");
    fs::create_dir(&secrets).unwrap();
    for name in ["github-token", "tls-certificate", "tls-key"] {
        fs::write(secrets.join(name), "hidden").unwrap();
    }
    let text = read("windlass.toml").replace("/run/secrets", secrets.to_str().unwrap());
    setup.config(&text)
}

#[test]
fn the_example_for_a_team_loads_with_all_its_plugins() {
    let Some(()) = inside("docker") else { return };
    let listed = team().ended(&["plugins", "list", "--json"]).json();
    let state = |name: &str| {
        let rows = listed.as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).unwrap()["state"].clone()
    };
    for name in ["devbench", "git", "docker"] {
        assert_eq!(state(name), "loaded", "{listed}");
    }
    assert_eq!(state("openhands"), "not selected", "{listed}");
}

#[test]
fn in_the_example_each_role_may_do_what_it_is_for() {
    let Some(()) = inside("docker") else { return };
    let setup = team();
    let may = |role: &str, plugin: &str, tool: &str| {
        let ended = setup.ended(&["explain", "--as", role, plugin, tool]);
        assert!(ended.stderr.is_empty(), "{ended:?}");
        ended.code == Some(0)
    };
    let cases = [
        ("admin", "docker", "remove-container", true),
        ("developer", "devbench", "exec_start", true),
        ("developer", "docker", "list-containers", true),
        ("developer", "docker", "remove-container", false),
        ("reviewer", "git", "git_diff", true),
        ("reviewer", "git", "git_push", false),
        ("reviewer", "devbench", "fs_read", true),
        ("reviewer", "devbench", "exec_start", false),
        ("reviewer", "docker", "list-containers", false),
    ];
    for (role, plugin, tool, allowed) in cases {
        assert_eq!(may(role, plugin, tool), allowed, "{role} {tool}");
    }
}

#[test]
fn the_files_that_the_example_wants_are_those_that_are_given() {
    let wanted = read("windlass.toml");
    let wanted = wanted.split("/run/secrets/").skip(1);
    let wanted: Vec<_> = wanted.map(|rest| rest.split(['"', '\n']).next().unwrap()).collect();
    assert!(!wanted.is_empty());
    let (compose, unit) = (read("compose.yaml"), read("systemd/windlass.service"));
    for name in wanted {
        assert!(compose.contains(&format!("file: ./secrets/{name}\n")), "compose.yaml: {name}");
        let credential = format!("LoadCredential={name}:/etc/windlass/secrets/{name}\n");
        assert!(unit.contains(&credential), "windlass.service: {name}");
    }
}

/// `windlass health` against a host at this address.
fn health(setup: &Setup, words: &[&str]) -> (Option<i32>, String) {
    let ended = setup.ended(&[&["health"], words].concat());
    (ended.code, format!("{}{}", ended.stdout, ended.stderr))
}

#[test]
fn a_host_that_answers_is_well_and_one_that_is_gone_is_not() {
    let host: HttpHost = Setup::new().plugins(&["echo"]).http();
    let at = host.address.clone();
    let plain = Setup::new();
    for words in [vec!["--at", at.as_str()], vec!["--at", &at, "--ready"]] {
        let (code, text) = health(&plain, &words);
        assert_eq!(code, Some(0), "{words:?}: {text}");
    }
    drop(host);
    let (code, text) = health(&plain, &["--at", &at]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("nobody listens on"), "{text}");
    let (code, text) = health(&plain, &[]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("`metrics.listen` names no address"), "{text}");
}

/// The program that needs no library, if somebody built it.
fn static_program() -> Option<PathBuf> {
    let program = root().join("target/static/windlass");
    program
        .is_file()
        .then_some(program)
        .or_else(|| skip("no program without libraries: `cargo xtask static` builds it"))
}

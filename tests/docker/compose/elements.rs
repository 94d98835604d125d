//! A stack of its own for every key of the Compose Specification that is supported, and for each other one a stack that is refused by
//! name, or deployed with the key named as ignored.

mod process;
mod place;
mod limits;
mod storage;
mod services;

use std::fs;

use serde_json::{Value, json};

use super::{Desk, service};
use crate::{
    docker::desk::Wish,
    support::{failure, root},
};

/// A key, or several; what stands below the service `web`, or the whole file; and what the engine then says.
///
/// What it says is found at a JSON pointer of the service's first container, or after `kind/name#` of something else. A `~` before it
/// means: among other things. `{p}` is the project, `{folder}` a folder whose files may be read and mounted.
type Element = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// Files of the folder.
const FILES: &[(&str, &str)] = &[
    ("a.env", "# variables\nONE=1\nTWO=\"${NONE:-two} words\"\n"),
    ("labels", "from.file=yes\n"),
    ("secret.txt", "from a file"),
    (
        "base.yaml",
        "services:\n  base:\n    image: windlass-test/busybox:latest\n    env_file: a.env\n    user: '7'\n",
    ),
];

const EVERY: &[&[Element]] =
    &[process::ELEMENTS, place::ELEMENTS, limits::ELEMENTS, storage::ELEMENTS, services::ELEMENTS];

/// Whatever the elements need.
fn wish() -> Wish<'static> {
    Wish {
        grant: "names = ['{mark}-*']\nnetworks = ['{mark}-*', 'bridge']\nregistries = ['docker.io']\nports = ['0.0.0.0:1024-65535', '127.0.0.1:1024-65535/udp']\nbinds = ['{folder}']\n\
            powers = ['privileged', 'host-network', 'host-processes', 'capabilities', 'devices', 'unconfined']\nsecrets = ['token']",
        files: "'{folder}'",
        config: "secrets = ['token']\nvariables = { FROM_CONFIG = 'configured' }",
        secrets: "token = 'file:{folder}/token'",
        capabilities: json!({}),
    }
}

/// Deploys each element as a stack of its own, and looks at what the engine says.
fn hold(elements: &[Element]) {
    let Some(mut desk) = Desk::with(&wish()) else { return };
    for (name, text) in FILES {
        fs::write(desk.folder.join(name), text).unwrap();
    }
    let mut wrong = Vec::new();
    for (at, (keys, yaml, checks)) in elements.iter().enumerate() {
        let project = desk.name(&format!("e{at}"));
        let folder = desk.folder.display().to_string();
        let said = |text: &str| text.replace("{p}", &project).replace("{folder}", &folder);
        let arguments =
            json!({"project_name": project, "compose_yaml": whole(&said(yaml)), "wait": false});
        let result = desk.host().call("deploy-compose", arguments);
        if result["isError"] == true {
            wrong.push(format!("{keys}: {}", failure(&result)));
            continue;
        }
        let looked =
            checks.iter().map(|(place, is)| look(&desk, &project, &said(place), &said(is)));
        wrong.extend(looked.filter_map(Result::err).map(|why| format!("{keys}: {why}")));
        desk.call(
            "compose-down",
            json!({"project_name": project, "timeout_s": 0, "remove_volumes": true}),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The file that an element means.
fn whole(yaml: &str) -> String {
    if yaml.contains("services:") {
        // As far as the lines after the first are indented here.
        return yaml.replace("\n         ", "\n");
    }
    let network = if yaml.contains("network") { "" } else { "network_mode: none\n" };
    let web = service("web", &format!("{network}{yaml}"));
    let has = |key: &str| yaml.lines().any(|line| line.starts_with(key));
    let web: Vec<_> = web
        .lines()
        .enumerate()
        .filter(|(at, line)| {
            !(*at == 2 && line.contains("command:") && (has("command") || has("entrypoint")))
        })
        .map(|(_, line)| line)
        .collect();
    format!("services:\n{}\n", web.join("\n"))
}

fn look(desk: &Desk, project: &str, place: &str, expected: &str) -> Result<(), String> {
    let (among, place) = place.strip_prefix('~').map_or((false, place), |place| (true, place));
    let own = format!("containers/{project}-web-1");
    let (thing, pointer) = place.split_once('#').unwrap_or((&own, place));
    let (kind, name) = thing.split_once('/').unwrap();
    let seen = desk.seen(kind, name);
    let found = seen.as_ref().and_then(|it| it.pointer(pointer)).cloned().unwrap_or_default();
    let expected: Value =
        serde_json::from_str(expected).unwrap_or_else(|_| panic!("no JSON: {expected}"));
    let is_it = if among { holds(&found, &expected) } else { found == expected };
    if is_it { Ok(()) } else { Err(format!("`{place}` is {found}, and not {expected}")) }
}

/// Whether a list or a map has all of this.
fn holds(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Array(found), Value::Array(expected)) => {
            expected.iter().all(|it| found.iter().any(|found| holds(found, it)))
        }
        (Value::Object(found), Value::Object(expected)) => {
            expected.iter().all(|(key, it)| found.get(key).is_some_and(|found| holds(found, it)))
        }
        _ => found == expected,
    }
}

/// The keys of the plugin's own table, with what becomes of each.
fn table() -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join("plugins/docker/src/compose/support.rs")).unwrap();
    let start = text.find("const KEYS").unwrap();
    let end = start + text.get(start..).unwrap().find("\n];").unwrap();
    let mut rows = Vec::new();
    for row in
        text.get(start..end).unwrap().split("(\"").flat_map(|it| it.split("(\n        \"")).skip(1)
    {
        let Some((key, rest)) = row.split_once("\",") else { continue };
        let treatment = rest.trim_start().split(|sign: char| !sign.is_alphabetic()).next().unwrap();
        if ["Taken", "Ignored", "Refused"].contains(&treatment) {
            rows.push((key.to_owned(), treatment.to_owned()));
        }
    }
    assert!(rows.len() > 150, "the table has another form: {} rows", rows.len());
    rows
}

#[test]
fn every_key_that_is_taken_has_a_stack_of_its_own() {
    // What is not the stack's own has a test of its own.
    let elsewhere = ["networks.*.external", "volumes.*.external", "privileged"];
    let known: Vec<&str> =
        EVERY.iter().flat_map(|it| it.iter()).flat_map(|(keys, ..)| keys.split(' ')).collect();
    let mut missing = table();
    missing.retain(|(key, treatment)| {
        let key = short(key);
        treatment == "Taken" && !known.contains(&key) && !elsewhere.contains(&key)
    });
    assert!(missing.is_empty(), "{missing:?}");
}

/// A key without what all keys of services begin with.
fn short(key: &str) -> &str {
    key.strip_prefix("services.*.").unwrap_or(key)
}

/// A file that has this key, with a value that says something.
fn file_with(key: &str) -> Value {
    let mut steps: Vec<&str> = Vec::new();
    for step in key.split('.') {
        steps.push(step.strip_suffix("[]").unwrap_or(step));
        if step.ends_with("[]") {
            steps.push("[]");
        }
    }
    let below = steps.iter().rev().fold(json!("x"), |value, step| match *step {
        "[]" => json!([value]),
        "*" => json!({"some": value}),
        step => json!({step: value}),
    });
    let mut file = json!({"services": {"some": {"image": "windlass-test/busybox:latest", "command": "sleep 100", "network_mode": "none"}}});
    merge(&mut file, below);
    file
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

#[test]
fn every_key_that_is_not_done_is_refused_by_name() {
    let Some(mut desk) = Desk::new() else { return };
    let project = desk.name("refused");
    for (key, _) in table().into_iter().filter(|(_, treatment)| treatment == "Refused") {
        let path = key.replace('*', "some").replace("[]", "[0]");
        let failed = desk.deploy_fails(&project, &file_with(&key).to_string());
        let expected = format!("VALIDATION_ERROR: the stack has what is not done here: `{path}`: ");
        assert!(failed.starts_with(&expected), "{key}: {failed}");
    }
    let failed = desk.deploy_fails(&project, "services: {a: {image: b, imagge: c}}");
    assert!(failed.contains("`services.a.imagge`: no such key is known"), "{failed}");
}

#[test]
fn every_key_that_is_ignored_is_named_in_the_reply() {
    let Some(mut desk) = Desk::new() else { return };
    let project = desk.name("ignored");
    for (key, _) in table().into_iter().filter(|(_, treatment)| treatment == "Ignored") {
        let path = key.replace('*', "some").replace("[]", "[0]");
        let mut file = file_with(&key);
        // What has to stand beside some of them.
        for (list, beside) in [
            ("ports", json!({"target": 80})),
            ("volumes", json!({"type": "volume", "target": "/x"})),
        ] {
            if let Some(item) = file.pointer_mut(&format!("/services/some/{list}/0")) {
                merge(item, beside);
            }
        }
        if key.contains(".networks.") {
            merge(&mut file, json!({"networks": {"some": {}}}));
            file["services"]["some"]["network_mode"] = Value::Null;
        }
        let arguments =
            json!({"project_name": project, "compose_yaml": file.to_string(), "dry_run": true});
        let told = desk.call("deploy-compose", arguments);
        assert_eq!(told["ignored"], json!([path]), "{key}");
        assert!(
            told["message"].as_str().unwrap().contains(&format!("Ignored keys: {path}")),
            "{told}"
        );
    }
}

//! Containers of a caller, ours and the user's, on a real engine.

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt as _,
    process,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use super::{Caller, disk::config, failed, killed};
use crate::{
    rooms::act,
    support::{
        Setup,
        engine::{IMAGE, api::Api, docker, labelled, sweep},
        failure,
        http::HttpHost,
        inside::inside,
        text_of,
    },
};

/// What a test made goes with it, whatever comes of it.
struct Swept {
    engine: Api,
    instance: String,
}

impl Swept {
    fn host(setup: Setup) -> Option<(Self, HttpHost)> {
        let engine = docker()?;
        let setup = setup.environment("DOCKER_HOST", engine.address());
        // Named before the host names itself: its folder may be gone when this is dropped.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let instance = format!("quota-{}-{}", process::id(), since.as_nanos());
        DirBuilder::new().mode(0o700).create(setup.state()).unwrap();
        fs::write(setup.state().join("instance"), &instance).unwrap();
        Some((Self { engine, instance }, setup.http()))
    }

    fn theirs(&self) -> Vec<Value> {
        let label = format!("windlass.host={}", self.instance);
        labelled(&self.engine, &label).unwrap_or_default()
    }
}

impl Drop for Swept {
    /// It is called where a panic would end all tests.
    fn drop(&mut self) {
        sweep(&self.engine, &self.instance);
        for id in self.theirs().iter().filter_map(|it| it["Id"].as_str()) {
            let _ = self.engine.delete(&format!("/containers/{id}?force=1&v=1"));
        }
    }
}

fn make(number: usize) -> (&'static str, Value) {
    let tool = if number.is_multiple_of(2) { "room_do" } else { "other_room_do" };
    (tool, act("make", json!({"image": IMAGE})))
}

fn made(caller: &Caller, host: &HttpHost) -> Value {
    let (tool, arguments) = make(0);
    caller.call(host, tool, arguments)
}

fn grants() -> String {
    config("containers = 3\nmemory_mib = 10000").replace(
        "containers = {}",
        "containers = { registries = ['docker.io'], memory_mib = 64, cpus = 0.25 }",
    )
}

#[test]
fn of_twenty_at_once_there_are_as_many_as_there_is_room_for() {
    let Some((_swept, host)) = Swept::host(Setup::new().config(&grants())) else { return };
    let [ann, bob] = ["ann", "bob"].map(|name| Caller::new(&host.setup, name, &["admin"]));
    let results = ann.call_at_once(&host, 20, make);
    let refused: Vec<_> = results.iter().filter(|it| it["isError"] == true).collect();
    assert_eq!(refused.len(), 17, "{results:?}");
    let told =
        "QUOTA_EXCEEDED: quota: 3 containers are there of 3 (`access.quota.containers`), by `c_";
    assert!(refused.iter().all(|it| failure(it).starts_with(told)), "{refused:?}");
    assert_eq!(made(&bob, &host)["isError"], false, "nobody else is meant");

    let host = killed(host);
    let text = failure(&made(&ann, &host));
    assert!(text.starts_with(told), "{text}");
    let first = results.iter().enumerate().find(|(_, it)| it["isError"] == false).unwrap();
    let (tool, _) = make(first.0);
    let removed = ann.call(&host, tool, act("remove", json!({"name": text_of(first.1)})));
    assert_eq!(removed["isError"], false, "{removed}");
    assert_eq!(made(&ann, &host)["isError"], false);
    assert_eq!(made(&ann, &host)["isError"], true);
}

#[test]
fn memory_and_processors_count_as_they_are_given() {
    for (quota, unit, most) in
        [("memory_mib = 160", "MiB of memory", "160"), ("cpus = 0.6", "processors", "0.6")]
    {
        let Some((_swept, host)) = Swept::host(Setup::new().config(&config(quota))) else { return };
        let ann = Caller::new(&host.setup, "ann", &["admin"]);
        let results: Vec<_> = (0..3).map(|_| made(&ann, &host)).collect();
        assert_eq!(failed(&results), 1, "{results:?}");
        let text = failure(&results[2]);
        assert!(
            text.contains(&format!("{unit} more are over the {most} of `access.quota.")),
            "{text}"
        );
    }
}

#[test]
fn what_a_container_writes_counts_for_the_disk() {
    let setup = Setup::new().config(&config("disk_mib = 4"));
    let Some((_swept, host)) = Swept::host(setup) else { return };
    let ann = Caller::new(&host.setup, "ann", &["admin"]);
    let id = text_of(&made(&ann, &host));
    let fill = json!({"name": id, "script": "dd if=/dev/zero of=/workspace/large bs=1M count=6 2>/dev/null"});
    assert_eq!(ann.call(&host, "room_do", act("run", fill))["isError"], false);
    let text = failure(&made(&ann, &host));
    assert!(text.contains("`access.quota.disk_mib`"), "{text}");
    let less = json!({"name": id, "script": "rm /workspace/large"});
    assert_eq!(ann.call(&host, "room_do", act("run", less))["isError"], false);
    assert_eq!(made(&ann, &host)["isError"], false);
}

/// The plugin `docker` beside another one: what either makes counts for both.
fn together(quota: &str, mark: &str) -> Option<(Swept, HttpHost)> {
    inside("docker")?;
    let config = format!(
        "{}[plugins.docker.grants]\nstore = true\njobs = true\nfiles = []\n\
         [plugins.docker.grants.engine]\nnames = ['{mark}-*']\nregistries = ['docker.io']\nnetworks = ['bridge']\n",
        config(quota)
    );
    Swept::host(Setup::new().bundled().arguments(&["--plugins", "docker"]).config(&config))
}

fn created(caller: &Caller, host: &HttpHost, name: &str, more: Value) -> Value {
    let mut arguments = json!({"image": IMAGE, "name": name, "command": ["sleep", "1000"]});
    for (key, value) in more.as_object().into_iter().flatten() {
        arguments[key] = value.clone();
    }
    caller.call(host, "create-container", arguments)
}

#[test]
fn the_user_s_containers_count_beside_ours() {
    let mark = format!("quota-{}", std::process::id());
    let Some((swept, host)) = together("containers = 3", &mark) else { return };
    let [ann, bob] = ["ann", "bob"].map(|name| Caller::new(&host.setup, name, &["admin"]));
    assert_eq!(made(&ann, &host)["isError"], false);
    let call = |number: usize| {
        let name = format!("{mark}-{number}");
        ("create-container", json!({"image": IMAGE, "name": name, "command": ["sleep", "1000"]}))
    };
    let results = ann.call_at_once(&host, 8, call);
    assert_eq!(results.len() - failed(&results), 2, "{results:?}");
    assert_eq!(swept.theirs().len(), 2, "what was refused was not made");
    let host = killed(host);
    let text = failure(&made(&ann, &host));
    assert!(text.contains("3 containers are there of 3"), "{text}");
    assert!(text.contains(&mark), "it names what takes the room: {text}");
    let his = created(&bob, &host, &format!("{mark}-bob"), json!({}));
    assert_eq!(his["isError"], false, "{his}");
}

#[test]
fn a_container_without_a_bound_has_no_place_in_a_quota() {
    let mark = format!("quota-memory-{}", std::process::id());
    let Some((swept, host)) = together("memory_mib = 200", &mark) else { return };
    let ann = Caller::new(&host.setup, "ann", &["admin"]);
    let name = format!("{mark}-a");
    let text = failure(&created(&ann, &host, &name, json!({})));
    assert!(
        text.contains(&format!(
            "`{name}` has no bound of its own, and `access.quota.memory_mib` counts them"
        )),
        "{text}"
    );
    assert!(swept.theirs().is_empty());
}

#[test]
fn what_was_made_for_one_caller_is_not_there_for_another() {
    let mark = format!("quota-theirs-{}", std::process::id());
    let Some((_swept, host)) = together("containers = 9", &mark) else { return };
    let [ann, bob] = ["ann", "bob"].map(|name| Caller::new(&host.setup, name, &["admin"]));
    let name = format!("{mark}-ann");
    assert_eq!(created(&ann, &host, &name, json!({}))["isError"], false);
    let listed = |caller: &Caller| text_of(&caller.call(&host, "list-containers", json!({})));
    assert!(listed(&ann).contains(&name));
    assert!(!listed(&bob).contains(&name), "bob sees what was made for ann");
    for tool in ["stop-container", "remove-container", "get-logs"] {
        let told = failure(&bob.call(&host, tool, json!({"container_name": name})));
        assert!(told.contains("there is no container"), "{tool}: {told}");
    }
    assert!(listed(&ann).contains(&name));
}

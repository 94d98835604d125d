//! Containers come, are found by their names, and go.

use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::records::status;
use crate::support::{
    bench::{Bench, text},
    engine::{IMAGE, skip},
    until,
};

#[test]
fn db_01_spawn_gives_a_running_container_with_our_labels() {
    let Some(mut bench) = Bench::new() else { return };
    let made = bench.call("spawn", json!({"image": IMAGE, "alias": "one", "env": {"A": "b"}}));
    let id = text(&made["container_id"]);
    assert!(id.starts_with("c_"), "{made}");
    assert_eq!((&made["status"], &made["alias"]), (&json!("running"), &json!("one")));
    let seen = bench.inspect(&id);
    assert_eq!(seen["State"]["Running"], true);
    let labels = &seen["Config"]["Labels"];
    assert_eq!(labels["windlass.instance"], bench.instance());
    assert_eq!(labels["windlass.plugin"], "devbench");
    assert_eq!(labels["windlass.workspace"], made["workspace_id"]);
    assert_eq!(labels["windlass.alias"], "one");
    assert_eq!(bench.run(&id, "echo $A").stdout, "b\n");
}

#[test]
fn every_container_has_the_profile() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let seen = bench.inspect(&id);
    let host = &seen["HostConfig"];
    assert_eq!(host["CapDrop"], json!(["ALL"]), "{host}");
    assert_eq!(host["CapAdd"].as_array().map_or(0, Vec::len), 0);
    assert!(host["SecurityOpt"].to_string().contains("no-new-privileges"), "{host}");
    assert_eq!((&host["ReadonlyRootfs"], &host["Privileged"]), (&json!(true), &json!(false)));
    assert_eq!((&host["NetworkMode"], &host["PidsLimit"]), (&json!("none"), &json!(256)));
    assert_eq!(host["Memory"], 512 << 20);
    assert!(!host.to_string().contains("docker.sock"), "{host}");
    let ran =
        bench.run(&id, "id -u; nproc; grep CapEff /proc/self/status; touch /x; ls /sys/class/net");
    assert!(ran.stdout.starts_with("1000\n1\nCapEff:\t0000000000000000\n"), "{ran:?}");
    assert!(ran.stdout.ends_with("\nlo\n"), "{ran:?}");
    assert!(ran.stderr.contains("Read-only file system"), "{ran:?}");
}

#[test]
fn db_02_a_taken_alias_is_refused() {
    let Some(mut bench) = Bench::new() else { return };
    bench.spawn_with(json!({"alias": "a1"}));
    let refused = bench.refused("spawn", json!({"image": IMAGE, "alias": "a1"}));
    assert!(refused.contains("a1"), "{refused}");
    assert_eq!(bench.code("spawn", json!({"image": IMAGE, "alias": "a1"})), "ALIAS_EXISTS");
    assert_eq!(bench.containers().len(), 1, "a refused spawn leaves nothing");
}

#[test]
fn db_04_attach_takes_an_id_or_an_alias() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn_with(json!({"alias": "desk"}));
    for target in [id.as_str(), "desk"] {
        let who = json!({"target": target, "client_name": "test", "session_id": "s1"});
        let attached = bench.call("attach", who);
        assert_eq!(attached["container_id"], id.as_str());
        assert_eq!(attached["alias"], "desk");
        assert_eq!(attached["roots"], json!([format!("workspace:{id}")]));
    }
    let nobody = json!({"target": "nobody", "client_name": "test", "session_id": "s1"});
    assert_eq!(bench.code("attach", nobody), "CONTAINER_NOT_FOUND");
}

#[test]
fn db_05_kill_leaves_nothing_of_a_transient_container() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let workspace = bench.workspace(&id);
    assert!(workspace.is_dir());
    let killed = bench.call("kill", json!({"container_id": id}));
    assert_eq!(killed["status"], "stopped");
    assert_eq!(bench.containers().len(), 0);
    assert!(!workspace.exists(), "its workspace is still there");
    assert_eq!(bench.call("list_containers", json!({}))["containers"], json!([]));
    assert_eq!(bench.code("fs_list", json!({"container_id": id})), "CONTAINER_NOT_FOUND");
}

#[test]
fn defect_18_kill_takes_an_alias_and_keeps_nobody_waiting() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn_with(json!({"alias": "stubborn"}));
    let exec = bench.begin(&id, "trap '' TERM; echo up; while :; do sleep 1; done");
    bench.printed(&exec, "up");
    let arguments = json!({"container_id": "stubborn"});
    let kill = bench.host().begin("tools/call", json!({"name": "kill", "arguments": arguments}));
    let begin = Instant::now();
    bench.call("health", json!({}));
    let health = begin.elapsed();
    let answer = bench.host().answer(kill);
    assert_ne!(answer["result"]["isError"], true, "{answer}");
    assert!(health <= begin.elapsed(), "another call waited for the kill");
    assert_eq!(bench.containers().len(), 0);
}

#[test]
fn defect_19_nothing_is_leaked_and_a_persistent_workspace_survives_the_kill() {
    let Some(mut bench) = Bench::new() else { return };
    let volumes = |bench: &Bench| {
        let all = bench.engine.get("/volumes").unwrap()["Volumes"].clone();
        let ours = |it: &&Value| it.to_string().contains(&bench.instance());
        all.as_array().into_iter().flatten().filter(ours).count()
    };
    let id = bench.spawn_with(json!({"persistent": true}));
    let workspace = bench.workspace(&id);
    bench.run(&id, "echo kept > /workspace/file");
    bench.call("kill", json!({"container_id": id}));
    assert_eq!(std::fs::read_to_string(workspace.join("file")).unwrap(), "kept\n");
    let second = bench.spawn_with(json!({"persistent": true}));
    let other = bench.workspace(&second);
    bench.call("kill", json!({"container_id": second, "remove_workspace": true}));
    assert!(!other.exists());
    assert_eq!((bench.containers().len(), volumes(&bench)), (0, 0));
}

#[test]
fn defect_20_a_container_whose_time_is_over_goes_by_itself() {
    let Some(mut bench) = Bench::new() else { return };
    bench.spawn_with(json!({"ttl_s": 1}));
    let stays = bench.spawn_with(json!({"ttl_s": 3600}));
    until("the container goes", || bench.containers().len() == 1);
    bench.inspect(&stays);
    let listed = bench.call("list_containers", json!({}))["containers"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
}

#[test]
fn a_container_that_was_stopped_from_outside_starts_again_when_it_is_used() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    bench.run(&id, "echo here > /workspace/file");
    let name = text(&bench.inspect(&id)["Id"]);
    bench.engine.post(&format!("/containers/{name}/stop?t=0"), &Value::Null).unwrap();
    assert_eq!(bench.run(&id, "cat /workspace/file").stdout, "here\n");
}

#[test]
fn a_container_whose_end_the_engine_has_not_heard_of_starts_again_when_it_is_used() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let first = bench.inspect(&id)["State"]["Pid"].to_string();
    let Some(shim) = parent(&first).or_else(|| skip("the engine's processes cannot be seen here"))
    else {
        return;
    };
    // What tells the engine of the end is held, so that the engine calls it running for some time more.
    signal("STOP", &shim);
    signal("KILL", &first);
    let late = thread::spawn(move || {
        thread::sleep(Duration::from_secs(2));
        signal("CONT", &shim);
    });
    assert_eq!(bench.run(&id, "echo again").stdout, "again\n");
    late.join().unwrap();
}

fn parent(pid: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| Some(line.strip_prefix("PPid:")?.trim().to_owned()))
}

fn signal(name: &str, pid: &str) {
    let done = Command::new("kill").args([&format!("-{name}"), pid]).status();
    assert!(done.unwrap().success(), "{name} {pid}");
}

#[test]
fn db_22_the_end_of_the_client_stops_transients_and_keeps_persistents() {
    let Some(mut bench) = Bench::new() else { return };
    let transient = bench.spawn();
    let persistent = bench.spawn_with(json!({"persistent": true}));
    // Twice: the second end finds nothing to do.
    for _ in 0..2 {
        bench.ended(|bench| {
            let running = |id: &str| {
                let here = bench.containers();
                let state = here.iter().find(|it| it["Labels"]["windlass.id"] == id);
                state.is_some_and(|it| it["State"] == "running")
            };
            assert!(!running(&transient), "it still runs");
            assert!(running(&persistent), "it does not run any more");
        });
    }
    assert_eq!(bench.run(&persistent, "echo yes").stdout, "yes\n");
}

#[test]
fn db_22_a_drain_lets_processes_end_for_as_long_as_it_may() {
    let Some(mut bench) = Bench::with("", &[("MCP_DRAIN_GRACE_S", "1")]) else { return };
    let (transient, persistent) = (bench.spawn(), bench.spawn_with(json!({"persistent": true})));
    let ends = bench.begin(&transient, "echo up; sleep 600");
    let goes_on = bench.begin(&persistent, "echo up; sleep 600");
    bench.printed(&ends, "up");
    bench.printed(&goes_on, "up");
    let begin = Instant::now();
    bench.ended(|_| ());
    assert!(begin.elapsed().as_secs() < 60, "the default of the grace, and not that of the test");
    let ran = bench.end(&ends);
    assert_eq!((ran.stdout.as_str(), ran.code), ("up\n", -2));
    let polled = bench.call("exec_poll", json!({"exec_id": goes_on}));
    assert_eq!(polled["complete"], false, "what runs in a persistent container goes on: {polled}");
}

#[test]
fn a_container_that_ends_by_itself_is_noticed() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let exec = bench.begin(&id, "echo up; sleep 600");
    bench.printed(&exec, "up");
    let name = text(&bench.inspect(&id)["Id"]);
    bench.engine.post(&format!("/containers/{name}/kill?signal=KILL"), &Value::Null).unwrap();
    // Nobody has to ask for it: whoever waits for the process hears that it is lost.
    let ran = bench.end(&exec);
    assert_eq!((ran.stdout.as_str(), ran.code), ("up\n", -1), "{ran:?}");
    until("it is marked", || status(&mut bench, &id).as_deref() == Some("stopped"));
    assert_eq!(bench.run(&id, "echo again").stdout, "again\n");
}

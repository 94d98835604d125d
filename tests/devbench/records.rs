//! What the host remembers of containers, and what the engine has: mended where they differ.

use serde_json::{Value, json};

use crate::support::{
    bench::{Bench, finished, text},
    clock::age,
    until,
};

pub(super) fn status(bench: &mut Bench, id: &str) -> Option<String> {
    let listed = bench.call("list_containers", json!({}))["containers"].clone();
    let one = listed.as_array().unwrap().iter().find(|it| it["id"] == id).cloned();
    one.map(|it| text(&it["status"]))
}

fn forget_everything(bench: &Bench) {
    let connection = rusqlite::Connection::open(bench.state().join("windlass.db")).unwrap();
    connection.execute("DELETE FROM records", []).unwrap();
}

#[test]
fn db_21_what_has_our_labels_and_no_record_is_adopted() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn_with(json!({"persistent": true, "alias": "old"}));
    bench.write(&id, "file", "kept");
    bench.ended(forget_everything);
    let reconciled = bench.call("reconcile", json!({}));
    assert_eq!(reconciled["errors"], 0, "{reconciled}");
    assert_eq!(reconciled["discovered"], 1, "{reconciled}");
    assert_eq!(status(&mut bench, &id).as_deref(), Some("running"));
    assert_eq!(bench.read("old", "file"), "kept");
    assert_eq!(bench.run(&id, "cat file").stdout, "kept");
}

#[test]
fn a_stopped_container_that_is_adopted_is_written_down() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    bench.ended(forget_everything);
    bench.call("reconcile", json!({}));
    assert_eq!(status(&mut bench, &id).as_deref(), Some("stopped"));
    bench.ended(|bench| {
        let connection = rusqlite::Connection::open(bench.state().join("windlass.db")).unwrap();
        let sql = "SELECT count(*) FROM records WHERE kind = 'container' AND id = ?1";
        let count: u32 = connection.query_row(sql, [&id], |row| row.get(0)).unwrap();
        assert_eq!(count, 1);
    });
}

#[test]
fn db_21_what_is_gone_from_the_engine_is_marked() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let name = text(&bench.inspect(&id)["Id"]);
    bench.engine.delete(&format!("/containers/{name}?force=1")).unwrap();
    let reconciled = bench.call("reconcile", json!({}));
    assert_eq!(reconciled["cleaned_up"], 1, "{reconciled}");
    assert_eq!(status(&mut bench, &id).as_deref(), Some("stopped"));
}

#[test]
fn what_others_made_is_left_alone() {
    let Some(mut bench) = Bench::new() else { return };
    bench.spawn();
    let labels = json!({"windlass.instance": "somebody else", "windlass.id": "c_other"});
    let spec = json!({"Image": crate::support::engine::IMAGE, "Cmd": ["true"], "Labels": labels});
    let other = bench.engine.post("/containers/create", &spec).unwrap();
    let other = text(&other["Id"]);
    let reconciled = bench.call("reconcile", json!({}));
    bench.call("garbage_collect", json!({}));
    bench.restart();
    let stayed = bench.engine.get(&format!("/containers/{other}/json")).is_ok();
    bench.engine.delete(&format!("/containers/{other}?force=1")).unwrap();
    assert!(stayed, "it removed what is not its own");
    assert_eq!(reconciled["discovered"], 1, "{reconciled}");
}

#[test]
fn db_21_only_stopped_transients_that_nobody_used_are_collected() {
    let environment = [("MCP_TRANSIENT_GC_DAYS", "2")];
    let Some(mut bench) = Bench::with("", &environment) else { return };
    let old = bench.spawn();
    let persistent = bench.spawn_with(json!({"persistent": true}));
    bench.ended(|bench| age(&bench.state(), 72));
    let recent = bench.spawn();
    let collected = bench.call("garbage_collect", json!({}));
    assert_eq!(status(&mut bench, &old), None, "{collected}");
    assert!(status(&mut bench, &persistent).is_some() && status(&mut bench, &recent).is_some());
    // The round at the start may have been at it already.
    until("it is removed", || bench.containers().len() == 2);
}

#[test]
fn defect_02_records_outlive_a_crash_without_help() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn_with(json!({"alias": "kept"}));
    bench.killed(|_| ());
    assert_eq!(status(&mut bench, &id).as_deref(), Some("running"));
    assert_eq!(bench.run("kept", "echo yes").stdout, "yes\n");
}

#[test]
fn a_host_that_is_killed_while_it_spawns_leaves_no_orphan() {
    let Some(mut bench) = Bench::new() else { return };
    for _ in 0..3 {
        for _ in 0..4 {
            let arguments = json!({"image": crate::support::engine::IMAGE});
            bench.host().begin("tools/call", json!({"name": "spawn", "arguments": arguments}));
        }
        // Somewhere in the middle: a call that is answered came after them.
        bench.call("health", json!({}));
        bench.killed(|_| ());
    }
    bench.call("reconcile", json!({}));
    let listed = bench.call("list_containers", json!({}))["containers"].clone();
    let known: Vec<String> =
        listed.as_array().unwrap().iter().map(|it: &Value| text(&it["id"])).collect();
    for container in bench.containers() {
        let id = text(&container["Labels"]["windlass.id"]);
        assert!(known.contains(&id), "`{id}` is an orphan");
    }
    for id in known {
        bench.call("kill", json!({"container_id": id, "force": true, "remove_workspace": true}));
    }
    assert_eq!(bench.containers().len(), 0);
    let left = |name: &str| {
        let entries = std::fs::read_dir(bench.state().join(name)).into_iter().flatten().flatten();
        // What the host keeps for itself starts with a dot.
        entries.filter(|it| !it.file_name().to_string_lossy().starts_with('.')).count()
    };
    assert_eq!((left("workspaces"), left("containers")), (0, 0));
}

#[test]
fn a_process_survives_the_host_and_loses_nothing() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn_with(json!({"persistent": true}));
    let script = "i=0; while [ $i -lt 60000 ]; do echo $i; i=$((i+1)); done; echo END";
    let exec = bench.begin(&id, script);
    bench.printed(&exec, "0\n");
    for _ in 0..3 {
        bench.killed(|_| ());
    }
    let ran = bench.end(&exec);
    let numbers: String = (0..60_000).map(|it| format!("{it}\n")).collect();
    assert_eq!(ran.code, 0);
    assert!(!ran.truncated && ran.stdout == numbers + "END\n", "{} bytes", ran.stdout.len());
}

#[test]
fn a_process_that_ended_while_the_host_was_away_is_told_whole() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn_with(json!({"persistent": true}));
    let exec = bench.begin(&id, "while [ ! -e go ]; do usleep 1000; done; echo away; exit 9");
    let workspace = bench.workspace(&id);
    bench.killed(|bench| {
        std::fs::write(workspace.join("go"), "").unwrap();
        crate::support::until("it ends", || bench.top(&id).len() == 1);
    });
    let ran = bench.end(&exec);
    assert_eq!((ran.stdout.as_str(), ran.code), ("away\n", 9));
}

#[test]
fn a_look_at_the_state_of_a_running_host_does_no_harm() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    finished(&mut bench.command(&["doctor"]));
    assert_eq!(bench.run(&id, "echo yes").stdout, "yes\n");
}

#[test]
fn reconciling_leaves_alone_what_is_being_made() {
    let Some(mut bench) = Bench::new() else { return };
    let spawn = json!({"name": "spawn", "arguments": {"image": crate::support::engine::IMAGE}});
    let asked: Vec<u64> = (0..6).map(|_| bench.host().begin("tools/call", spawn.clone())).collect();
    for _ in 0..20 {
        let sums = bench.call("reconcile", json!({}));
        assert_eq!((&sums["adopted"], &sums["orphaned"]), (&json!(0), &json!(0)), "{sums}");
    }
    for it in asked {
        let answer = bench.host().answer(it);
        let id = text(&answer["result"]["structuredContent"]["container_id"]);
        assert_eq!(bench.run(&id, "echo ok").stdout, "ok\n");
    }
}

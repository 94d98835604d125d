//! The same on Podman: the cases that touch the engine.

use serde_json::json;

use crate::support::bench::Bench;

#[test]
fn podman_runs_the_round_from_spawn_to_kill() {
    let Some(mut bench) = Bench::podman() else { return };
    let id = bench.spawn_with(json!({"alias": "pod"}));
    let labels = bench.inspect(&id)["Config"]["Labels"].clone();
    assert_eq!(
        (&labels["windlass.plugin"], &labels["windlass.alias"]),
        (&json!("devbench"), &json!("pod"))
    );
    let ran = bench.run("pod", "echo out; echo err >&2; id -u; exit 3");
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str(), ran.code), ("out\n1000\n", "err\n", 3));
    bench.write(&id, "d/f", "held");
    assert_eq!(bench.run(&id, "cat d/f; echo more > own; ls /sys/class/net").stdout, "heldlo\n");
    assert_eq!(bench.read(&id, "own"), "more\n");
    bench.call("kill", json!({"container_id": "pod"}));
    assert_eq!(bench.containers().len(), 0);
}

#[test]
fn podman_cancels_with_all_children() {
    let Some(mut bench) = Bench::podman() else { return };
    let id = bench.spawn();
    let exec =
        bench.begin(&id, "setsid sleep 98761 & trap '' TERM; echo up; while :; do sleep 1; done");
    bench.printed(&exec, "up");
    bench.call("exec_cancel", json!({"exec_id": exec}));
    assert_eq!(bench.end(&exec).code, -2);
    assert!(!bench.top(&id).iter().any(|line| line.contains("98761")), "{:?}", bench.top(&id));
}

#[test]
fn podman_keeps_a_process_over_the_death_of_the_host() {
    let Some(mut bench) = Bench::podman() else { return };
    let id = bench.spawn_with(json!({"persistent": true}));
    let exec =
        bench.begin(&id, "i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done; echo END");
    bench.printed(&exec, "0\n");
    bench.killed(|_| ());
    let ran = bench.end(&exec);
    assert_eq!((ran.stdout.lines().count(), ran.code), (20_001, 0));
}

#[test]
fn podman_runs_root_by_grant_and_reconciles() {
    let Some(mut bench) = Bench::podman() else { return };
    let id = bench.spawn_with(json!({"persistent": true}));
    assert_eq!(bench.run_with(&id, "id -u", json!({"as_root": true})).stdout, "0\n");
    bench.restart();
    let reconciled = bench.call("reconcile", json!({}));
    assert_eq!(
        (&reconciled["discovered"], &reconciled["errors"]),
        (&json!(1), &json!(0)),
        "{reconciled}"
    );
    assert_eq!(bench.code("spawn", json!({"image": "evil.example.com/a"})), "POLICY_DENIED");
    let health = bench.call("health", json!({}));
    assert!(health["engine"].as_str().unwrap().starts_with("podman"), "{health}");
}

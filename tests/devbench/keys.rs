//! Who asks twice with the same key gets the same thing.

use serde_json::{Value, json};

use crate::support::{
    bench::{Bench, merged, text},
    clock::age,
    engine::IMAGE,
};

fn spawn(bench: &mut Bench, key: &str) -> String {
    bench.spawn_with(json!({"idempotency_key": key}))
}

#[test]
fn db_03_the_same_key_gives_the_same_container() {
    let Some(mut bench) = Bench::new() else { return };
    let first = spawn(&mut bench, "k1");
    assert_eq!(spawn(&mut bench, "k1"), first);
    bench.restart();
    assert_eq!(spawn(&mut bench, "k1"), first, "it is forgotten at the end");
    let (other, without) = (spawn(&mut bench, "k2"), bench.spawn());
    assert!(other != first && without != first && without != other);
    assert_eq!(bench.containers().len(), 3);
}

#[test]
fn db_03_a_key_is_good_for_a_day() {
    let Some(mut bench) = Bench::new() else { return };
    let first = bench.spawn_with(json!({"idempotency_key": "k1", "persistent": true}));
    bench.ended(|bench| age(&bench.state(), 25));
    let second = bench.spawn_with(json!({"idempotency_key": "k1", "persistent": true}));
    assert_ne!(first, second);
    assert_eq!(bench.containers().len(), 2, "the expired key leaked a container");
    assert_eq!(bench.spawn_with(json!({"idempotency_key": "k1", "persistent": true})), second);
}

#[test]
fn db_03_one_key_at_once_makes_one_container() {
    let Some(mut bench) = Bench::new() else { return };
    let arguments = json!({"image": IMAGE, "idempotency_key": "at once"});
    let call = json!({"name": "spawn", "arguments": arguments});
    let asked: Vec<u64> = (0..8).map(|_| bench.host().begin("tools/call", call.clone())).collect();
    let id = |answer: Value| text(&answer["result"]["structuredContent"]["container_id"]);
    let ids: Vec<String> = asked.into_iter().map(|it| id(bench.host().answer(it))).collect();
    assert!(ids.iter().all(|it| *it == ids[0]), "{ids:?}");
    assert_eq!(bench.containers().len(), 1);
}

#[test]
fn db_08_the_same_key_runs_once() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let script = "echo run >> /workspace/runs";
    let key = json!({"idempotency_key": "e1"});
    let first = bench.begin_with(&id, script, key.clone());
    assert_eq!(bench.begin_with(&id, script, key.clone()), first);
    bench.end(&first);
    assert_eq!(bench.begin_with(&id, script, key.clone()), first);
    bench.killed(|_| ());
    assert_eq!(bench.begin_with(&id, script, key), first, "it is forgotten at a crash");
    assert_eq!(bench.run(&id, "cat /workspace/runs").stdout, "run\n");
}

#[test]
fn db_08_one_key_at_once_runs_once() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let script = ["sh", "-c", "echo run >> /workspace/runs"];
    let arguments = json!({"container_id": id, "cmd": script, "idempotency_key": "at once"});
    let call = json!({"name": "exec_start", "arguments": merged(arguments, json!({}))});
    let asked: Vec<u64> = (0..16).map(|_| bench.host().begin("tools/call", call.clone())).collect();
    let exec = |answer: Value| text(&answer["result"]["structuredContent"]["exec_id"]);
    let execs: Vec<String> = asked.into_iter().map(|it| exec(bench.host().answer(it))).collect();
    assert!(execs.iter().all(|it| *it == execs[0]), "{execs:?}");
    bench.end(&execs[0]);
    assert_eq!(bench.run(&id, "cat /workspace/runs").stdout, "run\n");
}

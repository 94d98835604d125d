//! What a process prints: all of it, in order, while it runs, and as long as there is room.

use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{
    bench::{Bench, seq},
    clock::age,
    until,
};

const RING_BYTES: usize = 64 << 20;
const RING_CHUNKS: usize = 10_000;

#[test]
fn db_12_polling_loses_and_repeats_nothing() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let script = "i=0; while [ $i -lt 200 ]; do echo $i; echo e$i >&2; i=$((i+1)); done; exit 7";
    let exec = bench.begin(&id, script);
    let ran = bench.end(&exec);
    let numbers: String = (0..200).map(|it| format!("{it}\n")).collect();
    let errors: String = (0..200).map(|it| format!("e{it}\n")).collect();
    assert_eq!((ran.stdout, ran.stderr, ran.code), (numbers, errors, 7));
    let seqs: Vec<u64> = ran.messages.iter().map(seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    let last = ran.messages.last().unwrap();
    assert_eq!((&last["complete"], &last["exit_code"]), (&json!(true), &json!(7)));
    assert!(ran.messages.iter().rev().skip(1).all(|it| it["complete"] != true));
    // The default of `after_seq` gives everything; the end can be had again and again.
    for _ in 0..2 {
        let whole = bench.call("exec_poll", json!({"exec_id": exec}));
        assert_eq!(whole["messages"][0]["seq"], 1, "{whole}");
    }
    let end = bench.call("exec_poll", json!({"exec_id": exec, "after_seq": seqs.len() - 1}));
    assert_eq!(end["messages"].as_array().unwrap().len(), 1);
    assert_eq!(bench.code("exec_poll", json!({"exec_id": "e_nobody"})), "EXEC_NOT_FOUND");
}

#[test]
fn defect_09_output_comes_while_the_process_runs_and_in_order() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    // It goes on only after what it printed was seen.
    let step = |name: &str| format!("while [ ! -e /workspace/{name} ]; do usleep 1000; done;");
    let script = format!("echo one; {} echo two >&2; {} echo three", step("a"), step("b"));
    let exec = bench.begin(&id, &script);
    bench.printed(&exec, "one\n");
    for (file, seen) in [("a", "two\n"), ("b", "three\n")] {
        bench.call("fs_write", json!({"container_id": id, "path": file, "content": ""}));
        loop {
            let page = bench.call("exec_poll", json!({"exec_id": exec, "wait_s": 5}));
            if page["messages"].to_string().contains(&format!("{:?}", seen)) {
                break;
            }
        }
    }
    let ran = bench.end(&exec);
    let streams: Vec<&Value> = ran.messages.iter().map(|it| &it["data"]).collect();
    assert_eq!(streams[..3], [&json!("one\n"), &json!("two\n"), &json!("three\n")]);
}

#[test]
fn a_waiting_poll_is_answered_when_there_is_something() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let exec = bench.begin(&id, "sleep 1; echo late; sleep 600");
    let begin = Instant::now();
    let page = bench.call("exec_poll", json!({"exec_id": exec, "wait_s": 60}));
    assert_eq!(page["messages"][0]["data"], "late\n", "{page}");
    assert!(begin.elapsed().as_secs() < 55, "it waited to the end of its time");
    assert_eq!(page["complete"], false);
    let empty = bench.call("exec_poll", json!({"exec_id": exec, "after_seq": 1}));
    assert_eq!(empty["messages"], json!([]));
}

#[test]
fn db_13_the_ring_drops_the_oldest_bytes_and_says_so() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let blocks = 90_u64;
    let script =
        format!("dd if=/dev/zero bs=1048576 count={blocks} 2>/dev/null | tr '\\0' x; echo END");
    let exec = bench.begin(&id, &script);
    // Nobody reads before the end: whoever reads along loses nothing.
    until("it has ended", || bench.call("list_execs", json!({}))["execs"] == json!([]));
    let ran = bench.end(&exec);
    assert!(ran.truncated, "{} bytes, and nothing was dropped", ran.stdout.len());
    assert!(ran.stdout.len() <= RING_BYTES, "{}", ran.stdout.len());
    assert!(ran.stdout.len() > RING_BYTES / 2, "{}", ran.stdout.len());
    assert!(ran.stdout.ends_with("xEND\n"), "the newest was dropped");
    assert_eq!(ran.usage["stdout_bytes"], (blocks << 20) + 4);
    assert!(seq(&ran.messages[0]) > 1);
}

#[test]
fn db_13_the_ring_drops_the_oldest_chunks_and_says_so() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let script = "i=0; while [ $i -lt 15000 ]; do echo $i; echo $i >&2; i=$((i+1)); done";
    let ran = bench.run(&id, script);
    let last = seq(ran.messages.last().unwrap()) as usize;
    assert!(ran.messages.len() <= RING_CHUNKS + 1, "{}", ran.messages.len());
    // What is printed while nobody reads may come in one chunk: how many there were is not for us to say.
    assert_eq!(ran.truncated, last > RING_CHUNKS + 1, "{last}");
    assert!(ran.stdout.ends_with("\n14999\n"), "the newest was dropped");
}

#[test]
fn results_are_kept_for_a_day_and_over_restarts() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn_with(json!({"persistent": true}));
    let exec = bench.begin(&id, "echo kept; exit 5");
    bench.end(&exec);
    bench.ended(|bench| age(&bench.state(), 22));
    let ran = bench.end(&exec);
    assert_eq!((ran.stdout.as_str(), ran.code), ("kept\n", 5));
    bench.ended(|bench| age(&bench.state(), 3));
    bench.call("garbage_collect", json!({}));
    assert_eq!(bench.code("exec_poll", json!({"exec_id": exec})), "EXEC_NOT_FOUND");
}

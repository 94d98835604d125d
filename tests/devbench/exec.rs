//! Processes: how they start, wait for each other, and end.

use serde_json::{Value, json};

use crate::support::{
    bench::{Bench, text},
    until,
};

/// A process that goes on for ever, with a child that left its group and its session.
const ESCAPING: &str =
    "setsid sh -c 'sleep 98765' & trap '' TERM; echo up; while :; do sleep 98764; done";

fn sleeping(bench: &Bench, container: &str) -> usize {
    // The shells have it in their command line too, behind their `-c`.
    let sleeps = |line: &&String| line.contains("sleep 9876") && !line.contains("sh -c");
    bench.top(container).iter().filter(sleeps).count()
}

#[test]
fn db_06_output_and_exit_code_are_told_apart() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let exec = bench.begin(&id, "echo out; echo err >&2");
    assert!(exec.starts_with("e_"), "{exec}");
    let ran = bench.end(&exec);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str(), ran.code), ("out\n", "err\n", 0));
    let (wall, out, err) =
        (&ran.usage["wall_ms"], &ran.usage["stdout_bytes"], &ran.usage["stderr_bytes"]);
    assert!(wall.is_u64() && out == 4 && err == 4, "{}", ran.usage);
    assert!(ran.usage["cpu_ms"].is_u64() && ran.usage["mem_peak_kib"].is_u64(), "{}", ran.usage);
    assert_eq!(bench.run(&id, "exit 3").code, 3);
    assert_eq!(bench.run(&id, "kill -9 $$").code, 137);
}

#[test]
fn a_process_gets_its_environment_folder_and_input_and_no_more() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    assert_eq!(bench.run(&id, "pwd").stdout, "/workspace\n");
    let more = json!({"cwd": "/tmp", "env": {"WORD": "a b"}, "stdin": "given"});
    assert_eq!(bench.run_with(&id, "pwd; echo $WORD; cat", more).stdout, "/tmp\na b\ngiven");
    // Whoever reads stdin uninvited is at its end at once, and does not hang.
    assert_eq!(bench.run(&id, "cat; echo ended").stdout, "ended\n");
    let missing = bench.run_with(&id, "true", json!({"cmd": ["no-such-program"]}));
    assert_ne!(missing.code, 0, "{missing:?}");
}

#[test]
fn db_07_root_is_a_power() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    assert_eq!(bench.run(&id, "id -u").stdout, "1000\n");
    assert_eq!(bench.run_with(&id, "id -u", json!({"as_root": true})).stdout, "0\n");
    let Some(mut bench) = Bench::granted("") else { return };
    let id = bench.spawn();
    let root = json!({"container_id": id, "cmd": ["id"], "as_root": true});
    let refused = bench.refused("exec_start", root);
    assert!(
        refused.contains("`plugins.devbench.grants.containers.powers` has no `root`"),
        "{refused}"
    );
}

#[test]
fn db_09_cancel_kills_the_process() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let exec = bench.begin(&id, ESCAPING);
    bench.printed(&exec, "up");
    until("both sleep", || sleeping(&bench, &id) == 2);
    let cancelled = bench.call("exec_cancel", json!({"exec_id": exec}));
    assert_eq!(cancelled, json!({"status": "cancelled", "exec_id": exec}));
    let ran = bench.end(&exec);
    assert_eq!((ran.code, &ran.usage["cancelled"]), (-2, &json!(true)), "{ran:?}");
    assert!(ran.stderr.ends_with("[CANCELLED]\n"), "{ran:?}");
    assert_eq!(sleeping(&bench, &id), 0, "{:?}", bench.top(&id));
    // Again, and of what has ended: the same answer, and nothing happens.
    let again = bench.call("exec_cancel", json!({"exec_id": exec}));
    assert_eq!(again["status"], "cancelled");
    assert_eq!(bench.code("exec_cancel", json!({"exec_id": "e_nobody"})), "EXEC_NOT_FOUND");
}

#[test]
fn db_10_a_timeout_kills_the_process() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let ran = bench.run_with(&id, ESCAPING, json!({"timeout_s": 1}));
    assert_eq!((ran.code, &ran.usage["timeout"]), (-1, &json!(true)), "{ran:?}");
    assert_eq!(ran.stdout, "up\n");
    assert_eq!(sleeping(&bench, &id), 0, "{:?}", bench.top(&id));
}

#[test]
fn db_11_four_run_at_a_time_and_the_fifth_waits() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let script = |number: u32| format!("echo up{number}; sleep 600");
    let execs: Vec<String> = (0..4).map(|it| bench.begin(&id, &script(it))).collect();
    for (number, exec) in execs.iter().enumerate() {
        bench.printed(exec, &format!("up{number}"));
    }
    let arguments = json!({"container_id": id, "cmd": ["sh", "-c", script(4)]});
    let fifth = bench.call("exec_start", arguments);
    assert_eq!(fifth["status"], "queued", "{fifth}");
    let (fifth, sixth) = (text(&fifth["exec_id"]), bench.begin(&id, &script(5)));
    let polled = bench.call("exec_poll", json!({"exec_id": fifth}));
    assert_eq!(polled["messages"], json!([]), "the fifth runs beside four");
    let status = |bench: &mut Bench, exec: &str| {
        let listed = bench.call("list_execs", json!({}))["execs"].clone();
        let one = listed.as_array().unwrap().iter().find(|it| it["exec_id"] == exec).cloned();
        one.map(|it: Value| text(&it["status"]))
    };
    assert_eq!(status(&mut bench, &execs[0]).as_deref(), Some("running"));
    assert_eq!(status(&mut bench, &fifth).as_deref(), Some("queued"));
    bench.call("exec_cancel", json!({"exec_id": execs[2]}));
    bench.printed(&fifth, "up4");
    assert_eq!(status(&mut bench, &sixth).as_deref(), Some("queued"), "the queue has an order");
    // One that waits can be cancelled as well, and never runs.
    bench.call("exec_cancel", json!({"exec_id": sixth}));
    let ran = bench.end(&sixth);
    assert_eq!((ran.code, ran.stdout.as_str()), (-2, ""));
}

#[test]
fn fifty_processes_at_once_all_end() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let calls: Vec<u64> = (0..50)
        .map(|number| {
            let cmd = ["sh", "-c", &format!("echo {number}; exit {number}")];
            let arguments = json!({"container_id": id, "cmd": cmd});
            bench.host().begin("tools/call", json!({"name": "exec_start", "arguments": arguments}))
        })
        .collect();
    for (number, call) in calls.into_iter().enumerate() {
        let answer = bench.host().answer(call);
        let exec = text(&answer["result"]["structuredContent"]["exec_id"]);
        let ran = bench.end(&exec);
        assert_eq!((ran.stdout, ran.code), (format!("{number}\n"), number as i64));
    }
}

#[test]
fn what_a_process_leaves_in_the_background_does_not_hold_its_end() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let ran = bench.run(&id, "sleep 98765 & echo done");
    assert_eq!((ran.stdout.as_str(), ran.code), ("done\n", 0));
    assert!(ran.usage["wall_ms"].as_u64().unwrap() < 60_000, "{}", ran.usage);
}

#[test]
fn no_more_wait_than_a_host_can_hold() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let start = json!({"container_id": id, "cmd": ["sleep", "600"]});
    for _ in 0..4 + 64 {
        bench.call("exec_start", start.clone());
    }
    assert_eq!(bench.code("exec_start", start), "LIMIT");
}

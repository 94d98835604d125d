//! Programs that take all there is: processes, memory, disk, output.

use serde_json::json;

use crate::support::bench::Bench;

/// The supervisor still serves, and what was there before is still there.
#[track_caller]
fn alive(bench: &mut Bench, id: &str) {
    let ran = bench.run(id, "cat /workspace/before");
    assert_eq!((ran.stdout.as_str(), ran.code), ("before", 0), "{ran:?}");
}

#[test]
fn a_fork_bomb_is_contained_and_cancelled() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    bench.write(&id, "before", "before");
    let bomb = "echo up; b() { setsid sh -c \"$0\" & b & b; }; export -f b 2>/dev/null; b";
    let exec = bench.begin(&id, bomb);
    bench.printed(&exec, "up");
    let pids = bench.top(&id).len();
    assert!(pids <= 256, "{pids}");
    bench.call("health", json!({}));
    bench.call("exec_cancel", json!({"exec_id": exec}));
    bench.end(&exec);
    crate::support::until("nothing of it is left", || bench.top(&id).len() == 1);
    alive(&mut bench, &id);
}

#[test]
fn a_memory_bomb_dies_and_the_supervisor_lives() {
    let Some(mut bench) = Bench::granted("memory_mib = 64") else { return };
    let id = bench.spawn();
    bench.write(&id, "before", "before");
    for _ in 0..3 {
        let ran = bench.run(&id, "x=x; while :; do x=$x$x; done");
        assert_ne!(ran.code, 0, "{}", ran.code);
    }
    alive(&mut bench, &id);
    assert_eq!(bench.inspect(&id)["State"]["Running"], true);
}

#[test]
fn a_full_tmp_is_an_error_of_the_program() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    bench.write(&id, "before", "before");
    let ran = bench.run(&id, "dd if=/dev/zero of=/tmp/big bs=1048576");
    assert_ne!(ran.code, 0, "{ran:?}");
    alive(&mut bench, &id);
    bench.run(&id, "rm /tmp/big");
    assert_eq!(bench.run(&id, "echo room > /tmp/f; cat /tmp/f").stdout, "room\n");
}

#[test]
fn endless_output_fills_no_disk_and_no_memory() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let ran = bench.run(&id, "dd if=/dev/zero bs=1048576 count=400 2>/dev/null");
    assert!(ran.truncated && ran.code == 0, "{}", ran.code);
    let results = bench.state().join("results");
    let size = folder_size(&results);
    assert!(size < 100 << 20, "{size} bytes are kept");
    let status = std::fs::read_to_string(format!("/proc/{}/status", bench.host().pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.split_whitespace().next().unwrap().parse().unwrap();
    assert!(peak < 400 << 10, "{peak} KiB at the peak");
}

fn folder_size(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => folder_size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}

#[test]
fn a_thousand_links_and_folders_deep_is_no_trouble() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let script = "i=0; while [ $i -lt 1500 ]; do mkdir d && cd d || break; i=$((i+1)); done; touch end; echo $i";
    let ran = bench.run(&id, script);
    assert_eq!(ran.stdout, "1500\n", "{ran:?}");
    bench.host().call("fs_list", json!({"container_id": id, "recursive": true}));
    bench.host().call("fs_export", json!({"container_id": id}));
    bench.call("fs_delete", json!({"container_id": id, "path": "d"}));
    assert_eq!(bench.run(&id, "ls -A /workspace").stdout, "");
}

#[test]
fn more_containers_than_granted_are_refused() {
    let Some(mut bench) = Bench::granted("most = 2") else { return };
    bench.spawn();
    let second = bench.spawn();
    let image = json!({"image": crate::support::engine::IMAGE});
    let refused = bench.refused("spawn", image);
    assert!(refused.contains("`plugins.devbench.grants.containers.most`"), "{refused}");
    bench.call("kill", json!({"container_id": second, "force": true}));
    bench.spawn();
}

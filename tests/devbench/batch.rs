//! Several changes at once: all of them, or none.

use serde_json::{Value, json};

use crate::support::bench::{Bench, text};

fn batch(id: &str, operations: Value) -> Value {
    json!({"container_id": id, "operations": operations})
}

/// Every path, with what the files hold.
fn contents(bench: &mut Bench, id: &str) -> String {
    bench.run(id, "find . | sort; find . -type f | sort | xargs cat").stdout
}

#[test]
fn db_18_a_batch_reads_writes_moves_copies_and_deletes() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    bench.write(&id, "a", "1");
    let operations = json!([
        {"op": "read", "path": "a"},
        {"op": "write", "path": "n/b", "content": "2"},
        {"op": "copy", "path": "a", "dest": "c"},
        {"op": "move", "path": "a", "dest": "n/d"},
        {"op": "delete", "path": "c"},
    ]);
    let done = bench.call("fs_batch", batch(&id, operations));
    let results = done["results"].as_array().unwrap();
    assert_eq!((results.len(), &results[0]["content"]), (5, &json!("1")), "{done}");
    assert_eq!(done["rollback_performed"], false);
    assert_eq!(contents(&mut bench, &id), ".\n./n\n./n/b\n./n/d\n21");
}

#[test]
fn db_18_where_one_fails_nothing_is_done() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let tag = bench.write(&id, "a", "1");
    bench.write(&id, "dir/x", "x");
    bench.write(&id, "taken", "t");
    let before = contents(&mut bench, &id);
    let first = json!([
        {"op": "write", "path": "a", "content": "changed"},
        {"op": "write", "path": "fresh/deep/file", "content": "new"},
        {"op": "move", "path": "dir", "dest": "moved"},
        {"op": "copy", "path": "taken", "dest": "copied"},
        {"op": "delete", "path": "taken"},
    ]);
    let last = [
        (json!({"op": "read", "path": "none"}), "FILE_NOT_FOUND"),
        (json!({"op": "delete", "path": "none"}), "FILE_NOT_FOUND"),
        (json!({"op": "write", "path": "a", "content": "y", "if_match_etag": tag}), "CONFLICT"),
        (json!({"op": "write", "path": "a", "content": "y", "if_match_etag": "stale"}), "CONFLICT"),
        (json!({"op": "move", "path": "copied", "dest": "a"}), "CONFLICT"),
        (json!({"op": "read", "path": "../out"}), "PATH_SECURITY"),
        (json!({"op": "write", "path": "/etc/passwd", "content": "y"}), "PATH_SECURITY"),
    ];
    for (operation, code) in last {
        let mut operations = first.clone();
        operations.as_array_mut().unwrap().push(operation.clone());
        let result = bench.host().call("fs_batch", batch(&id, operations));
        let details = &result["structuredContent"]["details"];
        assert_eq!(details["error_code"], code, "{operation}: {result}");
        assert_eq!(details["failed_index"], 5, "{operation}: {result}");
        assert_eq!(contents(&mut bench, &id), before, "{operation} left something");
    }
}

#[test]
fn db_18_a_rollback_is_told() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let operations = json!([
        {"op": "write", "path": "a", "content": "1"},
        {"op": "read", "path": "none"},
    ]);
    let result = bench.host().call("fs_batch", batch(&id, operations));
    assert_eq!(result["structuredContent"]["details"]["rollback_performed"], true, "{result}");
}

#[test]
fn db_18_a_batch_that_is_killed_midway_is_whole_or_nothing_per_file() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn_with(json!({"persistent": true}));
    for number in 0..20 {
        bench.write(&id, &format!("f{number:02}"), &"old".repeat(10_000));
    }
    let write = |number: usize| json!({"op": "write", "path": format!("f{number:02}"), "content": "new".repeat(10_000)});
    let operations: Vec<Value> = (0..20).map(write).collect();
    let arguments = batch(&id, operations.into());
    bench.host().begin("tools/call", json!({"name": "fs_batch", "arguments": arguments}));
    bench.killed(|_| ());
    for number in 0..20 {
        let held = bench.read(&id, &format!("f{number:02}"));
        assert!(
            held == "old".repeat(10_000) || held == "new".repeat(10_000),
            "f{number:02} is torn"
        );
    }
    let listed = bench.call("fs_list", json!({"container_id": id}))["entries"].clone();
    let names: Vec<String> =
        listed.as_array().unwrap().iter().map(|it| text(&it["path"])).collect();
    assert_eq!(names.len(), 20, "something is left over: {names:?}");
}

//! Paths that lead out of the workspace, and what a program inside plants there.

use serde_json::{Value, json};

use crate::support::bench::Bench;

const OUT: [&str; 8] = [
    "../etc",
    "/etc/passwd",
    "/workspace_evil",
    "/workspace_evil/x",
    "a/../../etc/passwd",
    "/workspace/../etc/passwd",
    "/proc/self/environ",
    "..",
];

/// Every tool that takes a path, with this one.
fn uses(id: &str, path: &str) -> Vec<(&'static str, Value)> {
    let at = |more: Value| {
        crate::support::bench::merged(json!({"container_id": id, "path": path}), more)
    };
    let batch = |operation: Value| json!({"container_id": id, "operations": [operation]});
    vec![
        ("fs_read", at(json!({}))),
        ("fs_write", at(json!({"content": "x"}))),
        ("fs_delete", at(json!({}))),
        ("fs_stat", at(json!({}))),
        ("fs_list", at(json!({}))),
        ("fs_export", at(json!({}))),
        ("fs_batch", batch(json!({"op": "read", "path": path}))),
        ("fs_batch", batch(json!({"op": "write", "path": path, "content": "x"}))),
        ("fs_batch", batch(json!({"op": "delete", "path": path}))),
        (
            "fs_batch",
            batch(json!({"op": "copy", "path": "inside", "dest": path, "overwrite": true})),
        ),
        ("fs_batch", batch(json!({"op": "move", "path": path, "dest": "stolen"}))),
    ]
}

#[test]
fn db_14_only_paths_below_the_workspace_are_taken() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    bench.write(&id, "inside", "x");
    for path in ["/workspace/x", "x", "a/../x", "./x", "/workspace//x"] {
        bench.write(&id, path, path);
        assert_eq!(bench.read(&id, "x"), path);
    }
    for path in OUT {
        for (tool, arguments) in uses(&id, path) {
            assert_eq!(bench.code(tool, arguments), "PATH_SECURITY", "{tool} of `{path}`");
        }
    }
    for path in ["/workspace", "", ".", "/workspace/"] {
        let code = bench.code("fs_delete", json!({"container_id": id, "path": path}));
        assert!(["PATH_SECURITY", "VALIDATION_ERROR"].contains(&code.as_str()), "{path}: {code}");
    }
    assert_eq!(bench.read(&id, "inside"), "x");
}

#[test]
fn db_14_no_link_leads_out() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    bench.write(&id, "inside", "x");
    let outside = bench.state();
    let outside = outside.to_str().unwrap();
    let script = format!(
        "ln -s / root; ln -s /etc/passwd leak; ln -s {outside} host; ln -s ../../.. up; ln -s root chain; ln -s loop loop"
    );
    bench.run(&id, &script);
    let through =
        ["root/etc/passwd", "leak", "host/instance", "up/etc/passwd", "chain/etc/passwd", "loop"];
    for path in through {
        for (tool, arguments) in uses(&id, path) {
            // To delete, move or look at a link itself is no way out.
            let own = ["leak", "loop"].contains(&path);
            let result = bench.host().call(tool, arguments.clone());
            let shown = result.to_string();
            assert!(
                !shown.contains("root:x:") && !shown.contains(&bench.instance()),
                "{tool} {path}: {shown}"
            );
            assert!(own || result["isError"] == true, "{tool} followed `{path}`: {shown}");
        }
        bench.run(&id, &script);
    }
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    assert!(passwd.len() > 1, "a link was followed to be written");
    assert!(!bench.instance().is_empty(), "a link was followed to be written");
}

#[test]
fn db_14_a_link_that_is_swapped_meanwhile_leads_nowhere() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let secret = bench.host().setup.path("secret");
    std::fs::create_dir(&secret).unwrap();
    std::fs::write(secret.join("file"), "the secret").unwrap();
    let target = secret.display();
    bench.run(&id, "mkdir real; echo plain > real/file; mkdir d; echo plain > d/file");
    let script = format!(
        "ln -s {target} evil; echo up; while [ ! -e stop ]; do mv d keep; mv evil d; mv d evil; mv keep d; done"
    );
    let exec = bench.begin(&id, &script);
    bench.printed(&exec, "up");
    for round in 0..300 {
        let read = bench.host().call("fs_read", json!({"container_id": id, "path": "d/file"}));
        assert!(!read.to_string().contains("the secret"), "round {round}");
        let path = format!("d/new{round}");
        bench.host().call("fs_write", json!({"container_id": id, "path": path, "content": "x"}));
        let inside: Vec<_> = std::fs::read_dir(&secret).unwrap().collect();
        assert_eq!(inside.len(), 1, "it wrote outside in round {round}");
    }
    bench.write(&id, "stop", "");
    bench.end(&exec);
}

#[test]
fn pipes_and_devices_are_refused_and_hang_nobody() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    bench.run(&id, "mkfifo pipe");
    let result = bench.host().call("fs_read", json!({"container_id": id, "path": "pipe"}));
    assert_eq!(result["isError"], true, "{result}");
    bench.call("fs_list", json!({"container_id": id}));
    bench.call("fs_export", json!({"container_id": id}));
}

//! The tools about the whole: what there is, how it is, and what is counted and written down.

use serde_json::{Value, json};

use crate::support::{
    bench::{Bench, text},
    engine::{IMAGE, WHOLE_IMAGE},
    until,
};

#[test]
fn defect_06_what_there_is_can_be_listed() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn_with(json!({"alias": "one", "persistent": true}));
    let exec = bench.begin(&id, "echo up; sleep 600");
    bench.printed(&exec, "up");
    let listed = bench.call("list_containers", json!({}))["containers"][0].clone();
    assert_eq!(listed["id"], id.as_str());
    assert_eq!((&listed["alias"], &listed["persistent"]), (&json!("one"), &json!(true)));
    assert_eq!(listed["docker_id"], bench.inspect(&id)["Id"]);
    assert!(listed["created_at"].is_string() && listed["last_seen"].is_string(), "{listed}");
    let execs = bench.call("list_execs", json!({}))["execs"].clone();
    assert_eq!(execs[0]["exec_id"], exec.as_str(), "{execs}");
    assert_eq!(execs[0]["container_id"], id.as_str(), "{execs}");
    assert_eq!(execs[0]["cmd"][0], "sh");
    let status = bench.call("system_status", json!({}));
    assert_eq!((&status["status"], &status["active_containers"]), (&json!("healthy"), &json!(1)));
    bench.call("exec_cancel", json!({"exec_id": exec}));
    bench.end(&exec);
    assert_eq!(bench.call("list_execs", json!({}))["execs"], json!([]));
}

#[test]
fn db_23_no_secret_of_an_argument_is_written_down() {
    let environment = [("WINDLASS_LOG", "trace")];
    let Some(mut bench) = Bench::with("powers = [\"root\"]", &environment) else { return };
    let id = bench.spawn_with(json!({"env": {"API_KEY": "hunter2-a"}}));
    let env = json!({"Password": "hunter2-b", "x_Token": "hunter2-c"});
    bench.run_with(&id, "cat", json!({"env": env, "stdin": "hunter2-d", "as_root": true}));
    let write = json!({"container_id": id, "path": "f", "content": "hunter2-e"});
    bench.call("fs_write", write.clone());
    bench.call("fs_batch", json!({"container_id": id, "operations": [{"op": "write", "path": "g", "content": "hunter2-f"}]}));
    bench.host().end();
    let said = bench.host().errors();
    assert!(
        said.contains("exec_start") && said.contains("fs_batch"),
        "nothing is written down: {said}"
    );
    assert!(
        !said.contains("hunter2"),
        "{}",
        said.lines().find(|it| it.contains("hunter2")).unwrap()
    );
}

#[test]
fn db_24_metrics_have_their_names_and_count() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    bench.run(&id, "true");
    bench.call("attach", json!({"target": id, "client_name": "a", "session_id": "s"}));
    bench.write(&id, "f", "x");
    bench.read(&id, "f");
    bench.read(&id, "f");
    let metrics = text(&bench.call("metrics", json!({}))["metrics"]);
    let line = |wanted: &str| metrics.lines().any(|line| line == wanted);
    assert!(
        metrics.lines().any(|it| it.starts_with("mcp_devbench_container_spawns_total{")
            && it.contains("image=")
            && it.ends_with(" 1")),
        "{metrics}"
    );
    assert!(metrics.contains("mcp_devbench_exec_total{plugin=\"devbench\",status="), "{metrics}");
    assert!(
        line("mcp_devbench_fs_operations_total{plugin=\"devbench\",op_type=\"read\"} 2"),
        "{metrics}"
    );
    assert!(
        line("mcp_devbench_fs_operations_total{plugin=\"devbench\",op_type=\"write\"} 1"),
        "{metrics}"
    );
    assert!(line("mcp_devbench_active_containers 1"), "{metrics}");
    assert!(line("mcp_devbench_active_attachments{plugin=\"devbench\"} 1"), "{metrics}");
    assert!(metrics.contains("mcp_devbench_exec_duration_seconds_count 1\n"), "{metrics}");
    assert!(metrics.contains("mcp_devbench_output_bytes_count 1\n"), "{metrics}");
    let counts = metrics.lines().filter(|it| it.starts_with("mcp_devbench_exec_total"));
    assert!(!counts.collect::<String>().contains(&id), "defect 25: a label for each container");
}

#[test]
fn defect_22_a_warm_container_is_claimed_once_and_used() {
    let environment = [("MCP_WARM_POOL_ENABLED", "true"), ("MCP_DEFAULT_IMAGE_ALIAS", IMAGE)];
    let Some(mut bench) = Bench::unconfigured(&environment) else { return };
    until("one is warm", || !bench.containers().is_empty());
    let spawn = json!({"name": "spawn", "arguments": {"image": IMAGE}});
    let asked: Vec<u64> = (0..4).map(|_| bench.host().begin("tools/call", spawn.clone())).collect();
    let id = |answer: Value| text(&answer["result"]["structuredContent"]["container_id"]);
    let mut ids: Vec<String> = asked.into_iter().map(|it| id(bench.host().answer(it))).collect();
    for id in &ids {
        assert_eq!(bench.run(id, "ls -A /workspace; echo ok").stdout, "ok\n");
        assert_eq!(bench.inspect(id)["State"]["Running"], true);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4, "one was claimed twice");
    let listed = bench.call("list_containers", json!({}))["containers"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 4, "what waits is nobody's yet: {listed}");
    assert!(listed.as_array().unwrap().iter().all(|it| it["image"] == WHOLE_IMAGE), "{listed}");
    bench.host().end();
    let left = bench.containers();
    assert!(left.iter().all(|it| it["State"] != "running"), "{left:?}");
}

#[test]
fn defect_23_attachments_are_counted_and_end_with_their_container() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    for session in ["s1", "s2", "s2"] {
        bench.call("attach", json!({"target": id, "client_name": "test", "session_id": session}));
    }
    let attached =
        |bench: &mut Bench| bench.call("system_status", json!({}))["active_attachments"].clone();
    assert!(attached(&mut bench).as_u64().unwrap() >= 2);
    bench.call("kill", json!({"container_id": id, "force": true}));
    assert_eq!(attached(&mut bench), 0);
}

#[test]
fn defect_26_there_is_one_version() {
    let Some(mut bench) = Bench::new() else { return };
    let health = bench.call("health", json!({}));
    assert_eq!((&health["status"], &health["docker_connected"]), (&json!("healthy"), &json!(true)));
    let printed = bench.command(&["--version"]).output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert_eq!(printed.trim().rsplit(' ').next(), health["version"].as_str());
}

#[test]
fn defect_27_arguments_come_flat_or_wrapped() {
    let Some(mut bench) = Bench::new() else { return };
    let flat = bench.spawn();
    let wrapped = bench.call("spawn", json!({"input_data": {"image": IMAGE, "alias": "w"}}));
    assert_eq!(wrapped["alias"], "w");
    let write = json!({"input_data": {"container_id": flat, "path": "f", "content": "x"}});
    bench.call("fs_write", write);
    assert_eq!(bench.read(&flat, "f"), "x");
    for nonsense in
        [json!({}), json!({"input_data": {}}), json!({"input_data": 1}), json!({"image": 1})]
    {
        bench.refused("spawn", nonsense);
    }
}

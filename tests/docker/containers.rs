//! Containers that are there: listed, read, turned, measured, removed.

use serde_json::json;

use super::desk::{Desk, names};
use crate::support::until;

#[test]
fn dk_02_containers_are_listed() {
    let Some(mut desk) = Desk::new() else { return };
    let (one, other) = (desk.container("one"), desk.container_with("two", json!({"start": false})));
    let (text, rows) = desk.told("list-containers", json!({}));
    assert!(text.starts_with("Docker Containers:\nCONTAINER ID "), "{text}");
    assert!(text.contains(&one) && text.contains(&other), "{text}");
    assert_eq!(names(&rows["containers"]), [one.clone(), other]);
    let (text, rows) = desk.told("list-containers", json!({"all": false}));
    assert_eq!(names(&rows["containers"]), [one]);
    assert_eq!(text.lines().count(), 3);
    assert_eq!(rows["containers"][0]["state"], "running");
    let labelled = json!({"labels": [format!("wlt={}", desk.mark)]});
    assert_eq!(desk.call("list-containers", labelled)["containers"], json!([]));
}

#[test]
fn dk_03_logs_have_both_streams() {
    let Some(mut desk) = Desk::new() else { return };
    let script = "echo one; echo two >&2; printf '\\377\\n'; echo three; sleep 1000";
    let name = desk.container_with("web", json!({"command": ["sh", "-c", script]}));
    let wanted = json!({"container_name": name});
    until("it has printed all", || {
        desk.call("get-logs", wanted.clone())["stdout"].to_string().contains("three")
    });
    let (text, rows) = desk.told("get-logs", wanted);
    assert!(text.starts_with(&format!("Logs for container '{name}':\n")), "{text}");
    assert!(text.contains("one\n") && text.contains("two\n"), "{text}");
    assert_eq!(
        (&rows["stdout"], &rows["stderr"]),
        (&json!("one\n\u{fffd}\nthree\n"), &json!("two\n"))
    );
    assert_eq!(rows["cut"], false);
    let before = json!({"container_name": name, "until": "2001-01-01T00:00:00Z"});
    assert_eq!(desk.call("get-logs", before)["stdout"], "");
    assert_eq!(
        desk.call("get-logs", json!({"container_name": name, "since": "1h"}))["stderr"],
        "two\n"
    );
    let wrong = desk.fails("get-logs", json!({"container_name": name, "since": "yesterday"}));
    assert!(wrong.starts_with("VALIDATION_ERROR: `since` is `yesterday`: give a time"), "{wrong}");
}

#[test]
fn of_logs_the_last_lines_are_read() {
    let Some(mut desk) = Desk::new() else { return };
    let script = "echo one; echo two; echo three; sleep 1000";
    let name = desk.container_with("web", json!({"command": ["sh", "-c", script]}));
    let last = |desk: &mut Desk, count: u32, timestamps: bool| {
        let wanted = json!({"container_name": name, "tail": count, "timestamps": timestamps});
        desk.call("get-logs", wanted)["stdout"].as_str().unwrap().to_owned()
    };
    until("it has printed all", || last(&mut desk, 1, false) == "three\n");
    assert_eq!(last(&mut desk, 2, false), "two\nthree\n");
    assert_eq!(last(&mut desk, 0, false), "");
    assert!(last(&mut desk, 1, true).ends_with("Z three\n"));
}

#[test]
fn logs_that_are_too_much_are_cut_and_say_so() {
    let Some(mut desk) = Desk::new() else { return };
    let script = "i=0; while [ $i -lt 20000 ]; do echo \"$i 0123456789012345678901234567890123456789\"; i=$((i+1)); done; echo end; sleep 1000";
    let name = desk.container_with("web", json!({"command": ["sh", "-c", script]}));
    until("it has printed all", || {
        desk.call("get-logs", json!({"container_name": name, "tail": 1}))["stdout"] == "end\n"
    });
    let (text, rows) = desk.told("get-logs", json!({"container_name": name, "tail": 100_000}));
    assert_eq!(rows["cut"], true);
    assert!(text.contains("(what came before is cut off)"));
    assert!(rows["stdout"].as_str().unwrap().ends_with("\nend\n"));
}

#[test]
fn dk_04_05_06_a_container_is_started_stopped_and_restarted() {
    let Some(mut desk) = Desk::new() else { return };
    let name = desk.container_with("web", json!({"start": false}));
    let wanted = json!({"container_name": name});
    for _ in 0..2 {
        let (text, rows) = desk.told("start-container", wanted.clone());
        assert_eq!(text, format!("Container '{name}' started successfully"));
        assert_eq!(rows["state"], "running");
    }
    let begun = |desk: &Desk| desk.seen("containers", &name).unwrap()["State"]["StartedAt"].clone();
    let before = begun(&desk);
    let (text, _) = desk.told("restart-container", json!({"container_name": name, "timeout": 5}));
    assert_eq!(text, format!("Container '{name}' restarted successfully"));
    assert_ne!(begun(&desk), before);
    for _ in 0..2 {
        let (text, rows) = desk.told("stop-container", wanted.clone());
        assert_eq!(text, format!("Container '{name}' stopped successfully"));
        assert_eq!(rows["state"], "exited");
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    let Some(mut desk) = Desk::new() else { return };
    let name = desk.name("nothing");
    let tools = ["start-container", "stop-container", "restart-container", "remove-container"];
    let others = ["inspect-container", "get-logs", "container-stats"];
    for tool in tools.into_iter().chain(others) {
        let failed = desk.fails(tool, json!({"container_name": name}));
        assert!(failed.starts_with("CONTAINER_NOT_FOUND: Error "), "{tool}: {failed}");
        assert!(failed.contains(&name), "{tool}: {failed}");
    }
    let failed =
        desk.fails("exec-in-container", json!({"container_name": name, "command": "true"}));
    assert!(failed.starts_with("CONTAINER_NOT_FOUND: "), "{failed}");
}

#[test]
fn dk_07_a_container_is_removed() {
    let Some(mut desk) = Desk::new() else { return };
    let name = desk.container("web");
    let failed = desk.fails("remove-container", json!({"container_name": name}));
    assert_eq!(
        failed,
        format!(
            "CONFLICT: Error removing container '{name}': it is running: stop it with `stop-container`, or give `force`"
        )
    );
    let (text, _) = desk.told("remove-container", json!({"container_name": name, "force": true}));
    assert_eq!(text, format!("Container '{name}' removed successfully"));
    assert!(desk.seen("containers", &name).is_none());
    let name = desk.container_with("idle", json!({"start": false}));
    desk.call("remove-container", json!({"container_name": name}));
    assert!(desk.seen("containers", &name).is_none());
}

#[test]
fn dk_14_a_container_is_looked_at() {
    let Some(mut desk) = Desk::new() else { return };
    let name = desk
        .container_with("web", json!({"command": ["sh", "-c", "exit 3"], "labels": {"a": "b"}}));
    let wanted = json!({"container_name": name});
    until("it has ended", || desk.call("inspect-container", wanted.clone())["state"] == "exited");
    let (text, rows) = desk.told("inspect-container", wanted);
    assert!(text.starts_with(&format!("Container '{name}' details:\n{{")), "{text}");
    assert_eq!((&rows["exit_code"], &rows["labels"]["a"]), (&json!(3), &json!("b")));
    assert_eq!(rows["details"]["Name"], format!("/{name}"));
    let by_id = json!({"container_name": rows["id"]});
    assert_eq!(desk.call("inspect-container", by_id)["name"], name);
}

#[test]
fn dk_16_containers_are_measured() {
    let Some(mut desk) = Desk::new() else { return };
    let busy = desk.container_with("busy", json!({"command": ["sh", "-c", "while :; do :; done"]}));
    let idle = desk.container("idle");
    let (text, rows) = desk.told("container-stats", json!({}));
    assert!(text.starts_with("Container statistics:\nCONTAINER ID "), "{text}");
    assert_eq!(names(&rows["containers"]), [busy.clone(), idle.clone()]);
    until("the busy one computes", || {
        let rows = desk.call("container-stats", json!({"container_name": busy}));
        rows["containers"][0]["cpu_percent"].as_f64().unwrap() > 1.0
    });
    let rows = desk.call("container-stats", json!({"container_name": idle}));
    let row = &rows["containers"][0];
    assert!(
        row["memory_bytes"].as_u64().unwrap() > 0 && row["pids"].as_u64().unwrap() > 0,
        "{row}"
    );
    desk.call("stop-container", json!({"container_name": idle}));
    let failed = desk.fails("container-stats", json!({"container_name": idle}));
    assert!(
        failed.starts_with("CONFLICT: ") && failed.ends_with("start it with `start-container`"),
        "{failed}"
    );
}

//! `exec-in-container`.

use serde_json::json;

use super::desk::Desk;
use crate::support::bench::merged;

#[test]
fn dk_15_a_command_runs_and_its_end_is_told() {
    let Some(mut desk) = Desk::new() else { return };
    let name = desk.container("web");
    let ran = |desk: &mut Desk, more| {
        desk.told("exec-in-container", merged(json!({"container_name": name}), more))
    };
    let (text, rows) = ran(&mut desk, json!({"command": "echo out; echo err >&2; exit 3"}));
    assert!(
        text.starts_with(&format!("Command in container '{name}' ended with exit code 3\n")),
        "{text}"
    );
    assert!(text.contains("out\n") && text.contains("err\n"), "{text}");
    assert_eq!((&rows["stdout"], &rows["stderr"]), (&json!("out\n"), &json!("err\n")));
    assert_eq!(
        (&rows["exit_code"], &rows["timed_out"], &rows["cut"]),
        (&json!(3), &json!(false), &json!(false))
    );

    let (_, rows) = ran(&mut desk, json!({"command": ["echo", "$HOME", "a  b", "--help"]}));
    assert_eq!(rows["stdout"], "$HOME a  b --help\n");
    let how = json!({
        "command": "id -u; pwd; echo $A; cat", "user": "1000:1000", "working_dir": "/tmp",
        "environment": {"A": "x y"}, "stdin": "in\n",
    });
    let (_, rows) = ran(&mut desk, how);
    assert_eq!(rows["stdout"], "1000\n/tmp\nx y\nin\n");
    let (_, rows) = ran(&mut desk, json!({"command": ["cat"]}));
    assert_eq!((&rows["stdout"], &rows["exit_code"]), (&json!(""), &json!(0)));
}

#[test]
fn a_command_that_does_not_end_is_left_alone() {
    let Some(mut desk) = Desk::new() else { return };
    let name = desk.container("web");
    let wanted =
        json!({"container_name": name, "command": "echo begun; sleep 1000", "timeout_s": 2});
    let (text, rows) = desk.told("exec-in-container", wanted);
    assert!(text.contains("still ran after 2 s"), "{text}");
    assert_eq!((&rows["timed_out"], &rows["exit_code"]), (&json!(true), &json!(null)));
    assert_eq!(rows["stdout"], "begun\n");
}

#[test]
fn much_output_is_cut_and_says_so() {
    let Some(mut desk) = Desk::new() else { return };
    let name = desk.container("web");
    let wanted = json!({"container_name": name, "command": "yes | head -c 3000000; echo end"});
    let rows = desk.call("exec-in-container", wanted);
    assert_eq!((&rows["cut"], &rows["exit_code"]), (&json!(true), &json!(0)));
    assert!(rows["stdout"].as_str().unwrap().ends_with("end\n"));
}

#[test]
fn what_cannot_run_says_why() {
    let Some(mut desk) = Desk::new() else { return };
    let name = desk.container_with("web", json!({"start": false}));
    let stopped =
        desk.fails("exec-in-container", json!({"container_name": name, "command": "true"}));
    assert!(stopped.starts_with("CONFLICT: "), "{stopped}");
    for empty in [json!(""), json!([]), json!("  ")] {
        let failed =
            desk.fails("exec-in-container", json!({"container_name": name, "command": empty}));
        assert_eq!(failed, "VALIDATION_ERROR: `command` is empty");
    }
}

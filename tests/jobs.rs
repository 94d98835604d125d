//! Work that outlives a call: through the contract, with a plugin whose jobs do as they are told.

mod crashes;
mod desk;
mod ends;
mod limits;
mod many;

use serde_json::json;

use desk::{Desk, configuration};

use crate::support::Setup;

#[test]
fn a_job_runs_in_the_background_and_its_result_is_kept() {
    let mut desk = Desk::new();
    let steps = json!([{"say": "hello"}, {"report": 3.0}, {"pass": "gate"}, {"mark": "done"}]);
    let id = desk.submit(steps);
    desk.until(&id, |job| job["done"] == 3.0 && job["message"] == "step 3");
    assert_eq!(desk.look(&id)["state"], "State::Running");
    desk.open("gate");
    let job = desk.ended(&id);
    assert_eq!((&job["state"], &job["attempt"]), (&json!("State::Completed"), &json!(1)), "{job}");
    assert_eq!(job["result"]["attempt"], 1, "{job}");
    assert!(desk.log(&id).contains("info hello\n"), "{}", desk.log(&id));
    assert_eq!(desk.marks(), ["done"]);

    let mut desk = desk.restarted();
    assert_eq!(desk.look(&id), job);
    assert!(desk.log(&id).contains("info hello\n"));
}

#[test]
fn a_plugin_without_the_grant_does_not_load_and_the_message_names_the_line() {
    let setup = Setup::new().plugins(&["worker"]).config("[plugins.worker.grants]\nstore = true\n");
    let ended = setup.ended(&["tools"]);
    assert!(ended.stderr.contains("plugins.worker.grants.jobs = true"), "{ended:?}");
}

#[test]
fn jobs_of_another_plugin_are_not_there() {
    let mut desk = Desk::new();
    let id = desk.submit(json!([{"pass": "gate"}]));
    for (tool, arguments) in [
        ("other_work_look", json!({"id": id})),
        ("other_work_cancel", json!({"id": id})),
        ("other_work_log", json!({"id": id, "most": 100})),
        ("other_work_wait", json!({"id": id, "ms": 0})),
    ] {
        assert_eq!(desk.fails(tool, arguments), format!("NOT_FOUND: there is no job `{id}`"));
    }
    assert_eq!(desk.call("other_work_list", json!({}))["jobs"], json!([]));
    assert_eq!(desk.call("work_list", json!({}))["jobs"][0]["id"], json!(id));
    desk.open("gate");
    desk.ended(&id);
}

#[test]
fn a_key_stands_for_one_job_also_for_many_at_once_and_after_a_restart() {
    let mut desk = Desk::new();
    let arguments = json!({"plan": {"steps": [{"mark": "ran"}]}, "key": "once"});
    let calls: Vec<_> = (0..20).map(|_| desk.begin("work_submit", arguments.clone())).collect();
    let mut ids: Vec<_> = calls.into_iter().map(|call| desk.text_of(call)).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    desk.ended(&ids[0]);
    let mut desk = desk.restarted();
    assert_eq!(desk.text("work_submit", arguments), ids[0]);
    assert_eq!(
        desk.text("other_work_submit", json!({"plan": {"steps": []}, "key": "once"})).len(),
        38
    );
    assert_eq!(desk.marks(), ["ran"]);
}

#[test]
fn the_latest_are_listed_first_and_page_by_page() {
    let mut desk = Desk::new();
    let ids: Vec<_> = (0..5).map(|_| desk.submit(json!([]))).collect();
    let page = |desk: &mut Desk, after: &str| {
        let listed = desk.call("work_list", json!({"after": after, "limit": 2}));
        let listed = listed["jobs"].as_array().unwrap().clone();
        listed.iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(page(&mut desk, ""), [ids[4].clone(), ids[3].clone()]);
    assert_eq!(page(&mut desk, &ids[3]), [ids[2].clone(), ids[1].clone()]);
    assert_eq!(page(&mut desk, &ids[1]), [ids[0].clone()]);
    assert!(page(&mut desk, &ids[0]).is_empty());
}

#[test]
fn a_command_submits_and_the_next_host_does_it() {
    let setup = Setup::new().config(&configuration(""));
    // The command's own host may begin it, and cannot get past the gate.
    let plan = json!({"steps": [{"pass": "go"}, {"mark": "ran"}]}).to_string();
    let submitted = setup.ended(&["call", "work_submit", &format!("plan={plan}")]);
    assert_eq!(submitted.code, Some(0), "{submitted:?}");
    let mut desk = Desk::of(setup);
    desk.open("go");
    let job = desk.ended(submitted.stdout.trim());
    assert_eq!(job["state"], "State::Completed", "{job}");
    assert_eq!(desk.marks(), ["ran"]);
}

#[test]
fn a_command_waits_for_the_job_that_its_tool_comes_to() {
    let setup = Setup::new().config(&configuration(""));
    let plan = json!({"steps": [{"sleep": 20}, {"note": "kept"}]}).to_string();
    let ended = setup.ended(&["call", "work_run", &format!("plan={plan}"), "--json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("\"attempt\""), "{ended:?}");
    let plan = json!({"steps": [{"fail": "broken on purpose"}]}).to_string();
    let ended = setup.ended(&["call", "work_run", &format!("plan={plan}")]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stderr.trim(), "FAILED: broken on purpose");
}

//! What jobs may take.

use std::fs;

use serde_json::json;

use super::desk::Desk;

#[test]
fn no_more_run_than_may_and_the_others_wait_in_order() {
    let mut desk = Desk::with("[limits]\nconcurrent_jobs = 2\n");
    let gate = |place: u32| json!([{"mark": format!("{place} in")}, {"pass": format!("{place}")}]);
    let ids: Vec<_> = (0..4).map(|place| desk.submit(gate(place))).collect();
    desk.marked("0 in");
    desk.marked("1 in");
    assert_eq!(desk.state(&ids[2]), "State::Queued");
    desk.open("1");
    desk.marked("2 in");
    assert_eq!(desk.state(&ids[3]), "State::Queued");
    ["0", "2", "3"].iter().for_each(|gate| desk.open(gate));
    ids.iter().for_each(|id| assert_eq!(desk.ended(id)["state"], "State::Completed"));
}

#[test]
fn all_plugins_together_have_so_many_places() {
    let mut desk = Desk::with("[jobs]\nconcurrent = 1\n");
    let first = desk.submit(json!([{"mark": "in"}, {"pass": "gate"}]));
    desk.marked("in");
    let plan = json!({"plan": {"steps": []}});
    let other = desk.text("other_work_submit", plan);
    let queued = desk.call("other_work_wait", json!({"id": other, "ms": 50}));
    assert_eq!(queued["state"], "State::Queued");
    desk.open("gate");
    desk.ended(&first);
    let ended = desk.call("other_work_wait", json!({"id": other, "ms": 60_000}));
    assert_eq!(ended["state"], "State::Completed");
}

#[test]
fn jobs_of_a_lane_run_one_after_another() {
    let mut desk = Desk::new();
    let lane = json!({"lane": "a"});
    let first = desk.submit_with(json!([{"ask": ["name"]}]), lane.clone());
    let second = desk.submit_with(json!([{"mark": "second"}]), lane.clone());
    let third = desk.submit_with(json!([{"mark": "third"}]), lane);
    let beside = desk.submit_with(json!([{"mark": "beside"}]), json!({"lane": "b"}));
    desk.ended(&beside);
    desk.until(&first, |job| job["state"] == "State::InputRequired");
    assert_eq!(desk.state(&second), "State::Queued");
    let mut desk = desk.killed();
    assert_eq!(desk.state(&second), "State::Queued");
    desk.call("work_cancel", json!({"id": first}));
    desk.ended(&third);
    let marks = desk.marks();
    let own = marks.iter().filter(|mark| !mark.contains(' ')).collect::<Vec<_>>();
    assert_eq!(own, ["beside", "second", "third"]);
}

#[test]
fn more_than_may_wait_are_refused_and_told_why() {
    let mut desk = Desk::with("[jobs]\nconcurrent = 1\nwaiting = 2\n");
    let first = desk.submit(json!([{"mark": "in"}, {"pass": "gate"}]));
    desk.marked("in");
    let waiting = [desk.submit(json!([])), desk.submit(json!([]))];
    let refused = desk.fails("work_submit", json!({"plan": {"steps": []}}));
    assert_eq!(
        refused,
        "LIMIT: busy: 2 jobs of plugin `one` wait already; try again later, or raise `jobs.waiting`"
    );
    desk.open("gate");
    desk.ended(&first);
    waiting.iter().for_each(|id| assert_eq!(desk.ended(id)["state"], "State::Completed"));
}

#[test]
fn a_log_is_bounded_and_its_end_is_there() {
    let mut desk = Desk::with("[jobs]\nlog_kib = 64\n");
    let id = desk.submit(json!([{"flood": 10_000}, {"say": "the last line"}]));
    desk.ended(&id);
    let folder = desk.host().setup.state().join("jobs");
    let sizes = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
    let sizes: Vec<_> = sizes.collect();
    assert!(sizes.len() == 2 && sizes.iter().all(|&size| size <= 32 << 10), "{sizes:?}");
    let log = desk.log(&id);
    assert!(log.len() > 32 << 10 && log.contains("the last line"), "{}", log.len());
    let tail = desk.text("work_log", json!({"id": id, "most": 300}));
    assert!(tail.len() <= 300 && tail.contains("the last line"), "{tail}");
    assert!(tail.starts_with("20"), "it begins in the middle of a line: {tail}");
}

#[test]
fn the_oldest_are_forgotten_with_their_logs() {
    let mut desk = Desk::with("[jobs]\nkeep = 2\n");
    let ids: Vec<_> = (0..4).map(|_| desk.submit(json!([{"say": "hello"}]))).collect();
    ids.iter().for_each(|id| drop(desk.ended(id)));
    let running = desk.submit(json!([{"pass": "gate"}]));
    let mut desk = desk.restarted();
    crate::support::until("old ones are forgotten", || {
        desk.call("work_list", json!({}))["jobs"].as_array().unwrap().len() == 3
    });
    desk.open("gate");
    assert_eq!(desk.ended(&running)["state"], "State::Completed");
    let folder = desk.host().setup.state().join("jobs");
    let left = fs::read_dir(&folder).unwrap().count();
    assert!(left <= 3, "{left} logs are left");
    assert_eq!(
        desk.fails("work_look", json!({"id": ids[0]})),
        format!("NOT_FOUND: there is no job `{}`", ids[0])
    );
}

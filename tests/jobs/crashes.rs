//! The host goes away in the middle.

use serde_json::json;

use super::desk::{Desk, configuration};
use crate::support::{Setup, small_disk::SmallDisk, until};

#[test]
fn what_ran_when_the_host_was_killed_runs_again_and_knows_it() {
    let mut desk = Desk::new();
    let steps =
        json!([{"mark_first": "first"}, {"note": "kept"}, {"pass": "gate"}, {"mark": "second"}]);
    let id = desk.submit(steps);
    desk.marked("first");
    let mut desk = desk.killed();
    // A run that had not begun is none.
    until("the second attempt begins", || desk.log(&id).contains("attempt 2 begins"));
    let mut desk = desk.killed();
    desk.open("gate");
    let job = desk.ended(&id);
    assert_eq!(job["state"], "State::Completed", "{job}");
    assert_eq!((&job["result"]["attempt"], &job["result"]["note"]), (&json!(3), &json!("kept")));
    assert_eq!(desk.marks(), ["first", "second"]);
    assert!(desk.log(&id).contains("the host ended in the middle of a run"));
}

#[test]
fn what_was_interrupted_goes_on_though_nobody_asks_for_it() {
    let mut desk = Desk::new();
    desk.submit(json!([{"mark_first": "first"}, {"pass": "gate"}, {"mark": "second"}]));
    desk.marked("first");
    let mut desk = desk.killed();
    desk.open("gate");
    desk.marked("second");
}

#[test]
fn none_of_many_is_lost_and_none_is_done_twice() {
    let mut desk = Desk::with("[limits]\nconcurrent_jobs = 8\n");
    let ids: Vec<_> = (0..20)
        .map(|place| desk.submit(json!([{"pass": "gate"}, {"mark": format!("{place:02}")}])))
        .collect();
    for _ in 0..3 {
        desk = desk.killed();
    }
    desk.open("gate");
    for id in &ids {
        assert_eq!(desk.ended(id)["state"], "State::Completed");
    }
    let mut marks = desk.marks();
    marks.sort();
    let each: Vec<_> = (0..20).map(|place| format!("{place:02}")).collect();
    assert_eq!(marks, each);
}

#[test]
fn a_result_waits_for_a_disk_that_is_full() {
    let setup = Setup::new().config(&configuration(""));
    let Some(disk) = SmallDisk::mount(&setup.state()) else { return };
    let mut desk = Desk::of(setup);
    let id = desk.submit(json!([{"mark": "in"}, {"pass": "gate"}, {"text": 500_000}]));
    desk.marked("in");
    disk.fill(200 << 10);
    desk.open("gate");
    until("it cannot be written", || desk.host().errors().contains("it cannot be written down"));
    assert_eq!(desk.state(&id), "State::Running");
    disk.empty();
    let job = desk.ended(&id);
    assert_eq!(job["state"], "State::Completed", "{job}");
    assert_eq!(job["result"].as_str().unwrap().len(), 500_000);
    let mut desk = desk.restarted();
    assert_eq!(desk.look(&id)["result"].as_str().unwrap().len(), 500_000);
}

#[test]
fn a_host_that_ends_in_order_leaves_jobs_to_the_next() {
    let mut desk = Desk::new();
    let id = desk.submit(json!([{"mark_first": "begun"}, {"pass": "gate"}]));
    desk.marked("begun");
    let mut desk = desk.restarted();
    desk.open("gate");
    assert_eq!(desk.ended(&id)["result"]["attempt"], 2);
}

#[test]
fn a_cancel_that_was_interrupted_is_finished() {
    let mut desk = Desk::new();
    let more = json!({"plan": {"cleaning": "cleaned"}});
    let id = desk.submit_with(json!([{"mark": "begun"}, {"pass": "never"}]), more);
    desk.marked("begun");
    desk.begin("work_cancel", json!({"id": id}));
    desk.marked(&format!("cleaning {id}"));
    let mut desk = desk.killed();
    let job = desk.until(&id, |job| job["cancel_asked"] == true);
    assert_ne!(job["state"], "State::Completed", "{job}");
    desk.open("cleaned");
    let job = desk.ended(&id);
    assert_eq!(job["state"], "State::Canceled", "{job}");
    let (cleaning, stopped) = (format!("cleaning {id}"), format!("stopped {id}"));
    assert_eq!(desk.marks(), ["begun".to_owned(), cleaning.clone(), cleaning, stopped]);
}

#[test]
fn a_job_that_asks_still_asks_after_a_kill() {
    let mut desk = Desk::new();
    let id = desk.submit(json!([{"ask": ["name"]}]));
    desk.until(&id, |job| job["state"] == "State::InputRequired");
    let mut desk = desk.killed();
    assert_eq!(desk.state(&id), "State::InputRequired");
    let job = desk.call("work_cancel", json!({"id": id}));
    assert_eq!(job["state"], "State::Canceled", "{job}");
}

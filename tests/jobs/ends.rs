//! How jobs end that do not end well.

use serde_json::json;

use super::desk::{Desk, configuration};
use crate::support::until;

#[test]
fn each_end_is_told_as_what_it_is() {
    let mut desk =
        Desk::with("[plugins.one.limits]\njob_memory_mib = 32\ncrashes = 100\noutput_mib = 1\n");
    for (steps, expected) in [
        (json!([{"fail": "broken on purpose"}]), "failed: broken on purpose"),
        (json!([{"crash": null}]), "other: plugin `one` crashed; the host's log says where"),
        (
            json!([{"grow": 64}]),
            "limit: plugin `one` needs more memory than its 32 MiB (`plugins.one.limits.job_memory_mib`)",
        ),
        (
            json!([{"text": 2_000_000}]),
            "limit: the result of plugin `one` is larger than 1 MiB (`plugins.one.limits.output_mib`)",
        ),
        (
            json!([{"cancel_self": null}]),
            "invalid: a run cannot cancel its own job; return an error, or a result",
        ),
    ] {
        let id = desk.submit(steps);
        let job = desk.ended(&id);
        let error = &job["error"];
        let told =
            format!("{}: {}", error["code"].as_str().unwrap(), error["message"].as_str().unwrap());
        assert_eq!((job["state"].as_str().unwrap(), &*told), ("State::Failed", expected));
    }
}

#[test]
fn one_whose_time_is_over_is_ended_and_cleaned_up_whatever_it_does() {
    let mut desk = Desk::new();
    for steps in [json!([{"spin": null}]), json!([{"pass": "never"}])] {
        let id = desk.submit_with(steps, json!({"deadline_s": 1}));
        let job = desk.ended(&id);
        assert_eq!(job["state"], "State::Failed", "{job}");
        let message = job["error"]["message"].as_str().unwrap();
        assert!(message.starts_with("out of time: this job had 1 s"), "{message}");
        assert!(desk.marks().contains(&format!("stopped {id}")));
    }
}

#[test]
fn a_cancel_ends_what_runs_what_computes_what_waits_and_what_asks() {
    let mut desk = Desk::with("[limits]\nconcurrent_jobs = 3\n");
    let running = desk.submit(json!([{"mark": "one"}, {"pass": "never"}]));
    let spinning = desk.submit(json!([{"mark": "two"}, {"spin": null}]));
    let asking = desk.submit(json!([{"ask": ["name"]}]));
    desk.marked("one");
    desk.marked("two");
    desk.until(&asking, |job| job["state"] == "State::InputRequired");
    let filling = desk.submit(json!([{"mark": "three"}, {"pass": "never"}]));
    desk.marked("three");
    let queued = desk.submit(json!([{"mark": "never"}]));
    assert_eq!(desk.state(&queued), "State::Queued");
    for id in [&queued, &running, &spinning, &asking, &filling] {
        for _ in 0..2 {
            let job = desk.call("work_cancel", json!({"id": id}));
            assert_eq!(job["state"], "State::Canceled", "{job}");
        }
    }
    let stopped = |id: &String| format!("stopped {id}");
    let marks = desk.marks();
    let begun = [&running, &spinning, &asking, &filling];
    assert!(begun.into_iter().all(|id| marks.iter().filter(|it| **it == stopped(id)).count() == 1));
    assert!(
        !marks.contains(&stopped(&queued)) && !marks.contains(&"never".to_owned()),
        "{marks:?}"
    );
}

#[test]
fn what_has_ended_stays_as_it_ended() {
    let mut desk = Desk::new();
    let id = desk.submit(json!([{"mark": "done"}]));
    let job = desk.ended(&id);
    assert_eq!(desk.call("work_cancel", json!({"id": id}))["state"], "State::Completed");
    assert_eq!(desk.look(&id), job);
    assert_eq!(desk.marks(), ["done"]);
}

#[test]
fn a_job_that_crashes_takes_no_other_with_it() {
    let mut desk = Desk::with("[limits]\ncrashes = 100\n");
    let other = desk.submit(json!([{"pass": "gate"}, {"mark": "done"}]));
    let crashing: Vec<_> = (0..4).map(|_| desk.submit(json!([{"crash": null}]))).collect();
    for id in &crashing {
        assert_eq!(desk.ended(id)["state"], "State::Failed");
    }
    desk.open("gate");
    assert_eq!(desk.ended(&other)["state"], "State::Completed");
}

#[test]
fn jobs_of_a_plugin_that_is_out_of_service_wait_until_it_is_tried_again() {
    let limits = "concurrent_jobs = 1\ncrashes = 1\nquarantine_seconds = 1\n";
    let mut desk = Desk::with(&format!("[limits]\n{limits}"));
    let crashing = desk.submit(json!([{"pass": "gate"}, {"crash": null}]));
    let waiting: Vec<_> = (0..3).map(|_| desk.submit(json!([]))).collect();
    desk.open("gate");
    // The plugin cannot be asked meanwhile; the host can.
    let mut ends = |id: &String| {
        let mut last = json!(null);
        until("its end", || {
            last = desk.call("job_status", json!({"job_id": id}));
            !last["ended_at"].is_null()
        });
        last["state"].clone()
    };
    assert_eq!(ends(&crashing), "failed");
    waiting.iter().for_each(|id| assert_eq!(ends(id), "completed"));
}

#[test]
fn a_job_of_a_plugin_that_is_not_loaded_waits_until_it_is() {
    let mut desk = Desk::new();
    let id = desk.submit(json!([{"mark_first": "begun"}, {"pass": "gate"}, {"mark": "done"}]));
    desk.marked("begun");
    let mut desk = desk.reconfigured("");
    assert!(desk.host().tools().is_empty());
    let mut desk = desk.reconfigured(&configuration(""));
    desk.open("gate");
    assert_eq!(desk.ended(&id)["state"], "State::Completed");
    assert_eq!(desk.marks(), ["begun", "done"]);
}

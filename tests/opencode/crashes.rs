//! The host is killed, containers go: what runs is found again and asked once, and what is lost is asked again.

use serde_json::Value;

use super::desk::Desk;
use crate::support::{bench::text, until};

#[test]
fn a_run_goes_on_when_the_host_is_killed_and_the_model_is_asked_once() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let run = desk.submit(
        &session,
        "TOOL:bash:{\"command\": \"until [ -e /workspace/go ]; do sleep 0.1; done; echo went\"}",
    );
    desk.when(&session, &run, |run| text(&run["message"]).starts_with("bash"));
    desk.bench.killed(|_| {});
    desk.when(&session, &run, |run| run["attempt"] == 2 && run["state"] == "running");
    std::fs::write(desk.folder(&session).join("go"), "").unwrap();
    let told = desk.comes_to(&session, &run, "completed");
    assert_eq!(told["final_output"], "all done", "{told}");
    assert_eq!(desk.asked("until [ -e"), 2, "once for the command, and once with its result");

    // What ends while no host is there is told of all the same.
    let run = desk.submit(&session, "TOOL:bash:{\"command\": \"until [ -e /workspace/on ]; do sleep 0.1; done; touch /workspace/done\"}");
    desk.when(&session, &run, |run| text(&run["message"]).starts_with("bash"));
    let folder = desk.folder(&session);
    desk.bench.killed(|_| {
        std::fs::write(folder.join("on"), "").unwrap();
        until("the command has ended", || folder.join("done").exists());
    });
    desk.comes_to(&session, &run, "completed");
    assert_eq!(desk.asked("/workspace/on"), 2);
}

#[test]
fn a_kill_between_submit_and_start_loses_nothing() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let runs: Vec<_> =
        (0..3).map(|number| desk.submit(&session, &format!("ECHO number{number}"))).collect();
    desk.bench.killed(|_| {});
    for (number, run) in runs.iter().enumerate() {
        let told = desk.comes_to(&session, run, "completed");
        assert!(text(&told["final_output"]).contains(&format!("number{number}")), "{told}");
        assert_eq!(desk.asked(&format!("number{number}")), 1, "{told}");
    }
}

#[test]
fn a_container_that_goes_in_the_middle_takes_no_run_with_it() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let wait = "TOOL:bash:{\"command\": \"until [ -e /workspace/go ]; do sleep 0.1; done\"}";

    // It is stopped as it is where the engine is started again.
    let run = desk.submit(&session, wait);
    desk.when(&session, &run, |run| text(&run["message"]).starts_with("bash"));
    let container = text(&desk.containers()[0]["Id"]);
    desk.bench.engine.post(&format!("/containers/{container}/restart?t=0"), &Value::Null).unwrap();
    desk.when(&session, &run, |run| {
        text(&run["message"]).starts_with("bash") && run["attempt"] == 1
    });
    until("it is asked again", || desk.asked("until [ -e") >= 2);
    std::fs::write(desk.folder(&session).join("go"), "").unwrap();
    let told = desk.comes_to(&session, &run, "completed");
    let log = desk.logs(&run);
    assert!(log.contains("opencode was started again"), "{told}\n{log}");

    // It is removed behind our back, while no host is there.
    std::fs::remove_file(desk.folder(&session).join("go")).unwrap();
    let run = desk.submit(&session, wait);
    desk.when(&session, &run, |run| text(&run["message"]).starts_with("bash"));
    let container = text(&desk.containers()[0]["Id"]);
    desk.bench.killed(|bench| {
        bench.engine.delete(&format!("/containers/{container}?force=1")).unwrap();
    });
    std::fs::write(desk.folder(&session).join("go"), "").unwrap();
    let told = desk.comes_to(&session, &run, "completed");
    assert!(text(&told["result_summary"]).starts_with("completed in"), "{told}");
}

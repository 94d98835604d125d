//! What a task came to is read from what OpenHands leaves, and never from its exit code.

use serde_json::{Value, json};

use super::desk::Desk;
use crate::support::bench::text;

/// Runs a task: its outcome and its error.
#[track_caller]
pub(super) fn check(
    desk: &mut Desk,
    session: &str,
    task: &str,
    outcome: &str,
    error: &str,
) -> Value {
    let told = desk.ran(session, task);
    assert_eq!(told["outcome"], outcome, "{task}: {told}");
    let said = told["error"].as_str().unwrap_or_default();
    assert!(said.contains(error) && said.is_empty() == error.is_empty(), "{task}: {told}");
    told
}

#[test]
fn each_end_is_told_as_what_it_is() {
    let Some(mut desk) = Desk::new() else { return };
    let session = &desk.session();
    let desk = &mut desk;
    check(desk, session, "SAY good", "completed", "");
    check(desk, session, "GIVEUP cannot", "failed", "did not complete");
    check(desk, session, "FAIL no such model", "failed", "BadRequestError: no such model");
    check(desk, session, "STUCK", "stuck", "AgentStuckInLoopError");
    check(desk, session, "REJECT not mine", "failed", "not mine");
    check(desk, session, "SILENT", "failed", "stopped before it was done");
    check(desk, session, "NOTRAJECTORY", "unknown", "left no trajectory");
    let died = check(desk, session, "EXIT 7", "failed", "the code 7");
    assert_eq!((&died["exit_code"], &died["status"]), (&json!(7), &json!("exited")));
    check(desk, session, "RUN kill -9 $PPID", "failed", "a signal");
}

#[test]
fn a_hostile_trajectory_harms_nobody() {
    let Some(mut desk) = Desk::new() else { return };
    let session = &desk.session();
    let desk = &mut desk;
    check(desk, session, "TRAJECTORY ", "unknown", "is none");
    check(desk, session, "TRAJECTORY {}", "unknown", "is none");
    check(desk, session, "TRAJECTORY [\"\u{0001}", "unknown", "is none");
    let deep = "[".repeat(60_000);
    check(desk, session, &format!("TRAJECTORY {deep}"), "unknown", "is none");
    let huge = "NOTRAJECTORY\nRUN head -c 20000000 /dev/zero > $SAVE_TRAJECTORY_PATH";
    check(desk, session, huge, "unknown", "no more than");
    let ones = "NOTRAJECTORY\nRUN { printf '[[1'; yes ,1 | tr -d '\\n' | head -c 15000000; printf '],'; printf '{\"a\":[1'; printf ']}]'; } > $SAVE_TRAJECTORY_PATH";
    check(desk, session, ones, "failed", "before it was done");
    let long = "NOTRAJECTORY\nRUN { printf '[\"'; head -c 15000000 /dev/zero | tr '\\0' x; printf '\"]'; } > $SAVE_TRAJECTORY_PATH";
    check(desk, session, long, "failed", "before it was done");
    let link = "NOTRAJECTORY\nRUN ln -s /etc/passwd $SAVE_TRAJECTORY_PATH";
    let told = check(desk, session, link, "unknown", "trajectory");
    assert!(!told.to_string().contains("root:"), "{told}");
    let folder = "NOTRAJECTORY\nRUN mkdir $SAVE_TRAJECTORY_PATH";
    check(desk, session, folder, "unknown", "trajectory");
    let pipe = "NOTRAJECTORY\nRUN mkfifo $SAVE_TRAJECTORY_PATH";
    check(desk, session, pipe, "unknown", "trajectory");
    let claim = "TRAJECTORY [{\"action\":\"finish\",\"args\":{\"final_thought\":\"<b>hm</b>\"}}]";
    let told = check(desk, session, claim, "completed", "");
    assert_eq!(text(&told["final_message"]), "<b>hm</b>");
}

#[test]
fn a_task_that_takes_too_long_is_ended() {
    let Some(mut desk) = Desk::configured("task_timeout_s = 1") else { return };
    let session = &desk.session();
    check(&mut desk, session, "AWAIT never", "failed", "longer than it may");
}

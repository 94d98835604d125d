//! Runs that do not end by themselves: what is done about it, and that the session works afterwards.

use serde_json::{Value, json};

use super::desk::{Desk, Wish};
use crate::support::bench::text;

#[test]
fn a_run_without_a_sign_of_life_ends_when_its_time_is_over() {
    let Some(mut desk) = Desk::with(&Wish { silence_s: 25, ..Wish::default() }) else { return };
    let session = desk.session();
    assert_eq!(desk.ran(&session, "ECHO first")["state"], "completed");
    let retrying = desk.submit(&session, "FAIL:503");
    let hanging = desk.submit(&session, "SLEEP:600");
    for (run, why) in
        [(retrying, "but failures"), (hanging, "nothing came from the model for 25 s")]
    {
        let told = desk.ended(&session, &run);
        assert_eq!(
            (&told["state"], &told["error_code"]),
            (&json!("failed"), &json!("TIMEOUT")),
            "{told}"
        );
        assert!(text(&told["error"]).contains(why), "{told}");
    }
    assert_eq!(desk.ran(&session, "ECHO last")["state"], "completed");
}

#[test]
fn a_run_is_cancelled_whatever_it_does() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let cancel = |desk: &mut Desk, run: &str| {
        let told = desk.call("cancel_run", json!({"run_id": run}));
        assert_eq!(told["run"]["state"], "canceled", "{told}");
        // Twice is once.
        assert_eq!(desk.call("cancel_run", json!({"run_id": run}))["run"]["state"], "canceled");
    };

    // A command is running; it ends with the run.
    let working =
        desk.submit(&session, "TOOL:bash:{\"command\": \"touch /workspace/begun; sleep 3600\"}");
    let begun = desk.folder(&session).join("begun");
    crate::support::until("the command runs", || begun.exists());
    cancel(&mut desk, &working);
    let container = text(&desk.containers()[0]["Labels"]["windlass.id"]);
    crate::support::until("the command is gone", || {
        !desk.bench.top(&container).iter().any(|line| line.contains("sleep 3600"))
    });
    let context: Value =
        serde_json::from_str(&desk.artifact(&session, &working, "context.json")).unwrap();
    assert_eq!(context["state"], "stopped");
    assert!(desk.artifact(&session, &working, "changes.diff").contains("b/begun"));

    // The model fails over and over, and opencode waits to ask it again.
    let retrying = desk.submit(&session, "FAIL:503");
    desk.when(&session, &retrying, |run| text(&run["message"]).contains("fails for the"));
    cancel(&mut desk, &retrying);

    // The model says nothing; the next run waits for this one, and one that waits is cancelled as well.
    let hanging = desk.submit(&session, "SLEEP:600 the first");
    let waiting = desk.submit(&session, "ECHO the second");
    let dropped = desk.submit(&session, "ECHO the third");
    desk.until_asked("SLEEP:600 the first");
    assert_eq!(desk.status(&session, &waiting)["state"], "queued");
    cancel(&mut desk, &dropped);
    cancel(&mut desk, &hanging);
    let told = desk.comes_to(&session, &waiting, "completed");
    assert!(text(&told["final_output"]).contains("the second"), "{told}");
    assert_eq!((desk.asked("the third"), desk.asked("the first")), (0, 1));

    let told = desk.fails("cancel_run", json!({"run_id": "j_0"}));
    assert!(told.starts_with("RUN_NOT_FOUND: "), "{told}");
}

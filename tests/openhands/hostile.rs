//! What comes from outside is not believed: descriptions, repositories, and agents that work against their host.

use serde_json::json;

use super::desk::Desk;
use crate::support::bench::text;

#[test]
fn a_description_is_one_argument_and_nothing_else() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let task = "--help; $(touch /workspace/pwned) `touch pwned` | touch pwned & 'a' \"b\" \\ ${HOME} %s\n\
                -c /etc/passwd\nSAY fine \u{1F600}";
    let told = desk.ran(&session, task);
    assert_eq!((&told["outcome"], &told["task_description"]), (&json!("completed"), &json!(task)));
    assert_eq!(told["final_message"], "fine \u{1F600}");
    assert!(!desk.folder(&session).join("pwned").exists());
}

#[test]
fn a_description_that_no_program_takes_is_refused_and_takes_no_place() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    for _ in 0..4 {
        let nul = desk.code_fails(&session, "a\0b");
        assert!(nul.starts_with("VALIDATION_ERROR: ") && nul.contains("NUL"), "{nul}");
        let long = desk.code_fails(&session, &"x".repeat(1 << 20));
        assert!(long.starts_with("LIMIT: ") && long.contains("put the long part"), "{long:.200}");
    }
    assert!(desk.code_fails(&session, "").contains("task_description"));
    let longest = format!("SAY x\n{}", "y".repeat(90_000));
    assert_eq!(desk.ran(&session, &longest)["outcome"], "completed");
}

#[test]
fn an_agent_cannot_reach_beyond_its_session() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let task = "RUN touch /x || echo no root; test -e /var/run/docker.sock || echo no socket; ls / ; id -u; wget -T 1 -q http://198.51.100.1/ || echo no network";
    let logs = text(&desk.ran(&session, task)["logs"]);
    for line in ["no root", "no socket", "1000", "no network"] {
        assert!(logs.contains(&format!("{line}\n")), "no `{line}` in {logs}");
    }
}

#[test]
fn an_agent_that_fills_everything_is_told_within_limits() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let task = "RUN i=0; n=$(head -c 200 /dev/zero | tr '\\0' x); while [ $i -lt 2000 ]; do : > $n$i; i=$((i+1)); done\n\
                RUN head -c 3000000 /dev/zero\nRUN head -c 300000 /dev/zero | tr '\\0' y";
    let told = desk.ran(&session, task);
    assert_eq!(told["outcome"], "completed", "{told:.300}");
    assert_eq!(told["changed_files"].as_array().unwrap().len(), 200);
    assert_eq!(told["diff_stat"]["files"], 2000);
    assert!(text(&told["logs"]).len() <= 128 << 10);
    let all = desk.call("get_coding_task_status", json!({"session_id": session}));
    assert_eq!(all["tasks"][0]["outcome"], "completed");
}

#[test]
fn an_agent_that_breaks_the_repository_breaks_its_own_work_only() {
    let Some(mut desk) = Desk::new() else { return };
    let (one, other) = (desk.session(), desk.session());
    let told = desk.ran(&one, "NOTRAJECTORY\nRUN rm -rf .git");
    assert_eq!((&told["outcome"], told["changed_files"].is_null()), (&json!("unknown"), true));
    assert!(!desk.code_fails(&one, "SAY x").is_empty());
    assert_eq!(desk.ran(&other, "SAY x")["outcome"], "completed");
    assert_eq!(desk.call("cleanup_coding_tasks", json!({"session_id": one}))["success"], true);
    assert_eq!(desk.call("teardown", json!({"session_id": one}))["archived"], true);
}

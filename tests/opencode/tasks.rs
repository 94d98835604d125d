//! Tasks that are done, and tasks that fail.

use std::fs;

use serde_json::{Value, json};

use super::desk::{Desk, KEY};
use crate::support::bench::text;

#[test]
fn a_task_is_done_and_told_of_from_its_first_line_to_its_artifacts() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let task = "Write it. TOOL:write:{\"filePath\": \"/workspace/made.txt\", \"content\": \"it works\\n\"}";
    let run = desk.submit(&session, task);
    let told = desk.comes_to(&session, &run, "completed");
    assert_eq!(told["final_output"], "all done", "{told}");
    assert_eq!((&told["id"], &told["session_id"]), (&json!(run), &json!(session)));
    assert_eq!(told["structured_output"], Value::Null);
    let summary = text(&told["result_summary"]);
    assert!(summary.contains("2 steps") && summary.contains("write ×1"), "{summary}");
    assert!(summary.contains("1 file changed (+1 −0)"), "{summary}");
    for time in ["created_at", "started_at", "finished_at", "updated_at"] {
        assert!(text(&told[time]).ends_with('Z'), "{told}");
    }
    let made = desk.folder(&session).join("made.txt");
    assert_eq!(fs::read_to_string(made).unwrap(), "it works\n");

    it_left_what_it_should(&mut desk, &session, &run);
    no_path_leads_elsewhere(&mut desk, &session, &run);
    the_next_one_remembers(&mut desk, &session);
    key_is_nowhere(&mut desk, &session);
}

fn it_left_what_it_should(desk: &mut Desk, session: &str, run: &str) {
    let logs = desk.logs(run);
    assert!(logs.contains("write completed") && logs.contains("says: all done"), "{logs}");
    let last = desk.call("get_run_logs", json!({"run_id": run, "tail_lines": 1}));
    assert_eq!(text(&last["logs"]).trim_end().lines().count(), 1, "{last}");

    let listed = desk.call("list_artifacts", json!({"session_id": session, "run_id": run}));
    let names: Vec<_> =
        listed["artifacts"].as_array().unwrap().iter().map(|it| text(&it["name"])).collect();
    let known = [
        "assistant-response.json",
        "assistant-response.md",
        "changes.diff",
        "context.json",
        "run.log",
    ];
    assert_eq!(names, known);
    assert_eq!(desk.artifact(session, run, "assistant-response.md"), "all done");
    let response: Value =
        serde_json::from_str(&desk.artifact(session, run, "assistant-response.json")).unwrap();
    assert_eq!(response["info"]["finish"], "stop", "{response}");
    let diff = desk.artifact(session, run, "changes.diff");
    assert!(diff.contains("+++ b/made.txt") && diff.contains("+it works"), "{diff}");
    let context: Value =
        serde_json::from_str(&desk.artifact(session, run, "context.json")).unwrap();
    assert_eq!(
        (&context["state"], &context["model"]),
        (&json!("completed"), &json!("openai/fake-1"))
    );
    assert!(desk.artifact(session, run, "run.log").contains("write completed"));
    let uri = text(&listed["artifacts"][1]["uri"]);
    let read = desk.bench.host().request("resources/read", json!({"uri": uri}));
    assert_eq!(read["result"]["contents"][0]["text"], "all done", "{read}");
}

fn no_path_leads_elsewhere(desk: &mut Desk, session: &str, run: &str) {
    let start = json!({"path": format!("{session}/{run}/changes.diff"), "max_bytes": 4});
    let start = desk.call("read_artifact", start);
    assert_eq!((&start["content"], &start["truncated"]), (&json!("diff"), &json!(true)));
    for path in [
        format!("{session}/{run}/../../home/.local/share/opencode/opencode.db"),
        format!("{session}/../{run}/run.log"),
        format!("{session}/{run}/none.txt"),
        "../../windlass.db".to_owned(),
        "/etc/passwd".to_owned(),
    ] {
        let told = desk.fails("read_artifact", json!({"path": path}));
        assert!(told.starts_with("FILE_NOT_FOUND: "), "{path}: {told}");
    }
}

fn the_next_one_remembers(desk: &mut Desk, session: &str) {
    // The same server does the next task, with the memory of the one before.
    let process = desk.bench.containers();
    let again = desk.ran(session, "And now? ECHO");
    assert_eq!(again["state"], "completed", "{again}");
    let history = desk.llm.prompts().last().unwrap().to_string();
    assert!(history.contains("Write it."), "{history}");
    assert_eq!(desk.bench.containers()[0]["Id"], process[0]["Id"]);
    let latest = desk.call("get_status", json!({"session_id": session}));
    assert_eq!(latest["run"]["id"], again["id"]);
    assert!(desk.artifact(session, &text(&again["id"]), "changes.diff").is_empty());
}

/// The model has seen the key, and nobody else: it is in no file of the host's or the session's, and in no log.
fn key_is_nowhere(desk: &mut Desk, session: &str) {
    let asked = desk.llm.authorizations();
    assert!(asked.iter().all(|it| it.as_deref() == Some(&format!("Bearer {KEY}"))), "{asked:?}");
    let meta = desk.meta(session);
    assert!(meta.join("runs").is_dir());
    let state = desk.bench.state();
    let found = holding(&state, KEY.as_bytes());
    assert_eq!(found, Vec::<String>::new());
    assert!(!desk.bench.host().errors().contains(KEY));
    for container in desk.bench.containers() {
        let told = desk.bench.inspect(&text(&container["Labels"]["windlass.id"])).to_string();
        assert!(!told.contains(KEY), "{told}");
    }
}

/// The files below a folder that hold these bytes.
fn holding(folder: &std::path::Path, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            found.extend(holding(&path, bytes));
        } else if kind.is_file()
            && fs::read(&path).is_ok_and(|read| read.windows(bytes.len()).any(|it| it == bytes))
        {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn a_model_that_fails_fails_the_run_and_one_that_recovers_does_not() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let failed = desk.ran(&session, "FAIL:400");
    assert_eq!((&failed["state"], &failed["error_code"]), (&json!("failed"), &json!("RUN_FAILED")));
    assert!(text(&failed["error"]).contains("scripted failure"), "{failed}");
    assert!(text(&failed["result_summary"]).starts_with("failed in "), "{failed}");
    let context = desk.artifact(&session, &text(&failed["id"]), "context.json");
    assert!(context.contains("scripted failure"), "{context}");

    let recovered = desk.ran(&session, "FAILTIMES:1:503");
    assert_eq!(recovered["state"], "completed", "{recovered}");
    assert!(text(&recovered["result_summary"]).contains("the model failed 1 time"), "{recovered}");
    assert!(desk.logs(&text(&recovered["id"])).contains("fails for the 1st time"));
}

#[test]
fn a_result_fits_its_schema_or_fails_the_run() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let schema = json!({"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"]});
    let run = |desk: &mut Desk, given: &str| {
        let task = format!("What is it? STRUCTURED:{given}");
        let arguments = json!({"session_id": session, "task": task, "schema": schema});
        let run = text(&desk.call("submit_task", arguments)["run_id"]);
        desk.ended(&session, &run)
    };
    let good = run(&mut desk, r#"{"answer": 42}"#);
    assert_eq!(
        (&good["state"], &good["structured_output"]),
        (&json!("completed"), &json!("{\"answer\":42}")),
        "{good}"
    );
    let bad = run(&mut desk, r#"{"answer": "many"}"#);
    assert_eq!(bad["state"], "failed", "{bad}");
    assert!(text(&bad["error"]).contains("`/answer` is no integer"), "{bad}");
    // opencode cannot list its messages after such a task; the next one is followed all the same.
    let next = desk.ran(&session, "ECHO me");
    assert_eq!(next["state"], "completed", "{next}");

    let unknown =
        json!({"type": "object", "properties": {"a": {"type": "string", "pattern": "^x"}}});
    let told =
        desk.fails("submit_task", json!({"session_id": session, "task": "x", "schema": unknown}));
    assert!(told.starts_with("VALIDATION_ERROR: ") && told.contains("pattern"), "{told}");
}

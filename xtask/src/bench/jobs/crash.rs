//! Twenty jobs, and a host that is killed in the middle of them: none is lost, and none is done twice.

use std::{
    fs,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{
    super::desk::Desk,
    runs::{Session, submit, until_over},
    workers::Foreman,
};
use crate::{api::Api, serve::Server};

const JOBS: usize = 20;
/// In so many sessions: runs of one follow each other.
const SESSIONS: usize = 5;
/// Where runs of opencode leave what shows that they did their work.
const MARKS: &str = "marks";
/// How often the host is killed while the fixture's jobs run.
const KILLS: usize = 3;

const PATIENCE: Duration = Duration::from_secs(180);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Jobs of the fixture that all run when it is killed: how many are lost, and how many did twice what they do last.
pub(super) fn workers(server: &Server) -> Result<[f64; 2]> {
    let mut foreman = Foreman::start(server)?;
    let names: Vec<_> = (0..JOBS).map(|number| format!("job {number}")).collect();
    let mut ids = Vec::new();
    for name in &names {
        ids.push(foreman.submit(&json!([{"pass": "crash"}, {"mark": name}]))?);
    }
    for _ in 0..KILLS {
        foreman.until(JOBS, "State::Running")?;
        drop(foreman);
        foreman = Foreman::start(server)?;
    }
    foreman.until(JOBS, "State::Running")?;
    foreman.call("work_open", &json!({"gate": "crash"}))?;
    let mut lost = 0;
    for id in &ids {
        let told = foreman.call("work_wait", &json!({"id": id, "ms": 30_000}))?;
        let told: Value = serde_json::from_str(&told)?;
        lost += usize::from(told["state"] != "State::Completed");
    }
    let marks: Value = serde_json::from_str(&foreman.call("work_marks", &json!({}))?)?;
    let marks = marks["marks"].as_array().into_iter().flatten();
    let marks: Vec<_> = marks.filter_map(Value::as_str).collect();
    let times = |name: &String| marks.iter().filter(|mark| *mark == name).count();
    let twice = names.iter().filter(|name| times(name) > 1).count();
    Ok([lost as f64, twice as f64])
}

/// Runs of opencode, some of which are at work when it is killed: how many are lost, and how many did their work twice.
pub(super) fn runs(server: &Server, engine: &Api) -> Result<[f64; 2]> {
    let mut desk = Desk::open(server, engine)?;
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        sessions.push(Session::open(&mut desk)?.id);
    }
    let mut given = Vec::new();
    for (number, session) in (0..JOBS).zip(sessions.iter().cycle()) {
        given.push((session, submit(&mut desk, session, &task(number))?));
    }
    for (session, run) in given.iter().take(SESSIONS) {
        until_at_work(&mut desk, session, run)?;
    }
    drop(desk);
    let mut desk = Desk::open(server, engine)?;
    let mut lost = 0;
    for (session, run) in &given {
        let told = until_over(&mut desk, session, run)?;
        lost += usize::from(told["state"] != "completed");
    }
    let mut marks = String::new();
    for session in &sessions {
        marks += &fs::read_to_string(server.state()?.join("workspaces").join(session).join(MARKS))?;
        desk.call("terminate_session", &json!({"session_id": session, "remove_workspace": true}))?;
    }
    let times = |number: usize| marks.lines().filter(|mark| *mark == number.to_string()).count();
    let twice = (0..JOBS).filter(|number| times(*number) > 1).count();
    Ok([lost as f64, twice as f64])
}

/// A command that takes a while, so that there is a middle, and leaves a mark.
fn task(number: usize) -> String {
    let command = json!({"command": format!("sleep 2; echo {number} >> /workspace/{MARKS}")});
    format!("Task number {number}. TOOL:bash:{command}")
}

/// Waits until a run has come to its command.
fn until_at_work(desk: &mut Desk, session: &str, run: &str) -> Result<()> {
    let arguments = json!({"session_id": session, "run_id": run});
    let begin = Instant::now();
    loop {
        let told = desk.call("get_status", &arguments)?;
        let told = &told["run"];
        let words = told["message"].as_str().unwrap_or_default();
        if words.starts_with("bash") || told["state"] == "completed" {
            return Ok(());
        }
        ensure!(begin.elapsed() < PATIENCE, "a run does not begin: {told}");
        sleep(LOOK_EVERY);
    }
}

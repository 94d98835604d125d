//! Ten sessions with a task each, a host that is killed in the middle, and what is left when all are torn down.

use std::{
    collections::BTreeSet,
    fs, iter,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{
    super::desk::{Desk, Stock, folders_in, instance, labelled, parameters, text},
    work::{self, Origins},
};
use crate::{api::Api, serve::Server};

pub(super) const SESSIONS: usize = 10;

/// Two processors do it in less.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The words of the stub: it waits until somebody makes a file, and writes another one.
const TASK: &str = "AWAIT go\nWRITE made.txt it works\nSAY done";

/// Tasks that finished, and the seconds from the first session to the last end; then what is left of all that the server ever
/// made after its teardown: containers, workspaces, networks, volumes.
pub(super) fn at_once(server: &Server, engine: &Api, origins: &Origins) -> Result<[f64; 6]> {
    let (begin, stock) = (Instant::now(), Stock::of(engine)?);
    let mut desk = Desk::open(server, engine)?;
    let sessions = started(&mut desk, origins)?;
    let tasks = sessions.iter().map(|it| json!({"session_id": it, "task_description": TASK}));
    each(&mut desk, "code", tasks)?;
    // All run and wait. They go on while no host is there.
    for session in &sessions {
        fs::write(work::folder(&desk, session)?.join("go"), "")?;
    }
    drop(desk);
    let mut desk = Desk::open(server, engine)?;
    let mut finished = 0;
    for session in &sessions {
        finished += usize::from(outcome(&mut desk, session)? == "completed");
    }
    let took = begin.elapsed().as_secs_f64();
    // In the middle of it the host is killed again, and whoever asked asks again.
    let torn = sessions.iter().map(|session| json!({"session_id": session}));
    for session in torn.clone() {
        desk.line.begin("tools/call", &parameters("teardown", &session))?;
    }
    desk.next()?;
    drop(desk);
    let mut desk = Desk::open(server, engine)?;
    let answers = each(&mut desk, "teardown", torn)?;
    let left = left(server, engine, &stock, &answers)?.map(|count| count as f64);
    let [containers, workspaces, networks, volumes] = left;
    Ok([finished as f64, took, containers, workspaces, networks, volumes])
}

/// Calls a tool with each of these arguments at once; gives all answers.
fn each(
    desk: &mut Desk,
    tool: &str,
    all: impl Iterator<Item = Value> + Clone,
) -> Result<Vec<Value>> {
    for arguments in all.clone() {
        desk.line.begin("tools/call", &parameters(tool, &arguments))?;
    }
    all.map(|_| Ok(desk.next()?.1)).collect()
}

fn started(desk: &mut Desk, origins: &Origins) -> Result<Vec<String>> {
    let start = json!({"repo_url": origins.path("many")});
    let answers = each(desk, "start_session", iter::repeat_n(start, SESSIONS))?;
    answers.iter().map(|answer| text(&answer["session_id"])).collect()
}

/// What a session's only task came to.
fn outcome(desk: &mut Desk, session: &str) -> Result<String> {
    let begin = Instant::now();
    loop {
        let told = desk.call("get_coding_task_status", &json!({"session_id": session}))?;
        let outcome = text(&told["tasks"][0]["outcome"])?;
        if outcome != "running" {
            return Ok(outcome);
        }
        ensure!(begin.elapsed() < PATIENCE, "a task does not end: {told}");
        sleep(LOOK_EVERY);
    }
}

/// What is there besides the archives that these answers name: containers and their folders, workspaces and what was half made of
/// them, and the networks and volumes that have come since.
fn left(server: &Server, engine: &Api, stock: &Stock, answers: &[Value]) -> Result<[usize; 4]> {
    let label = format!("windlass.instance={}", instance(server)?);
    let archives: BTreeSet<_> = answers.iter().filter_map(archive).collect();
    let state = server.state()?;
    let folders = fs::read_dir(state.join("workspaces"))?;
    let names = folders.map(|folder| Ok(folder?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<_>>>()?;
    // What begins with a dot is the host's own.
    names.retain(|name| !name.starts_with('.') && !archives.contains(name.as_str()));
    let half_made = still_half_made(&state.join("workspaces/.staging"));
    let containers = labelled(engine, &label)?.len() + folders_in(&state.join("containers"));
    let [volumes, networks] = stock.added(engine)?;
    Ok([containers, names.len() + half_made, networks, volumes])
}

/// How much of what the killed host left half made or half deleted is there when the next one has had time to delete it.
fn still_half_made(folder: &Path) -> usize {
    let begin = Instant::now();
    loop {
        let count = folders_in(folder);
        if count == 0 || begin.elapsed() > PATIENCE {
            return count;
        }
        sleep(LOOK_EVERY);
    }
}

/// The workspace of an archive, such as in `workspace://w_1/name.tar.gz`.
fn archive(answer: &Value) -> Option<&str> {
    let path = answer["archive_path"].as_str()?.strip_prefix("workspace://")?;
    path.split('/').next()
}

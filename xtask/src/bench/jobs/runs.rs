//! Runs of opencode through MCP, in a session whose server is there, in turns with the same of opencode alone.

use std::{
    collections::BTreeSet,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{
    super::{
        desk::{Desk, labelled, parameters, result, text},
        figures::{middles, quantile},
    },
    direct::Direct,
};
use crate::api::encoded;

/// How many pairs of runs, after some that nobody measures: opencode gets quicker at first.
const PAIRS: usize = 20;
const WARM_UP: usize = 3;
const SUBMITS: usize = 20;
/// What a server still does after one run is no cost of the next one, on the other side.
const REST: Duration = Duration::from_millis(500);

/// What is asked of the model, which repeats it.
const TASK: &str = "Say that you are there.";
/// It uses a tool, which changes a file.
const EDIT: &str = r#"TOOL:write:{"filePath": "/workspace/made.txt", "content": "it works"}"#;
/// Others can be submitted meanwhile.
const LONG_TASK: &str = "SLEEP:2 and say that you are there.";

/// What [`beside`] measures.
pub(super) const NAMES: [&str; 4] = [
    "run: first step seen, p50",
    "run: end seen, p50",
    "run that writes a file: first step seen, p50",
    "run that writes a file: end seen, p50",
];

pub(super) struct Session<'a, 'b> {
    desk: &'a mut Desk<'b>,
    pub(super) id: String,
}

impl<'a, 'b> Session<'a, 'b> {
    pub(super) fn open(desk: &'a mut Desk<'b>) -> Result<Self> {
        let made = desk.call("create_or_reuse_session", &json!({}))?;
        Ok(Self { id: text(&made["session_id"])?, desk })
    }

    pub(super) fn close(self) -> Result<()> {
        let gone = json!({"session_id": self.id, "remove_workspace": true});
        self.desk.call("terminate_session", &gone).map(drop)
    }

    /// Its first two runs, in milliseconds, and how many servers they had.
    pub(super) fn begin(&mut self) -> Result<[f64; 3]> {
        let [_, first] = self.run(TASK)?;
        let mut servers = self.servers()?;
        let [_, second] = self.run(TASK)?;
        servers.extend(self.servers()?);
        Ok([first, second, servers.len() as f64])
    }

    /// The processes of servers in its container.
    fn servers(&self) -> Result<BTreeSet<String>> {
        let found = labelled(self.desk.engine, &format!("windlass.alias=opencode-{}", self.id))?;
        let container = text(&found.first().context("the engine has no such container")?["Id"])?;
        let columns = encoded("-eo pid,args");
        let top =
            self.desk.engine.get(&format!("/containers/{container}/top?ps_args={columns}"))?;
        let rows = top["Processes"].as_array().into_iter().flatten();
        let servers = rows.filter(|row| row.to_string().contains("opencode serve"));
        servers.map(|row| text(&row[0])).collect()
    }

    /// One run: the milliseconds until its client is told of the first step of the model, and of the end.
    pub(super) fn run(&mut self, task: &str) -> Result<[f64; 2]> {
        let start = Instant::now();
        let run = submit(self.desk, &self.id, task)?;
        let mut first = None;
        loop {
            let wait = json!({"job_id": run, "seconds": 40});
            let mut parameters: Value = serde_json::from_str(&parameters("job_wait", &wait))?;
            parameters["_meta"] = json!({"progressToken": 1});
            let hear = |note: &str| {
                if note.contains("\"message\":\"step ") || note.contains("\"message\":\"says: ") {
                    first.get_or_insert_with(|| start.elapsed());
                }
            };
            let parameters = parameters.to_string();
            let answer = self.desk.line.answer_after("tools/call", &parameters, hear)?;
            let end = start.elapsed();
            let told = result(answer)?;
            if ["queued", "running"].iter().any(|state| told["state"] == *state) {
                continue;
            }
            ensure!(told["state"] == "completed", "a run does not complete: {told}");
            let first = first.context("no step was told")?;
            return Ok([first, end].map(|took| took.as_secs_f64() * 1e3));
        }
    }

    /// How long it takes to submit a task to a session that does nothing, and to one that is at work. p50 in milliseconds.
    pub(super) fn submitted(&mut self) -> Result<[f64; 2]> {
        let mut idle = Vec::new();
        for _ in 0..SUBMITS {
            let start = Instant::now();
            let run = submit(self.desk, &self.id, TASK)?;
            idle.push(start.elapsed().as_secs_f64() * 1e3);
            until_over(self.desk, &self.id, &run)?;
        }
        let mut last = submit(self.desk, &self.id, LONG_TASK)?;
        let mut busy = Vec::new();
        for _ in 0..SUBMITS {
            let start = Instant::now();
            last = submit(self.desk, &self.id, TASK)?;
            busy.push(start.elapsed().as_secs_f64() * 1e3);
        }
        until_over(self.desk, &self.id, &last)?;
        Ok([idle, busy].map(|took| quantile(0.5, took)))
    }
}

/// Gives a session a task; gives the run's id.
pub(super) fn submit(desk: &mut Desk, session: &str, task: &str) -> Result<String> {
    let arguments = json!({"session_id": session, "task": task});
    text(&desk.call("submit_task", &arguments)?["run_id"])
}

/// What a run came to.
pub(super) fn until_over(desk: &mut Desk, session: &str, run: &str) -> Result<Value> {
    loop {
        let told = desk.call("job_wait", &json!({"job_id": run, "seconds": 40}))?;
        if !["queued", "running"].iter().any(|state| told["state"] == *state) {
            let arguments = json!({"session_id": session, "run_id": run});
            return Ok(desk.call("get_status", &arguments)?["run"].take());
        }
    }
}

/// The same runs through MCP and of opencode alone, in turns: the medians that [`NAMES`] names, each of both.
pub(super) fn beside(session: &mut Session, direct: &mut Direct) -> [[f64; 2]; 4] {
    let [says, writes] = [TASK, EDIT].map(|task| pairs(session, direct, task));
    let [first, end] = says;
    let [first_of_writing, end_of_writing] = writes;
    [first, end, first_of_writing, end_of_writing]
}

fn pairs(session: &mut Session, direct: &mut Direct, task: &str) -> [[f64; 2]; 2] {
    let mut pair = |_| {
        sleep(REST);
        let [first, end] = session.run(task)?;
        sleep(REST);
        let [bare_first, bare_end] = direct.run(task)?;
        Ok([first, bare_first, end, bare_end])
    };
    let pairs = (0..WARM_UP + PAIRS).map(&mut pair).collect::<Result<Vec<_>>>();
    let measured = pairs.map(|mut pairs| pairs.split_off(WARM_UP.min(pairs.len())));
    let [first, bare_first, end, bare_end] = middles(measured);
    [[first, bare_first], [end, bare_end]]
}

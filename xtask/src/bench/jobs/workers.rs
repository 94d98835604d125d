//! Jobs that do as they are told: a thousand that have ended, and a hundred that sleep.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::super::{
    desk::{parameters, text},
    figures::quantile,
    line::{Line, is_error},
    process,
};
use crate::serve::Server;

const MANY: usize = 1_000;
const LISTS: usize = 50;

const ASLEEP: usize = 100;
/// Longer than anybody looks at them.
const LONG_MS: u32 = 3_600_000;
/// For how long it is seen what a host computes: its own noise is a few milliseconds.
const WATCHED: Duration = Duration::from_secs(5);
/// Each takes twice as long as that.
pub(super) const MOST_RUNS: usize = 5;

const PATIENCE: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A host with the fixture, and a client of it.
pub(super) struct Foreman {
    line: Line,
}

impl Foreman {
    pub(super) fn start(server: &Server) -> Result<Self> {
        Ok(Self { line: Line::start(server)? })
    }

    /// Calls a tool of the fixture; gives what it says.
    pub(super) fn call(&mut self, tool: &str, arguments: &Value) -> Result<String> {
        let answer = self.line.answer("tools/call", &parameters(tool, arguments))?;
        let answer: Value = serde_json::from_str(answer)?;
        text(&answer["result"]["content"][0]["text"])
    }

    /// Submits a job of these steps; gives its id.
    pub(super) fn submit(&mut self, steps: &Value) -> Result<String> {
        self.call("work_submit", &json!({"plan": {"steps": steps}}))
    }

    /// The jobs there are, the latest first.
    pub(super) fn jobs(&mut self) -> Result<Vec<Value>> {
        let mut listed: Value = serde_json::from_str(&self.call("work_list", &json!({}))?)?;
        match listed["jobs"].take() {
            Value::Array(jobs) => Ok(jobs),
            other => anyhow::bail!("no list of jobs: {other}"),
        }
    }

    /// Waits until so many jobs are in a state.
    pub(super) fn until(&mut self, count: usize, state: &str) -> Result<()> {
        let begin = Instant::now();
        loop {
            let jobs = self.jobs()?;
            let there = jobs.iter().filter(|job| job["state"] == state).count();
            if there >= count {
                return Ok(());
            }
            ensure!(begin.elapsed() < PATIENCE, "{there} of {count} jobs are `{state}`");
            sleep(LOOK_EVERY);
        }
    }

    /// The median of some calls, in milliseconds. An answer of a megabyte is looked at when its time is taken.
    fn p50(&mut self, tool: &str, arguments: &Value) -> Result<f64> {
        let parameters = parameters(tool, arguments);
        let one = |_| {
            let start = Instant::now();
            self.line.begin("tools/call", &parameters)?;
            let answer = self.line.split().1.next()?;
            let took = start.elapsed();
            ensure!(!is_error(answer), "`{tool}` failed: {answer}");
            Ok(took.as_secs_f64() * 1e3)
        };
        Ok(quantile(0.5, (0..LISTS).map(one).collect::<Result<_>>()?))
    }
}

/// A thousand jobs one after the other, and lists of them when they have ended: how long it takes to submit one, to list all
/// with the host's own tool, and with their plugin's. p50 in milliseconds.
pub(super) fn listed(server: &Server) -> Result<[f64; 3]> {
    let mut foreman = Foreman::start(server)?;
    let mut took = Vec::new();
    for _ in 0..MANY {
        let start = Instant::now();
        foreman.submit(&json!([{"report": 1.0}]))?;
        took.push(start.elapsed().as_secs_f64() * 1e3);
    }
    foreman.until(MANY, "State::Completed")?;
    let all = json!({"limit": MANY});
    let whole = foreman.line.answer("tools/call", &parameters("job_list", &all))?;
    let whole: Value = serde_json::from_str(whole)?;
    let jobs = whole["result"]["structuredContent"]["jobs"].as_array().context("no jobs")?;
    ensure!(jobs.len() == MANY, "{} jobs are listed", jobs.len());
    let [host, plugin] = [foreman.p50("job_list", &all)?, foreman.p50("work_list", &all)?];
    Ok([quantile(0.5, took), host, plugin])
}

/// What a job costs that sleeps: memory of each in MB, and milliseconds of computing in each second for all of them.
pub(super) fn asleep(server: &Server) -> Result<[f64; 2]> {
    let mut foreman = Foreman::start(server)?;
    let process = foreman.line.process();
    // What the first job of all needs is no cost of those that sleep, nor is a list of them.
    let first = foreman.submit(&json!([]))?;
    foreman.call("work_wait", &json!({"id": first, "ms": 10_000}))?;
    foreman.jobs()?;
    let computed_before = computed(process)?;
    let before = process::resident(process)?;
    let ids = (0..ASLEEP).map(|_| foreman.submit(&json!([{"sleep": LONG_MS}])));
    let ids = ids.collect::<Result<Vec<_>>>()?;
    foreman.until(ASLEEP, "State::Running")?;
    let memory = (process::resident(process)? - before) / ASLEEP as f64;
    let work = computed(process)? - computed_before;
    for id in ids {
        foreman.call("work_cancel", &json!({"id": id}))?;
    }
    Ok([memory, work])
}

/// How many milliseconds a process that nobody asks anything computes in a second.
fn computed(process: u32) -> Result<f64> {
    let before = process::computed(process)?;
    sleep(WATCHED);
    let computed = process::computed(process)?.saturating_sub(before);
    Ok(computed.as_secs_f64() * 1e3 / WATCHED.as_secs_f64())
}

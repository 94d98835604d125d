//! Processes and what they print.

use std::{
    collections::HashMap,
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, ensure};
use serde_json::json;

use super::{
    super::{figures::quantile, process},
    bare::Bare,
    desk::{Desk, parameters, text},
};

const EXECS: usize = 300;
const BARE_EXECS: usize = 20;

const CONTAINERS: usize = 4;
const AT_A_TIME: usize = 16;
const MANY: usize = 2_000;
const BARE_MANY: usize = 64;

const ROUNDS: usize = 50;
/// A poll that was sent so long ago waits.
const WAITS: Duration = Duration::from_millis(20);

const FLOOD: [&str; 4] = ["dd", "if=/dev/zero", "bs=65536", "count=16384"];
const BARE_FLOOD: [&str; 4] = ["dd", "if=/dev/zero", "bs=65536", "count=2048"];
const FLOOD_BYTES: f64 = 65536.0 * 16384.0;
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// One after the other: p50 in milliseconds.
pub(super) fn one(desk: &mut Desk) -> Result<f64> {
    let container = desk.spawn()?;
    let mut times = Vec::new();
    for _ in 0..EXECS {
        let start = Instant::now();
        let exec = desk.begin(&container, &["true"])?;
        desk.end(&exec)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    desk.kill(&container)?;
    Ok(quantile(0.5, times))
}

pub(super) fn bare(desk: &mut Desk) -> Result<f64> {
    let container = Bare::start(desk.engine)?;
    let mut times = Vec::new();
    for _ in 0..BARE_EXECS {
        let start = Instant::now();
        container.exec(&["true"])?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(quantile(0.5, times))
}

/// Always so many at a time: how many end in a second.
pub(super) fn many(desk: &mut Desk) -> Result<f64> {
    let containers = (0..CONTAINERS).map(|_| desk.spawn()).collect::<Result<Vec<_>>>()?;
    let start = Instant::now();
    // Calls that are not answered: whether they start a process.
    let mut calls = HashMap::new();
    let (mut begun, mut ended) = (0, 0);
    while ended < MANY {
        while begun < MANY && begun - ended < AT_A_TIME {
            let container = containers.get(begun % CONTAINERS).map(String::as_str);
            let arguments = json!({"container_id": container, "cmd": ["true"]});
            calls.insert(
                desk.line.begin("tools/call", &parameters("exec_start", &arguments))?,
                true,
            );
            begun += 1;
        }
        let (id, answer) = desk.next()?;
        if calls.remove(&id) == Some(true) {
            let arguments = json!({"exec_id": text(&answer["exec_id"])?, "wait_s": 30});
            calls.insert(
                desk.line.begin("tools/call", &parameters("exec_poll", &arguments))?,
                false,
            );
        } else {
            ensure!(answer["complete"] == true, "`true` does not end: {answer}");
            ended += 1;
        }
    }
    let rate = MANY as f64 / start.elapsed().as_secs_f64();
    containers.iter().try_for_each(|container| desk.kill(container))?;
    Ok(rate)
}

pub(super) fn bare_many(desk: &mut Desk) -> Result<f64> {
    let containers =
        (0..CONTAINERS).map(|_| Bare::start(desk.engine)).collect::<Result<Vec<_>>>()?;
    let start = Instant::now();
    thread::scope(|scope| {
        let threads: Vec<_> = containers
            .iter()
            .cycle()
            .take(AT_A_TIME)
            .map(|container| {
                scope.spawn(|| {
                    (0..BARE_MANY / AT_A_TIME).try_for_each(|_| container.exec(&["true"]).map(drop))
                })
            })
            .collect();
        threads.into_iter().try_for_each(|it| it.join().map_err(|_| anyhow!("a client died"))?)
    })?;
    Ok(BARE_MANY as f64 / start.elapsed().as_secs_f64())
}

/// From the moment at which a program may print to the answer of the poll that waits for it: p50 in milliseconds.
pub(super) fn first_byte(desk: &mut Desk) -> Result<f64> {
    let container = desk.spawn()?;
    let workspace = desk.workspace(&container)?;
    // It looks all the time, so that what it takes to see the file does not count.
    let script = format!(
        "i=0; while [ $i -lt {ROUNDS} ]; do while [ ! -e go$i ]; do :; done; echo $i; i=$((i+1)); done"
    );
    let exec = desk.begin(&container, &["sh", "-c", &script])?;
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let arguments = json!({"exec_id": exec, "after_seq": round, "wait_s": 30});
        desk.line.begin("tools/call", &parameters("exec_poll", &arguments))?;
        thread::sleep(WAITS);
        let start = Instant::now();
        fs::write(workspace.join(format!("go{round}")), "")?;
        let (_, page) = desk.next()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        ensure!(page["messages"][0]["data"] == format!("{round}\n"), "another output: {page}");
    }
    desk.end(&exec)?;
    desk.kill(&container)?;
    Ok(quantile(0.5, times))
}

/// A program that prints as fast as it can: MB a second, and the most memory of the host in MB.
pub(super) fn flood(desk: &mut Desk) -> Result<[f64; 2]> {
    let container = desk.spawn()?;
    let start = Instant::now();
    desk.begin(&container, &FLOOD)?;
    // Nobody reads meanwhile: what is measured is the way into the ring.
    while desk.call("list_execs", &json!({}))?["execs"] != json!([]) {
        thread::sleep(LOOK_EVERY);
    }
    let rate = FLOOD_BYTES / 1e6 / start.elapsed().as_secs_f64();
    let memory = process::peak(desk.line.process())?;
    desk.kill(&container)?;
    Ok([rate, memory])
}

pub(super) fn bare_flood(desk: &mut Desk) -> Result<f64> {
    let container = Bare::start(desk.engine)?;
    let start = Instant::now();
    let printed = container.exec(&BARE_FLOOD)?;
    Ok(printed as f64 / 1e6 / start.elapsed().as_secs_f64())
}

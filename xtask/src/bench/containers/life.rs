//! How long a container takes to come.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{
    super::figures::quantile,
    bare::Bare,
    desk::{Desk, instance, labelled},
};

const CLAIMS: usize = 5;

/// How long a pool may take to fill, and how often it is looked at.
const FILL_LIMIT: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a warm container does after its start, such as being found healthy, is not measured.
const SETTLE: Duration = Duration::from_secs(1);

/// One container of ours and one of the engine's, in milliseconds.
pub(super) fn spawn(desk: &mut Desk) -> Result<[f64; 2]> {
    let start = Instant::now();
    let bare = Bare::start(desk.engine)?;
    let took_bare = start.elapsed();
    drop(bare);
    let start = Instant::now();
    let container = desk.spawn()?;
    let took = start.elapsed();
    desk.kill(&container)?;
    Ok([took, took_bare].map(|took| took.as_secs_f64() * 1e3))
}

/// The claim of a container that waits, in milliseconds.
pub(super) fn warm(desk: &mut Desk) -> Result<f64> {
    // With the answer the host has named itself.
    desk.call("list_containers", &json!({}))?;
    let label = format!("windlass.instance={}", instance(desk.server)?);
    let mut times = Vec::new();
    for claimed in 0..CLAIMS {
        let start = Instant::now();
        let running = |it: &&Value| it["State"] == "running";
        while labelled(desk.engine, &label)?.iter().filter(running).count() <= claimed {
            ensure!(start.elapsed() < FILL_LIMIT, "no container waits");
            sleep(LOOK_EVERY);
        }
        sleep(SETTLE);
        let start = Instant::now();
        desk.spawn()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(quantile(0.5, times))
}

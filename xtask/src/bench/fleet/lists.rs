//! Lists of all agents, and what they add up to.

use std::{collections::BTreeSet, time::Instant};

use anyhow::{Result, ensure};
use serde_json::json;

use super::{
    super::{figures::quantile, process},
    FEW, MANY,
    clerk::Clerk,
    coder::Coder,
};
use crate::serve::Server;

const TASKS: &str = "/api/v2/tasks";
const METRICS: &str = "get_fleet_status_metrics";

const WARM_UP: usize = 20;
const LISTS: usize = 200;
/// Each takes long enough to be measured well.
const LARGE_LISTS: usize = 5;

/// By turns the host and Coder itself: their p50 in milliseconds, and how many connections the host opened.
pub(super) fn beside(server: &Server, coder: &Coder) -> Result<[f64; 3]> {
    let mut clerk = Clerk::start(server, coder)?;
    check(&mut clerk, FEW)?;
    for _ in 0..WARM_UP {
        clerk.list()?;
        clerk.ask(TASKS)?;
    }
    let opened = coder.connections();
    let (mut lists, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..LISTS {
        lists.push(took(|| clerk.list())?);
        bare.push(took(|| clerk.ask(TASKS))?);
    }
    let opened = coder.connections() - opened;
    Ok([quantile(0.5, lists), quantile(0.5, bare), opened as f64])
}

/// All pages of the list, the metrics, and Coder's own list: p50 in milliseconds.
pub(super) fn of_many(server: &Server, coder: &Coder) -> Result<[f64; 3]> {
    let mut clerk = Clerk::start(server, coder)?;
    check(&mut clerk, MANY)?;
    let total = clerk.call(METRICS, &json!({}))?["total_agents"].clone();
    ensure!(total == MANY, "{total} of {MANY} agents were counted");
    let mut took_each = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..LARGE_LISTS {
        let [lists, metrics, bare] = &mut took_each;
        lists.push(took(|| clerk.list())?);
        metrics.push(took(|| clerk.measure(METRICS, &json!({})))?);
        bare.push(took(|| clerk.ask(TASKS))?);
    }
    Ok(took_each.map(|took| quantile(0.5, took)))
}

/// What the host holds after many lists more than after the first, and the most that it ever held, in MB.
pub(super) fn over_and_over(server: &Server, coder: &Coder) -> Result<[f64; 2]> {
    let mut clerk = Clerk::start(server, coder)?;
    check(&mut clerk, MANY)?;
    let before = process::resident(clerk.process())?;
    for _ in 0..LISTS {
        clerk.list()?;
    }
    Ok([process::resident(clerk.process())? - before, process::peak(clerk.process())?])
}

/// A list that is fast because it is short would be none.
fn check(clerk: &mut Clerk, expected: usize) -> Result<()> {
    let agents = clerk.agents()?;
    let ids: BTreeSet<_> = agents.iter().filter_map(|agent| agent["id"].as_str()).collect();
    ensure!(ids.len() == expected, "{} of {expected} agents are listed", ids.len());
    Ok(())
}

/// In milliseconds.
pub(super) fn took(act: impl FnOnce() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    act()?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

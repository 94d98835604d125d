//! What is measured of one server, one function a figure.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    line::{Line, is_error, message},
    process,
    web::Web,
};
use crate::serve::Server;

pub(super) const ECHO: &str = r#"{"name":"echo","arguments":{"message":"hello"}}"#;
const SPIN: &str = r#"{"name":"spin","arguments":{}}"#;
const FINE: &str = r#"{"name":"fine","arguments":{}}"#;

const WARM_UP: usize = 200;
const CALLS: usize = 10_000;
const WEB_CALLS: usize = 2_000;
const SCRAPES: usize = 500;
const IN_FLIGHT: usize = 32;
const SPINNING: usize = 4;

/// How long guests spin before anything is measured beside them.
const SPIN_UP: Duration = Duration::from_millis(300);

/// How often the computing time of a cancelled guest is looked at.
const SAMPLE: Duration = Duration::from_millis(5);

/// A process that computed less than this in a sample is idle but for its ticks.
const IDLE: Duration = Duration::from_millis(1);

/// A guest is stopped when its process was idle for so long.
const STOPPED: Duration = Duration::from_millis(200);

/// A guest that computes for so long after its cancellation will not stop.
const NEVER: Duration = Duration::from_secs(3);

/// The median of one figure.
pub(super) fn each(runs: usize, mut figure: impl FnMut() -> Result<f64>) -> f64 {
    let [median] = several(runs, || Ok([figure()?]));
    median
}

/// The medians of figures that are measured together. What cannot be measured is not a number, and a miss.
pub(super) fn several<const N: usize>(
    runs: usize,
    mut figures: impl FnMut() -> Result<[f64; N]>,
) -> [f64; N] {
    middles((0..runs).map(|_| figures()).collect())
}

/// The median of each figure of these runs; no number if one of them failed.
pub(super) fn middles<const N: usize>(runs: Result<Vec<[f64; N]>>) -> [f64; N] {
    let runs = runs.inspect_err(|error| eprintln!("{error:#}")).unwrap_or_default();
    std::array::from_fn(|index| {
        quantile(0.5, runs.iter().filter_map(|run| run.get(index).copied()).collect())
    })
}

pub(super) fn quantile(part: f64, mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (part * values.len().saturating_sub(1) as f64).round() as usize;
    values.get(index).copied().unwrap_or(f64::NAN)
}

/// From the start of the process to the answer of `initialize`, in milliseconds.
pub(super) fn start(server: &Server) -> Result<f64> {
    let start = Instant::now();
    let _line = Line::start(server)?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

/// One call after the other: p50 and p99 in microseconds, and memory after all in MB.
pub(super) fn calls(server: &Server) -> Result<[f64; 3]> {
    let mut line = Line::start(server)?;
    times(WARM_UP, || line.request("tools/call", ECHO))?;
    let took = times(CALLS, || line.request("tools/call", ECHO))?;
    let resident = process::resident(line.process())?;
    Ok([quantile(0.5, took.clone()) * 1e6, quantile(0.99, took) * 1e6, resident])
}

/// How long each of some actions took, in seconds.
fn times(count: usize, mut act: impl FnMut() -> Result<()>) -> Result<Vec<f64>> {
    let one = |_| {
        let start = Instant::now();
        act()?;
        Ok(start.elapsed().as_secs_f64())
    };
    (0..count).map(one).collect()
}

/// Calls a second while so many are always waited for.
pub(super) fn pipelined(server: &Server) -> Result<f64> {
    let mut line = Line::start(server)?;
    times(WARM_UP, || line.request("tools/call", ECHO))?;
    let start = Instant::now();
    let (mut sent, mut answered, mut room) = (0, 0, IN_FLIGHT);
    while answered < CALLS {
        let next = sent + room.min(CALLS - sent);
        let batch: String =
            (sent..next).map(|id| message(WARM_UP * 2 + id, "tools/call", ECHO)).collect();
        line.send(&batch)?;
        (sent, room) = (next, 0);
        while room == 0 || line.split().1.is_waiting() {
            let answer = line.split().1.next()?;
            anyhow::ensure!(!is_error(answer), "a call failed: {answer}");
            answered += 1;
            room += 1;
        }
    }
    Ok(CALLS as f64 / start.elapsed().as_secs_f64())
}

/// One call after the other over HTTP: p50 in microseconds.
pub(super) fn web(server: &Server) -> Result<f64> {
    let listening = server.listen()?;
    let mut web = Web::connect(listening.authority())?;
    let mut call = || {
        let answer = web.call("echo", r#"{"message":"hello"}"#)?;
        anyhow::ensure!(!is_error(answer), "a call failed: {answer}");
        Ok(())
    };
    times(WARM_UP, &mut call)?;
    Ok(quantile(0.5, times(WEB_CALLS, &mut call)?) * 1e6)
}

/// One scrape of the figures after the other, of a host that is open to all: p99 in milliseconds.
pub(super) fn scrape(server: &Server) -> Result<f64> {
    let listening = server.listen()?;
    let mut web = Web::connect(listening.authority())?;
    web.call("echo", r#"{"message":"hello"}"#)?;
    let took = times(SCRAPES, || {
        let page = web.scrape()?;
        anyhow::ensure!(page.contains("windlass_calls_total"), "there are no figures: {page}");
        Ok(())
    });
    Ok(quantile(0.99, took?) * 1e3)
}

/// While guests spin: the p99 of `ping` and of another plugin's call, in milliseconds.
pub(super) fn beside_spinning(server: &Server) -> Result<[f64; 2]> {
    let mut line = Line::start(server)?;
    line.request("tools/call", FINE)?;
    for _ in 0..SPINNING {
        line.begin("tools/call", SPIN)?;
    }
    sleep(SPIN_UP);
    let (start, before) = (Instant::now(), process::computed(line.process())?);
    let ping = times(WARM_UP, || line.request("ping", "{}"))?;
    let call = times(WARM_UP, || line.request("tools/call", FINE))?;
    let spun = process::computed(line.process())?.saturating_sub(before);
    anyhow::ensure!(spun > start.elapsed() / 4, "the guests do not spin: {spun:?}");
    Ok([quantile(0.99, ping) * 1e3, quantile(0.99, call) * 1e3])
}

/// From the cancellation of a spinning call to the end of its computing, in milliseconds.
pub(super) fn cancel(server: &Server) -> Result<f64> {
    let mut line = Line::start(server)?;
    let id = line.begin("tools/call", SPIN)?;
    let before = process::computed(line.process())?;
    sleep(SPIN_UP);
    let spun = process::computed(line.process())?.saturating_sub(before);
    anyhow::ensure!(spun > SPIN_UP / 10, "the guest does not spin: {spun:?}");

    line.send(&format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{{\"requestId\":{id}}}}}\n"
    ))?;
    let start = Instant::now();
    let mut last_busy = Duration::ZERO;
    let mut computed = process::computed(line.process())?;
    while start.elapsed() < last_busy + STOPPED && start.elapsed() < NEVER {
        sleep(SAMPLE);
        let sum = process::computed(line.process())?;
        if sum.saturating_sub(computed) > IDLE {
            last_busy = start.elapsed();
        }
        computed = sum;
    }
    Ok(last_busy.as_secs_f64() * 1e3)
}

//! More calls at once than a host can serve: it must refuse them, and stay small and quick.

use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use anyhow::{Result, anyhow, bail};

use super::{
    figures::quantile,
    line::{Line, is_error, message},
    process,
    web::Web,
};
use crate::serve::{Listening, Server};

const CALLS: usize = 50_000;
const CONNECTIONS: usize = 500;

/// Calls that hold their place for a while.
const WAIT: &str = r#"{"name":"wait","arguments":{"milliseconds":2000}}"#;
const WAIT_ARGUMENTS: &str = r#"{"milliseconds":2000}"#;

/// What a host says to one call too many.
const BUSY: &str = "busy";

/// All calls at once on stdio: how many were answered, with a result or with "busy", and the peak of memory in MB.
pub(super) fn line(server: &Server) -> Result<[f64; 2]> {
    let mut line = Line::start(server)?;
    let first = 1_000;
    let calls: String = (0..CALLS).map(|id| message(first + id, "tools/call", WAIT)).collect();
    let mut answered = 0;
    thread::scope(|scope| {
        let (input, output) = line.split();
        let writer = scope.spawn(move || input.write_all(calls.as_bytes()));
        while answered < CALLS {
            judge(output.next()?)?;
            answered += 1;
        }
        writer.join().map_err(|_| anyhow!("the writer died"))??;
        anyhow::Ok(())
    })?;
    Ok([answered as f64, process::peak(line.process())?])
}

/// An answer must be a result or "busy".
fn judge(answer: &str) -> Result<()> {
    if is_error(answer) && !answer.contains(BUSY) {
        bail!("neither a result nor `{BUSY}`: {answer}");
    }
    Ok(())
}

/// All calls over as many connections as one may open: how many were answered, the peak of memory in MB, and how
/// long another client waits at p99 for another plugin, in milliseconds.
pub(super) fn web(server: &Server) -> Result<[f64; 3]> {
    let listening = server.listen()?;
    let left = Arc::new(AtomicUsize::new(CALLS));
    let answered = Arc::new(AtomicUsize::new(0));
    let mut other = Web::connect(listening.authority())?;
    let took = thread::scope(|scope| {
        let floods: Vec<_> =
            (0..CONNECTIONS).map(|_| scope.spawn(|| flood(&listening, &left, &answered))).collect();
        let mut took = Vec::new();
        while left.load(Ordering::Relaxed) > 0 {
            let start = Instant::now();
            let answer = other.call("fine", "{}")?;
            anyhow::ensure!(!is_error(answer), "another client's call failed: {answer}");
            took.push(start.elapsed().as_secs_f64() * 1e3);
        }
        for flood in floods {
            flood.join().map_err(|_| anyhow!("a connection died"))??;
        }
        anyhow::Ok(took)
    })?;
    let answered = answered.load(Ordering::Relaxed) as f64;
    Ok([answered, process::peak(listening.process())?, quantile(0.99, took)])
}

/// One connection's share: call after call while any are left.
fn flood(server: &Listening, left: &AtomicUsize, answered: &AtomicUsize) -> Result<()> {
    let mut web = Web::connect(server.authority())?;
    let take = |left: usize| left.checked_sub(1);
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
        judge(web.call("wait", WAIT_ARGUMENTS)?)?;
        answered.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

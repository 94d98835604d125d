//! What a process uses, from `/proc`.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};

/// Memory that it holds, in MB.
pub(super) fn resident(process: u32) -> Result<f64> {
    status(process, "VmRSS:")
}

/// The most that it ever held, in MB.
pub(super) fn peak(process: u32) -> Result<f64> {
    status(process, "VmHWM:")
}

fn status(process: u32, key: &str) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()).context("no such line")?;
    Ok(kilobytes.parse::<f64>()? * 1024.0 / 1e6)
}

/// Computing time of all its threads; the scheduler counts it in nanoseconds.
pub(super) fn computed(process: u32) -> Result<Duration> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        // A thread may end between the two readings.
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        sum += text.split_whitespace().next().context("no `schedstat`")?.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(sum))
}

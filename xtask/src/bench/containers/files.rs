//! Files of a workspace, one by one and packed.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
    process::Command,
    time::Instant,
};

use anyhow::{Result, ensure};
use serde_json::json;

use super::{super::figures::quantile, desk::Desk};
use crate::command;

const CALLS: usize = 500;

/// What is packed: so many bytes that no program can compress, in files that are all as long as each other.
const BYTES: usize = 100_000_000;
const MEGABYTES: f64 = 100.0;
/// How long they are: a hundred of them, and ten thousand.
pub(super) const LARGE: usize = 1_000_000;
pub(super) const SMALL: usize = 10_000;

/// Write, read and stat of one file: p50 in milliseconds.
pub(super) fn small(desk: &mut Desk) -> Result<[f64; 3]> {
    let container = desk.spawn()?;
    let content = "x".repeat(1024);
    let file = json!({"container_id": container, "path": "file"});
    let write = json!({"container_id": container, "path": "file", "content": content});
    let mut each = |tool, arguments| {
        let mut times = Vec::new();
        for _ in 0..CALLS {
            let start = Instant::now();
            desk.call(tool, arguments)?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        anyhow::Ok(quantile(0.5, times))
    };
    let times = [each("fs_write", &write)?, each("fs_read", &file)?, each("fs_stat", &file)?];
    desk.kill(&container)?;
    Ok(times)
}

/// Out, tar's own, back in, tar's own, of files of this length: MB a second, so many times.
///
/// Nothing is deleted in between: ext4 looks for a minute at each inode that went before it gives out another one, and
/// whoever comes first then pays for it.
pub(super) fn archives(desk: &mut Desk, length: usize, runs: usize) -> Result<Vec<[f64; 4]>> {
    let container = desk.spawn()?;
    let workspace = desk.workspace(&container)?;
    let (files, random) = (workspace.join("files"), File::open("/dev/urandom")?);
    fs::create_dir(&files)?;
    for number in 0..BYTES / length {
        let mut file = File::create(files.join(number.to_string()))?;
        io::copy(&mut Read::take(&random, length as u64), &mut file)?;
    }
    let rates = (0..runs).map(|run| archive(desk, &container, &workspace, run));
    let rates = rates.collect::<Result<_>>()?;
    desk.kill(&container)?;
    Ok(rates)
}

fn archive(desk: &mut Desk, container: &str, workspace: &Path, run: usize) -> Result<[f64; 4]> {
    let (ours, bare) = (format!("ours{run}"), format!("bare{run}"));
    let rate = |start: Instant| MEGABYTES / start.elapsed().as_secs_f64();
    let to = format!("{ours}.tar");
    let export = json!({"container_id": container, "path": "files", "gzip": false, "to": to});
    let start = Instant::now();
    let exported = desk.call("fs_export", &export)?;
    let out = rate(start);
    ensure!(exported["bytes"] == BYTES, "not all was packed: {exported}");
    let tar =
        |words: [&str; 5]| command::succeed(Command::new("tar").args(words).current_dir(workspace));
    let packed = format!("{bare}.tar");
    let start = Instant::now();
    tar(["-C", "files", "-cf", &packed, "."])?;
    let bare_out = rate(start);

    let import = json!({"container_id": container, "path": ours, "from": to});
    let start = Instant::now();
    desk.call("fs_import", &import)?;
    let back = rate(start);
    fs::create_dir(workspace.join(&bare))?;
    let start = Instant::now();
    tar(["-C", &bare, "-xf", &packed, "."])?;
    Ok([out, bare_out, back, rate(start)])
}

//! Files of a workspace, one by one and packed.

use std::{process::Command, time::Instant};

use anyhow::{Result, ensure};
use serde_json::json;

use super::{super::figures::quantile, desk::Desk};
use crate::command;

const CALLS: usize = 500;

/// What is packed: so many files of one MB that no program can compress.
const FILES: usize = 100;
const MEGABYTES: f64 = FILES as f64;

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

/// Out, tar's own, back in, tar's own: MB a second.
pub(super) fn archives(desk: &mut Desk) -> Result<[f64; 4]> {
    let container = desk.spawn()?;
    let workspace = desk.workspace(&container)?;
    let script = format!(
        "mkdir files; i=0; while [ $i -lt {FILES} ]; do head -c 1000000 /dev/urandom > files/$i; i=$((i+1)); done"
    );
    desk.run(&container, &script)?;
    let rate = |start: Instant| MEGABYTES / start.elapsed().as_secs_f64();
    let export =
        json!({"container_id": container, "path": "files", "gzip": false, "to": "ours.tar"});
    let start = Instant::now();
    let exported = desk.call("fs_export", &export)?;
    let out = rate(start);
    ensure!(exported["bytes"] == FILES * 1_000_000, "not all was packed: {exported}");

    let mut tar = Command::new("tar");
    tar.args(["-C", "files", "-cf", "bare.tar", "."]).current_dir(&workspace);
    let start = Instant::now();
    command::succeed(&mut tar)?;
    let bare_out = rate(start);

    let import = json!({"container_id": container, "path": "ours", "from": "ours.tar"});
    let start = Instant::now();
    desk.call("fs_import", &import)?;
    let back = rate(start);

    std::fs::create_dir(workspace.join("bare"))?;
    let mut tar = Command::new("tar");
    tar.args(["-C", "bare", "-xf", "bare.tar"]).current_dir(&workspace);
    let start = Instant::now();
    command::succeed(&mut tar)?;
    let bare_back = rate(start);
    desk.kill(&container)?;
    Ok([out, bare_out, back, bare_back])
}

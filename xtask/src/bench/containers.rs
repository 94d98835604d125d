//! `cargo xtask bench containers`: what containers, processes and files cost through MCP, beside the bare engine.
//!
//! Both are measured in the same run, since the engine's own times differ much from machine to machine.

mod bare;
mod life;
mod programs;
mod files;
mod tunnel;
mod churn;

use std::{path::Path, process::ExitCode};

use anyhow::Result;

use super::desk::{self, Desk, Sweep};
use super::{
    figures::{each, middles, several},
    table::{Figure, Must, Table},
};
use crate::{
    api::Api,
    engine::{Engines, IMAGE},
    host, plugins,
    serve::Server,
};

/// How much a container may take longer than what the engine does itself.
const SPAWN_EXTRA: f64 = 10.0;

/// What the plugin may do, with a place to try the way out.
fn tables(egress: u16) -> String {
    format!(
        "[plugins.devbench.grants]\nstore = true\nworkspaces = \"own\"\n\
         [plugins.devbench.grants.containers]\nmost = 200\n\
         forwards = {{ \"{}\" = \"host.docker.internal:{egress}\" }}\n",
        tunnel::FORWARD
    )
}

pub(super) fn bench(runs: usize) -> Result<ExitCode> {
    plugins::build()?;
    let windlass = host::build_alone(host::RELEASE)?;
    let engines = Engines::start()?;
    let engine = engines.docker()?;
    let mut table = Table::begin("beside it");
    measure(&mut table, &windlass, &engine, runs)?;
    Ok(table.finish())
}

fn measure(table: &mut Table, windlass: &Path, engine: &Api, runs: usize) -> Result<()> {
    let site = tunnel::Site::open()?;
    let tables = tables(site.port());
    let environment = [("DOCKER_HOST", engine.address()), ("MCP_WARM_POOL_ENABLED", "false")];
    let server = Server::alone(windlass, "devbench", &tables, &environment)?;
    let _sweep = Sweep { server: &server, engine };
    let mut desk = Desk::open(&server, engine)?;
    spawning(table, &mut desk, runs);
    let warm = [
        ("DOCKER_HOST", engine.address()),
        ("MCP_WARM_POOL_ENABLED", "true"),
        ("MCP_DEFAULT_IMAGE_ALIAS", IMAGE),
    ];
    // With the grants that ship beside the plugin, which the variables fill in.
    let pool = Server::alone(windlass, "devbench", "", &warm)?;
    let _pool_sweep = Sweep { server: &pool, engine };
    let claimed = each(1, || life::warm(&mut Desk::open(&pool, engine)?));
    table.push(&Figure::new("spawn from a warm pool, p50", Must::AtMost(30.0, "ms"), claimed));
    running(table, &mut desk, runs);
    storing(table, &mut desk, runs);
    tunnelling(table, &mut desk, &site, runs);
    drop(desk);
    let names = [
        "100 spawned and killed: orphans",
        "100 spawned and killed: leaked volumes",
        "100 spawned and killed: leaked networks",
        "100 spawned and killed: leaked directories",
    ];
    let left = several(1, || churn::left(&server, engine));
    for (name, left) in names.into_iter().zip(left) {
        table.push(&Figure::new(name, Must::AtMost(0.0, ""), left));
    }
    Ok(())
}

fn spawning(table: &mut Table, desk: &mut Desk, runs: usize) {
    let [spawn, bare] = several(runs, || life::spawn(desk));
    let must = Must::AtMost(bare + SPAWN_EXTRA, "ms");
    table.push(&Figure::new("spawn, beside create and start", must, spawn).beside(bare));
}

fn running(table: &mut Table, desk: &mut Desk, runs: usize) {
    let exec = each(1, || programs::one(desk));
    let bare = each(1, || programs::bare(desk));
    let figure = Figure::new("exec `true`, start to exit seen, p50", Must::AtMost(3.0, "ms"), exec);
    table.push(&figure.beside(bare));
    let rate = each(runs, || programs::many(desk));
    let bare = each(1, || programs::bare_many(desk));
    let figure = Figure::new("execs, 16 at a time, 4 containers", Must::AtLeast(500.0, "/s"), rate);
    table.push(&figure.beside(bare));
    let first = each(1, || programs::first_byte(desk));
    table.push(&Figure::new(
        "written to seen by a waiting poll, p50",
        Must::AtMost(5.0, "ms"),
        first,
    ));
    let [rate, memory] = several(1, || programs::flood(desk));
    let bare = each(1, || programs::bare_flood(desk));
    let figure =
        Figure::new("1 GiB of output through the ring", Must::AtLeast(200.0, "MB/s"), rate);
    table.push(&figure.beside(bare));
    table.push(&Figure::new("1 GiB of output: peak memory", Must::AtMost(100.0, "MB"), memory));
}

fn storing(table: &mut Table, desk: &mut Desk, runs: usize) {
    let names = ["fs_write of 1 KiB, p50", "fs_read of 1 KiB, p50", "fs_stat, p50"];
    let times = several(1, || files::small(desk));
    for (name, time) in names.into_iter().zip(times) {
        table.push(&Figure::new(name, Must::AtMost(0.5, "ms"), time));
    }
    let archives = [
        (files::LARGE, "export of 100 MB, 100 files", "import of 100 MB, 100 files"),
        (files::SMALL, "export of 100 MB, 10,000 files", "import of 100 MB, 10,000 files"),
    ];
    let must = |bare: f64| Must::AtLeast(bare / 2.0, "MB/s");
    for (length, name_out, name_back) in archives {
        let [out, bare_out, back, bare_back] = middles(files::archives(desk, length, runs));
        table.push(&Figure::new(name_out, must(bare_out), out).beside(bare_out));
        table.push(&Figure::new(name_back, must(bare_back), back).beside(bare_back));
    }
}

fn tunnelling(table: &mut Table, desk: &mut Desk, site: &tunnel::Site, runs: usize) {
    let [rate, bare] = several(runs, || tunnel::into(desk));
    let figure = Figure::new("tunnel into a container", Must::AtLeast(300.0, "MB/s"), rate);
    table.push(&figure.beside(bare));
    let [rate, bare] = several(runs, || tunnel::out(desk, site));
    let figure = Figure::new("tunnel out of a container", Must::AtLeast(300.0, "MB/s"), rate);
    table.push(&figure.beside(bare));
    let [there, bare] = several(1, || tunnel::round_trip(desk));
    let figure = Figure::new("round trip of a byte, p50", Must::AtMost(bare + 0.3, "ms"), there);
    table.push(&figure.beside(bare));
}

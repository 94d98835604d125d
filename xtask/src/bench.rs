//! `cargo xtask bench`: what a call through a plugin costs, beside a native server driven the same way.
//!
//! `cargo xtask bench containers`: what containers cost, beside the bare engine; `bench/containers.rs` says more.
//!
//! `cargo xtask bench sessions`: what repositories and the tasks of agents cost, beside git; `bench/sessions.rs` says more.
//!
//! `cargo xtask bench jobs`: what jobs and runs of opencode cost, beside opencode driven directly; `bench/jobs.rs` says more.
//!
//! `cargo xtask bench fleet`: what a fleet of agents costs, beside the same question asked of Coder; `bench/fleet.rs` says more.
//!
//! `cargo xtask bench stacks`: what the user's containers and stacks cost, beside the engine and `docker-compose`.
//!
//! `cargo xtask bench many`: what it costs to know who calls and to keep the record; `bench/many.rs` says more.
//!
//! `bench/figures.rs` says what each figure is, `bench/flood.rs` what a flood does, `bench/table.rs` what it must be.

mod desk;
mod containers;
mod sessions;
mod jobs;
mod fleet;
mod many;
mod stacks;
mod figures;
mod flood;
mod line;
mod http;
mod process;
mod table;
mod web;

use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;

use crate::{command, host, plugins, serve::Server, tree};
use table::{Figure, Must, Table};

/// The plugins that are loaded while all is measured.
const FIXTURES: [&str; 6] = ["echo", "looping", "crash", "greedy", "asker", "noter"];

/// A median of fewer is none.
const LEAST_RUNS: usize = 5;

/// What is measured.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Suite {
    Calls,
    Containers,
    Sessions,
    Jobs,
    Fleet,
    Stacks,
    Many,
}

pub(crate) fn bench(suite: Suite, runs: usize) -> Result<ExitCode> {
    match suite {
        Suite::Calls => calls(runs),
        Suite::Containers => containers::bench(runs.max(LEAST_RUNS)),
        Suite::Sessions => sessions::bench(runs.max(LEAST_RUNS)),
        Suite::Jobs => jobs::bench(runs.max(LEAST_RUNS)),
        Suite::Fleet => fleet::bench(runs.max(LEAST_RUNS)),
        Suite::Stacks => stacks::bench(runs.max(LEAST_RUNS)),
        Suite::Many => many::bench(runs.max(LEAST_RUNS)),
    }
}

fn calls(runs: usize) -> Result<ExitCode> {
    plugins::build_with_fixtures()?;
    let windlass = host::build_alone(host::RELEASE)?;
    command::succeed(command::cargo().args(["build", "--release", "--package", "floor"]))?;
    let windlass = Server::windlass(&windlass, &FIXTURES)?;
    let floor = Server::floor(&tree::target().join("release/floor"));
    let runs = runs.max(LEAST_RUNS);
    let mut table = Table::begin("native floor");
    // The first start of all compiles the plugins.
    figures::start(&windlass)?;
    beside_floor(&mut table, &windlass, &floor, runs);
    under_load(&mut table, &windlass, runs);
    Ok(table.finish())
}

/// What both servers do.
fn beside_floor(table: &mut Table, windlass: &Server, floor: &Server, runs: usize) {
    let start = figures::each(runs, || figures::start(windlass));
    let bare = figures::each(runs, || figures::start(floor));
    let name = "spawn to initialize answered, 6 plugins";
    table.push(&Figure::new(name, Must::AtMost(15.0, "ms"), start).beside(bare));

    let [p50, p99, memory] = figures::several(runs, || figures::calls(windlass));
    let [bare_p50, bare_p99, bare_memory] = figures::several(runs, || figures::calls(floor));
    let p50 = Figure::new("tools/call, stdio, p50", Must::AtMost(90.0, "µs"), p50);
    table.push(&p50.beside(bare_p50));
    let p99 = Figure::new("tools/call, stdio, p99", Must::AtMost(1000.0, "µs"), p99);
    table.push(&p99.beside(bare_p99));
    let memory =
        Figure::new("resident memory after 10,000 calls", Must::AtMost(30.0, "MB"), memory);
    table.push(&memory.beside(bare_memory));

    let rate = figures::each(runs, || figures::pipelined(windlass));
    let bare = figures::each(runs, || figures::pipelined(floor));
    let rate = Figure::new("pipelined, 32 in flight", Must::AtLeast(12_000.0, "/s"), rate);
    table.push(&rate.beside(bare));

    let web = figures::each(runs, || figures::web(windlass));
    let bare = figures::each(runs, || figures::web(floor));
    let web = Figure::new("tools/call, HTTP keep-alive, p50", Must::AtMost(500.0, "µs"), web);
    table.push(&web.beside(bare));

    let scrape = figures::each(runs, || figures::scrape(windlass));
    table.push(&Figure::new("scrape of the figures, p99", Must::AtMost(10.0, "ms"), scrape));
}

/// What only a host of plugins has to bear.
fn under_load(table: &mut Table, windlass: &Server, runs: usize) {
    let mut push = |name, must, measured| table.push(&Figure::new(name, must, measured));
    let [ping, call] = figures::several(runs, || figures::beside_spinning(windlass));
    push("4 guests spinning: ping, p99", Must::AtMost(10.0, "ms"), ping);
    push("4 guests spinning: another's call, p99", Must::AtMost(10.0, "ms"), call);
    let cancel = figures::each(runs, || figures::cancel(windlass));
    push("cancel to guest stopped", Must::AtMost(50.0, "ms"), cancel);

    let [answered, memory] = figures::several(runs, || flood::line(windlass));
    push("50,000 calls at once, stdio: answered", Must::AtLeast(50_000.0, ""), answered);
    push("50,000 calls at once, stdio: peak memory", Must::AtMost(200.0, "MB"), memory);
    let [answered, memory, other] = figures::several(runs, || flood::web(windlass));
    push("50,000 calls, HTTP: answered", Must::AtLeast(50_000.0, ""), answered);
    push("50,000 calls, HTTP: peak memory", Must::AtMost(200.0, "MB"), memory);
    push("50,000 calls, HTTP: another client, p99", Must::AtMost(100.0, "ms"), other);
}

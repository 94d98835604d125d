//! `cargo xtask bench fleet`: what a fleet costs through MCP, beside the same question asked of Coder directly.
//!
//! The Coder is the one of the tests, which has its answers ready: what is measured is the host and its plugin.

mod clerk;
mod lists;
mod logs;

#[path = "../../../tests/support/coder/mod.rs"]
#[allow(
    clippy::unwrap_used,
    dead_code,
    unused_imports,
    reason = "it is the tests', and more is asked of it there"
)]
mod coder;

use std::process::ExitCode;

use anyhow::Result;

use super::{
    figures::several,
    table::{Figure, Must, Table},
};
use crate::{host, plugins, serve::Server};
use coder::{Coder, Generation, TOKEN};

/// A fleet that fits into one answer.
const FEW: usize = 100;
/// As large as fleets are.
const MANY: usize = 5_000;
/// How many lines the longest log has.
const LINES: u64 = 1_000_000;

/// How many times as long as Coder's own answer a list may take.
const LIST_TIMES: f64 = 2.0;
/// How long a client may wait for all of the largest fleet.
const SOON: Must = Must::AtMost(1_000.0, "ms");
/// What the host may come to hold while it lists that over and over.
const GROWTH: Must = Must::AtMost(32.0, "MB");

pub(super) fn bench(runs: usize) -> Result<ExitCode> {
    plugins::build()?;
    let windlass = host::build_alone(host::RELEASE)?;
    let coder = Coder::new(Generation::Tasks);
    let environment = [("CODER_URL", &*coder.origin()), ("CODER_SESSION_TOKEN", TOKEN)];
    let server = Server::alone(&windlass, "coder", "", &environment)?;
    let mut table = Table::begin("Coder itself");
    few(&mut table, &server, &coder, runs);
    many(&mut table, &server, &coder, runs);
    long(&mut table, &server, &coder);
    Ok(table.finish())
}

fn few(table: &mut Table, server: &Server, coder: &Coder, runs: usize) {
    coder.fleet(FEW);
    let [list, bare, connections] = several(runs, || lists::beside(server, coder));
    let must = Must::AtMost(bare * LIST_TIMES, "ms");
    table.push(&Figure::new("`list_all_agents` of 100, p50", must, list).beside(bare));
    let must = Must::AtMost(1.0, "");
    table.push(&Figure::new("connections opened by 200 of them", must, connections));
}

fn many(table: &mut Table, server: &Server, coder: &Coder, runs: usize) {
    coder.fleet(MANY);
    let [list, metrics, bare] = several(runs, || lists::of_many(server, coder));
    let list = Figure::new("`list_all_agents` of 5,000, all pages, p50", SOON, list);
    table.push(&list.beside(bare));
    let metrics = Figure::new("`get_fleet_status_metrics` of 5,000, p50", SOON, metrics);
    table.push(&metrics.beside(bare));
    let [growth, peak] = several(1, || lists::over_and_over(server, coder));
    table.push(&Figure::new("memory that 200 lists of 5,000 leave", GROWTH, growth));
    table.push(&Figure::told("most memory meanwhile", "MB", peak));
}

fn long(table: &mut Table, server: &Server, coder: &Coder) {
    let [page, growth, bare] = several(1, || logs::page(server, coder, LINES));
    let page = Figure::told("a page of a log of 1,000,000 lines", "ms", page);
    table.push(&page.beside(bare));
    table.push(&Figure::told("most memory that it takes", "MB", growth));
}

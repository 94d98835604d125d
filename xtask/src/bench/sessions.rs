//! `cargo xtask bench sessions`: what git and the tasks of agents cost through MCP, beside git run directly.
//!
//! The agent is the stub of the tests: what is measured is the host and not a model.

mod agents;
mod work;

use std::{path::Path, process::ExitCode};

use anyhow::Result;

use super::{
    desk::{Desk, Sweep},
    figures::several,
    table::{Figure, Must, Table},
};
use crate::{api::Api, engine::Engines, host, plugins, serve::Server};
use work::Origins;

/// How much longer a session may take to begin than a clone.
const BEGIN_EXTRA: f64 = 500.0;

/// How many times as long as git itself a look may take.
const LOOK_TIMES: f64 = 2.0;

/// What both plugins may do, with the repositories of this machine that they see.
fn tables(origins: &Path) -> String {
    let grants = |name: &str| {
        format!(
            "[plugins.{name}.grants]\nstore = true\nworkspaces = \"shared\"\n\
             [plugins.{name}.grants.containers]\nmemory_mib = 256\nmounts = [{origins:?}]\n"
        )
    };
    let image = "image = \"windlass-test/git:latest\"";
    format!(
        "{}[plugins.git.config]\n{image}\n{}[plugins.openhands.config]\n\
         image = \"windlass-test/openhands:latest\"\n[plugins.openhands.config.git]\n{image}\n",
        grants("git"),
        grants("openhands")
    )
}

pub(super) fn bench(runs: usize) -> Result<ExitCode> {
    plugins::build()?;
    let windlass = host::build_alone(host::RELEASE)?;
    let engines = Engines::start()?;
    let engine = engines.docker()?;
    let origins = Origins::make()?;
    let mut table = Table::begin("git itself");
    measure(&mut table, &windlass, &engine, &origins, runs)?;
    Ok(table.finish())
}

fn measure(
    table: &mut Table,
    windlass: &Path,
    engine: &Api,
    origins: &Origins,
    runs: usize,
) -> Result<()> {
    let environment = [("DOCKER_HOST", engine.address())];
    let tables = tables(origins.folder());
    let server = Server::alone(windlass, "git,openhands", &tables, &environment)?;
    let _sweep = Sweep { server: &server, engine };
    let mut desk = Desk::open(&server, engine)?;
    let [look, bare] = several(1, || work::look(&mut desk, origins));
    let must = Must::AtMost(bare * LOOK_TIMES, "ms");
    table.push(&Figure::new("git_status, 10,000 files, p50", must, look).beside(bare));
    let [begin, bare] = several(runs, || work::begin(&mut desk, origins));
    let must = Must::AtMost(bare + BEGIN_EXTRA, "ms");
    table.push(&Figure::new("start_session, 50 MB", must, begin).beside(bare));
    drop(desk);
    let [finished, took, left @ ..] = several(1, || agents::at_once(&server, engine, origins));
    let must = Must::AtLeast(agents::SESSIONS as f64, "");
    table.push(&Figure::new("10 sessions with a task at once: finished", must, finished));
    let must = Must::AtMost(agents::PATIENCE.as_secs_f64(), "s");
    table.push(&Figure::new("10 sessions with a task at once: took", must, took));
    let names = [
        "killed and torn down: containers left",
        "killed and torn down: workspaces left",
        "killed and torn down: networks left",
        "killed and torn down: volumes left",
    ];
    for (name, left) in names.into_iter().zip(left) {
        table.push(&Figure::new(name, Must::AtMost(0.0, ""), left));
    }
    Ok(())
}

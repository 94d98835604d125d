//! `cargo xtask bench jobs`: what jobs cost, and what a run of opencode costs through MCP, beside opencode driven directly.
//!
//! Jobs by themselves are those of the fixture `worker`, which do as they are told. opencode is the real one both times, in
//! containers of the same image with the same limits, and asks the model of the tests.

mod workers;
mod direct;
mod runs;
mod crash;

#[path = "../../../tests/support/llm.rs"]
#[allow(clippy::unwrap_used, dead_code, reason = "it is the tests', and more is asked of it there")]
mod llm;
#[path = "../../../tests/support/served.rs"]
#[allow(clippy::unwrap_used, dead_code, reason = "it is the tests', and more is asked of it there")]
mod served;

use std::{fs::File, path::Path, process::ExitCode};

use anyhow::{Context as _, Result};

use super::{
    desk::{Desk, Sweep},
    figures::several,
    table::{Figure, Must, Table},
};
use crate::{
    api::Api, engine::Engines, host, kept::OPENCODE, opencode, plugins, serve::Server, tree,
};
use direct::Direct;
use llm::{Llm, MODEL};

/// How long a client may wait for a job's id, and for a list of a thousand.
const SOON: Must = Must::AtMost(20.0, "ms");
/// How much longer a run may take than the same one of opencode alone.
const RUN_EXTRA: f64 = 100.0;
/// What a job that sleeps may cost.
const SLEEPING_MEMORY: Must = Must::AtMost(1.0, "MB");
/// As much is not measurable: a machine's own noise.
const SLEEPING_WORK: Must = Must::AtMost(10.0, "ms/s");
const NONE: Must = Must::AtMost(0.0, "");

/// The fixture, with room for all its jobs at once.
fn worker() -> String {
    format!(
        "[jobs]\nconcurrent = 128\n[limits]\nconcurrent_jobs = 128\n\
         [plugins.worker]\ncomponent = {:?}\n[plugins.worker.grants]\nstore = true\njobs = true\n",
        tree::fixture("worker")
    )
}

/// opencode, with the limits that [`Direct`] has, and the model as the only place that it reaches.
fn agent(image: &str, llm: &Llm) -> String {
    let (place, url) = (llm.place(), llm.url());
    let direct::Limits { memory_mib, cpus, pids } = direct::LIMITS;
    format!(
        "[plugins.opencode.grants]\nstore = true\njobs = true\nworkspaces = \"shared\"\n\
         [plugins.opencode.grants.containers]\nmemory_mib = {memory_mib}\ncpus = {cpus}.0\npids = {pids}\n\
         egress = [{{ to = \"{place}\", private = true }}]\n\
         [plugins.opencode.config]\nimage = \"{image}\"\nprovider = \"openai\"\nmodel = \"{MODEL}\"\n\
         small_model = \"{MODEL}\"\nbase_url = \"{url}\"\nserver_start_timeout = 280\n\
         memory_mib = {memory_mib}\ncpus = {cpus}.0\npids = {pids}\n"
    )
}

pub(super) fn bench(runs: usize) -> Result<ExitCode> {
    plugins::build_with_fixtures()?;
    let windlass = host::build_alone(host::RELEASE)?;
    let mut table = Table::begin("opencode");
    working(&mut table, &windlass, runs)?;
    let engines = Engines::start()?;
    let engine = engines.docker()?;
    let image = bring(&engine)?;
    running(&mut table, &windlass, &engine, &image)?;
    Ok(table.finish())
}

/// The real opencode as an image of the engine.
fn bring(engine: &Api) -> Result<String> {
    let (image, archive) = (OPENCODE.image(), opencode::build()?);
    if engine.get(&format!("/images/{image}/json")).is_err() {
        let archive = File::open(archive)?;
        let length = archive.metadata()?.len();
        let imported = engine.import(&image, archive, length, &["LABEL windlass.test=true"]);
        imported.with_context(|| format!("cannot import the image `{image}`"))?;
    }
    Ok(image)
}

/// Jobs by themselves.
fn working(table: &mut Table, windlass: &Path, runs: usize) -> Result<()> {
    let mut push = |name, must, measured| table.push(&Figure::new(name, must, measured));
    let server = Server::configured(windlass, &[], &worker())?;
    let [submit, host, plugin] = several(1, || workers::listed(&server));
    push("a job submitted, p50", SOON, submit);
    push("1,000 finished jobs, `job_list`, p50", SOON, host);
    push("1,000 finished jobs, by their plugin, p50", SOON, plugin);
    let [memory, work] = several(runs.min(workers::MOST_RUNS), || workers::asleep(&server));
    push("100 jobs asleep: memory of each", SLEEPING_MEMORY, memory);
    push("100 jobs asleep: computing", SLEEPING_WORK, work);
    let [lost, twice] = several(1, || crash::workers(&server));
    push("20 jobs and kill -9: lost", NONE, lost);
    push("20 jobs and kill -9: done twice", NONE, twice);
    Ok(())
}

/// Runs of opencode.
fn running(table: &mut Table, windlass: &Path, engine: &Api, image: &str) -> Result<()> {
    let llm = Llm::start();
    let environment = [("DOCKER_HOST", engine.address()), ("MCP_OPENCODE_API_KEY", direct::KEY)];
    let server = Server::alone(windlass, "opencode", &agent(image, &llm), &environment)?;
    let _sweep = Sweep { server: &server, engine };
    let mut desk = Desk::open(&server, engine)?;
    let mut session = runs::Session::open(&mut desk)?;

    let [first, second, servers] = several(1, || session.begin());
    let must = Must::AtMost(first, "ms");
    table.push(
        &Figure::new("second run of a session, beside its first", must, second).beside(first),
    );
    table.push(&Figure::new("servers that both had", Must::AtMost(1.0, ""), servers));

    let mut direct = Direct::start(engine, image, &llm)?;
    let sides = runs::beside(&mut session, &mut direct);
    for (name, [ours, bare]) in runs::NAMES.into_iter().zip(sides) {
        let must = Must::AtMost(bare + RUN_EXTRA, "ms");
        table.push(&Figure::new(name, must, ours).beside(bare));
    }
    drop(direct);
    let [idle, busy] = several(1, || session.submitted());
    table.push(&Figure::new("`submit_task`, p50", SOON, idle));
    table.push(&Figure::new("`submit_task` while a run goes on, p50", SOON, busy));
    session.close()?;
    drop(desk);

    let [lost, twice] = several(1, || crash::runs(&server, engine));
    table.push(&Figure::new("20 runs and kill -9: lost", NONE, lost));
    table.push(&Figure::new("20 runs and kill -9: done twice", NONE, twice));
    Ok(())
}

//! `cargo xtask bench stacks`: what the user's containers and Compose stacks cost through MCP, beside the bare engine and
//! beside `docker-compose`.

use std::{
    fs,
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{
    desk::{Desk, labelled},
    figures::{quantile, several},
    table::{Figure, Must, Table},
};
use crate::{
    api::Api,
    engine::{Engines, IMAGE, need},
    host, plugins,
    serve::Server,
};

/// How many containers are listed.
const MANY: usize = 200;
/// How much longer than the engine itself a list may take.
const LIST_EXTRA: f64 = 3.0;
/// How many services a stack has.
const SERVICES: usize = 10;
/// How long it may take to see that nothing has changed.
const UNCHANGED: Must = Must::AtMost(300.0, "ms");
/// What the containers of the bench carry.
const LABEL: &str = "windlass-bench=stacks";
const PROJECT: &str = "windlass-bench";
const ROUNDS: usize = 20;

pub(super) fn bench(runs: usize) -> Result<ExitCode> {
    plugins::build()?;
    let windlass = host::build_alone(host::RELEASE)?;
    let engines = Engines::start()?;
    let engine = engines.docker()?;
    let _sweep = Sweep(&engine);
    let environment = [("DOCKER_HOST", engine.address())];
    let server = Server::alone(&windlass, "docker", "", &environment)?;
    let mut table = Table::begin("beside it");
    let mut desk = Desk::open(&server, &engine)?;
    listing(&mut table, &mut desk, runs)?;
    deploying(&mut table, &mut desk, runs);
    Ok(table.finish())
}

fn listing(table: &mut Table, desk: &mut Desk, runs: usize) -> Result<()> {
    for number in 0..MANY {
        let body =
            json!({"Image": IMAGE, "Cmd": ["sleep", "1"], "Labels": {"windlass-bench": "stacks"}});
        let path = format!("/containers/create?name=windlass-bench-{number}");
        desk.engine.post(&path, &body)?;
    }
    let [list, bare] = several(runs, || {
        let list = times(|| {
            let listed = desk.call("list-containers", &json!({}))?;
            ensure!(listed.to_string().contains("windlass-bench-199"), "not all are listed");
            Ok(())
        })?;
        let bare = times(|| desk.engine.get("/containers/json?all=1").map(drop))?;
        Ok([list, bare])
    });
    let must = Must::AtMost(bare + LIST_EXTRA, "ms");
    table.push(&Figure::new("`list-containers` of 200, p50", must, list).beside(bare));
    remove_all(desk.engine);
    Ok(())
}

fn deploying(table: &mut Table, desk: &mut Desk, runs: usize) {
    let compose = Compose::find(desk.engine);
    let [deploy, unchanged, restarted, bare, bare_unchanged] = several(runs, || {
        let deploy = once(|| deploy(desk))?;
        let before = started(desk.engine)?;
        let unchanged = once(|| self::deploy(desk))?;
        let after = started(desk.engine)?;
        let restarted = before.iter().filter(|it| !after.contains(it)).count();
        ensure!(before.len() == SERVICES, "{} of {SERVICES} services run", before.len());
        desk.call("compose-down", &json!({"project_name": PROJECT, "timeout_s": 0}))?;
        let (bare, bare_unchanged) = match &compose {
            Ok(compose) => {
                let bare = once(|| compose.run(&["up", "-d"]))?;
                let again = once(|| compose.run(&["up", "-d"]))?;
                compose.run(&["down", "-t", "0"])?;
                (bare, again)
            }
            Err(_) => (f64::NAN, f64::NAN),
        };
        #[allow(clippy::cast_precision_loss, reason = "there are ten")]
        let restarted = restarted as f64;
        Ok([deploy, unchanged, restarted, bare, bare_unchanged])
    });
    if let Err(error) = &compose {
        println!("SKIPPED: nothing stands beside a deployment: {error:#}");
    }
    let must = if bare.is_nan() { Must::Anything("ms") } else { Must::AtMost(bare, "ms") };
    table.push(&Figure::new("deploy of 10 services", must, deploy).beside(bare));
    table.push(&Figure::new("the same, unchanged", UNCHANGED, unchanged).beside(bare_unchanged));
    table.push(&Figure::new("the same, unchanged: restarted", Must::AtMost(0.0, ""), restarted));
}

fn deploy(desk: &mut Desk) -> Result<()> {
    let arguments = json!({"project_name": PROJECT, "compose_yaml": stack()});
    desk.call("deploy-compose", &arguments).map(drop)
}

/// Ten services that do nothing, on a network of their own.
fn stack() -> String {
    let service = |number| {
        format!(
            "  s{number}:\n    image: {IMAGE}\n    command: ['sleep', '100000']\n    stop_grace_period: 0s\n"
        )
    };
    format!("services:\n{}", (0..SERVICES).map(service).collect::<String>())
}

/// When each container of the stack was started, by its id.
fn started(engine: &Api) -> Result<Vec<(String, String)>> {
    let label = format!("com.docker.compose.project={PROJECT}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let look = |listed: &Value| {
        let id = text(&listed["Id"]);
        let seen = engine.get(&format!("/containers/{id}/json"))?;
        Ok((id, text(&seen["State"]["StartedAt"])))
    };
    labelled(engine, &label)?.iter().map(look).collect()
}

/// Debian's `docker-compose`, with the same stack.
struct Compose {
    file: PathBuf,
    engine: String,
    _folder: tempfile::TempDir,
}

impl Compose {
    fn find(engine: &Api) -> Result<Self> {
        need(&["docker-compose"], &["docker-compose"])?;
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("docker-compose.yml");
        fs::write(&file, format!("version: '3.8'\n{}", stack()))?;
        Ok(Self { file, engine: engine.address().to_owned(), _folder: folder })
    }

    fn run(&self, words: &[&str]) -> Result<()> {
        let mut compose = Command::new("docker-compose");
        compose.arg("-p").arg(PROJECT).arg("-f").arg(&self.file).args(words);
        compose.env("DOCKER_HOST", &self.engine).stdin(Stdio::null());
        let output = compose.output().context("cannot start `docker-compose`")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

/// Removes what is left, however the bench ends.
struct Sweep<'a>(&'a Api);

impl Drop for Sweep<'_> {
    fn drop(&mut self) {
        remove_all(self.0);
        // There is none where all went well.
        let _ = self.0.delete(&format!("/networks/{PROJECT}_default"));
    }
}

fn remove_all(engine: &Api) {
    for label in [LABEL.to_owned(), format!("com.docker.compose.project={PROJECT}")] {
        for container in labelled(engine, &label).unwrap_or_default() {
            let id = container["Id"].as_str().unwrap_or_default();
            // What cannot be removed shows in the next run.
            let _ = engine.delete(&format!("/containers/{id}?force=1&v=1"));
        }
    }
}

/// The median of some, in milliseconds.
fn times(mut act: impl FnMut() -> Result<()>) -> Result<f64> {
    let timed = (0..ROUNDS).map(|_| once(&mut act)).collect::<Result<Vec<_>>>()?;
    Ok(quantile(0.5, timed))
}

fn once(act: impl FnOnce() -> Result<()>) -> Result<f64> {
    let started = Instant::now();
    act()?;
    Ok(started.elapsed().as_secs_f64() * 1000.0)
}

//! Container engines for the tests and the bench: found where one answers, else started, and ended again.
//!
//! A keeper does it: this program once more, in a process group of its own. It ends what it started when its stdin
//! closes, which happens however this run ends.

mod keeper;
mod docker;
mod podman;
mod remains;
mod images;

use std::{
    env,
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result};
use clap::ValueEnum;

pub(crate) use keeper::{keep, need};

use crate::{api::Api, report::Absent};

/// The image of all tests: BusyBox and nothing else.
pub(crate) const IMAGE: &str = "windlass-test/busybox:latest";

/// How a keeper begins to say where its engine listens. What else it says is why there is none.
const READY: &str = "ready ";

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Kind {
    Docker,
    Podman,
}

/// The engines of a run. Those that were started are ended when this is dropped.
pub(crate) struct Engines {
    docker: Engine,
    podman: Engine,
}

struct Engine {
    keeper: Child,
    /// Its address, or why there is none.
    found: Result<String, String>,
}

impl Engines {
    /// Both are started at once: each takes seconds.
    pub(crate) fn start() -> Result<Self> {
        let [docker, podman] = [begin(Kind::Docker)?, begin(Kind::Podman)?];
        Ok(Self { docker: docker.wait(), podman: podman.wait() })
    }

    /// Docker, or why there is none.
    pub(crate) fn docker(&self) -> Result<Api> {
        let found = self.docker.found.as_ref().map_err(|reason| Absent(reason.clone()))?;
        Ok(Api::new(found.as_str()))
    }

    /// Tells a test or a host where they are.
    pub(crate) fn tell(&self, command: &mut Command) {
        // What is set there leads to no engine if none was found.
        command.env_remove("DOCKER_HOST").env_remove("WINDLASS_TEST_PODMAN");
        match &self.docker.found {
            Ok(address) => command.env("DOCKER_HOST", address),
            Err(reason) => command.env("WINDLASS_TEST_NO_DOCKER", reason),
        };
        match &self.podman.found {
            Ok(address) => command.env("WINDLASS_TEST_PODMAN", address),
            Err(reason) => command.env("WINDLASS_TEST_NO_PODMAN", reason),
        };
    }

    /// What there is, in a line.
    pub(crate) fn note(&self) -> String {
        let say = |name, engine: &Engine| match &engine.found {
            Ok(address) => format!("{name} at {address}"),
            Err(reason) => format!("no {name}: {reason}"),
        };
        format!("{}; {}", say("Docker", &self.docker), say("Podman", &self.podman))
    }
}

fn begin(kind: Kind) -> Result<Engine> {
    let mut keeper = Command::new(program()?);
    let name = kind.to_possible_value().context("every kind has a name")?;
    keeper.args(["keep", name.get_name()]).stdin(Stdio::piped()).stdout(Stdio::piped());
    // Whoever interrupts the run does not interrupt the clearing away.
    let keeper = keeper.process_group(0).spawn().context("cannot start a keeper")?;
    Ok(Engine { keeper, found: Err("its keeper said nothing".to_owned()) })
}

/// This program, also where a build has replaced its file in the meantime.
fn program() -> Result<PathBuf> {
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() { Ok(running) } else { Ok(env::current_exe()?) }
}

impl Engine {
    fn wait(mut self) -> Self {
        let stdout = self.keeper.stdout.take();
        let said = stdout.and_then(|stdout| BufReader::new(stdout).lines().next()?.ok());
        if let Some(said) = said {
            self.found = said.strip_prefix(READY).map(str::to_owned).ok_or(said);
        }
        self
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // It ends by itself, or has already.
        let _ = self.keeper.wait();
    }
}

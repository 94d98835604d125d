//! The other end: has an engine as long as its stdin is open, and clears away what it made.

use std::{
    env,
    fs::{self, File},
    io::{Read as _, Write as _, stdin, stdout},
    path::{Path, PathBuf},
    process::{Child, Command},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use rustix::process::{Pid, Signal, geteuid, kill_process};

use super::{Kind, READY, docker, images, podman, remains};
use crate::{api::Api, command, report::Absent, tree};

/// How long an engine may take to answer.
const START_LIMIT: Duration = Duration::from_secs(60);

/// How long it may take to end before it is killed.
pub(super) const END_LIMIT: Duration = Duration::from_secs(20);

pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// In this run level a package that is installed starts no service, which nobody would end.
const QUIET: &str = "RUNLEVEL";

/// The places of one engine that we start.
pub(super) struct Home {
    /// What grows.
    pub(super) data: PathBuf,
    /// Sockets, whose paths must be short; also the mark by which its processes are known.
    pub(super) run: PathBuf,
    /// The same as one word.
    pub(super) name: String,
}

/// Says where the engine is, waits until nobody needs it any more, and leaves nothing.
pub(crate) fn keep(kind: Kind) -> Result<()> {
    let home = Home::of(kind)?;
    // Two runs at once take turns; it is released with the file.
    let lock = File::create(home.data.with_extension("lock"))?;
    lock.lock()?;
    let ended = match kind {
        Kind::Docker => match docker::found() {
            Some(api) => lend(&api),
            None => own(&home, docker::start, docker::clear),
        },
        Kind::Podman => own(&home, podman::start, podman::clear),
    };
    if let Err(error) = ended {
        say(&format!("{error:#}").replace('\n', " "));
    }
    Ok(())
}

fn say(line: &str) {
    // Whoever started us may be gone, and then nobody reads it.
    let _ = writeln!(stdout(), "{line}");
}

/// Starts an engine, lends it, and ends it.
fn own(home: &Home, start: fn(&Home) -> Result<(Child, Api)>, clear: fn(&Home)) -> Result<()> {
    if !geteuid().is_root() {
        return Err(Absent("none answers, and only root can start one".to_owned()).into());
    }
    // A keeper that was killed left it.
    clear(home);
    let ended = start(home).and_then(|(mut child, api)| {
        let ended = wait_for(&api, &mut child, home).and_then(|()| lend(&api));
        remains::remove_containers(&api);
        end(&mut child);
        ended
    });
    clear(home);
    ended
}

fn lend(api: &Api) -> Result<()> {
    let made = images::make(api)?;
    say(&format!("{READY}{}", api.address()));
    // To its end, which comes when whoever started us is gone.
    let _ = stdin().read_to_end(&mut Vec::new());
    images::remove(api, &made);
    Ok(())
}

fn wait_for(api: &Api, child: &mut Child, home: &Home) -> Result<()> {
    let start = Instant::now();
    while !api.answers() {
        if start.elapsed() > START_LIMIT || child.try_wait()?.is_some() {
            let log = fs::read_to_string(home.log()).unwrap_or_default();
            bail!("it does not start: {}", log.lines().last().unwrap_or("it said nothing"));
        }
        sleep(LOOK_EVERY);
    }
    Ok(())
}

/// Asks it to end, and kills it if it does not.
fn end(child: &mut Child) {
    let asked = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // It may have ended by itself.
    let _ = asked.map(|process| kill_process(process, Signal::TERM));
    let start = Instant::now();
    while start.elapsed() < END_LIMIT && matches!(child.try_wait(), Ok(None)) {
        sleep(LOOK_EVERY);
    }
    let _ = child.kill();
    let _ = child.wait();
}

impl Home {
    fn of(kind: Kind) -> Result<Self> {
        let target = tree::made("engines")?;
        let kind = match kind {
            Kind::Docker => "docker",
            Kind::Podman => "podman",
        };
        // Another checkout has another one.
        let mark = tree::mark(&target);
        let name = format!("windlass-{mark}-{kind}");
        Ok(Self { data: target.join(kind), run: Path::new("/run").join(&name), name })
    }

    pub(super) fn socket(&self) -> Api {
        Api::new(format!("unix://{}", self.run.join("socket").display()))
    }

    /// What the engine says.
    pub(super) fn log(&self) -> PathBuf {
        self.data.with_extension("log")
    }

    pub(super) fn make(&self) -> Result<File> {
        fs::create_dir_all(&self.data)?;
        fs::create_dir_all(&self.run)?;
        Ok(File::create(self.log())?)
    }
}

/// Makes sure that these programs are there, from these packages if need be.
pub(crate) fn need(programs: &[&str], packages: &[&str]) -> Result<()> {
    let missing = |programs: &[&str]| programs.iter().any(|program| !is_installed(program));
    if missing(programs) && geteuid().is_root() && is_installed("apt-get") {
        let mut apt = Command::new("apt-get");
        apt.args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(packages);
        apt.args(command::IN_TURN);
        // Whether it succeeded is seen below.
        let _ = command::succeed(apt.env("DEBIAN_FRONTEND", "noninteractive").env(QUIET, "1"));
    }
    if missing(programs) {
        let programs = programs.join("`, `");
        return Err(Absent(format!("no `{programs}`")).into());
    }
    Ok(())
}

fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

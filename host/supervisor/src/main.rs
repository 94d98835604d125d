//! The first process in each of our containers: it starts processes for the host, and carries bytes.
//!
//! It has one thread, since in a container at its limit of processes there may be no second one.
#![allow(
    clippy::disallowed_methods,
    reason = "this is what starts programs, in the container; only the host may not"
)]

use std::{env, fs, io, path::PathBuf, process::ExitCode, rc::Rc};

use rustix::process::{self, DumpableBehavior};
use tokio::{runtime, task::LocalSet};
use windlass_supervisor::protocol::{FOLDER, VERSION};

mod kernel;
mod supervisor;
mod control;
mod link;
mod start;
mod output;
mod input;
mod running;
mod tree;
mod ending;
mod tunnels;

fn main() -> ExitCode {
    let mut folder = PathBuf::from(FOLDER);
    let mut arguments = env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.to_str(), arguments.next()) {
            (Some("--version"), None) => return print_version(),
            (Some("--folder"), Some(path)) => folder = path.into(),
            _ => return refuse("its arguments are `--version`, or `--folder` and a path"),
        }
    }
    // Ending a container means signals to all processes there are: elsewhere that would be a disaster.
    if std::process::id() != 1 {
        return refuse("it is the first process of a container, and runs as nothing else");
    }
    match run(folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&error.to_string()),
    }
}

#[allow(clippy::print_stdout, reason = "asked for on the command line")]
fn print_version() -> ExitCode {
    println!("windlass-supervisor {}, protocol {VERSION}", env!("CARGO_PKG_VERSION"));
    ExitCode::SUCCESS
}

fn refuse(why: &str) -> ExitCode {
    eprintln!("windlass-supervisor: {why}");
    ExitCode::FAILURE
}

fn run(folder: PathBuf) -> io::Result<()> {
    // A process that is not dumpable has its files in /proc owned by root: this one is opened before.
    let score = fs::File::options().read(true).write(true).open("/proc/self/oom_score_adj").ok();
    process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    process::set_child_subreaper(Some(process::getpid()))?;
    let bell = kernel::listen_to_signals()?;
    let supervisor = Rc::new(supervisor::Supervisor::new(folder, start::Score::new(score)));
    process::chdir("/")?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async move {
        tokio::task::spawn_local(control::serve(Rc::clone(&supervisor)));
        supervisor::live(supervisor, bell).await
    })
}

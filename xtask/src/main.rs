//! Build chores: `cargo xtask <command>`.
//!
//! Each command has a file of its name. Building is reported on stderr; stdout is for results.
#![allow(
    clippy::disallowed_methods,
    reason = "a build tool starts programs; only the host may not"
)]
#![allow(clippy::print_stdout, reason = "stdout is how this tool answers")]

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod tree;
mod command;
mod report;
mod toolchain;
mod python;
mod plugins;
mod inside;
mod host;
mod run;
mod serve;
mod peers;
mod api;
mod engine;
mod kept;
mod debian;
mod openhands;
mod opencode;
mod test;
mod fuzz;
mod bench;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Builds, runs, tests and measures Windlass")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds the plugins as components into `target/plugins`.
    Plugins {
        /// Also the plugins that only tests use.
        #[arg(long)]
        fixtures: bool,
    },
    /// Builds `windlass` with its plugins inside.
    Build {
        /// Optimized, as it ships.
        #[arg(long)]
        release: bool,
    },
    /// Builds `windlass` optimized and without a need for any library, for `deploy/Dockerfile`.
    Static,
    /// Builds all and serves, over HTTP on loopback unless the arguments hold `--stdio`.
    Run(run::Arguments),
    /// Runs every check and test.
    Test {
        /// Only tests, and peers, whose name contains this.
        filter: Option<String>,
    },
    /// Builds the real OpenHands, in both forms, for the tests. It takes minutes, and is kept outside the repository.
    Openhands,
    /// Builds the real opencode for the tests, as they do themselves where it is missing.
    Opencode,
    /// Reads Compose files that are damaged at random, which must neither panic nor go on without end.
    Fuzz {
        /// How many.
        #[arg(default_value_t = 1_000_000)]
        count: u64,
        /// Where to begin: with the same number it is the same files.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Holds the host to the programs that others wrote for the protocol.
    Peers {
        /// Only peers whose name contains this.
        #[arg(long)]
        only: Option<String>,
    },
    /// Has an engine while its stdin is open: how the tests and the bench get theirs.
    #[command(hide = true)]
    Keep { engine: engine::Kind },
    /// Measures the release build beside a native server, or what it does with containers beside the bare engine,
    /// with repositories beside git, with jobs beside opencode, and with a fleet beside Coder.
    Bench {
        #[arg(value_enum, default_value_t = bench::Suite::Calls)]
        suite: bench::Suite,
        /// How often each figure is taken; its median counts.
        #[arg(long, default_value_t = 5)]
        runs: usize,
    },
}

fn main() -> ExitCode {
    execute(Arguments::parse().command).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn execute(command: Command) -> Result<ExitCode> {
    match command {
        Command::Plugins { fixtures: false } => plugins::build()?,
        Command::Plugins { fixtures: true } => plugins::build_with_fixtures()?,
        Command::Build { release: false } => println!("{}", host::build(host::DEBUG)?.display()),
        Command::Build { release: true } => println!("{}", host::build(host::RELEASE)?.display()),
        Command::Static => println!("{}", host::build_static()?.display()),
        Command::Run(arguments) => run::run(&arguments)?,
        Command::Test { filter } => return test::test(filter.as_deref()),
        Command::Openhands => openhands::build()?,
        Command::Opencode => println!("{}", opencode::build()?.display()),
        Command::Fuzz { count, seed } => fuzz::fuzz(count, seed)?,
        Command::Peers { only } => return peers::peers(only.as_deref()),
        Command::Keep { engine } => engine::keep(engine)?,
        Command::Bench { suite, runs } => return bench::bench(suite, runs),
    }
    Ok(ExitCode::SUCCESS)
}

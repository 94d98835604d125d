//! The command line: one file per command.

mod audit;
mod call;
mod clients;
mod doctor;
mod explain;
mod health;
mod inherited;
mod log;
mod look;
mod open;
mod output;
mod plugins;
mod port;
mod serve;
mod state;
mod token;
mod tools;

use std::{process::ExitCode, sync::LazyLock};

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::{bundled::Bundled, config::LogFormat, time::BEGUN};

pub use open::Opening;
pub use state::State;

/// An MCP host whose tools live in sandboxed WebAssembly components.
#[derive(Parser)]
#[command(name = "windlass", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// What goes to the log on stderr: a level, or a filter such as `info,windlass::plugin=debug`.
    #[arg(
        long,
        global = true,
        env = "WINDLASS_LOG",
        default_value_t = inherited::log_level(&inherited::variable),
        value_name = "FILTER"
    )]
    log: String,
    /// How the log is written [default: as `logs.format` says, or as text].
    #[arg(long, global = true, env = "WINDLASS_LOG_FORMAT")]
    log_format: Option<LogFormat>,
}

#[derive(Subcommand)]
enum Command {
    /// Serves MCP on stdin and stdout, or over HTTP.
    Serve(serve::Serve),
    /// Lists the tools that clients see, and what they cost a model.
    Tools(tools::Tools),
    /// Calls one tool. The exit code says how it went: 0 done, 1 failed, 2 not callable.
    Call(call::Call),
    /// Looks at plugins, checks them, adds and removes them.
    Plugins(plugins::Plugins),
    /// Gives a port inside a container an address on this machine's loopback.
    Port(port::Port),
    /// Prints what a plugin asks for, what it is granted, and what each refusal would need.
    Explain(explain::Explain),
    /// Says who may call over HTTP: makes tokens, lists them, ends them.
    Token(token::Token),
    /// Reads and verifies the record of what happened.
    Audit(audit::Record),
    /// Checks this machine and the configuration.
    Doctor(doctor::Doctor),
    /// Asks a host that serves over HTTP whether it is well.
    Health(health::Health),
    /// Prints the entry that an MCP client needs to use this host.
    Config(clients::Config),
    /// Prints a script that completes this command line.
    Completions { shell: Shell },
}

/// Runs the command line. What it prints for people goes to stdout, the log to stderr.
pub fn run(bundled: &'static [Bundled]) -> ExitCode {
    LazyLock::force(&BEGUN);
    let arguments = Arguments::parse();
    let format = arguments.log_format.or_else(|| inherited::log_format(&inherited::variable));
    if let Err(error) = log::start(&arguments.log, format) {
        return complain(&error);
    }
    let run = || -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let result = runtime.block_on(dispatch(arguments.command, bundled));
        // A thread may still wait for a line from stdin that nobody will send.
        runtime.shutdown_background();
        result
    };
    run().unwrap_or_else(|error| complain(&error))
}

async fn dispatch(command: Command, bundled: &'static [Bundled]) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(serve) => serve.run(bundled).await,
        Command::Tools(tools) => tools.run(bundled).await,
        Command::Call(call) => call.run(bundled).await,
        Command::Plugins(plugins) => plugins.run(bundled).await,
        Command::Port(port) => port.run(bundled).await,
        Command::Explain(explain) => explain.run(bundled).await,
        Command::Token(token) => token.run().await,
        Command::Audit(record) => record.run().await,
        Command::Doctor(doctor) => doctor.run(bundled).await,
        Command::Health(health) => health.run().await,
        Command::Config(config) => config.run(),
        Command::Completions { shell } => {
            // It panics where it cannot write, and nobody may be reading any more.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "windlass", &mut script);
            output::print(String::from_utf8_lossy(&script).trim_end());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn complain(error: &anyhow::Error) -> ExitCode {
    output::to_stderr(&format!("windlass: {error:#}"));
    ExitCode::from(2)
}

//! The command line: one file per command.

mod audit;
mod call;
mod clients;
mod doctor;
mod explain;
mod health;
mod inherited;
mod look;
mod open;
mod output;
mod plugins;
mod port;
mod serve;
mod state;
mod token;
mod tools;

use std::{io, process::ExitCode};

use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::bundled::Bundled;

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
    #[arg(long, global = true, env = "WINDLASS_LOG_FORMAT", default_value_t = inherited::log_format(&inherited::variable))]
    log_format: LogFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

impl std::fmt::Display for LogFormat {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
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
    let arguments = Arguments::parse();
    if let Err(error) = start_log(&arguments) {
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

fn start_log(arguments: &Arguments) -> anyhow::Result<()> {
    use tracing_subscriber::EnvFilter;

    // Below `error` rmcp logs messages, arguments and results among them.
    let filter =
        format!("{},rmcp=error,hyper=warn,h2=warn,reqwest=warn,rustls=warn", arguments.log);
    let filter = EnvFilter::try_new(&filter)
        .map_err(|error| anyhow::anyhow!("--log `{}`: {error}", arguments.log))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match arguments.log_format {
        LogFormat::Text => log.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}

fn complain(error: &anyhow::Error) -> ExitCode {
    output::to_stderr(&format!("windlass: {error:#}"));
    ExitCode::from(2)
}

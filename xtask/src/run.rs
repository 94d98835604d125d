//! `cargo xtask run`: build all, then serve in the foreground.

use std::{os::unix::process::CommandExt as _, process::Command};

use anyhow::{Context as _, Result};
use clap::Args;

use crate::host;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Builds faster and serves slower.
    #[arg(long)]
    debug: bool,
    /// What `windlass serve` gets; `--stdio` chooses stdin and stdout instead of HTTP.
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Becomes the host, which says on stderr where it listens; on stdio nothing else writes to stdout.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let profile = if arguments.debug { host::DEBUG } else { host::RELEASE };
    let windlass = host::build(profile)?;
    let mut serve = Command::new(&windlass);
    serve.arg("serve");
    if !arguments.rest.iter().any(|argument| argument == "--stdio") {
        serve.arg("--http");
    }
    serve.args(arguments.rest.iter().filter(|argument| *argument != "--stdio"));
    Err(serve.exec()).with_context(|| format!("cannot start `{}`", windlass.display()))
}

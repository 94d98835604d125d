//! `windlass`: an MCP host whose tools live in sandboxed WebAssembly components.
//!
//! Reads as the story: `command` understands the command line, `serve` opens the `registry` and puts the
//! `server` in front of it.

use std::process::ExitCode;

use windlass::bundled::Bundled;

/// The plugins that the build put into this program.
static BUNDLED: &[Bundled] = include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

fn main() -> ExitCode {
    windlass::command::run(BUNDLED)
}

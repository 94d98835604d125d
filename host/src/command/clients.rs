//! `windlass config`: the entry that an MCP client needs to use this host.

use std::{path::Path, process::ExitCode};

use clap::Args;
use serde_json::json;

#[derive(Args)]
pub(super) struct Config {}

impl Config {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        Ok(ExitCode::SUCCESS)
    }
}

/// A ready entry for HTTP.
pub(super) fn http_entry(url: &str, token_file: Option<&Path>) -> String {
    let _ = token_file;
    json!({"mcpServers": {"windlass": {"type": "http", "url": url}}}).to_string()
}

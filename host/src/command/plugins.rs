//! `windlass plugins`: looks at plugins, checks them, adds and removes them.

use std::process::ExitCode;

use clap::Args;

use super::Opening;
use crate::bundled::Bundled;

#[derive(Args)]
pub(super) struct Plugins {
    #[command(flatten)]
    opening: Opening,
}

impl Plugins {
    pub(super) async fn run(self, bundled: &'static [Bundled]) -> anyhow::Result<ExitCode> {
        self.opening.open(bundled).await?;
        Ok(ExitCode::SUCCESS)
    }
}

//! `windlass doctor`: whether this machine and the configuration are fit.

use std::process::ExitCode;

use clap::Args;

use super::Opening;
use crate::bundled::Bundled;

#[derive(Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    opening: Opening,
}

impl Doctor {
    pub(super) async fn run(self, bundled: &'static [Bundled]) -> anyhow::Result<ExitCode> {
        self.opening.open(bundled).await?;
        Ok(ExitCode::SUCCESS)
    }
}

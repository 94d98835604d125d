//! `windlass explain`: what a plugin asks for, what it is granted, and what each refusal would need.

use std::process::ExitCode;

use clap::Args;

use super::Opening;
use crate::bundled::Bundled;

#[derive(Args)]
pub(super) struct Explain {
    #[command(flatten)]
    opening: Opening,
}

impl Explain {
    pub(super) async fn run(self, bundled: &'static [Bundled]) -> anyhow::Result<ExitCode> {
        self.opening.open(bundled).await?;
        Ok(ExitCode::SUCCESS)
    }
}

//! `git_status`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_repository::{Repository, Settings, Status};
use windlass_sdk::{Call, Hints, Result, Tool};

/// Tells the branch, what was changed, what is untracked and what is in conflict. Submodules are not looked into.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct GitStatus {
    /// The session's id.
    session_id: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Told {
    session_id: String,
    #[serde(flatten)]
    status: Status,
}

impl Tool for GitStatus {
    const NAME: &'static str = "git_status";
    const TITLE: Option<&'static str> = Some("Show the status");
    // Not read-only: it starts a process, in a container that it may have to make first.
    const HINTS: Hints = Hints::IDEMPOTENT;
    type Output = Told;

    fn run(self, call: &Call) -> Result<Told> {
        let settings: Settings = call.config()?;
        let status = Repository::open(&self.session_id, &settings)?.status()?;
        Ok(Told { session_id: self.session_id, status })
    }
}

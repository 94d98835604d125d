//! `git_clone`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_repository::{Checkout, CloneOptions, Repository, Settings};
use windlass_sdk::{Call, Hints, Result, Tool, progress};

/// Clones a repository into a workspace, and so makes a session of it. Submodules are not cloned. Where it fails, a workspace
/// that was made for it is gone again.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct GitClone {
    /// `https://…` of a host that the operator granted, or the path of a folder that the operator mounted. Without a user or
    /// a password.
    url: String,
    /// An empty workspace to clone into. Without it, one is made.
    session_id: Option<String>,
    /// The branch to check out; it is made where the remote has none of that name. Without it, the remote's own.
    branch: Option<String>,
    /// Only so many of the last commits.
    #[schemars(range(min = 1))]
    depth: Option<u32>,
    /// Only one branch, and not the others.
    #[serde(default)]
    single_branch: bool,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Cloned {
    session_id: String,
    url: String,
    /// Empty where the remote has a commit checked out and no branch.
    branch: String,
    /// Whether the branch was made, since the remote has none of that name.
    branch_created: bool,
    /// The commit that is checked out. Null: there is none yet.
    head: Option<String>,
    /// The files are resources below it.
    workspace_uri: String,
}

impl Tool for GitClone {
    const NAME: &'static str = "git_clone";
    const TITLE: Option<&'static str> = Some("Clone a repository");
    const HINTS: Hints = Hints::OPEN_WORLD;
    type Output = Cloned;

    fn run(self, call: &Call) -> Result<Cloned> {
        let settings: Settings = call.config()?;
        let Self { url, session_id, branch, depth, single_branch } = self;
        let options = CloneOptions { branch, depth, single_branch };
        progress::report(0.0, Some(1.0), "cloning");
        let (repository, Checkout { branch, created }) = match session_id {
            Some(session) => Repository::clone_into(&session, &url, &options, &settings)?,
            None => Repository::clone_new(&url, &options, &settings)?,
        };
        let session_id = repository.session_id().to_owned();
        Ok(Cloned {
            workspace_uri: format!("workspace://{session_id}/"),
            session_id,
            url,
            branch,
            branch_created: created,
            head: repository.head()?,
        })
    }
}

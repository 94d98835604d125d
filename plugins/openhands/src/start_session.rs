//! `start_session`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{Call, Error, Hints, Result, Tool, clock, workspaces::Workspace};

use crate::{
    error,
    session::{self, Session},
    settings::Settings,
    tree,
};

/// Clones a repository into a session of its own. The `session_id` that it answers is what the other tools take; the tools of
/// other plugins take it as the id of a workspace.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct StartSession {
    /// An address such as `https://github.com/owner/name`, or the path of a repository in a directory that the operator
    /// granted.
    #[schemars(length(min = 1))]
    repo_url: String,
    /// The branch to work on. Without it: the one that the repository has checked out. One that is not there is made.
    branch: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Started {
    success: bool,
    session_id: String,
    repo_url: String,
    branch: String,
    /// Whether the branch was made, since the repository has none of that name.
    branch_created: bool,
    workspace_path: String,
    created_at: String,
}

impl Tool for StartSession {
    const NAME: &'static str = "start_session";
    const TITLE: Option<&'static str> = Some("Start a session");
    const HINTS: Hints = Hints::OPEN_WORLD;
    type Output = Started;

    fn run(self, call: &Call) -> Result<Started> {
        Ok(self.start(call).map_err(|mut error| {
            error.message = format!("Failed to create session: {}", error.message);
            error::about("", error)
        })?)
    }
}

impl StartSession {
    /// What is made is written down at once: where this call dies, a later one removes it.
    fn start(self, call: &Call) -> Result<Started, Error> {
        let settings = Settings::of(call)?;
        Session::sweep()?;
        let workspace = Workspace::create()?;
        let id = workspace.id();
        let session = Session {
            repo_url: self.repo_url,
            created: clock::now(),
            starting: true,
            ..Session::default()
        };
        if let Err(error) = session.begin(&id) {
            workspace.destroy()?;
            return Err(error);
        }
        let branch = self.branch.filter(|branch| !branch.is_empty());
        let checkout = match tree::clone(&id, &session.repo_url, branch, &settings) {
            Ok(checkout) => checkout,
            Err(error) => {
                // What failed first is what the caller has to know; what stays is removed later.
                let _ = session::abandon(&id);
                return Err(error);
            }
        };
        let told = Session::change(&id, |session| {
            session.branch.clone_from(&checkout.branch);
            session.starting = false;
            Ok(session.told(&id))
        })?;
        Ok(Started {
            success: true,
            session_id: told.session_id,
            repo_url: told.repo_url,
            branch: told.branch,
            branch_created: checkout.created,
            workspace_path: told.workspace_path,
            created_at: told.created_at,
        })
    }
}

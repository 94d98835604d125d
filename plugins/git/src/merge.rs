//! `git_merge`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_repository::{Merge, Repository, Settings, check_branch, validation};
use windlass_sdk::{Call, Hints, Result, Tool};

/// Merges a branch of this repository, or of another session's, into the one that is checked out. Conflicts come as data, with
/// the file as it was before, here and there: edit the files, which hold markers, and `git_commit` with `all`, or call this
/// again with `abort`.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct GitMerge {
    /// The session's id.
    session_id: String,
    /// A branch, tag or commit.
    #[serde(rename = "ref")]
    revision: Option<String>,
    /// Another session: its commits are fetched first.
    from_session: Option<String>,
    /// The branch of that session. Without it, the one that is checked out there.
    branch: Option<String>,
    /// The message of the merge.
    message: Option<String>,
    /// Makes a merge even where the branch could just move on.
    #[serde(default)]
    no_ff: bool,
    /// Undoes a merge that ended in conflicts.
    #[serde(default)]
    abort: bool,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Merged {
    session_id: String,
    #[serde(flatten)]
    merge: Merge,
}

impl Tool for GitMerge {
    const NAME: &'static str = "git_merge";
    const TITLE: Option<&'static str> = Some("Merge");
    const HINTS: Hints = Hints::DESTRUCTIVE;
    type Output = Merged;

    fn run(self, call: &Call) -> Result<Merged> {
        let settings: Settings = call.config()?;
        let repository = Repository::open(&self.session_id, &settings)?;
        let merge = match (self.abort, self.revision, self.from_session) {
            (true, None, None) => repository.abort_merge()?,
            (false, Some(revision), None) => {
                repository.merge(&revision, self.message.as_deref(), !self.no_ff)?
            }
            (false, None, Some(session)) => {
                if let Some(branch) = &self.branch {
                    check_branch(branch)?;
                }
                let revision = repository.fetch_branch_of(&session, self.branch.as_deref())?;
                repository.merge(&revision, self.message.as_deref(), !self.no_ff)?
            }
            _ => {
                return Err(
                    validation("just one of `ref`, `from_session` and `abort` is needed").into()
                );
            }
        };
        Ok(Merged { session_id: self.session_id, merge })
    }
}

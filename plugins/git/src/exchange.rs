//! `git_push`, `git_fetch` and `git_pull`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_repository::{Merge, Repository, Settings, check_branch, is_session, validation};
use windlass_sdk::{Call, Error, Hints, Result, Tool};

use crate::command::failure;

/// Sends commits of a branch to a remote.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct GitPush {
    /// The session's id.
    session_id: String,
    /// The name of a remote, or an address. Without it, the one that the branch follows, or `origin`.
    remote: Option<String>,
    /// The branch. Without it, the one that is checked out.
    branch: Option<String>,
    /// Remembers that the branch follows the remote's.
    #[serde(default)]
    set_upstream: bool,
    /// Replaces what the remote has, if that is what was last fetched from it.
    #[serde(default)]
    force: bool,
    /// Sends all tags as well.
    #[serde(default)]
    tags: bool,
}

/// Gets commits from a remote, or from the repository of another session, and changes no branch or file of this one.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct GitFetch {
    /// The session's id.
    session_id: String,
    /// The name of a remote, an address, or the id of another session, whose branches then are `<id>/<branch>`. Without it,
    /// the remote that the branch follows, or `origin`.
    remote: Option<String>,
    /// Only this branch.
    branch: Option<String>,
    /// Forgets branches that the remote has no more.
    #[serde(default)]
    prune: bool,
    /// Only so many of the last commits.
    #[schemars(range(min = 1))]
    depth: Option<u32>,
}

/// Gets commits from a remote, or from the repository of another session, and brings the checked-out branch together with them.
/// Conflicts come as data.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct GitPull {
    /// The session's id.
    session_id: String,
    /// The name of a remote, an address, or the id of another session. Without it, the remote that the branch follows, or `origin`.
    remote: Option<String>,
    /// The branch there. Without it, the one that the branch follows; of a session, the one that is checked out there.
    branch: Option<String>,
    /// Puts the branch's own commits after the remote's, and merges nothing.
    #[serde(default)]
    rebase: bool,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Said {
    session_id: String,
    /// What git said.
    output: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Pulled {
    session_id: String,
    #[serde(flatten)]
    merge: Merge,
}

impl Tool for GitPush {
    const NAME: &'static str = "git_push";
    const TITLE: Option<&'static str> = Some("Push");
    const HINTS: Hints = Hints::DESTRUCTIVE.union(Hints::OPEN_WORLD);
    type Output = Said;

    fn run(self, call: &Call) -> Result<Said> {
        let repository = open(&self.session_id, call)?;
        let branch = match &self.branch {
            Some(branch) => branch.clone(),
            None => repository.current_branch()?,
        };
        if branch.is_empty() {
            return Err(validation("no branch is checked out: name one in `branch`").into());
        }
        check_branch(&branch)?;
        let mut options = vec!["--porcelain"];
        options.extend(self.set_upstream.then_some("--set-upstream"));
        options.extend(self.force.then_some("--force-with-lease"));
        options.extend(self.tags.then_some("--tags"));
        let ran = repository.push(self.remote.as_deref(), &branch, &options)?;
        if !ran.succeeded() {
            let mut ran = ran;
            // Which ref was refused, and why, stands on stdout.
            ran.stderr = [ran.stdout.clone(), ran.stderr].concat();
            return Err(failure(&ran).into());
        }
        Ok(Said { session_id: self.session_id, output: ran.text() + &ran.complaint() })
    }
}

impl Tool for GitFetch {
    const NAME: &'static str = "git_fetch";
    const TITLE: Option<&'static str> = Some("Fetch");
    const HINTS: Hints = Hints::OPEN_WORLD.union(Hints::IDEMPOTENT);
    type Output = Said;

    fn run(self, call: &Call) -> Result<Said> {
        let repository = open(&self.session_id, call)?;
        if let Some(branch) = &self.branch {
            check_branch(branch)?;
        }
        let ran = match self.remote.as_deref() {
            Some(session) if is_session(session) => repository.fetch_session(session)?,
            remote => {
                let depth = self.depth.map(|depth| format!("--depth={depth}"));
                let prune = self.prune.then_some("--prune");
                let options: Vec<_> = prune.into_iter().chain(depth.as_deref()).collect();
                repository.fetch(remote, self.branch.as_deref(), &options)?
            }
        };
        if !ran.succeeded() {
            return Err(failure(&ran).into());
        }
        Ok(Said { session_id: self.session_id, output: ran.text() + &ran.complaint() })
    }
}

impl Tool for GitPull {
    const NAME: &'static str = "git_pull";
    const TITLE: Option<&'static str> = Some("Pull");
    const HINTS: Hints = Hints::OPEN_WORLD;
    type Output = Pulled;

    fn run(self, call: &Call) -> Result<Pulled> {
        let repository = open(&self.session_id, call)?;
        if let Some(branch) = &self.branch {
            check_branch(branch)?;
        }
        let revision = match self.remote.as_deref() {
            Some(session) if is_session(session) => {
                repository.fetch_branch_of(session, self.branch.as_deref())?
            }
            remote => {
                let ran = repository.fetch(remote, self.branch.as_deref(), &[])?;
                if !ran.succeeded() {
                    return Err(failure(&ran).into());
                }
                repository.fetched()?
            }
        };
        let merge = if self.rebase {
            repository.rebase(&revision)?
        } else {
            repository.merge(&revision, None, true)?
        };
        Ok(Pulled { session_id: self.session_id, merge })
    }
}

fn open(session_id: &str, call: &Call) -> Result<Repository, Error> {
    let settings: Settings = call.config()?;
    Repository::open(session_id, &settings)
}

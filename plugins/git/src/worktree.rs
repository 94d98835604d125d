//! `git_worktree`: several workspaces on one repository, so that several agents work side by side.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_repository::{Repository, Settings, conflict, of, session_not_found, validation};
use windlass_sdk::{
    Call, Error, Hints, Result, Tool, clock, store, types::Code, workspaces::Workspace,
};

const WORKTREES: &str = "worktrees";
const PAGE: u32 = 500;

/// Makes a second session on the same repository, with a branch of its own checked out, lists those, or removes one. What is
/// committed there comes back with `git_merge` and `from_session`, or with `git_fetch`.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct GitWorktree {
    #[serde(default)]
    action: Action,
    /// For `create` the session whose repository it is, for `remove` the one that was made. For `list` only those of this one.
    session_id: Option<String>,
    /// For `create`: the branch to check out there. It is made where there is none of that name.
    branch: Option<String>,
    /// For `create`: the commit or branch that a new branch begins at. Without it, what is checked out.
    start: Option<String>,
    /// For `remove`: even with changes that are not committed, or commits that were fetched from nowhere.
    #[serde(default)]
    force: bool,
}

/// What is done.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Action {
    #[default]
    List,
    Create,
    Remove,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Worktrees {
    /// The session that was made or removed.
    session_id: Option<String>,
    worktrees: Vec<Worktree>,
}

/// A second session on a repository.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
struct Worktree {
    session_id: String,
    /// The session that it was made from.
    origin: String,
    /// The branch that it was made for.
    branch: String,
    /// Milliseconds since 1970.
    created: u64,
}

impl Tool for GitWorktree {
    const NAME: &'static str = "git_worktree";
    const TITLE: Option<&'static str> = Some("Work side by side");
    const HINTS: Hints = Hints::DESTRUCTIVE;
    type Output = Worktrees;

    fn run(self, call: &Call) -> Result<Worktrees> {
        let settings: Settings = call.config()?;
        let (made, of_origin) = match self.action {
            Action::List => (None, self.session_id.clone()),
            Action::Create => {
                let made = self.create(&settings)?;
                (Some(made.session_id), Some(made.origin))
            }
            Action::Remove => (Some(self.remove(&settings)?), None),
        };
        let worktrees = all()?
            .into_iter()
            .filter(|it| of_origin.as_ref().is_none_or(|origin| it.origin == *origin));
        Ok(Worktrees { session_id: made, worktrees: worktrees.collect() })
    }
}

impl GitWorktree {
    fn create(&self, settings: &Settings) -> Result<Worktree, Error> {
        let origin = self.session()?;
        let Some(branch) = &self.branch else { return Err(validation("`branch` is needed")) };
        let second = Repository::open(origin, settings)?.second(branch, self.start.as_deref())?;
        let worktree = Worktree {
            session_id: second.session_id().to_owned(),
            origin: origin.to_owned(),
            branch: branch.clone(),
            created: clock::now(),
        };
        store::put_as(WORKTREES, &worktree.session_id, &worktree).map_err(of)?;
        Ok(worktree)
    }

    fn remove(&self, settings: &Settings) -> Result<String, Error> {
        let session = self.session()?;
        let Some(worktree) = store::get_as::<Worktree>(WORKTREES, session).map_err(of)? else {
            return Err(session_not_found(session));
        };
        match Workspace::open(session) {
            Err(error) if error.code == Code::NotFound => {}
            workspace => {
                if !self.force {
                    check_done(&worktree, settings)?;
                }
                workspace.map_err(of)?.destroy().map_err(of)?;
            }
        }
        store::delete(WORKTREES, session).map_err(of)?;
        Ok(session.to_owned())
    }

    fn session(&self) -> Result<&str, Error> {
        self.session_id.as_deref().ok_or_else(|| validation("`session_id` is needed"))
    }
}

/// Fails where the removal would lose work.
fn check_done(worktree: &Worktree, settings: &Settings) -> Result<(), Error> {
    let repository = Repository::open(&worktree.session_id, settings)?;
    if repository.is_dirty()? {
        return Err(conflict(
            "it holds changes that are not committed: commit them, or say `force`",
        ));
    }
    let mut commits = repository.tips()?;
    commits.extend(repository.head()?);
    commits.sort_unstable();
    commits.dedup();
    let origin = Repository::open(&worktree.origin, settings);
    let is_known = |commit: &String| {
        let known =
            |origin: &Repository| origin.git(&["cat-file", "-e", &format!("{commit}^{{commit}}")]);
        origin.as_ref().is_ok_and(|origin| known(origin).is_ok_and(|ran| ran.succeeded()))
    };
    match commits.iter().find(|commit| !is_known(commit)) {
        None => Ok(()),
        Some(commit) => Err(conflict(format!(
            "its commit {commit} is not in {}: get it there with `git_fetch` or `git_merge`, or say `force`",
            worktree.origin
        ))),
    }
}

/// All that are still there. Those whose workspace is gone are forgotten.
fn all() -> Result<Vec<Worktree>, Error> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = store::list(WORKTREES, &after, PAGE).map_err(of)?;
        let Some(last) = page.last() else { return Ok(found) };
        after.clone_from(&last.key);
        for entry in page {
            match Workspace::open(&entry.key) {
                Err(error) if error.code == Code::NotFound => {
                    store::delete(WORKTREES, &entry.key).map_err(of)?
                }
                _ => found.push(serde_json::from_str(&entry.document)?),
            }
        }
    }
}

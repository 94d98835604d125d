//! The files of a session as git sees them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_repository::{Checkout, CloneOptions, Repository};
use windlass_sdk::{
    Error,
    log::{self, Level},
    workspaces::Workspace,
};

use crate::settings::Settings;

/// More files are only counted.
const MOST_FILES: usize = 200;

/// Where a repository comes from.
pub(crate) struct Origin {
    pub(crate) url: String,
    pub(crate) branch: String,
}

/// What was changed since a task began.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Changes {
    /// Up to two hundred. Those of tasks that run at the same time are among them.
    pub(crate) changed_files: Vec<ChangedFile>,
    pub(crate) diff_stat: DiffStat,
}

/// A file that was changed.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct ChangedFile {
    pub(crate) path: String,
    /// Lines that came. Null: it is no text, or git does not know it.
    pub(crate) insertions: Option<u64>,
    /// Lines that went.
    pub(crate) deletions: Option<u64>,
    /// Whether git does not know it.
    pub(crate) untracked: bool,
}

/// The sum of them, also of those that are left out of the list.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct DiffStat {
    pub(crate) files: u64,
    pub(crate) insertions: u64,
    pub(crate) deletions: u64,
}

/// Clones into an empty workspace.
pub(crate) fn clone(
    session: &str,
    url: &str,
    branch: Option<String>,
    settings: &Settings,
) -> Result<Checkout, Error> {
    let options = CloneOptions { branch, ..CloneOptions::default() };
    Repository::clone_into(session, url, &options, &settings.git).map(|(_, checkout)| checkout)
}

/// Where the repository of a workspace comes from. None: there is no repository in it.
pub(crate) fn origin(session: &str, settings: &Settings) -> Option<Origin> {
    let repository = Repository::open(session, &settings.git).ok()?;
    let url = repository.remote_url().ok()?.unwrap_or_default();
    Some(Origin { url, branch: repository.current_branch().ok()? })
}

/// The commit that is checked out. The empty string: there is none yet.
pub(crate) fn head(session: &str, settings: &Settings) -> Result<String, Error> {
    Ok(Repository::open(session, &settings.git)?.head()?.unwrap_or_default())
}

/// What was changed since a commit. None where git cannot say that: an agent may have broken the repository.
pub(crate) fn changes(session: &str, base: &str, settings: &Settings) -> Option<Changes> {
    let changes = Repository::open(session, &settings.git)
        .and_then(|repository| repository.changes_since(base));
    match changes {
        Ok(changes) => Some(changes.into()),
        Err(error) => {
            log::write(Level::Warn, &format!("what was changed is not known: {}", error.message));
            None
        }
    }
}

/// Whether anything would be lost with the workspace: what is not committed, or not pushed. Where git cannot say that, it would.
pub(crate) fn would_lose(session: &str, workspace: &Workspace, settings: &Settings) -> bool {
    let lose = |repository: Repository| Ok(repository.is_dirty()? || repository.has_unpushed()?);
    match Repository::open(session, &settings.git).and_then(lose) {
        Ok(lose) => lose,
        // A workspace without a file has nothing to lose.
        Err(_) => workspace.list("", false, "", 1).is_ok_and(|page| !page.entries.is_empty()),
    }
}

impl From<windlass_repository::Changes> for Changes {
    fn from(changes: windlass_repository::Changes) -> Self {
        let file = |file: windlass_repository::ChangedFile| ChangedFile {
            path: file.path,
            insertions: file.insertions,
            deletions: file.deletions,
            untracked: file.untracked,
        };
        let windlass_repository::DiffStat { files, insertions, deletions } = changes.diff_stat;
        Self {
            changed_files: changes.changed_files.into_iter().take(MOST_FILES).map(file).collect(),
            diff_stat: DiffStat { files, insertions, deletions },
        }
    }
}

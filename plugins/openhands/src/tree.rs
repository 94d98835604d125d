//! The files of a session as git sees them.

pub(crate) use windlass_repository::{ChangedFile, Changes, DiffStat};
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
        Ok(mut changes) => {
            changes.changed_files.truncate(MOST_FILES);
            Some(changes)
        }
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

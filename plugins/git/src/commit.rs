//! `git_commit`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_repository::{Repository, Settings, validation};
use windlass_sdk::{Call, Error, Hints, Result, Tool};

use crate::command::failure;

/// Commits: what is staged, or these paths, or everything with `all`, new and deleted files included.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct GitCommit {
    /// The session's id.
    session_id: String,
    /// The message. Only `amend` does without one: it keeps that of the last commit.
    message: Option<String>,
    /// Commits these files and directories, and nothing else.
    #[serde(default)]
    paths: Vec<String>,
    /// Commits everything that was changed.
    #[serde(default)]
    all: bool,
    /// Replaces the last commit.
    #[serde(default)]
    amend: bool,
    /// Commits even where nothing was changed.
    #[serde(default)]
    allow_empty: bool,
    /// `Name <address>` of the author, where it is somebody else.
    author: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Committed {
    session_id: String,
    /// The commit.
    commit: String,
    /// Empty where no branch is checked out.
    branch: String,
    /// What git said.
    output: String,
}

impl Tool for GitCommit {
    const NAME: &'static str = "git_commit";
    const TITLE: Option<&'static str> = Some("Commit");
    const HINTS: Hints = Hints::DESTRUCTIVE;
    type Output = Committed;

    fn run(self, call: &Call) -> Result<Committed> {
        let settings: Settings = call.config()?;
        self.check()?;
        let repository = Repository::open(&self.session_id, &settings)?;
        if self.all {
            add(&repository, &["--all"])?;
        } else if !self.paths.is_empty() {
            let paths: Vec<_> =
                ["--all", "--"].into_iter().chain(self.paths.iter().map(String::as_str)).collect();
            add(&repository, &paths)?;
        }
        let ran = repository.git(&self.arguments())?;
        if !ran.succeeded() {
            return Err(failure(&ran).into());
        }
        let commit = repository.head()?.unwrap_or_default();
        let branch = repository.current_branch()?;
        Ok(Committed { session_id: self.session_id, commit, branch, output: ran.text() })
    }
}

impl GitCommit {
    fn check(&self) -> Result<(), Error> {
        if self.all && !self.paths.is_empty() {
            return Err(validation("`paths` and `all` do not go together"));
        }
        match self.message.as_deref().map(str::trim) {
            Some("") => Err(validation("`message` is empty")),
            None if !self.amend => Err(validation("`message` is needed where nothing is amended")),
            _ => Ok(()),
        }
    }

    fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["commit".to_owned(), "--no-gpg-sign".to_owned()];
        arguments.push(match &self.message {
            Some(message) => format!("--message={message}"),
            None => "--no-edit".to_owned(),
        });
        arguments.extend(self.author.iter().map(|author| format!("--author={author}")));
        arguments.extend(self.amend.then(|| "--amend".to_owned()));
        arguments.extend(self.allow_empty.then(|| "--allow-empty".to_owned()));
        if !self.paths.is_empty() {
            arguments.extend(["--only".to_owned(), "--".to_owned()]);
            arguments.extend(self.paths.iter().cloned());
        }
        arguments
    }
}

fn add(repository: &Repository, what: &[&str]) -> Result<(), Error> {
    let arguments: Vec<_> = ["add"].into_iter().chain(what.iter().copied()).collect();
    repository.done(&arguments).map(drop)
}

//! `git_branch`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_repository::{Repository, Settings, check_branch, check_revision, validation};
use windlass_sdk::{Call, Error, Hints, Result, Tool};

use crate::command::failure;

/// More branches are only counted.
const MOST: usize = 500;
const FORMAT: &str = "--format=%(refname)%00%(objectname)%00%(upstream:short)%00%(HEAD)";

/// Lists branches, makes one, checks one out, or deletes one. All of them answer with the list.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct GitBranch {
    /// The session's id.
    session_id: String,
    #[serde(default)]
    action: Action,
    /// The branch. Not needed for `list`.
    name: Option<String>,
    /// For `create`: the commit or branch that it begins at. Without it, what is checked out.
    start: Option<String>,
    /// For `switch`: throws away what was changed and stands in the way. For `delete`: even if its commits are nowhere else.
    /// For `create`: moves a branch that is there.
    #[serde(default)]
    force: bool,
    /// Lists those of remotes as well.
    #[serde(default)]
    remotes: bool,
}

/// What is done.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Action {
    #[default]
    List,
    Create,
    Switch,
    Delete,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Branches {
    session_id: String,
    /// The one that is checked out. Empty: none is.
    current: String,
    /// Up to 500.
    branches: Vec<Branch>,
    /// How many are left out.
    left_out: usize,
}

/// A branch.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
struct Branch {
    name: String,
    commit: String,
    /// The branch of a remote that it follows.
    upstream: Option<String>,
    current: bool,
    /// Whether it is a remote's.
    remote: bool,
}

impl Tool for GitBranch {
    const NAME: &'static str = "git_branch";
    const TITLE: Option<&'static str> = Some("Work with branches");
    const HINTS: Hints = Hints::DESTRUCTIVE;
    type Output = Branches;

    fn run(self, call: &Call) -> Result<Branches> {
        let settings: Settings = call.config()?;
        let arguments = self.arguments()?;
        let repository = Repository::open(&self.session_id, &settings)?;
        if !arguments.is_empty() {
            let ran = repository.git_configuring(&arguments)?;
            if !ran.succeeded() {
                return Err(failure(&ran).into());
            }
        }
        Ok(self.list(&repository)?)
    }
}

impl GitBranch {
    fn arguments(&self) -> Result<Vec<&str>, Error> {
        if self.action == Action::List {
            return Ok(Vec::new());
        }
        let Some(name) = self.name.as_deref() else { return Err(validation("`name` is needed")) };
        check_branch(name)?;
        let mut arguments = match (self.action, self.force) {
            (Action::Switch, true) => vec!["checkout", "--force", name],
            (Action::Switch, false) => vec!["checkout", name],
            (Action::Delete, true) => vec!["branch", "-D", name],
            (Action::Delete, false) => vec!["branch", "-d", name],
            (_, true) => vec!["branch", "--force", name],
            (_, false) => vec!["branch", name],
        };
        if let Some(start) = self.start.as_deref() {
            check_revision(start)?;
            if self.action != Action::Create {
                return Err(validation("`start` is only for `create`"));
            }
            arguments.push(start);
        }
        if self.action == Action::Switch {
            arguments.push("--");
        }
        Ok(arguments)
    }

    fn list(self, repository: &Repository) -> Result<Branches, Error> {
        let mut arguments = vec!["for-each-ref", FORMAT, "refs/heads"];
        arguments.extend(self.remotes.then_some("refs/remotes"));
        let ran = repository.done(&arguments)?;
        let text = ran.text();
        let mut branches: Vec<_> = text.lines().filter_map(branch).collect();
        let left_out = branches.len().saturating_sub(MOST);
        branches.truncate(MOST);
        let current = repository.current_branch()?;
        Ok(Branches { session_id: self.session_id, current, branches, left_out })
    }
}

fn branch(line: &str) -> Option<Branch> {
    let mut fields = line.split('\0');
    let (name, commit, upstream, head) =
        (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let local = name.strip_prefix("refs/heads/");
    let name = local.or_else(|| name.strip_prefix("refs/remotes/"))?;
    Some(Branch {
        name: name.to_owned(),
        commit: commit.to_owned(),
        upstream: (!upstream.is_empty()).then(|| upstream.to_owned()),
        current: head == "*",
        remote: local.is_none(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_read() {
        let read = branch("refs/heads/a/b\0abc\0origin/a\0*").unwrap();
        assert_eq!(
            (read.name.as_str(), read.upstream.as_deref(), read.current, read.remote),
            ("a/b", Some("origin/a"), true, false)
        );
        let read = branch("refs/remotes/o/a\0abc\0\0 ").unwrap();
        assert_eq!(
            (read.name.as_str(), read.upstream, read.current, read.remote),
            ("o/a", None, false, true)
        );
        assert_eq!(branch(""), None);
    }
}

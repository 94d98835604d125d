//! Fetching, pushing and pulling: from and to remote repositories, and from other sessions.

use windlass_sdk::{Error, types::Code, workspaces::Workspace};

use crate::{
    Address, Limits, Ran, Repository,
    config::is_plain,
    failure::{self, validation},
    options,
    repository::{Invocation, nonce},
    toolbox::Toolbox,
};

/// As much as is shown of what a remote says.
const MOST_OUTPUT: usize = 256 << 10;

impl Repository {
    /// Whom a remote is: by name, by address, or the one that the branch follows.
    pub fn peers(&self, remote: Option<&str>, pushes: bool) -> Result<Vec<Address>, Error> {
        let config = self.config()?;
        let name = match remote {
            Some(name) => name.to_owned(),
            None => self.usual_remote()?,
        };
        let addresses = |key| {
            config
                .values("remote", Some(&name), key)
                .map(Address::new)
                .collect::<Result<Vec<_>, _>>()
        };
        let pushed: Vec<_> = if pushes { addresses("pushurl")? } else { Vec::new() };
        let found = if pushed.is_empty() { addresses("url")? } else { pushed };
        if !found.is_empty() {
            return Ok(found);
        }
        match Address::new(&name) {
            Ok(address) => Ok(vec![address]),
            Err(error) if name.contains([':', '/']) => Err(error),
            Err(_) => Err(validation(format!(
                "there is no remote `{}`; there {}",
                name.escape_debug(),
                match config.remotes().as_slice() {
                    [] => "is none whose address git may be given".to_owned(),
                    names => format!("is `{}`", names.join("`, `")),
                }
            ))),
        }
    }

    /// All remotes.
    pub(crate) fn all_peers(&self) -> Result<Vec<Address>, Error> {
        let config = self.config()?;
        config
            .remotes()
            .into_iter()
            .map(|name| self.peers(Some(name), false))
            .collect::<Result<Vec<_>, _>>()
            .map(|it| it.concat())
    }

    /// The remote that the branch follows, or the one that there is.
    fn usual_remote(&self) -> Result<String, Error> {
        let config = self.config()?;
        let branch = self.current_branch()?;
        let followed = config.value("branch", Some(&branch), "remote").filter(|name| *name != ".");
        let only = || match config.remotes().as_slice() {
            [only] => Some((*only).to_owned()),
            _ => None,
        };
        Ok(followed.map(str::to_owned).or_else(only).unwrap_or_else(|| "origin".to_owned()))
    }

    /// Runs a fetch or a push. It fails with what git says only where that tells more than git's answer would.
    pub(crate) fn talk_to(
        &self,
        peers: &[Address],
        arguments: Vec<String>,
        configures: bool,
    ) -> Result<Ran, Error> {
        let limits = Limits { most: MOST_OUTPUT, ..Limits::default() };
        let toolbox = Toolbox::Remote;
        let ran = self.invoke(&Invocation { arguments, toolbox, peers, configures, limits })?;
        if ran.succeeded() {
            return Ok(ran);
        }
        let error = failure::git(&ran.complaint(), peers);
        if error.code == Code::Failed { Ok(ran) } else { Err(error) }
    }

    /// Fetches, and brings the branch together with what came.
    pub fn pull(
        &self,
        words: &[&str],
        fetching: Vec<String>,
        joining: Vec<String>,
        rebase: Option<bool>,
    ) -> Result<Ran, Error> {
        let peers = self.peers(words.first().copied(), false)?;
        let own = ["fetch".to_owned()].into_iter().chain(fetching);
        let words = ["--"].iter().chain(words).map(|&word| word.to_owned());
        let arguments = own.chain(words).collect();
        let fetched = self.talk_to(&peers, arguments, false)?;
        if !fetched.succeeded() {
            return Ok(fetched);
        }
        let commit = self.fetched()?;
        let joined = self.join(&commit, joining, rebase)?;
        Ok(Ran {
            stdout: [fetched.stdout, joined.stdout].concat(),
            stderr: [fetched.stderr, joined.stderr].concat(),
            cut: fetched.cut || joined.cut,
            printed: fetched.printed + joined.printed,
            code: joined.code,
        })
    }

    /// Sends a branch to a remote.
    pub fn push(&self, remote: Option<&str>, branch: &str, options: &[&str]) -> Result<Ran, Error> {
        let peers = self.peers(remote, true)?;
        let refs = format!("refs/heads/{branch}:refs/heads/{branch}");
        self.talk_to(&peers, self.talking("push", remote, options, Some(&refs))?, true)
    }

    /// Gets commits from a remote.
    pub fn fetch(
        &self,
        remote: Option<&str>,
        branch: Option<&str>,
        options: &[&str],
    ) -> Result<Ran, Error> {
        let peers = self.peers(remote, false)?;
        self.talk_to(&peers, self.talking("fetch", remote, options, branch)?, false)
    }

    fn talking(
        &self,
        subcommand: &str,
        remote: Option<&str>,
        options: &[&str],
        refs: Option<&str>,
    ) -> Result<Vec<String>, Error> {
        let mut arguments = vec![subcommand.to_owned()];
        arguments.extend(options.iter().map(|&option| option.to_owned()));
        arguments.push("--".to_owned());
        arguments.push(match remote {
            Some(remote) => remote.to_owned(),
            None => self.usual_remote()?,
        });
        arguments.extend(refs.map(str::to_owned));
        Ok(arguments)
    }

    /// What the last fetch brought for the branch that is checked out.
    pub fn fetched(&self) -> Result<String, Error> {
        self.fetched_for_merging()?.ok_or_else(nothing_to_pull)
    }

    /// Fetches from another session, and names the commit of a branch there.
    pub fn fetch_branch_of(&self, session_id: &str, branch: Option<&str>) -> Result<String, Error> {
        let branch = match branch {
            Some(branch) => branch.to_owned(),
            None => Self::open(session_id, &self.settings)?.current_branch()?,
        };
        if branch.is_empty() {
            return Err(validation(format!(
                "Session {session_id} has no branch checked out: name one in `branch`"
            )));
        }
        self.fetch_session(session_id)?;
        Ok(format!("refs/remotes/{session_id}/{branch}"))
    }

    fn join(&self, commit: &str, joining: Vec<String>, rebase: Option<bool>) -> Result<Ran, Error> {
        let rebase = match rebase {
            Some(rebase) => rebase,
            None => self.rebases()?,
        };
        let subcommand = if rebase { "rebase" } else { "merge" };
        let mut arguments = vec![subcommand.to_owned()];
        arguments.extend(joining);
        // Merging this name writes into the message where it came from.
        arguments.push(if rebase { commit } else { "FETCH_HEAD" }.to_owned());
        self.git(&arguments)
    }

    /// Whether the configuration says that a pull rebases.
    fn rebases(&self) -> Result<bool, Error> {
        let config = self.config()?;
        let branch = self.current_branch()?;
        let own = config.value("branch", Some(&branch), "rebase");
        let said = own.or_else(|| config.value("pull", None, "rebase"));
        Ok(said.is_some_and(|said| !matches!(said, "false" | "no" | "off" | "0" | "")))
    }

    /// The commit of the last fetch that is there to be merged.
    fn fetched_for_merging(&self) -> Result<Option<String>, Error> {
        let part = self.workspace.read(".git/FETCH_HEAD", 0, Some(1 << 20)).map_err(failure::of)?;
        let text = String::from_utf8_lossy(&part.data).into_owned();
        let line = text.lines().find(|line| !line.contains("\tnot-for-merge\t"));
        let commit = line.and_then(|line| line.split('\t').next()).map(str::to_owned);
        Ok(commit.filter(|commit| {
            !commit.is_empty() && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
        }))
    }

    /// Fetches all branches of another session's repository as `<its id>/<branch>`.
    pub fn fetch_session(&self, session_id: &str) -> Result<Ran, Error> {
        if session_id == self.id {
            return Err(validation("a session cannot fetch from itself"));
        }
        let other = Self::open(session_id, &self.settings)?;
        let name = format!(".git/windlass-{}.bundle", nonce());
        let made = other.bundle(&name, self);
        // It is of use to nobody else, whatever came of it.
        let (_, _) = (other.workspace.delete(name.as_str()), self.workspace.delete(name.as_str()));
        made
    }

    fn bundle(&self, name: &str, into: &Self) -> Result<Ran, Error> {
        let path = format!("/workspace/{name}");
        self.done(&["bundle", "create", "--quiet", "--version=2", &path, "HEAD", "--branches"])
            .map_err(|error| {
                if error.message.contains("ambiguous argument 'HEAD'")
                    || error.message.contains("empty bundle")
                {
                    validation(format!("Session {} has no commit yet", self.id))
                } else {
                    error
                }
            })?;
        into.workspace.copy_from(&self.workspace, name, name).map_err(failure::of)?;
        let refs = format!("+refs/heads/*:refs/remotes/{}/*", self.id);
        into.done(&["fetch", "--no-tags", "--prune", &path, &refs])
    }

    /// A second workspace on the same repository, with a branch of its own checked out.
    pub fn second(&self, branch: &str, start: Option<&str>) -> Result<Self, Error> {
        options::check_branch(branch)?;
        if let Some(start) = start {
            options::check_revision(start)?;
        }
        let other = Self::of(Workspace::create().map_err(failure::of)?, &self.settings);
        match self.copy_into(&other, branch, start) {
            Ok(()) => Ok(other),
            Err(error) => {
                // What failed first is what the caller has to know.
                let _ = other.workspace.destroy();
                Err(error)
            }
        }
    }

    fn copy_into(&self, other: &Self, branch: &str, start: Option<&str>) -> Result<(), Error> {
        other.workspace.copy_from(&self.workspace, ".git", ".git").map_err(failure::of)?;
        for left in [
            ".git/index",
            ".git/index.lock",
            ".git/HEAD.lock",
            ".git/windlass",
            ".git/MERGE_HEAD",
            ".git/rebase-merge",
            ".git/rebase-apply",
        ] {
            match other.workspace.delete(left) {
                Err(error) if error.code != Code::NotFound => return Err(failure::of(error)),
                _ => {}
            }
        }
        let exists = other
            .git(&["show-ref", "--verify", "--quiet", &format!("refs/heads/{branch}")])?
            .succeeded();
        match (exists, start) {
            (true, Some(_)) => Err(failure::conflict(format!(
                "the branch `{branch}` is there already: leave `start` out to go on with it"
            ))),
            (true, None) => other.done(&["checkout", "--force", "--quiet", branch, "--"]).map(drop),
            (false, start) => {
                let arguments = [
                    "checkout",
                    "--force",
                    "--quiet",
                    "--no-track",
                    "-b",
                    branch,
                    start.unwrap_or("HEAD"),
                    "--",
                ];
                other.done(&arguments).map(drop)
            }
        }
    }
}

fn nothing_to_pull() -> Error {
    validation(
        "the current branch follows none of the remote's, so there is nothing to pull: name the remote and its branch, as in `pull origin main`",
    )
}

/// Whether somebody may mean a session by this, and no remote.
pub fn is_session(name: &str) -> bool {
    name.starts_with("w_") && is_plain(name)
}

//! Cloning into a workspace.

use windlass_sdk::{Error, types::Code, workspaces::Workspace};

use crate::{
    Address, Limits, Ran, Repository, Settings,
    config::Config,
    environment::Surroundings,
    failure, options,
    repository::{nonce, workspace},
    run, script,
    toolbox::Toolbox,
};

/// How much of a repository is cloned.
#[derive(Clone, Debug, Default)]
pub struct CloneOptions {
    /// Which branch is checked out. None: the one that the remote has checked out. One that is not there is made.
    pub branch: Option<String>,
    /// How many commits of each branch. None: all.
    pub depth: Option<u32>,
    /// Only one branch, and not the others.
    pub single_branch: bool,
}

/// What is checked out after a clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// Empty where the remote has a commit checked out and no branch.
    pub branch: String,
    /// Whether the branch was made, since the remote has none of that name.
    pub created: bool,
}

impl Repository {
    /// Clones into a workspace of its own, which goes again if that fails.
    pub fn clone_new(
        url: &str,
        options: &CloneOptions,
        settings: &Settings,
    ) -> Result<(Self, Checkout), Error> {
        let address = check(url, options)?;
        let workspace = Workspace::create().map_err(failure::of)?;
        let repository = Self::of(workspace, settings);
        match repository.clone_from(&address, options) {
            Ok(checkout) => Ok((repository, checkout)),
            Err(error) => {
                // What failed first is what the caller has to know.
                let _ = repository.workspace.destroy();
                Err(error)
            }
        }
    }

    /// Clones into a workspace that is there, and empty.
    pub fn clone_into(
        session_id: &str,
        url: &str,
        options: &CloneOptions,
        settings: &Settings,
    ) -> Result<(Self, Checkout), Error> {
        let address = check(url, options)?;
        let repository = Self::of(workspace(session_id)?, settings);
        let found = repository.workspace.list("", false, "", 1).map_err(failure::of)?;
        if let Some(entry) = found.entries.first() {
            return Err(failure::conflict(format!(
                "Session {session_id} holds `{}` already: a repository is cloned into an empty one",
                entry.path
            )));
        }
        let checkout = repository.clone_from(&address, options)?;
        Ok((repository, checkout))
    }

    fn clone_from(&self, address: &Address, options: &CloneOptions) -> Result<Checkout, Error> {
        let wanted = options.branch.as_deref();
        let ran = self.run_clone(address, options, wanted)?;
        let missing = |branch: &str| {
            ran.complaint().contains(&format!("Remote branch {branch} not found in upstream"))
        };
        match wanted {
            Some(branch) if !ran.succeeded() && missing(branch) => {
                let ran = self.run_clone(address, options, None)?;
                succeeded(&ran, address)?;
                self.make_branch(branch)?;
                Ok(Checkout { branch: branch.to_owned(), created: true })
            }
            _ => {
                succeeded(&ran, address)?;
                Ok(Checkout { branch: self.current_branch()?, created: false })
            }
        }
    }

    fn run_clone(
        &self,
        address: &Address,
        options: &CloneOptions,
        branch: Option<&str>,
    ) -> Result<Ran, Error> {
        let peers = [address.clone()];
        let (config, marker) = (Config::default(), nonce());
        let surroundings = Surroundings {
            settings: &self.settings,
            config: &config,
            peers: &peers,
            marker: &marker,
            alone: false,
            local: false,
        };
        let arguments = arguments(address, options, branch);
        let spec = surroundings.add_to(self.spec(script::WITHOUT_REPOSITORY, &arguments));
        let container = Toolbox::Remote.of(&self.id, &self.settings)?;
        run::run(&container, &spec, Limits::default())
    }

    /// Makes a branch. Where there is no commit yet, the branch that the first one will be on.
    fn make_branch(&self, branch: &str) -> Result<(), Error> {
        if self.head()?.is_none() {
            return self.done(&["symbolic-ref", "HEAD", &format!("refs/heads/{branch}")]).map(drop);
        }
        self.done(&["checkout", "--quiet", "--no-track", "-b", branch]).map(drop)
    }

    /// The branch that is checked out. Empty: none is.
    pub fn current_branch(&self) -> Result<String, Error> {
        let text = match self.workspace.read(".git/HEAD", 0, Some(4096)) {
            Err(error) if error.code == Code::NotFound => String::new(),
            part => String::from_utf8_lossy(&part.map_err(failure::of)?.data).into_owned(),
        };
        Ok(text.trim().strip_prefix("ref: refs/heads/").unwrap_or_default().to_owned())
    }
}

fn check(url: &str, options: &CloneOptions) -> Result<Address, Error> {
    if let Some(branch) = &options.branch {
        options::check_branch(branch)?;
    }
    if options.depth == Some(0) {
        return Err(failure::validation("`depth` is at least 1"));
    }
    Address::new(url)
}

fn arguments(address: &Address, options: &CloneOptions, branch: Option<&str>) -> Vec<String> {
    let mut arguments: Vec<String> =
        ["clone", "--quiet", "--template=", "--no-recurse-submodules", "--origin=origin"]
            .map(str::to_owned)
            .to_vec();
    arguments.extend(branch.map(|branch| format!("--branch={branch}")));
    arguments.extend(options.depth.map(|depth| format!("--depth={depth}")));
    // A depth means one branch to git, unless it is told otherwise.
    arguments.push(
        if options.single_branch { "--single-branch" } else { "--no-single-branch" }.to_owned(),
    );
    let from = match address {
        // By path git copies files, and knows no depth.
        Address::Local(path) if options.depth.is_some() => format!("file://{path}"),
        address => address.as_given().to_owned(),
    };
    arguments.extend(["--".to_owned(), from, "/workspace".to_owned()]);
    arguments
}

fn succeeded(ran: &Ran, address: &Address) -> Result<(), Error> {
    if ran.succeeded() {
        Ok(())
    } else {
        Err(failure::git(&ran.complaint(), std::slice::from_ref(address)))
    }
}

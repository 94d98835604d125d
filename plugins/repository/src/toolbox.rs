//! The containers that git runs in: for each workspace one without a network, and one that talks to remote repositories.

use windlass_sdk::{
    Error,
    containers::{Container, Spec},
    types::Code,
};

use crate::{Settings, failure};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Toolbox {
    /// All local work. It reaches nothing, and no credential ever gets there.
    Local,
    /// Clone, fetch and push. Nothing in it comes from a repository.
    Remote,
}

impl Toolbox {
    /// The container, which is made when it is not there.
    pub(crate) fn of(self, workspace: &str, settings: &Settings) -> Result<Container, Error> {
        let alias = match self {
            Self::Local => format!("git-{workspace}"),
            Self::Remote => format!("git-remote-{workspace}"),
        };
        match Container::open(&alias) {
            Err(error) if error.code == Code::NotFound => {}
            opened => return opened.map_err(failure::of),
        }
        let spec = Spec {
            alias: Some(alias.clone()),
            workspace: Some(workspace.to_owned()),
            offline: self == Self::Local,
            yields: true,
            ..Spec::new(&settings.image)
        };
        match Container::create(&spec) {
            // Another call was faster.
            Err(error) if error.code == Code::Conflict => {
                Container::open(&alias).map_err(|_| failure::of(error))
            }
            made => made.map_err(failure::of),
        }
    }
}

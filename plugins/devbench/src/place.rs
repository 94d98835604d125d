//! Where tools work: a container by its id or alias, and the workspace in it.

use windlass_sdk::{
    Error,
    containers::{Container, Info},
    workspaces::Workspace,
};

use crate::error::About;

/// A container, and what is known of it.
pub(crate) struct Place {
    pub(crate) container: Container,
    pub(crate) info: Info,
}

impl Place {
    /// The container of this id or alias.
    pub(crate) fn of(name: &str) -> Result<Self, Error> {
        let about = |error| About::Container.of(error);
        let container = Container::open(name).map_err(about)?;
        let info = container.info().map_err(about)?;
        Ok(Self { container, info })
    }
}

/// The workspace of the container of this id or alias.
pub(crate) fn workspace(name: &str) -> Result<Workspace, Error> {
    let place = Place::of(name)?;
    Workspace::open(&place.info.workspace).map_err(|error| About::Container.of(error))
}

/// The path of a workspace as programs in the container see it.
pub(crate) fn inside(path: &str) -> String {
    let path = path.trim_matches('/');
    if path.is_empty() { "/workspace".to_owned() } else { format!("/workspace/{path}") }
}

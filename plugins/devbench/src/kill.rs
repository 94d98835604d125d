//! `kill`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Hints, Result, Tool,
    containers::Removal,
    log::{self, Level},
    workspaces::Workspace,
};

use crate::{WRAPPED, attach, error::About, place::Place};

/// How long processes may take to end.
const GRACE_S: u32 = 10;

/// Ends all programs of a container and removes it. The files of a transient one go with it, those of a persistent one stay.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Kill {
    /// The container's id or alias.
    container_id: String,
    /// Gives programs no time to end.
    #[serde(default)]
    force: bool,
    /// Removes a persistent container's files too. Without it, `spawn` takes them again by its `workspace_id`.
    #[serde(default)]
    remove_workspace: bool,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Killed {
    status: &'static str,
    container_id: String,
    /// Whether its files are gone too.
    workspace_removed: bool,
}

impl Tool for Kill {
    const NAME: &'static str = "kill";
    const TITLE: Option<&'static str> = Some("Remove a container");
    const HINTS: Hints = Hints::DESTRUCTIVE;
    const WRAPPED_UNDER: Option<&'static str> = WRAPPED;
    type Output = Killed;

    fn run(self, _: &Call) -> Result<Killed> {
        let place = Place::of(&self.container_id)?;
        let removal = Removal {
            grace_s: if self.force { 0 } else { GRACE_S },
            workspace: self.remove_workspace || !place.info.persistent,
        };
        place.container.remove(removal).map_err(|error| About::Container.of(error))?;
        // The container is gone, and that is the answer; what is left of attachments goes with the next collection.
        if let Err(error) = attach::detach_all(&place.info.id) {
            log::write(Level::Warn, &format!("its clients stay attached: {}", error.message));
        }
        Ok(Killed {
            status: "stopped",
            container_id: place.info.id,
            workspace_removed: Workspace::open(&place.info.workspace).is_err(),
        })
    }
}

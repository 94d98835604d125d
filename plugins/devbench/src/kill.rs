//! `kill`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{Call, Hints, Result, Tool, containers::Removal};

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
    /// Removes a persistent container's files too.
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
        let workspace = self.remove_workspace || !place.info.persistent;
        let removal = Removal { grace_s: if self.force { 0 } else { GRACE_S }, workspace };
        place.container.remove(removal).map_err(|error| About::Container.of(error))?;
        attach::detach_all(place.id()).map_err(|error| About::Host.of(error))?;
        let container_id = place.info.id;
        Ok(Killed { status: "stopped", container_id, workspace_removed: workspace })
    }
}

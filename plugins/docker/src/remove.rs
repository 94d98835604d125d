//! `remove-container`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Hints, Result, Told, Tool,
    engine::{self, Act, Removal, State},
};

use crate::{
    consent,
    error::{About, conflict},
    list, name,
};

/// Removes a container with all that is in it. Its named volumes stay.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct RemoveContainer {
    /// Name or id.
    container_name: String,
    /// Also one that runs.
    #[serde(default)]
    force: bool,
    /// Also its volumes that have no name.
    #[serde(default)]
    volumes: bool,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Removed {
    container_name: String,
    id: String,
}

impl Tool for RemoveContainer {
    const NAME: &'static str = "remove-container";
    const TITLE: Option<&'static str> = Some("Remove a container");
    const HINTS: Hints = Hints::DESTRUCTIVE.union(Hints::IDEMPOTENT);
    type Output = Told<Removed>;

    fn run(self, call: &Call) -> Result<Told<Removed>> {
        name::check("container_name", &self.container_name)?;
        let doing = format!("removing container '{}'", self.container_name);
        let about = |error| About::Container.during(&doing, error);
        let found = engine::inspect(&self.container_name).map_err(about)?;
        let runs = matches!(found.state, State::Running | State::Paused | State::Restarting);
        let state = list::state(found.state);
        if runs && !self.force {
            let message = format!(
                "Error {doing}: it is {state}: stop it with `stop-container`, or give `force`"
            );
            return Err(conflict(message).into());
        }
        let (name, image) = (&found.name, &found.image);
        let question = format!(
            "Remove the container `{name}` ({state}, of `{image}`) with all that is in it?"
        );
        consent::ask(call, &question)?;
        let removal = Removal { force: self.force, volumes: self.volumes };
        engine::act(&found.id, &Act::Remove(removal)).map_err(about)?;
        let text = format!("Container '{}' removed successfully", found.name);
        Ok(Told { text, rows: Removed { container_name: found.name, id: found.id } })
    }
}

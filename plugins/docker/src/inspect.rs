//! `inspect-container`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_sdk::{
    Call, Error, Hints, Result, Told, Tool,
    engine::{self, Details},
};

use crate::{LOOKS, error::About, list, name};

/// Shows all that is known of a container. Values of its environment that look like secrets are left out.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct InspectContainer {
    /// Name or id.
    container_name: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Inspected {
    id: String,
    name: String,
    image: String,
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`.
    state: &'static str,
    /// `starting`, `healthy` or `unhealthy`, where it has a health check.
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<&'static str>,
    /// What the last check of its health printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    health_output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i64>,
    /// Why it did not start.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    oom_killed: bool,
    restarts: u32,
    labels: BTreeMap<String, String>,
    /// What the engine says of it.
    details: Value,
}

impl Tool for InspectContainer {
    const NAME: &'static str = "inspect-container";
    const TITLE: Option<&'static str> = Some("Look at a container");
    const HINTS: Hints = LOOKS;
    type Output = Told<Inspected>;

    fn run(self, _: &Call) -> Result<Told<Inspected>> {
        let found = find(&self.container_name, "inspecting")?;
        let details: Value = serde_json::from_str(&found.json).unwrap_or_default();
        let text = format!("Container '{}' details:\n{details:#}", found.name);
        let rows = Inspected {
            id: found.id,
            name: found.name,
            image: found.image,
            state: list::state(found.state),
            health: found.wellness.map(list::health),
            health_output: found.health_said,
            exit_code: found.exit_code,
            error: found.error,
            oom_killed: found.oom_killed,
            restarts: found.restarts,
            labels: found.labels.into_iter().collect(),
            details,
        };
        Ok(Told { text, rows })
    }
}

/// The container of this name or id.
pub(crate) fn find(name: &str, doing: &str) -> Result<Details, Error> {
    name::check("container_name", name)?;
    let doing = format!("{doing} container '{name}'");
    engine::inspect(name).map_err(|error| About::Container.during(&doing, error))
}

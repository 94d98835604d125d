//! `list-volumes`, `create-volume` and `remove-volume`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Hints, Result, Told, Tool, clock,
    volumes::{self, Spec, Volume},
};

use crate::{
    LOOKS,
    amount::Scalar,
    consent,
    error::{About, conflict},
    name, table,
};

/// Lists the volumes of the engine.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ListVolumes {}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Listed {
    volumes: Vec<Row>,
}

/// Makes a volume. One of this name that is there already stays as it is.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct CreateVolume {
    name: String,
    /// `local` where nothing is said.
    driver: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, Scalar>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Made {
    volume: String,
    /// Whether it was there already.
    existed: bool,
}

/// Removes a volume with all that is in it. It fails while a container has it.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct RemoveVolume {
    name: String,
    /// Whether one that is gone already is no error.
    #[serde(default)]
    force: bool,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Removed {
    volume: String,
}

/// A volume.
#[derive(Serialize, JsonSchema)]
struct Row {
    name: String,
    driver: String,
    mountpoint: String,
    /// In UTC, where the engine says.
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    /// Whether a container has it.
    in_use: bool,
    labels: BTreeMap<String, String>,
}

impl Tool for ListVolumes {
    const NAME: &'static str = "list-volumes";
    const TITLE: Option<&'static str> = Some("List volumes");
    const HINTS: Hints = LOOKS;
    type Output = Told<Listed>;

    fn run(self, _: &Call) -> Result<Told<Listed>> {
        let listed =
            volumes::list().map_err(|error| About::Volume.during("listing volumes", error))?;
        let row = |it: &Volume| {
            let used = if it.unused { "no" } else { "yes" };
            [it.driver.clone(), it.name.clone(), used.to_owned()]
        };
        let table = table::table(["DRIVER", "VOLUME NAME", "IN USE"], listed.iter().map(row));
        let volumes = listed.into_iter().map(Row::of).collect();
        Ok(Told { text: format!("Docker Volumes:\n{table}"), rows: Listed { volumes } })
    }
}

impl Tool for CreateVolume {
    const NAME: &'static str = "create-volume";
    const TITLE: Option<&'static str> = Some("Create a volume");
    const HINTS: Hints = Hints::IDEMPOTENT;
    type Output = Told<Made>;

    fn run(self, _: &Call) -> Result<Told<Made>> {
        name::check("name", &self.name)?;
        let doing = format!("creating volume '{}'", self.name);
        let about = |error| About::Volume.during(&doing, error);
        let existed = volumes::find(&self.name).map_err(about)?.is_some();
        if !existed {
            let labels = self.labels.iter().map(|(name, value)| (name.clone(), value.to_string()));
            let spec = Spec {
                name: self.name.clone(),
                driver: self.driver,
                options: Vec::new(),
                labels: labels.collect(),
            };
            volumes::create(&spec).map_err(about)?;
        }
        let done = if existed { "is there already" } else { "created successfully" };
        let text = format!("Volume '{}' {done}", self.name);
        Ok(Told { text, rows: Made { volume: self.name, existed } })
    }
}

impl Tool for RemoveVolume {
    const NAME: &'static str = "remove-volume";
    const TITLE: Option<&'static str> = Some("Remove a volume");
    const HINTS: Hints = Hints::DESTRUCTIVE.union(Hints::IDEMPOTENT);
    type Output = Told<Removed>;

    fn run(self, call: &Call) -> Result<Told<Removed>> {
        name::check("name", &self.name)?;
        let doing = format!("removing volume '{}'", self.name);
        let about = |error| About::Volume.during(&doing, error);
        match volumes::find(&self.name).map_err(about)? {
            None if self.force => {}
            None => return Err(About::Volume.missing(&self.name).into()),
            Some(found) if !found.unused => {
                let message = format!(
                    "Error {doing}: a container has it: `remove-container` removes that one first"
                );
                return Err(conflict(message).into());
            }
            Some(_) => {
                let question = format!("Remove the volume `{}` with all that is in it?", self.name);
                consent::ask(call, &question)?;
                volumes::remove(&self.name, true).map_err(about)?;
            }
        }
        let text = format!("Volume '{}' removed successfully", self.name);
        Ok(Told { text, rows: Removed { volume: self.name } })
    }
}

impl Row {
    fn of(it: Volume) -> Self {
        Self {
            name: it.name,
            driver: it.driver,
            mountpoint: it.mountpoint,
            created: (it.created > 0).then(|| clock::iso(it.created)),
            in_use: !it.unused,
            labels: it.labels.into_iter().collect(),
        }
    }
}

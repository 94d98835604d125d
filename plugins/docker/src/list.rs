//! `list-containers`, and a container as a row.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Error, Hints, Result, Told, Tool, clock,
    engine::{self, Filter, State, Summary, Wellness},
};

use crate::{LOOKS, error::About, port, table};

/// As much of a command as a table shows.
const SHOWN_COMMAND: usize = 20;

/// Lists the containers of the engine, newest first: image, command, state, health, published ports, networks and labels.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ListContainers {
    /// Also those that do not run.
    #[serde(default = "yes")]
    all: bool,
    /// Only those with all of these labels: `name` or `name=value`.
    #[serde(default)]
    labels: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Listed {
    containers: Vec<Row>,
}

/// A container.
#[derive(Clone, Serialize, JsonSchema)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) command: String,
    /// In UTC.
    pub(crate) created: String,
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`.
    pub(crate) state: &'static str,
    /// `starting`, `healthy` or `unhealthy`, where it has a health check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) health: Option<&'static str>,
    /// In the engine's words: `Up 2 minutes (healthy)`.
    pub(crate) status: String,
    /// `127.0.0.1:8080->80/tcp`; without an arrow it is not published.
    pub(crate) ports: Vec<String>,
    /// By name, with its address there, where it has one.
    pub(crate) networks: BTreeMap<String, Option<String>>,
    pub(crate) labels: BTreeMap<String, String>,
}

impl Tool for ListContainers {
    const NAME: &'static str = "list-containers";
    const TITLE: Option<&'static str> = Some("List containers");
    const HINTS: Hints = LOOKS;
    type Output = Told<Listed>;

    fn run(self, _: &Call) -> Result<Told<Listed>> {
        let filter = Filter { all: self.all, labels: self.labels };
        let listed = engine::list(&filter)
            .map_err(|error| About::Container.during("listing containers", error))?;
        let text = format!("Docker Containers:\n{}", shown(&listed));
        let containers = listed.into_iter().map(Row::of).collect();
        Ok(Told { text, rows: Listed { containers } })
    }
}

/// The one with this id, if it is within reach.
pub(crate) fn find(id: &str) -> Result<Option<Summary>, Error> {
    let listed = engine::list(&Filter { all: true, labels: Vec::new() })?;
    Ok(listed.into_iter().find(|it| it.id == id))
}

/// As the engine's own command line has it.
pub(crate) fn shown(containers: &[Summary]) -> String {
    let now = clock::now();
    let row = |it: &Summary| {
        let ports: Vec<_> = it.ports.iter().map(port::shown).collect();
        [
            table::short(&it.id).to_owned(),
            it.image.clone(),
            format!("\"{}\"", table::cut(&it.command, SHOWN_COMMAND)),
            table::ago(it.created, now),
            it.status.clone(),
            ports.join(", "),
            it.name.clone(),
        ]
    };
    let heading = ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"];
    table::table(heading, containers.iter().map(row))
}

impl Row {
    pub(crate) fn of(it: Summary) -> Self {
        Self {
            id: it.id,
            name: it.name,
            image: it.image,
            command: it.command,
            created: clock::iso(it.created),
            state: state(it.state),
            health: it.wellness.map(health),
            status: it.status,
            ports: it.ports.iter().map(port::shown).collect(),
            networks: it.addresses.into_iter().map(|it| (it.network, it.ip)).collect(),
            labels: it.labels.into_iter().collect(),
        }
    }
}

pub(crate) fn state(state: State) -> &'static str {
    match state {
        State::Created => "created",
        State::Running => "running",
        State::Paused => "paused",
        State::Restarting => "restarting",
        State::Removing => "removing",
        State::Exited => "exited",
        State::Dead => "dead",
    }
}

pub(crate) fn health(wellness: Wellness) -> &'static str {
    match wellness {
        Wellness::Starting => "starting",
        Wellness::Healthy => "healthy",
        Wellness::Unhealthy => "unhealthy",
    }
}

pub(crate) fn yes() -> bool {
    true
}

//! `spawn`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Hints, Result, Tool,
    containers::{Container, Spec},
};

use crate::{WRAPPED, counters, error::About};

/// Makes a container from an image and starts it. It runs as user 1000 without privileges, on a read-only root
/// with a `/tmp`, and with a directory at `/workspace`; fetching an image may take a while.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Spawn {
    /// Such as `python:3.12-slim`. It is fetched when it is missing.
    #[schemars(length(min = 1))]
    image: String,
    /// Keeps the container until it is killed. A transient one goes when nobody has used it for days.
    #[serde(default)]
    persistent: bool,
    /// Another name for it, which every tool takes as well.
    alias: Option<String>,
    /// After how many seconds it is removed, whoever uses it.
    #[schemars(range(min = 1))]
    ttl_s: Option<u32>,
    /// Mounts the files of an earlier container. Without it the container gets a directory of its own, empty.
    workspace_id: Option<String>,
    /// A second call with the same key within 24 hours gets the same container.
    idempotency_key: Option<String>,
    /// Environment of every program in it.
    #[serde(default)]
    env: BTreeMap<String, String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Spawned {
    container_id: String,
    alias: Option<String>,
    status: &'static str,
    workspace_id: String,
}

impl Tool for Spawn {
    const NAME: &'static str = "spawn";
    const TITLE: Option<&'static str> = Some("Make a container");
    const HINTS: Hints = Hints::OPEN_WORLD;
    const WRAPPED_UNDER: Option<&'static str> = WRAPPED;
    type Output = Spawned;

    fn run(self, _: &Call) -> Result<Spawned> {
        let about = About::Spawn { alias: self.alias.is_some() };
        let container = Container::create(&self.spec()).map_err(|error| about.of(error))?;
        let info = container.info().map_err(|error| About::Container.of(error))?;
        counters::spawned(&info.image);
        Ok(Spawned {
            container_id: info.id,
            alias: info.alias,
            status: "running",
            workspace_id: info.workspace,
        })
    }
}

impl Spawn {
    fn spec(self) -> Spec {
        let mut spec = Spec::new(self.image);
        spec.persistent = self.persistent;
        spec.alias = self.alias;
        spec.ttl_s = self.ttl_s;
        spec.workspace = self.workspace_id;
        spec.key = self.idempotency_key;
        self.env.into_iter().fold(spec, |spec, (name, value)| spec.env(name, value))
    }
}

//! `health` and `system_status`.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Error, Hints, Result, Tool,
    containers::{self, Engine, State},
    processes, store,
};

use crate::{attach, error::About};

const LOOKS: Hints = Hints::READ_ONLY.union(Hints::IDEMPOTENT);

/// Says whether the container engine and the records can be used.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Health {}

/// Says the same as `health`, and counts what is active.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct SystemStatus {}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Condition {
    /// `healthy` or `degraded`.
    status: &'static str,
    docker_connected: bool,
    database_initialized: bool,
    version: &'static str,
    /// The engine's kind and version.
    engine: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Status {
    #[serde(flatten)]
    condition: Condition,
    active_containers: u64,
    active_attachments: u64,
    active_execs: u64,
}

/// How much is active.
pub(crate) struct Active {
    pub(crate) containers: u64,
    pub(crate) attachments: u64,
    pub(crate) execs: u64,
}

impl Tool for Health {
    const NAME: &'static str = "health";
    const TITLE: Option<&'static str> = Some("Check health");
    const HINTS: Hints = LOOKS;
    type Output = Condition;

    fn run(self, _: &Call) -> Result<Condition> {
        Ok(Condition::of_this_moment())
    }
}

impl Tool for SystemStatus {
    const NAME: &'static str = "system_status";
    const TITLE: Option<&'static str> = Some("Show the system's status");
    const HINTS: Hints = LOOKS;
    type Output = Status;

    fn run(self, _: &Call) -> Result<Status> {
        let active = Active::count().map_err(|error| About::Host.of(error))?;
        Ok(Status {
            condition: Condition::of_this_moment(),
            active_containers: active.containers,
            active_attachments: active.attachments,
            active_execs: active.execs,
        })
    }
}

impl Condition {
    fn of_this_moment() -> Self {
        let engine = containers::find_engine().ok().flatten();
        let records = store::list("health", "", 1).is_ok();
        Self::of(engine, records)
    }

    fn of(engine: Option<Engine>, records: bool) -> Self {
        let healthy = engine.is_some() && records;
        Self {
            status: if healthy { "healthy" } else { "degraded" },
            docker_connected: engine.is_some(),
            database_initialized: records,
            version: env!("CARGO_PKG_VERSION"),
            engine: engine.map(|engine| format!("{} {}", engine.kind, engine.version)),
        }
    }
}

impl Active {
    pub(crate) fn count() -> Result<Self, Error> {
        let all = containers::list()?;
        let ids: HashSet<String> = all.iter().map(|info| info.id.clone()).collect();
        let running = all.iter().filter(|info| info.state == State::Running).count();
        let execs = processes::running()?.len() as u64;
        Ok(Self { containers: running as u64, attachments: attach::active(&ids)?, execs })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn without_an_engine_it_is_degraded() {
        let version = env!("CARGO_PKG_VERSION");
        let shown = |condition| serde_json::to_value::<Condition>(condition).unwrap();
        let docker = || Some(Engine { kind: "docker".into(), version: "20.10".into() });
        let expected = json!({"status": "healthy", "docker_connected": true, "database_initialized": true, "version": version, "engine": "docker 20.10"});
        assert_eq!(shown(Condition::of(docker(), true)), expected);
        let expected = json!({"status": "degraded", "docker_connected": false, "database_initialized": true, "version": version, "engine": null});
        assert_eq!(shown(Condition::of(None, true)), expected);
        assert_eq!(Condition::of(docker(), false).status, "degraded");
    }
}

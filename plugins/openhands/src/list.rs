//! `list_sessions`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{Call, Hints, Result, Tool};

use crate::{
    session::{Session, Told},
    world::World,
};

/// All sessions, by their ids.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ListSessions {}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Listed {
    #[serde(flatten)]
    told: Told,
    /// The containers of its coding tasks, as the engine calls them.
    coding_task_containers: Vec<String>,
    /// `active`, or `closing` where a `teardown` has begun and not ended.
    status: &'static str,
}

impl Tool for ListSessions {
    const NAME: &'static str = "list_sessions";
    const TITLE: Option<&'static str> = Some("List sessions");
    const HINTS: Hints = Hints::READ_ONLY;
    type Output = BTreeMap<String, Listed>;

    fn run(self, _: &Call) -> Result<BTreeMap<String, Listed>> {
        let world = World::look()?;
        let listed = |(id, session): (String, Session)| {
            let containers = world.of_session(&id);
            let name = |info: &windlass_sdk::containers::Info| {
                info.engine_id.clone().unwrap_or_else(|| info.id.clone())
            };
            let listed = Listed {
                told: session.told(&id),
                coding_task_containers: containers.map(name).collect(),
                status: if session.closing.is_some() { "closing" } else { "active" },
            };
            (id, listed)
        };
        Ok(Session::all()?.into_iter().map(listed).collect())
    }
}

//! `compose-start`, `compose-stop` and `compose-restart`: who needs others starts after them, and stops before.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Error, Hints, Result, Told, Tool,
    engine::{self, Act},
};

use super::{
    found::{Found, in_levels},
    record::Record,
    stack::Which,
};
use crate::error::About;

/// Starts the containers of a stack, those first that others need.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ComposeStart {
    #[serde(flatten)]
    which: Which,
}

/// Stops the containers of a stack, those last that others need. They stay, and `compose-start` starts them again.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ComposeStop {
    #[serde(flatten)]
    which: Which,
    /// How many seconds their programs have to end; 10 where neither this nor the image says anything.
    #[schemars(range(max = LONGEST_S))]
    timeout_s: Option<u32>,
}

/// Stops the containers of a stack and starts them again, each in its order.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ComposeRestart {
    #[serde(flatten)]
    which: Which,
    /// How many seconds their programs have to end.
    #[schemars(range(max = LONGEST_S))]
    timeout_s: Option<u32>,
}

/// A call has to end while somebody waits for it.
const LONGEST_S: u32 = 200;

#[derive(Serialize, JsonSchema)]
pub(crate) struct Turned {
    project_name: String,
    /// Names of those that it was done to.
    containers: Vec<String>,
}

impl Tool for ComposeStart {
    const NAME: &'static str = "compose-start";
    const TITLE: Option<&'static str> = Some("Start a Compose stack");
    const HINTS: Hints = Hints::IDEMPOTENT;
    type Output = Told<Turned>;

    fn run(self, call: &Call) -> Result<Told<Turned>> {
        let found = idle(&self.which, call)?;
        let levels = in_levels(&found);
        each(&levels, &Act::Start, "starting")?;
        Ok(told(self.which.project_name, &found, "started"))
    }
}

impl Tool for ComposeStop {
    const NAME: &'static str = "compose-stop";
    const TITLE: Option<&'static str> = Some("Stop a Compose stack");
    const HINTS: Hints = Hints::IDEMPOTENT;
    type Output = Told<Turned>;

    fn run(self, call: &Call) -> Result<Told<Turned>> {
        let found = idle(&self.which, call)?;
        let levels: Vec<_> = in_levels(&found).into_iter().rev().collect();
        each(&levels, &Act::Stop(self.timeout_s), "stopping")?;
        Ok(told(self.which.project_name, &found, "stopped"))
    }
}

impl Tool for ComposeRestart {
    const NAME: &'static str = "compose-restart";
    const TITLE: Option<&'static str> = Some("Restart a Compose stack");
    type Output = Told<Turned>;

    fn run(self, call: &Call) -> Result<Told<Turned>> {
        let found = idle(&self.which, call)?;
        each(&in_levels(&found), &Act::Restart(self.timeout_s), "restarting")?;
        Ok(told(self.which.project_name, &found, "restarted"))
    }
}

/// The containers that are meant, while no deployment is at them.
fn idle(which: &Which, call: &Call) -> Result<Vec<Found>, Error> {
    let found = which.found(call)?;
    Record::read(&which.project_name)?.check_idle(&which.project_name)?;
    Ok(found)
}

/// All of them are tried; the first failure is told.
fn each(levels: &[Vec<&Found>], act: &Act, doing: &str) -> Result<(), Error> {
    let mut first = Ok(());
    for level in levels {
        let ids: Vec<_> = level.iter().map(|it| it.id.clone()).collect();
        for (outcome, it) in engine::each(&ids, act)?.into_iter().zip(level) {
            let outcome = outcome.map_err(|error| {
                About::Container.during(&format!("{doing} container '{}'", it.name), error)
            });
            first = first.and(outcome);
        }
    }
    first
}

fn told(project: String, found: &[Found], done: &str) -> Told<Turned> {
    let text =
        format!("Compose project '{project}' {done} successfully ({} containers)", found.len());
    let containers = found.iter().map(|it| it.name.clone()).collect();
    Told { text, rows: Turned { project_name: project, containers } }
}

//! `start-container`, `stop-container` and `restart-container`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Error, Hints, Result, Told, Tool,
    engine::{self, Act},
};

use crate::{error::About, list, name};

/// A call has to end while somebody waits for it.
const LONGEST_S: u32 = 200;

/// Starts a container. One that runs already goes on.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct StartContainer {
    /// Name or id.
    container_name: String,
}

/// Stops a container: its programs are asked to end, and after a while are ended. One that does not run stays as it is.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct StopContainer {
    /// Name or id.
    container_name: String,
    /// How many seconds its programs have to end; 10 where neither this nor its image says anything.
    #[schemars(range(max = LONGEST_S))]
    timeout: Option<u32>,
}

/// Stops a container and starts it again.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct RestartContainer {
    /// Name or id.
    container_name: String,
    /// How many seconds its programs have to end.
    #[schemars(range(max = LONGEST_S))]
    timeout: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Turned {
    container_name: String,
    /// How it is afterwards. Absent where it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
}

impl Tool for StartContainer {
    const NAME: &'static str = "start-container";
    const TITLE: Option<&'static str> = Some("Start a container");
    const HINTS: Hints = Hints::IDEMPOTENT;
    type Output = Told<Turned>;

    fn run(self, _: &Call) -> Result<Told<Turned>> {
        Ok(turn(self.container_name, &Act::Start, "starting", "started")?)
    }
}

impl Tool for StopContainer {
    const NAME: &'static str = "stop-container";
    const TITLE: Option<&'static str> = Some("Stop a container");
    const HINTS: Hints = Hints::IDEMPOTENT;
    type Output = Told<Turned>;

    fn run(self, _: &Call) -> Result<Told<Turned>> {
        Ok(turn(self.container_name, &Act::Stop(self.timeout), "stopping", "stopped")?)
    }
}

impl Tool for RestartContainer {
    const NAME: &'static str = "restart-container";
    const TITLE: Option<&'static str> = Some("Restart a container");
    type Output = Told<Turned>;

    fn run(self, _: &Call) -> Result<Told<Turned>> {
        Ok(turn(self.container_name, &Act::Restart(self.timeout), "restarting", "restarted")?)
    }
}

fn turn(name: String, act: &Act, doing: &str, done: &str) -> Result<Told<Turned>, Error> {
    name::check("container_name", &name)?;
    engine::act(&name, act)
        .map_err(|error| About::Container.during(&format!("{doing} container '{name}'"), error))?;
    // One that removes itself is gone when it has stopped.
    let state = engine::inspect(&name).ok().map(|it| list::state(it.state));
    let text = format!("Container '{name}' {done} successfully");
    Ok(Told { text, rows: Turned { container_name: name, state } })
}

//! `compose-ps` and `compose-logs`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Error, Hints, Result, Told, Tool, clock,
    engine::{self, LogWish},
};

use super::{found::Found, stack::Which};
use crate::{LOOKS, amount::Scalar, error::About, list, logs, port, table};

/// As much of a command as a table shows.
const SHOWN_COMMAND: usize = 20;
/// As much output of all containers together as an answer has room for, which holds it twice.
const MOST_BYTES: usize = 512 << 10;

/// Shows the containers of a stack: service, image, state, health, published ports. Also of stacks that `docker compose` made.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ComposePs {
    #[serde(flatten)]
    which: Which,
}

/// Shows what the containers of a stack printed, each line with the name of its container.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ComposeLogs {
    #[serde(flatten)]
    which: Which,
    /// How many of the last lines of each container.
    #[serde(default = "hundred")]
    tail: u32,
    /// Not before: a time such as `2026-01-31T12:00:00Z`, seconds since 1970, or how long ago, such as `10m`.
    since: Option<Scalar>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Stack {
    project_name: String,
    containers: Vec<Row>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Row {
    service: String,
    number: u32,
    #[serde(flatten)]
    container: list::Row,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Printed {
    project_name: String,
    containers: Vec<Output>,
}

/// What one container printed.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Output {
    service: String,
    container: String,
    stdout: String,
    stderr: String,
    /// Whether what came first was cut off.
    cut: bool,
}

impl Tool for ComposePs {
    const NAME: &'static str = "compose-ps";
    const TITLE: Option<&'static str> = Some("Show a Compose stack");
    const HINTS: Hints = LOOKS;
    type Output = Told<Stack>;

    fn run(self, call: &Call) -> Result<Told<Stack>> {
        let found = self.which.found(call)?;
        let project = self.which.project_name;
        let text = format!("Compose project '{project}':\n{}", shown(&found));
        let row = |it: Found| Row {
            service: it.service,
            number: it.number,
            container: list::Row::of(it.summary),
        };
        let containers = found.into_iter().map(row).collect();
        Ok(Told { text, rows: Stack { project_name: project, containers } })
    }
}

impl Tool for ComposeLogs {
    const NAME: &'static str = "compose-logs";
    const TITLE: Option<&'static str> = Some("Read a Compose stack's logs");
    const HINTS: Hints = LOOKS;
    type Output = Told<Printed>;

    fn run(self, call: &Call) -> Result<Told<Printed>> {
        let found = self.which.found(call)?;
        let since = logs::moment("since", self.since.as_ref(), clock::now())?;
        let most_bytes = u32::try_from(MOST_BYTES / found.len().max(1)).unwrap_or(u32::MAX);
        let wish = LogWish {
            stdout: true,
            stderr: true,
            tail: Some(self.tail),
            since,
            until: None,
            timestamps: false,
            most_bytes,
        };
        let project = self.which.project_name;
        let mut text = format!("Logs for compose project '{project}':\n");
        let mut containers = Vec::new();
        for it in &found {
            let output = printed(it, wish)?;
            text.push_str(&prefixed(it, &logs::whole(&output)));
            containers.push(Output {
                service: it.service.clone(),
                container: it.name.clone(),
                stdout: logs::stream(&output, false),
                stderr: logs::stream(&output, true),
                cut: output.cut,
            });
        }
        Ok(Told { text, rows: Printed { project_name: project, containers } })
    }
}

fn printed(found: &Found, wish: LogWish) -> Result<engine::Output, Error> {
    let doing = || format!("getting logs for container '{}'", found.name);
    engine::logs(&found.id, wish).map_err(|error| About::Container.during(&doing(), error))
}

fn prefixed(found: &Found, output: &str) -> String {
    let line = |line: &str| format!("{}-{}  | {line}\n", found.service, found.number);
    output.lines().map(line).collect()
}

fn shown(found: &[Found]) -> String {
    let now = clock::now();
    let row = |it: &Found| {
        let summary = &it.summary;
        let ports: Vec<_> = summary.ports.iter().map(port::shown).collect();
        [
            it.name.clone(),
            summary.image.clone(),
            format!("\"{}\"", table::cut(&summary.command, SHOWN_COMMAND)),
            it.service.clone(),
            table::ago(summary.created, now),
            summary.status.clone(),
            ports.join(", "),
        ]
    };
    let heading = ["NAME", "IMAGE", "COMMAND", "SERVICE", "CREATED", "STATUS", "PORTS"];
    table::table(heading, found.iter().map(row))
}

fn hundred() -> u32 {
    100
}

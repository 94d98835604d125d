//! `exec_start` and `exec_cancel`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Hints, Result, Tool,
    processes::{Carrier, Process, Spec, State, Terminal},
};

use crate::{WRAPPED, counters, error::About, place::Place};

/// The size that most programs expect of a terminal.
const TERMINAL: Terminal = Terminal { rows: 24, columns: 80 };

/// Starts a program in a container and answers at once; `exec_poll` reads what it prints. Four run at a time in a
/// container, the next ones wait in order. When its time is over, the program and all its children are ended.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ExecStart {
    /// The container's id or alias.
    container_id: String,
    /// The program and its arguments. No shell looks at them: for one say `["sh", "-c", "…"]`.
    #[schemars(length(min = 1))]
    cmd: Vec<String>,
    /// Where it starts.
    #[serde(default = "workspace")]
    cwd: String,
    /// Environment beside that of the container.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Runs it as the container's root, where that is granted.
    #[serde(default)]
    as_root: bool,
    /// After how many seconds it is ended.
    #[serde(default = "ten_minutes")]
    #[schemars(range(min = 1))]
    timeout_s: u32,
    /// A second call with the same key within 24 hours gets the same process.
    idempotency_key: Option<String>,
    /// What it reads on stdin. Without it, stdin is closed.
    stdin: Option<String>,
    /// Gives it a terminal; stdout and stderr are one then.
    #[serde(default)]
    tty: bool,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Started {
    exec_id: String,
    /// `queued` where four others run.
    status: &'static str,
    /// Who runs it. `engine` measures neither processor time nor memory.
    carrier: &'static str,
}

/// Ends a program with all its children: SIGTERM, 5 seconds, SIGKILL. One that has ended stays as it is.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ExecCancel {
    /// What `exec_start` answered.
    exec_id: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Cancelled {
    status: &'static str,
    exec_id: String,
}

impl Tool for ExecStart {
    const NAME: &'static str = "exec_start";
    const TITLE: Option<&'static str> = Some("Start a program");
    const HINTS: Hints = Hints::DESTRUCTIVE.union(Hints::OPEN_WORLD);
    const WRAPPED_UNDER: Option<&'static str> = WRAPPED;
    type Output = Started;

    fn run(self, _: &Call) -> Result<Started> {
        let place = Place::of(&self.container_id)?;
        let started = Process::start(&place.container, &self.spec());
        counters::execed(if started.is_ok() { "started" } else { "refused" });
        let process = started.map_err(|error| About::Container.of(error))?;
        let info = process.info().map_err(|error| About::Exec.of(error))?;
        let status = status(&info.state);
        Ok(Started { exec_id: info.id, status, carrier: carrier(info.carrier) })
    }
}

impl ExecStart {
    fn spec(self) -> Spec {
        let mut spec = Spec::new(self.cmd);
        spec.cwd = Some(self.cwd);
        spec.root = self.as_root;
        spec.timeout_ms = Some(u64::from(self.timeout_s) * 1000);
        spec.key = self.idempotency_key;
        spec.stdin = self.stdin.map(String::into_bytes);
        spec.terminal = self.tty.then_some(TERMINAL);
        self.env.into_iter().fold(spec, |spec, (name, value)| spec.env(name, value))
    }
}

impl Tool for ExecCancel {
    const NAME: &'static str = "exec_cancel";
    const TITLE: Option<&'static str> = Some("End a program");
    const HINTS: Hints = Hints::IDEMPOTENT;
    const WRAPPED_UNDER: Option<&'static str> = WRAPPED;
    type Output = Cancelled;

    fn run(self, _: &Call) -> Result<Cancelled> {
        let about = |error| About::Exec.of(error);
        let process = Process::open(&self.exec_id).map_err(about)?;
        let ended = matches!(process.info().map_err(about)?.state, State::Ended(_));
        process.cancel().map_err(about)?;
        if !ended {
            counters::execed("cancelled");
        }
        Ok(Cancelled { status: "cancelled", exec_id: self.exec_id })
    }
}

/// How a program that was just started is. One that has ended already is seen to by `exec_poll`.
fn status(state: &State) -> &'static str {
    if matches!(state, State::Queued) { "queued" } else { "running" }
}

pub(crate) fn carrier(carrier: Carrier) -> &'static str {
    match carrier {
        Carrier::Supervisor => "supervisor",
        Carrier::Engine => "engine",
    }
}

fn workspace() -> String {
    "/workspace".to_owned()
}

fn ten_minutes() -> u32 {
    600
}

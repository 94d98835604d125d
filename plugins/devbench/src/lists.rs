//! `list_containers` and `list_execs`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Hints, Result, Tool, clock,
    containers::{self, State},
    processes,
};

use crate::{error::About, messages};

const LOOKS: Hints = Hints::READ_ONLY.union(Hints::IDEMPOTENT);
/// More programs than anybody looks through.
const MOST_EXECS: usize = 100;
/// As much of a command as a list shows.
const LONGEST_COMMAND: usize = 2 << 10;

/// Lists the containers, oldest first.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ListContainers {}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Containers {
    containers: Vec<Listed>,
}

/// A container.
#[derive(Serialize, JsonSchema)]
struct Listed {
    id: String,
    /// The engine's own name for it.
    docker_id: Option<String>,
    alias: Option<String>,
    image: String,
    /// `starting`, `running` or `stopped`. A stopped one starts when it is used.
    status: &'static str,
    persistent: bool,
    ttl_s: Option<u32>,
    created_at: String,
    last_seen: String,
    workspace_id: String,
}

/// Lists the programs that have not ended, oldest first, up to 100.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ListExecs {}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Execs {
    execs: Vec<Exec>,
}

/// A program.
#[derive(Serialize, JsonSchema)]
struct Exec {
    exec_id: String,
    container_id: String,
    /// A long one is cut, and ends with `…`.
    cmd: Vec<String>,
    as_root: bool,
    started_at: String,
    /// `queued` or `running`.
    status: &'static str,
}

impl Tool for ListContainers {
    const NAME: &'static str = "list_containers";
    const TITLE: Option<&'static str> = Some("List containers");
    const HINTS: Hints = LOOKS;
    type Output = Containers;

    fn run(self, _: &Call) -> Result<Containers> {
        let all = containers::list().map_err(|error| About::Container.of(error))?;
        Ok(Containers { containers: all.into_iter().map(Listed::from).collect() })
    }
}

impl Tool for ListExecs {
    const NAME: &'static str = "list_execs";
    const TITLE: Option<&'static str> = Some("List programs");
    const HINTS: Hints = LOOKS;
    type Output = Execs;

    fn run(self, _: &Call) -> Result<Execs> {
        let running = processes::running().map_err(|error| About::Exec.of(error))?;
        Ok(Execs { execs: running.into_iter().take(MOST_EXECS).map(Exec::from).collect() })
    }
}

impl From<containers::Info> for Listed {
    fn from(info: containers::Info) -> Self {
        Self {
            id: info.id,
            docker_id: info.engine_id,
            alias: info.alias,
            image: info.image,
            status: match info.state {
                State::Starting => "starting",
                State::Running => "running",
                State::Stopped => "stopped",
            },
            persistent: info.persistent,
            ttl_s: info.ttl_s,
            created_at: clock::iso(info.created),
            last_seen: clock::iso(info.used),
            workspace_id: info.workspace,
        }
    }
}

impl From<processes::Info> for Exec {
    fn from(info: processes::Info) -> Self {
        Self {
            exec_id: info.id,
            container_id: info.container,
            cmd: shortened(info.command),
            as_root: info.root,
            started_at: clock::iso(info.started),
            status: messages::status(&info.state),
        }
    }
}

/// The command, as far as a list shows it.
fn shortened(command: Vec<String>) -> Vec<String> {
    let mut room = LONGEST_COMMAND;
    let mut shown = Vec::new();
    for word in command {
        let Some(left) = room.checked_sub(word.len() + 1) else {
            let start = word.floor_char_boundary(room);
            shown.push(format!("{}…", word.get(..start).unwrap_or_default()));
            break;
        };
        room = left;
        shown.push(word);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_command_is_cut() {
        let command = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        let short: Vec<String> = command(&["sh", "-c", "true"]);
        assert_eq!(shortened(short.clone()), short);
        let long = shortened(command(&["sh", "-c", &"ü".repeat(LONGEST_COMMAND), "x"]));
        assert_eq!(long.len(), 3);
        let cut = long.last().unwrap();
        assert!(cut.ends_with("ü…") && cut.len() <= LONGEST_COMMAND + 3, "{}", cut.len());
        assert!(shortened(vec![String::new(); 9999]).len() <= LONGEST_COMMAND + 1);
    }
}

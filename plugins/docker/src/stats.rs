//! `container-stats`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Error, Hints, Result, Told, Tool, clock,
    engine::{self, Filter, State, Usage},
    types::Code,
};

use crate::{LOOKS, error::About, inspect, table};

/// Between two looks, from which the share of the processors follows.
const BETWEEN_MS: u32 = 250;

/// Shows what containers use at this moment: processors, memory, network, disk and processes.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ContainerStats {
    /// Name or id. All that run where nothing is said.
    container_name: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Measured {
    containers: Vec<Row>,
}

#[derive(Serialize, JsonSchema)]
struct Row {
    id: String,
    name: String,
    /// 100 is one processor.
    cpu_percent: f64,
    memory_bytes: u64,
    memory_limit_bytes: u64,
    memory_percent: f64,
    network_received_bytes: u64,
    network_sent_bytes: u64,
    block_read_bytes: u64,
    block_written_bytes: u64,
    pids: u64,
}

impl Tool for ContainerStats {
    const NAME: &'static str = "container-stats";
    const TITLE: Option<&'static str> = Some("Measure containers");
    const HINTS: Hints = LOOKS;
    type Output = Told<Measured>;

    fn run(self, _: &Call) -> Result<Told<Measured>> {
        let about = |error| About::Container.during("measuring containers", error);
        let wanted = self.wanted()?;
        let before = measured(&wanted).map_err(about)?;
        if !before.is_empty() {
            clock::sleep(BETWEEN_MS);
        }
        let mut containers = Vec::new();
        for ((id, name), before) in before {
            // It may have ended meanwhile.
            if let Some(after) = measure(&id).map_err(about)? {
                containers.push(Row::of(id, name, &before, &after));
            }
        }
        let text = format!("Container statistics:\n{}", shown(&containers));
        Ok(Told { text, rows: Measured { containers } })
    }
}

impl ContainerStats {
    /// Ids and names.
    fn wanted(&self) -> Result<Vec<(String, String)>, Error> {
        if let Some(name) = &self.container_name {
            let found = inspect::find(name, "measuring")?;
            return match found.state {
                State::Running | State::Paused => Ok(vec![(found.id, found.name)]),
                _ => Err(crate::error::conflict(format!(
                    "Error measuring container '{}': it does not run: start it with `start-container`",
                    found.name
                ))),
            };
        }
        let listed = engine::list(&Filter { all: false, labels: Vec::new() })
            .map_err(|error| About::Container.during("listing containers", error))?;
        Ok(listed.into_iter().map(|it| (it.id, it.name)).collect())
    }
}

type Named = (String, String);

/// Those that are still there, and what they use.
fn measured(wanted: &[Named]) -> Result<Vec<(Named, Usage)>, Error> {
    let look = |it: &Named| Ok(measure(&it.0)?.map(|usage| (it.clone(), usage)));
    wanted.iter().filter_map(|it| look(it).transpose()).collect()
}

/// None: it is gone, or has ended.
fn measure(id: &str) -> Result<Option<Usage>, Error> {
    match engine::measure(id) {
        Ok(usage) => Ok(Some(usage)),
        Err(error) if matches!(error.code, Code::NotFound | Code::Conflict) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Row {
    fn of(id: String, name: String, before: &Usage, after: &Usage) -> Self {
        Self {
            id,
            name,
            cpu_percent: cpu_percent(before, after),
            memory_bytes: after.memory_bytes,
            memory_limit_bytes: after.memory_limit_bytes,
            memory_percent: percent(after.memory_bytes, after.memory_limit_bytes),
            network_received_bytes: after.received_bytes,
            network_sent_bytes: after.sent_bytes,
            block_read_bytes: after.read_bytes,
            block_written_bytes: after.written_bytes,
            pids: after.pids,
        }
    }
}

/// The container's share of what the machine computed meanwhile, times its processors.
fn cpu_percent(before: &Usage, after: &Usage) -> f64 {
    let own = after.cpu_ns.saturating_sub(before.cpu_ns);
    let machine = after.system_ns.saturating_sub(before.system_ns);
    round(percent(own, machine) * f64::from(after.cpus.max(1)))
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { round(part as f64 * 100.0 / whole as f64) }
}

fn round(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

fn shown(rows: &[Row]) -> String {
    let both = |one, other| format!("{} / {}", table::bytes(one), table::bytes(other));
    let row = |it: &Row| {
        [
            table::short(&it.id).to_owned(),
            it.name.clone(),
            format!("{:.2}%", it.cpu_percent),
            both(it.memory_bytes, it.memory_limit_bytes),
            format!("{:.2}%", it.memory_percent),
            both(it.network_received_bytes, it.network_sent_bytes),
            both(it.block_read_bytes, it.block_written_bytes),
            it.pids.to_string(),
        ]
    };
    let heading = [
        "CONTAINER ID",
        "NAME",
        "CPU %",
        "MEM USAGE / LIMIT",
        "MEM %",
        "NET I/O",
        "BLOCK I/O",
        "PIDS",
    ];
    table::table(heading, rows.iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(cpu_ns: u64, system_ns: u64) -> Usage {
        Usage {
            cpu_ns,
            system_ns,
            cpus: 2,
            memory_bytes: 1,
            memory_limit_bytes: 3,
            received_bytes: 0,
            sent_bytes: 0,
            read_bytes: 0,
            written_bytes: 0,
            pids: 1,
        }
    }

    #[test]
    fn a_share_is_of_one_processor() {
        assert_eq!(cpu_percent(&usage(0, 0), &usage(250, 500)), 100.0);
        assert_eq!(cpu_percent(&usage(100, 0), &usage(100, 500)), 0.0);
        assert_eq!(cpu_percent(&usage(0, 0), &usage(5, 0)), 0.0);
        assert_eq!(cpu_percent(&usage(9, 9), &usage(5, 5)), 0.0);
        assert_eq!(percent(1, 3), 33.33);
        assert_eq!(percent(1, 0), 0.0);
    }
}

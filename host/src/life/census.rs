//! How many there are of what, for those who watch over the host.

use std::collections::{BTreeMap, BTreeSet};

use super::{Phase, Rooms};
use crate::{
    error::Result,
    policy::{Policy, plugin_of},
};

/// The label by which Compose knows what belongs together.
const PROJECT: &str = "com.docker.compose.project";
/// Of how many containers the memory is looked up, those that were used last: each is a question to the engine.
const MOST_MEASURED: usize = 10;

/// What there is of this host's, by plugin.
#[derive(Default)]
pub struct Census {
    /// By plugin and state.
    pub containers: BTreeMap<(String, &'static str), u64>,
    /// Made ahead, and nobody's yet.
    pub warm: BTreeMap<String, u64>,
    /// Programs that have not ended.
    pub processes: BTreeMap<String, u64>,
}

/// What the user has in the engine, as far as a plugin reaches it.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    pub containers: BTreeMap<&'static str, u64>,
    pub networks: u64,
    pub stacks: u64,
}

impl Rooms {
    /// What is known without asking anybody.
    pub fn census(&self) -> Census {
        let mut census = Census::default();
        for entry in self.all() {
            let record = entry.record();
            let plugin = plugin_of(&record.owner).to_owned();
            if record.warm {
                *census.warm.entry(plugin).or_default() += 1;
            } else {
                *census.containers.entry((plugin, state(record.phase))).or_default() += 1;
            }
        }
        for plugin in self.inside.plugins_of_running() {
            *census.processes.entry(plugin).or_default() += 1;
        }
        census
    }

    /// How much memory containers take that were used last, by plugin and id.
    pub async fn memory(&self) -> Vec<(String, String, u64)> {
        let mut running: Vec<_> = self.all().iter().map(|entry| entry.current()).collect();
        running.retain(|record| record.phase == Phase::Running && !record.warm);
        running.sort_by_key(|record| std::cmp::Reverse(record.used));
        running.truncate(MOST_MEASURED);
        let mut measured = Vec::new();
        for record in running {
            // One that goes meanwhile takes none.
            let Ok(Some(ours)) = self.docker.find(&record.id).await else { continue };
            if let Ok(bytes) = self.docker.memory_of(&ours).await {
                measured.push((plugin_of(&record.owner).to_owned(), record.id, bytes));
            }
        }
        measured
    }

    /// What the engine has within reach of a plugin.
    pub async fn census_of_theirs(&self, policy: &Policy) -> Result<Engine> {
        let looking = policy.approve_looking_around("engine.list")?;
        let none = [("running", 0), ("exited", 0)];
        let mut engine = Engine { containers: none.into(), ..Engine::default() };
        let mut stacks = BTreeSet::new();
        for (theirs, summary) in self.docker.list_theirs(&looking, true, &[]).await? {
            if policy.reaches(&theirs) {
                *engine.containers.entry(summary.state.name()).or_default() += 1;
                stacks.extend(theirs.labels.get(PROJECT).cloned());
            }
        }
        let networks = self.docker.list_networks(&looking).await?;
        let within = networks.iter().filter(|(theirs, _)| policy.reaches(theirs));
        engine.networks = within.count() as u64;
        engine.stacks = stacks.len() as u64;
        Ok(engine)
    }
}

fn state(phase: Phase) -> &'static str {
    match phase {
        Phase::Making => "starting",
        Phase::Running => "running",
        Phase::Stopped => "stopped",
        Phase::Removing { .. } => "removing",
    }
}

//! What this host has made of the user's containers, for whom, and how much each of them may use: written on them, so that it
//! outlives the host.

use bollard::models::ContainerSummary;

use super::super::Docker;
use crate::{
    error::Result,
    policy::{MADE_FOR, NewTheirs, Taken},
};

/// Which host has made it. What is the host's own has another label for that.
const HOST: &str = "windlass.host";
const CPUS: &str = "windlass.cpus";
const MEMORY: &str = "windlass.memory-mib";

impl Docker {
    /// All that there is of what was made for a caller, running or not: what is stopped can be started at any time.
    pub async fn taken_for(&self, caller: &str) -> Result<Vec<Taken>> {
        let listed = self.summaries(&[(MADE_FOR, caller), (HOST, &self.shared.instance)]).await?;
        Ok(listed.into_iter().map(taken).collect())
    }

    /// The labels that say so. An image has labels too, which would show through where one of these is missing.
    pub fn taken_labels(&self, caller: &str, wanted: &NewTheirs) -> Vec<(String, String)> {
        let number = |it: Option<f64>| it.map(|it| it.to_string()).unwrap_or_default();
        let Taken { cpus, memory_mib, .. } = wanted.takes();
        let values = [
            (MADE_FOR, caller.to_owned()),
            (HOST, self.shared.instance.clone()),
            (CPUS, number(cpus)),
            (MEMORY, number(memory_mib)),
        ];
        values.map(|(name, value)| (name.to_owned(), value)).into()
    }
}

fn taken(listed: ContainerSummary) -> Taken {
    let labels = listed.labels.unwrap_or_default();
    let number = |name: &str| labels.get(name).and_then(|it| it.parse().ok());
    let names = listed.names.unwrap_or_default();
    let own = names.iter().map(|it| it.trim_start_matches('/')).find(|it| !it.contains('/'));
    Taken {
        name: own.unwrap_or_default().to_owned(),
        cpus: number(CPUS),
        memory_mib: number(MEMORY),
    }
}

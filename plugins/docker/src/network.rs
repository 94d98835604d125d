//! `network-create`, `network-remove`, `network-list` and `network-inspect`.

mod join;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_sdk::{
    Call, Error, Hints, Result, Told, Tool, clock,
    engine::{Attachment, Networking},
    networks::{self, Network, Pool, Spec},
    types::Code,
};

pub(crate) use join::{NetworkConnect, NetworkDisconnect};

use crate::{
    LOOKS,
    amount::Scalar,
    consent,
    error::{About, conflict, validation},
    name, table,
};

/// Makes a network for containers, in which they reach each other by name.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct NetworkCreate {
    name: String,
    /// `bridge` where nothing is said.
    driver: Option<String>,
    /// Whether it leads nowhere but to its containers.
    #[serde(default)]
    internal: bool,
    /// Its addresses, such as `10.5.0.0/24`. The engine chooses where nothing is said.
    subnet: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, Scalar>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Made {
    network: String,
    id: String,
}

/// Removes a network. It fails while containers are in it.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct NetworkRemove {
    /// Its name or id.
    name: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Removed {
    network: String,
}

/// Lists the networks of the engine.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct NetworkList {}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Listed {
    networks: Vec<Row>,
}

/// Shows all that is known of a network: its addresses, and the containers that are in it.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct NetworkInspect {
    /// Its name or id.
    name: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Inspected {
    network: Row,
    containers: Vec<Member>,
    /// What the engine says of it.
    details: Value,
}

/// A network.
#[derive(Serialize, JsonSchema)]
struct Row {
    id: String,
    name: String,
    driver: String,
    scope: String,
    internal: bool,
    /// In UTC.
    created: String,
    subnets: Vec<String>,
    labels: BTreeMap<String, String>,
}

/// A container in it.
#[derive(Serialize, JsonSchema)]
struct Member {
    id: String,
    name: String,
    ipv4: String,
}

impl Tool for NetworkCreate {
    const NAME: &'static str = "network-create";
    const TITLE: Option<&'static str> = Some("Create a network");
    type Output = Told<Made>;

    fn run(self, _: &Call) -> Result<Told<Made>> {
        name::check("name", &self.name)?;
        let pool = |subnet| Pool { subnet: Some(subnet), gateway: None, ip_range: None };
        let labels = self.labels.into_iter().map(|(name, value)| (name, value.to_string()));
        let spec = Spec {
            driver: self.driver,
            internal: self.internal,
            labels: labels.collect(),
            pools: self.subnet.into_iter().map(pool).collect(),
            ..plain(&self.name)
        };
        let doing = format!("creating network '{}'", self.name);
        let id = networks::create(&spec).map_err(|error| About::Network.during(&doing, error))?;
        let text = format!("Network '{}' created successfully", self.name);
        Ok(Told { text, rows: Made { network: self.name, id } })
    }
}

impl Tool for NetworkRemove {
    const NAME: &'static str = "network-remove";
    const TITLE: Option<&'static str> = Some("Remove a network");
    const HINTS: Hints = Hints::DESTRUCTIVE.union(Hints::IDEMPOTENT);
    type Output = Told<Removed>;

    fn run(self, call: &Call) -> Result<Told<Removed>> {
        let doing = format!("removing network '{}'", self.name);
        let network = find("name", &self.name, &doing)?;
        if !network.members.is_empty() {
            let names: Vec<_> = network.members.iter().map(|it| format!("`{}`", it.name)).collect();
            let message = format!(
                "Error {doing}: containers are in it: {}: `network-disconnect` takes them out",
                names.join(", ")
            );
            return Err(conflict(message).into());
        }
        consent::ask(call, &format!("Remove the network `{}`?", network.name))?;
        match networks::remove(&network.id) {
            // Somebody else was faster.
            Err(error) if error.code == Code::NotFound => {}
            removed => removed.map_err(|error| About::Network.during(&doing, error))?,
        }
        let text = format!("Network '{}' removed successfully", network.name);
        Ok(Told { text, rows: Removed { network: network.name } })
    }
}

impl Tool for NetworkList {
    const NAME: &'static str = "network-list";
    const TITLE: Option<&'static str> = Some("List networks");
    const HINTS: Hints = LOOKS;
    type Output = Told<Listed>;

    fn run(self, _: &Call) -> Result<Told<Listed>> {
        let listed =
            networks::list().map_err(|error| About::Network.during("listing networks", error))?;
        let row = |it: &Network| {
            [table::short(&it.id), &it.name, &it.driver, &it.scope].map(str::to_owned)
        };
        let rows = listed.iter().map(row);
        let table = table::table(["NETWORK ID", "NAME", "DRIVER", "SCOPE"], rows);
        let networks = listed.iter().map(Row::of).collect();
        Ok(Told { text: format!("Docker Networks:\n{table}"), rows: Listed { networks } })
    }
}

impl Tool for NetworkInspect {
    const NAME: &'static str = "network-inspect";
    const TITLE: Option<&'static str> = Some("Look at a network");
    const HINTS: Hints = LOOKS;
    type Output = Told<Inspected>;

    fn run(self, _: &Call) -> Result<Told<Inspected>> {
        let network = find("name", &self.name, &format!("inspecting network '{}'", self.name))?;
        let details: Value = serde_json::from_str(&network.json).unwrap_or_default();
        let text = format!("Network '{}' details:\n{details:#}", network.name);
        let row = Row::of(&network);
        let member = |it: networks::Member| Member { id: it.id, name: it.name, ipv4: it.ipv4 };
        let containers = network.members.into_iter().map(member).collect();
        Ok(Told { text, rows: Inspected { network: row, containers, details } })
    }
}

impl Row {
    fn of(it: &Network) -> Self {
        Self {
            id: it.id.clone(),
            name: it.name.clone(),
            driver: it.driver.clone(),
            scope: it.scope.clone(),
            internal: it.internal,
            created: clock::iso(it.created),
            subnets: it.pools.iter().filter_map(|pool| pool.subnet.clone()).collect(),
            labels: it.labels.iter().cloned().collect(),
        }
    }
}

/// The network of this name or id, which has to be there.
fn find(field: &str, name: &str, doing: &str) -> Result<Network, Error> {
    name::check(field, name)?;
    let found = networks::find(name).map_err(|error| About::Network.during(doing, error))?;
    found.ok_or_else(|| About::Network.missing(name))
}

/// A network with nothing but a name.
pub(crate) fn plain(name: &str) -> Spec {
    Spec {
        name: name.to_owned(),
        driver: None,
        internal: false,
        attachable: false,
        ipv6: false,
        labels: Vec::new(),
        options: Vec::new(),
        pools: Vec::new(),
    }
}

/// From `["front", "back"]`, or one word that stands for no network of its own.
pub(crate) fn networking(names: &[String]) -> Result<Networking, Error> {
    if let [only] = names {
        match only.as_str() {
            "none" => return Ok(Networking::None),
            "host" => return Ok(Networking::Host),
            "bridge" | "default" => return Ok(Networking::Networks(Vec::new())),
            _ => {}
        }
        if let Some(container) = only.strip_prefix("container:") {
            name::check("networks", container)?;
            return Ok(Networking::Container(container.to_owned()));
        }
    }
    for name in names {
        name::check("networks", name)?;
        if ["none", "host", "default"].contains(&name.as_str()) {
            let message =
                format!("`networks` has `{name}` beside others: it stands alone, or not at all");
            return Err(validation("networks", message));
        }
    }
    Ok(Networking::Networks(names.iter().map(Attachment::to).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(names: &[&str], expected: &str) {
        let names: Vec<_> = names.iter().map(|&it| it.to_owned()).collect();
        let shown = match networking(&names) {
            Ok(Networking::Networks(all)) => {
                all.iter().map(|it| it.network.as_str()).collect::<Vec<_>>().join(" ")
            }
            Ok(other) => format!("{other:?}"),
            Err(error) => error.message,
        };
        assert!(shown.starts_with(expected), "{names:?} is {shown}");
    }

    #[test]
    fn a_network_is_a_name_or_stands_alone() {
        check(&["front", "back"], "front back");
        check(&[], "");
        check(&["bridge"], "");
        check(&["none"], "Networking::None");
        check(&["host"], "Networking::Host");
        check(&["container:web"], "Networking::Container");
        check(&["host", "front"], "`networks` has `host` beside others");
        check(&["container:--help"], "`networks` is `--help`");
        check(&["a b"], "`networks` is `a b`");
    }
}

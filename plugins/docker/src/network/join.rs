//! `network-connect` and `network-disconnect`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Hints, Result, Told, Tool,
    networks::{self, Joining},
};

use super::find;
use crate::{
    error::{About, validation},
    name,
};

/// Lets a container join a network, in which others then reach it by its name and its aliases.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct NetworkConnect {
    /// The network's name or id.
    network: String,
    /// The container's name or id.
    container: String,
    /// Other names that it has there.
    #[serde(default)]
    aliases: Vec<String>,
    /// Its address there. The engine chooses where nothing is said.
    ipv4: Option<String>,
}

/// Lets a container leave a network.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct NetworkDisconnect {
    /// The network's name or id.
    network: String,
    /// The container's name or id.
    container: String,
    /// Also where it does not run any more.
    #[serde(default)]
    force: bool,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Joined {
    network: String,
    container: String,
    connected: bool,
}

impl Tool for NetworkConnect {
    const NAME: &'static str = "network-connect";
    const TITLE: Option<&'static str> = Some("Connect a container to a network");
    const HINTS: Hints = Hints::IDEMPOTENT;
    type Output = Told<Joined>;

    fn run(self, _: &Call) -> Result<Told<Joined>> {
        name::check("container", &self.container)?;
        for alias in &self.aliases {
            name::check("aliases", alias)?;
        }
        if let Some(ipv4) = &self.ipv4
            && ipv4.parse::<std::net::Ipv4Addr>().is_err()
        {
            let message = format!("`ipv4` is `{ipv4}`: give an address such as `10.5.0.7`");
            return Err(validation("ipv4", message).into());
        }
        let (network, container) = (self.network, self.container);
        let joining = Joining {
            network: network.clone(),
            container: container.clone(),
            aliases: self.aliases,
            ipv4: self.ipv4,
            ipv6: None,
        };
        let doing = format!("connecting container '{container}' to network '{network}'");
        find("network", &network, &doing)?;
        networks::connect(&joining).map_err(|error| About::Container.during(&doing, error))?;
        let text = format!("Container '{container}' connected to network '{network}' successfully");
        Ok(Told { text, rows: Joined { network, container, connected: true } })
    }
}

impl Tool for NetworkDisconnect {
    const NAME: &'static str = "network-disconnect";
    const TITLE: Option<&'static str> = Some("Disconnect a container from a network");
    const HINTS: Hints = Hints::IDEMPOTENT;
    type Output = Told<Joined>;

    fn run(self, _: &Call) -> Result<Told<Joined>> {
        name::check("container", &self.container)?;
        let (network, container) = (self.network, self.container);
        let doing = format!("disconnecting container '{container}' from network '{network}'");
        find("network", &network, &doing)?;
        networks::disconnect(&network, &container, self.force)
            .map_err(|error| About::Container.during(&doing, error))?;
        let text =
            format!("Container '{container}' disconnected from network '{network}' successfully");
        Ok(Told { text, rows: Joined { network, container, connected: false } })
    }
}

//! `networks`: networks in the engine.

use std::collections::HashSet;

use serde_json::Value;

use super::{CallState, bindings::windlass::plugin::networks as wit};
use crate::{
    capability::types::Code,
    error::{Failure, Result, not_found},
    policy::{Approved, Theirs},
};

pub use wit::{Joining, Member, Network, Pool, Spec};

impl wit::Host for CallState {
    async fn list(&mut self) -> Result<Vec<Network>> {
        let looking = self.policy.approve_looking_around("networks.list")?;
        let listed = self.docker().await?.list_networks(&looking).await?;
        let within = listed.into_iter().filter(|(theirs, _)| self.policy.reaches(theirs));
        Ok(within.map(|(_, network)| network).collect())
    }

    async fn find(&mut self, name: String) -> Result<Option<Network>> {
        let looking = self.policy.approve_looking_around("networks.find")?;
        let found = self.docker().await?.find_network(&looking, &name).await?;
        let Some((theirs, mut network)) = found else { return Ok(None) };
        self.policy.approve_seeing(theirs)?;
        if !network.members.is_empty() {
            let listed = self.docker().await?.list_theirs(&looking, true, &[]).await?;
            let within = listed.iter().filter(|(theirs, _)| self.policy.reaches(theirs));
            let within: HashSet<_> = within.map(|(theirs, _)| theirs.id.as_str()).collect();
            leave(&mut network, &within);
        }
        Ok(Some(network))
    }

    async fn create(&mut self, spec: Spec) -> Result<String> {
        let name = spec.name.clone();
        let wanted = self.policy.approve_new_network(spec)?;
        self.effects.add(format!("network create {name}"));
        self.docker().await?.make_network(&wanted).await
    }

    async fn remove(&mut self, name: String) -> Result<()> {
        let network = self.network("networks.remove", &name).await?;
        self.effects.add(format!("network remove {name}"));
        self.docker().await?.remove_network(&network).await
    }

    async fn connect(&mut self, joining: Joining) -> Result<()> {
        let network = self.network("networks.connect", &joining.network).await?;
        let container = self.member("networks.connect", &joining.container).await?;
        let (to, who) = (&joining.network, &joining.container);
        self.effects.add(format!("network connect {to} to {who}"));
        self.docker().await?.connect(&network, &container, &joining).await
    }

    async fn disconnect(&mut self, network: String, container: String, force: bool) -> Result<()> {
        let network = self.network("networks.disconnect", &network).await?;
        let looking = self.policy.approve_looking_around("networks.disconnect")?;
        let container = match self.docker().await?.find_theirs(&looking, &container).await {
            Ok(found) => {
                self.policy.approve_handling("networks.disconnect", found.theirs().clone())?
            }
            // Engines keep the place of some that are gone, and then the network cannot go.
            Err(Failure::Answer(error)) if force && error.code == Code::NotFound => {
                self.policy.approve_forgetting(&container)?
            }
            Err(failure) => return Err(failure),
        };
        self.effects.add(format!("network disconnect {}", container.request().id));
        self.docker().await?.disconnect(&network, &container, force).await
    }
}

/// Leaves those of its containers that are within reach.
fn leave(network: &mut Network, within: &HashSet<&str>) {
    network.members.retain(|member| within.contains(member.id.as_str()));
    let Ok(mut told) = serde_json::from_str::<Value>(&network.json) else { return };
    if let Some(Value::Object(containers)) = told.get_mut("Containers") {
        containers.retain(|id, _| within.contains(id.as_str()));
    }
    network.json = told.to_string();
}

impl CallState {
    /// A network that is to be changed.
    async fn network(&mut self, what: &str, name: &str) -> Result<Approved<Theirs>> {
        let looking = self.policy.approve_looking_around(what)?;
        let found = self.docker().await?.find_network(&looking, name).await?;
        let Some((theirs, _)) = found else {
            return Err(not_found(format!("there is no network `{}`", name.escape_debug())));
        };
        self.policy.approve_handling(what, theirs)
    }

    /// A container that is to join or leave.
    async fn member(&mut self, what: &str, name: &str) -> Result<Approved<Theirs>> {
        let looking = self.policy.approve_looking_around(what)?;
        let found = self.docker().await?.find_theirs(&looking, name).await?;
        self.policy.approve_handling(what, found.theirs().clone())
    }
}

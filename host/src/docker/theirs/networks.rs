//! The user's networks.

use std::collections::HashMap;

use bollard::{
    models::{
        Ipam, IpamConfig, Network as Listed, NetworkConnectRequest, NetworkCreateRequest,
        NetworkDisconnectRequest, NetworkInspect,
    },
    query_parameters::{InspectNetworkOptions, ListNetworksOptions},
};

use super::{super::Docker, body::endpoint, find::is_name};
use crate::{
    capability::networks::{Joining, Member, Network, Pool},
    error::{Result, conflict},
    policy::{Approved, Kind, Looking, NewNetwork, Theirs},
    time,
};

impl Docker {
    pub async fn list_networks(&self, _: &Approved<Looking>) -> Result<Vec<(Theirs, Network)>> {
        let options = None::<ListNetworksOptions>;
        let listed = self.quickly(async |client| client.list_networks(options).await).await?;
        let listed = listed.map_err(|trouble| trouble.doing("list the networks"))?;
        Ok(listed.into_iter().map(of_list).collect())
    }

    pub async fn find_network(
        &self,
        _: &Approved<Looking>,
        name: &str,
    ) -> Result<Option<(Theirs, Network)>> {
        if !is_name(name) {
            return Ok(None);
        }
        let options = None::<InspectNetworkOptions>;
        let found =
            self.quickly(async |client| client.inspect_network(name, options).await).await?;
        match found {
            Ok(found) => Ok(Some(inspected(found))),
            Err(trouble) if trouble.is(404) => Ok(None),
            Err(trouble) => Err(trouble.doing(&format!("look at network `{name}`"))),
        }
    }

    /// Fails where the name is taken: an engine may have several networks of one name, and nobody wants that.
    pub async fn make_network(&self, wanted: &Approved<NewNetwork>) -> Result<String> {
        let spec = &wanted.request().0;
        let what = format!("make network `{}`", spec.name);
        let pools = spec.pools.iter().map(|pool| IpamConfig {
            subnet: pool.subnet.clone(),
            gateway: pool.gateway.clone(),
            ip_range: pool.ip_range.clone(),
            auxiliary_addresses: None,
        });
        let ipam = Ipam { config: Some(pools.collect()), ..Ipam::default() };
        let request = NetworkCreateRequest {
            name: spec.name.clone(),
            driver: spec.driver.clone(),
            internal: Some(spec.internal),
            attachable: Some(spec.attachable),
            enable_ipv6: Some(spec.ipv6),
            ipam: (!spec.pools.is_empty()).then_some(ipam),
            options: Some(spec.options.iter().cloned().collect()),
            labels: Some(spec.labels.iter().cloned().collect()),
            ..NetworkCreateRequest::default()
        };
        // An engine makes both of two that are asked for at once.
        let _alone = self.shared.naming.lock().await;
        let taken = self.network_names(&spec.name).await?;
        if taken {
            return Err(conflict(format!("cannot {what}: there is one of that name")));
        }
        let made = self.quickly(async |client| client.create_network(request).await).await?;
        Ok(made.map_err(|trouble| trouble.doing(&what))?.id)
    }

    async fn network_names(&self, name: &str) -> Result<bool> {
        let filters = HashMap::from([("name".to_owned(), vec![name.to_owned()])]);
        let options = ListNetworksOptions { filters: Some(filters) };
        let listed = self.quickly(async |client| client.list_networks(Some(options)).await).await?;
        let listed = listed.map_err(|trouble| trouble.doing("list the networks"))?;
        // The engine also lists those that only contain the name.
        Ok(listed.iter().any(|it| it.name.as_deref() == Some(name)))
    }

    pub async fn remove_network(&self, network: &Approved<Theirs>) -> Result<()> {
        let Theirs { id, name, .. } = network.request();
        let done = self.quickly(async |client| client.remove_network(id).await).await?;
        match done {
            Err(trouble) if trouble.says(&["active endpoints", "being used", "in use"]) => {
                Err(conflict(format!("cannot remove network `{name}`: {trouble}")))
            }
            done => done.map_err(|trouble| trouble.doing(&format!("remove network `{name}`"))),
        }
    }

    pub async fn connect(
        &self,
        network: &Approved<Theirs>,
        container: &Approved<Theirs>,
        joining: &Joining,
    ) -> Result<()> {
        let request = NetworkConnectRequest {
            container: container.request().id.clone(),
            endpoint_config: Some(endpoint(&joining.aliases, &joining.ipv4, &joining.ipv6)),
        };
        let id = &network.request().id;
        let done = self.quickly(async |client| client.connect_network(id, request).await).await?;
        done.map_err(|trouble| trouble.doing(&told("connect", container, "to", network)))
    }

    pub async fn disconnect(
        &self,
        network: &Approved<Theirs>,
        container: &Approved<Theirs>,
        force: bool,
    ) -> Result<()> {
        let request = NetworkDisconnectRequest {
            container: container.request().id.clone(),
            force: Some(force),
        };
        let id = &network.request().id;
        let done =
            self.quickly(async |client| client.disconnect_network(id, request).await).await?;
        done.map_err(|trouble| trouble.doing(&told("disconnect", container, "from", network)))
    }
}

fn told(act: &str, container: &Approved<Theirs>, way: &str, network: &Approved<Theirs>) -> String {
    let (container, network) = (&container.request().name, &network.request().name);
    format!("{act} container `{container}` {way} network `{network}`")
}

fn of_list(it: Listed) -> (Theirs, Network) {
    let labels = it.labels.unwrap_or_default();
    let network = Network {
        id: it.id.unwrap_or_default(),
        name: it.name.unwrap_or_default(),
        driver: it.driver.unwrap_or_default(),
        scope: it.scope.unwrap_or_default(),
        internal: it.internal.unwrap_or_default(),
        created: it.created.as_deref().map_or(0, time::of_text),
        labels: sorted(&labels),
        pools: pools(it.ipam),
        members: Vec::new(),
        json: String::new(),
    };
    (theirs(&network, labels), network)
}

fn inspected(it: NetworkInspect) -> (Theirs, Network) {
    let json = serde_json::to_string(&it).unwrap_or_default();
    let labels = it.labels.unwrap_or_default();
    let members = it.containers.unwrap_or_default().into_iter().map(|(id, member)| Member {
        id,
        name: member.name.unwrap_or_default(),
        ipv4: member.ipv4_address.unwrap_or_default(),
    });
    let mut members: Vec<_> = members.collect();
    members.sort_by(|a, b| a.name.cmp(&b.name));
    let network = Network {
        id: it.id.unwrap_or_default(),
        name: it.name.unwrap_or_default(),
        driver: it.driver.unwrap_or_default(),
        scope: it.scope.unwrap_or_default(),
        internal: it.internal.unwrap_or_default(),
        created: it.created.as_deref().map_or(0, time::of_text),
        labels: sorted(&labels),
        pools: pools(it.ipam),
        members,
        json,
    };
    (theirs(&network, labels), network)
}

fn theirs(network: &Network, labels: HashMap<String, String>) -> Theirs {
    let (id, name) = (network.id.clone(), network.name.clone());
    Theirs { kind: Kind::Network, id, name, labels, breaches: Vec::new() }
}

fn pools(ipam: Option<Ipam>) -> Vec<Pool> {
    let configs = ipam.and_then(|it| it.config).unwrap_or_default().into_iter();
    let pool =
        |it: IpamConfig| Pool { subnet: it.subnet, gateway: it.gateway, ip_range: it.ip_range };
    configs.map(pool).collect()
}

pub(super) fn sorted(labels: &HashMap<String, String>) -> Vec<(String, String)> {
    let mut labels: Vec<_> =
        labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    labels.sort();
    labels
}

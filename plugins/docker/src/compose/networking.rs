//! What a service hears and speaks to: `network_mode`, `networks`, and the names that it knows.

use std::net::IpAddr;

use windlass_sdk::{
    Error,
    engine::{Attachment, Networking},
};

use super::{load::Context, read::Node};

/// The network that a service is in when it names none.
pub(crate) const DEFAULT: &str = "default";

/// What a service's containers hear, and the service whose container lends its own network.
pub(crate) fn networking(
    name: &str,
    service: &Node<'_>,
    context: &Context<'_>,
) -> Result<(Networking, Option<String>), Error> {
    let networks = service.get("networks");
    let Some(mode) = service.get("network_mode") else {
        return attachments(name, networks, context).map(|it| (Networking::Networks(it), None));
    };
    if networks.is_some_and(|it| !is_empty(&it)) {
        return Err(mode.wrong("it goes without `networks`"));
    }
    let text = mode.text()?;
    let networking = match text.as_str() {
        "none" => Networking::None,
        "host" => Networking::Host,
        "bridge" => Networking::Networks(Vec::new()),
        other => match other.split_once(':') {
            Some(("service", other)) => {
                let container = context.container_of(&mode, other)?;
                return Ok((Networking::Container(container), Some(other.to_owned())));
            }
            Some(("container", container)) => Networking::Container(container.to_owned()),
            Some(_) => {
                return Err(mode.wrong(
                    "it is `none`, `host`, `bridge`, `service:<name>` or `container:<name>`",
                ));
            }
            None => Networking::Networks(vec![Attachment::to(other)]),
        },
    };
    Ok((networking, None))
}

fn is_empty(node: &Node<'_>) -> bool {
    node.value.as_array().is_some_and(Vec::is_empty)
        || node.value.as_object().is_some_and(serde_json::Map::is_empty)
}

fn attachments(
    name: &str,
    networks: Option<Node<'_>>,
    context: &Context<'_>,
) -> Result<Vec<Attachment>, Error> {
    let attached = |network: String| Attachment {
        network,
        aliases: vec![name.to_owned()],
        ipv4: None,
        ipv6: None,
    };
    let Some(networks) = networks.filter(|it| !is_empty(it)) else {
        return Ok(vec![attached(context.network_name(DEFAULT))]);
    };
    if networks.value.is_array() {
        let one = |item: Node<'_>| {
            let key = item.text()?;
            Ok(attached(context.network(&item, &key)?))
        };
        return networks.items()?.into_iter().map(one).collect();
    }
    let one = |(key, node): (&str, Node<'_>)| {
        let mut attachment = attached(context.network(&node, key)?);
        attachment.aliases.extend(node.texts_at("aliases")?);
        attachment.aliases.dedup();
        attachment.ipv4 = address(&node, "ipv4_address")?;
        attachment.ipv6 = address(&node, "ipv6_address")?;
        Ok(attachment)
    };
    networks.entries()?.into_iter().map(one).collect()
}

fn address(node: &Node<'_>, key: &str) -> Result<Option<String>, Error> {
    let Some(node) = node.get(key) else { return Ok(None) };
    let address: IpAddr = node.text()?.parse().map_err(|_| node.wrong("it is no address"))?;
    Ok(Some(address.to_string()))
}

/// `name:address` for each name that a container knows besides those of its networks.
pub(crate) fn extra_hosts(service: &Node<'_>) -> Result<Vec<String>, Error> {
    let Some(hosts) = service.get("extra_hosts") else { return Ok(Vec::new()) };
    if hosts.value.is_object() {
        let mut known = Vec::new();
        for (name, node) in hosts.entries()? {
            let addresses = if node.value.is_array() { node.items()? } else { vec![node] };
            for address in addresses {
                known.push(format!("{name}:{}", host_address(&address, &address.text()?)?));
            }
        }
        return Ok(known);
    }
    let one = |item: Node<'_>| {
        let text = item.text()?;
        let split = text.split_once('=').or_else(|| text.split_once(':'));
        let (name, address) = split.ok_or_else(|| item.wrong("it is `name:address`"))?;
        Ok(format!("{name}:{}", host_address(&item, address)?))
    };
    hosts.items()?.into_iter().map(one).collect()
}

fn host_address(node: &Node<'_>, text: &str) -> Result<String, Error> {
    let bare = text.trim().trim_start_matches('[').trim_end_matches(']');
    if bare == "host-gateway" || bare.parse::<IpAddr>().is_ok() {
        return Ok(bare.to_owned());
    }
    Err(node.wrong(format!("`{text}` is no address and not `host-gateway`")))
}

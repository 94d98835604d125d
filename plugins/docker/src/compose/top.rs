//! The networks and volumes of a file.

use windlass_sdk::{Error, networks, volumes};

use super::{
    load::Context,
    networking::DEFAULT,
    plan::{Network, Volume},
    read::Node,
};

/// What this plugin says it is, in the label where Compose has its own version.
pub(crate) const VERSION: &str = concat!("windlass-", env!("CARGO_PKG_VERSION"));

pub(crate) fn networks(file: &Node<'_>, context: &Context<'_>) -> Result<Vec<Network>, Error> {
    let mut all = Vec::new();
    for (key, node) in file.entries_at("networks")? {
        all.push(network(key, &node, context)?);
    }
    if !all.iter().any(|it| it.key == DEFAULT) {
        let nothing = serde_json::Value::Null;
        all.push(network(DEFAULT, &Node::new(&nothing, "networks.default"), context)?);
    }
    Ok(all)
}

fn network(key: &str, node: &Node<'_>, context: &Context<'_>) -> Result<Network, Error> {
    let (external, name) = named(key, node, context.project)?;
    let ipam = node.get("ipam");
    if let Some(driver) = ipam.as_ref().and_then(|it| it.get("driver"))
        && driver.text()? != "default"
    {
        return Err(driver.wrong("it is `default`"));
    }
    let pools = ipam.map_or(Ok(Vec::new()), |it| it.items_at("config"))?;
    let pool = |node: Node<'_>| {
        Ok(networks::Pool {
            subnet: node.text_at("subnet")?,
            gateway: node.text_at("gateway")?,
            ip_range: node.text_at("ip_range")?,
        })
    };
    let spec = networks::Spec {
        name,
        driver: node.text_at("driver")?,
        internal: node.flag_at("internal")?,
        attachable: node.flag_at("attachable")?,
        ipv6: node.flag_at("enable_ipv6")?,
        labels: labels(node, key, "network", context.project)?,
        options: node.pairs_at("driver_opts")?,
        pools: pools.into_iter().map(pool).collect::<Result<_, Error>>()?,
    };
    Ok(Network { key: key.to_owned(), external, spec })
}

pub(crate) fn volumes(file: &Node<'_>, context: &Context<'_>) -> Result<Vec<Volume>, Error> {
    let one = |(key, node): (&str, Node<'_>)| {
        let (external, name) = named(key, &node, context.project)?;
        let spec = volumes::Spec {
            name,
            driver: node.text_at("driver")?,
            options: node.pairs_at("driver_opts")?,
            labels: labels(&node, key, "volume", context.project)?,
        };
        Ok(Volume { key: key.to_owned(), external, spec })
    };
    file.entries_at("volumes")?.into_iter().map(one).collect()
}

/// Whether it is not the stack's own, and how it is called in the engine.
pub(crate) fn named(key: &str, node: &Node<'_>, project: &str) -> Result<(bool, String), Error> {
    let external = node.get("external");
    // An old form puts the name below `external`.
    let old = external.as_ref().filter(|it| it.value.is_object());
    let is_external = old.is_some() || external.as_ref().map_or(Ok(false), |it| it.flag())?;
    let name = match node.text_at("name")? {
        Some(name) => Some(name),
        None => old.map_or(Ok(None), |it| it.text_at("name"))?,
    };
    let own = if is_external { key.to_owned() } else { format!("{project}_{key}") };
    Ok((is_external, name.unwrap_or(own)))
}

fn labels(
    node: &Node<'_>,
    key: &str,
    kind: &str,
    project: &str,
) -> Result<Vec<(String, String)>, Error> {
    let mut labels = node.pairs_at("labels")?;
    labels.retain(|(name, _)| !name.starts_with("com.docker.compose."));
    labels.push(("com.docker.compose.project".to_owned(), project.to_owned()));
    labels.push((format!("com.docker.compose.{kind}"), key.to_owned()));
    labels.push(("com.docker.compose.version".to_owned(), VERSION.to_owned()));
    Ok(labels)
}

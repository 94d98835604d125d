//! The networks and volumes of a file.

use std::fmt::Debug;

use sha2::{Digest as _, Sha256};
use windlass_sdk::{Error, networks, volumes};

use super::{
    found::{HASH, PROJECT},
    load::Context,
    networking::DEFAULT,
    plan::{Network, Volume},
    read::Node,
};

/// What this plugin says it is, in the label where Compose has its own version.
pub(crate) const VERSION: &str = concat!("windlass-", env!("CARGO_PKG_VERSION"));
pub(crate) const VERSION_LABEL: &str = "com.docker.compose.version";
/// How each version begins.
const OURS: &str = "windlass-";

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
    let mut spec = networks::Spec {
        name,
        driver: node.text_at("driver")?,
        internal: node.flag_at("internal")?,
        attachable: node.flag_at("attachable")?,
        ipv6: node.flag_at("enable_ipv6")?,
        labels: Vec::new(),
        options: node.pairs_at("driver_opts")?,
        pools: pools.into_iter().map(pool).collect::<Result<_, Error>>()?,
    };
    let networks::Spec { name, driver, internal, attachable, ipv6, options, pools, .. } = &spec;
    let pools: Vec<_> = pools.iter().map(|it| (&it.subnet, &it.gateway, &it.ip_range)).collect();
    let known_by = known_by(&(name, driver, internal, attachable, ipv6, options, pools));
    spec.labels = labels(node, key, "network", context.project, known_by)?;
    Ok(Network { key: key.to_owned(), external, spec })
}

pub(crate) fn volumes(file: &Node<'_>, context: &Context<'_>) -> Result<Vec<Volume>, Error> {
    let one = |(key, node): (&str, Node<'_>)| {
        let (external, name) = named(key, &node, context.project)?;
        let mut spec = volumes::Spec {
            name,
            driver: node.text_at("driver")?,
            options: node.pairs_at("driver_opts")?,
            labels: Vec::new(),
        };
        let known_by = known_by(&(&spec.name, &spec.driver, &spec.options));
        spec.labels = labels(&node, key, "volume", context.project, known_by)?;
        Ok(Volume { external, spec })
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
    known_by: String,
) -> Result<Vec<(String, String)>, Error> {
    let mut labels = node.pairs_at("labels")?;
    labels.retain(|(name, _)| !name.starts_with("com.docker.compose."));
    labels.push((PROJECT.to_owned(), project.to_owned()));
    labels.push((format!("com.docker.compose.{kind}"), key.to_owned()));
    labels.push((VERSION_LABEL.to_owned(), VERSION.to_owned()));
    labels.push((HASH.to_owned(), known_by));
    Ok(labels)
}

/// Whether what is there was made here from other settings than these.
pub(crate) fn is_other(there: &[(String, String)], wanted: &[(String, String)]) -> bool {
    let value = |labels: &[(String, String)], name: &str| {
        labels.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    };
    // Others write a hash that only they can compare.
    let is_ours = value(there, VERSION_LABEL).is_some_and(|it| it.starts_with(OURS));
    is_ours && value(there, HASH) != value(wanted, HASH)
}

/// What a network or a volume is known by again. Another one would have to be made anew, and a volume's data would be lost: what
/// this is made of may only grow by what is left out where it is not set.
fn known_by(settings: &impl Debug) -> String {
    digest(&format!("1 {settings:?}"))
}

/// A text that nothing else has, for comparing.
pub(crate) fn digest(whole: &str) -> String {
    Sha256::digest(whole).iter().map(|byte| format!("{byte:02x}")).collect()
}

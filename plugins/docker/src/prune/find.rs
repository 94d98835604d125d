//! What is left over: found before anything is removed, so that a dry run shows what would go.

use std::collections::BTreeSet;

use windlass_sdk::{
    Error,
    engine::{self, Filter, State, Summary},
    images, networks, volumes,
};

use super::{Item, Kind, Prune};
use crate::{error::About, table};

/// Networks that every engine has.
const OF_THE_ENGINE: [&str; 4] = ["bridge", "host", "none", "ingress"];

/// Containers first: what is left over of the rest may be so through them.
pub(super) fn left_over(wish: &Prune) -> Result<Vec<Item>, Error> {
    let mut items = Vec::new();
    let filter = Filter { all: true, labels: Vec::new() };
    let all =
        engine::list(&filter).map_err(|it| About::Container.during("listing containers", it))?;
    let (idle, kept): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| {
        wish.what.has(Kind::Container) && is_idle(it) && has(&it.labels, &wish.labels)
    });
    items.extend(idle.into_iter().map(|it| Item::new(Kind::Container, it.id, it.name)));
    if wish.what.has(Kind::Network) {
        let found = unused_networks(wish, &kept);
        items.extend(found.map_err(|it| About::Network.during("listing networks", it))?);
    }
    if wish.what.has(Kind::Volume) {
        let found = volumes::list().map_err(|it| About::Volume.during("listing volumes", it))?;
        let found = found.into_iter().filter(|it| it.unused && has(&it.labels, &wish.labels));
        items.extend(found.map(|it| Item::new(Kind::Volume, it.name.clone(), it.name)));
    }
    if wish.what.has(Kind::Image) {
        let found = unused_images(wish, &kept);
        items.extend(found.map_err(|it| About::Image.during("listing images", it))?);
    }
    Ok(items)
}

fn is_idle(container: &Summary) -> bool {
    matches!(container.state, State::Created | State::Exited | State::Dead)
}

/// Without those that a container comes back to when it is started again.
fn unused_networks(wish: &Prune, kept: &[Summary]) -> Result<Vec<Item>, Error> {
    let addresses = kept.iter().flat_map(|it| &it.addresses);
    let used: BTreeSet<&str> = addresses.map(|it| it.network.as_str()).collect();
    let mut found = Vec::new();
    for network in networks::list()? {
        let is_own = OF_THE_ENGINE.contains(&network.name.as_str());
        if is_own || used.contains(network.name.as_str()) || !has(&network.labels, &wish.labels) {
            continue;
        }
        // Somebody else's containers may be in it, which are in no list here.
        if networks::find(&network.id)?.is_some_and(|it| it.members.is_empty()) {
            found.push(Item::new(Kind::Network, network.id, network.name));
        }
    }
    Ok(found)
}

fn unused_images(wish: &Prune, kept: &[Summary]) -> Result<Vec<Item>, Error> {
    let used: BTreeSet<&str> = kept.iter().map(|it| it.image_id.as_str()).collect();
    let mut found = images::list()?;
    found.retain(|it| {
        let is_wanted = it.tags.is_empty() || wish.all_images;
        let is_used = used.contains(it.id.as_str()) || it.used.is_some_and(|count| count > 0);
        is_wanted && !is_used && has(&it.labels, &wish.labels)
    });
    let item = |it: images::Image| {
        let name = it.tags.first().cloned();
        let name = name.unwrap_or_else(|| table::short(&it.id).to_owned());
        Item { size_bytes: Some(it.size), ..Item::new(Kind::Image, it.id, name) }
    };
    Ok(found.into_iter().map(item).collect())
}

/// Whether all that is wanted, `name` or `name=value`, is among the labels.
fn has(labels: &[(String, String)], wanted: &[String]) -> bool {
    wanted.iter().all(|wish| match wish.split_once('=') {
        None => labels.iter().any(|(name, _)| name == wish),
        Some((name, value)) => {
            labels.iter().any(|label| (label.0.as_str(), label.1.as_str()) == (name, value))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_wanted_by_name_or_with_its_value() {
        let labels = [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "x=y".to_owned())];
        let check = |wanted: &[&str], expected| {
            let wanted: Vec<_> = wanted.iter().map(|&it| it.to_owned()).collect();
            assert_eq!(has(&labels, &wanted), expected, "{wanted:?}");
        };
        check(&[], true);
        check(&["a", "a=1", "b=x=y"], true);
        check(&["a=2"], false);
        check(&["a", "c"], false);
    }
}

//! Grants as they are written, with the values of variables in place of their names.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use url::Url;

use crate::{
    config::{ContainersGrant, Count, EgressGrant, Grants},
    secrets,
};

/// The grants of a plugin as they hold.
pub(super) fn expand(name: &str, mut grants: Grants) -> anyhow::Result<Grants> {
    for grant in &mut grants.http {
        grant.to = place(&grant.to).with_context(|| format!("plugins.{name}.grants.http"))?;
    }
    if let Some(containers) = &mut grants.containers {
        *containers = containers_of(containers)
            .with_context(|| format!("plugins.{name}.grants.containers"))?;
    }
    if let Some(engine) = &mut grants.engine {
        for list in [&mut engine.registries, &mut engine.images] {
            *list = names(list).with_context(|| format!("plugins.{name}.grants.engine"))?;
        }
    }
    Ok(grants)
}

/// Lets containers have these secrets, its own and the user's, where the plugin may have any at all.
pub(super) fn add_secrets<'a>(grants: &mut Grants, names: impl Iterator<Item = &'a String>) {
    let containers = grants.containers.iter_mut().map(|it| &mut it.secrets);
    let mut lists: Vec<_> =
        containers.chain(grants.engine.iter_mut().map(|it| &mut it.secrets)).collect();
    for name in names {
        for list in lists.iter_mut().filter(|list| !list.contains(name)) {
            list.push(name.clone());
        }
    }
}

/// Where a grant leads. A variable holds a URL as people write it: without a scheme, with a slash at its end.
pub fn place(written: &str) -> anyhow::Result<String> {
    let to = secrets::expand(written)?;
    if !is_variable(written) {
        return Ok(to);
    }
    let (scheme, rest) = to.trim().split_once("://").unwrap_or(("https", to.trim()));
    Ok(format!("{scheme}://{}", without_path(rest)))
}

/// The place that programs in containers may reach, `host:port`. A variable may hold it as a URL. None: it holds nothing.
fn peer(written: &str) -> anyhow::Result<Option<String>> {
    let expanded = secrets::expand(written)?;
    if !is_variable(written) {
        return Ok(Some(expanded));
    }
    // What a variable holds is not repeated: a user is written with a password.
    let to = expanded.trim();
    ensure!(!to.contains('@'), "what `{written}` holds names a user: secrets go into `secrets`");
    if !to.contains("://") {
        let place = without_path(to);
        return Ok((!place.is_empty()).then(|| place.to_owned()));
    }
    let url = Url::parse(to).with_context(|| format!("what `{written}` holds is no URL"))?;
    let host = url.host_str().with_context(|| format!("what `{written}` holds has no host"))?;
    let port = url.port_or_known_default();
    let port = port.with_context(|| format!("what `{written}` holds has no port"))?;
    Ok(Some(format!("{host}:{port}")))
}

/// Whether it is one variable, and nothing beside it.
fn is_variable(written: &str) -> bool {
    let name = written.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(|name| !name.contains('}'))
}

fn without_path(place: &str) -> &str {
    place.split(['/', '?', '#']).next().unwrap_or_default()
}

/// What containers may be. A variable may hold several names, with commas between them.
pub fn containers_of(written: &ContainersGrant) -> anyhow::Result<ContainersGrant> {
    let mut grant = written.clone();
    for list in [&mut grant.registries, &mut grant.images] {
        *list = names(list)?;
    }
    grant.egress = Vec::new();
    for place in &written.egress {
        grant.egress.extend(peer(&place.to)?.map(|to| EgressGrant { to, ..place.clone() }));
    }
    grant.forwards = BTreeMap::new();
    for (from, place) in &written.forwards {
        let to = peer(&place.to)?.map(|to| EgressGrant { to, ..place.clone() });
        grant.forwards.extend(to.map(|to| (from.clone(), to)));
    }
    grant.mounts = Vec::new();
    for mount in &written.mounts {
        let meant = mount.expanded().context("mounts")?;
        grant.mounts.extend(meant.filter(|it| !grant.mounts.contains(it)));
    }
    let mut warm = BTreeMap::new();
    for (image, count) in &grant.warm {
        let count = match count {
            Count::Word(word) => Count::Word(secrets::expand(word)?),
            number => number.clone(),
        };
        let number = count.number().map_err(anyhow::Error::msg).context("warm")?;
        warm.insert(secrets::expand(image)?, Count::Number(number));
    }
    grant.warm = warm;
    Ok(grant)
}

/// A variable may hold several names, with commas between them.
fn names(written: &[String]) -> anyhow::Result<Vec<String>> {
    let expanded = written.iter().map(|it| secrets::expand(it)).collect::<Result<Vec<_>, _>>()?;
    let names = expanded.iter().flat_map(|it| it.split(',')).map(str::trim);
    Ok(names.filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::containers_of;
    use crate::config;

    /// No test sets a variable: others read the environment meanwhile. Cargo sets one, and nobody the other.
    #[track_caller]
    fn check(written: &str, expected: &Expect) {
        let grant = containers_of(&config::parse(written).unwrap());
        let told = match grant {
            Ok(grant) => format!(
                "{:?} {:?} {:?} {:?} {:?}",
                grant.registries, grant.images, grant.egress, grant.forwards, grant.warm
            ),
            Err(error) => format!("{error:#}"),
        };
        expected.assert_eq(&told);
    }

    #[test]
    fn variables_stand_for_lists_places_and_counts() {
        check(
            "registries = ['${WINDLASS_NOWHERE:-docker.io, ghcr.io ,}', 'a.example']",
            &expect![[r#"["docker.io", "ghcr.io", "a.example"] [] [] {} {}"#]],
        );
        check("registries = ['${WINDLASS_NOWHERE:-}']", &expect!["[] [] [] {} {}"]);
        check(
            "images = ['${CARGO_PKG_NAME}', 'x/${CARGO_PKG_NAME:-y}:1']",
            &expect![[r#"["docker.io", "ghcr.io"] ["windlass", "x/windlass:1"] [] {} {}"#]],
        );
        check(
            "images = ['${WINDLASS_NOWHERE}']",
            &expect!["the environment variable `WINDLASS_NOWHERE` is not set"],
        );
        check(
            "egress = ['${WINDLASS_NOWHERE:-a.example}:443']",
            &expect![[
                r#"["docker.io", "ghcr.io"] [] [EgressGrant { to: "a.example:443", private: false }] {} {}"#
            ]],
        );
        check(
            "forwards = { 80 = '${WINDLASS_NOWHERE:-a.example:1}' }",
            &expect![[
                r#"["docker.io", "ghcr.io"] [] [] {"80": EgressGrant { to: "a.example:1", private: false }} {}"#
            ]],
        );
        check(
            "forwards = { 80 = '${WINDLASS_NOWHERE}:1' }",
            &expect!["the environment variable `WINDLASS_NOWHERE` is not set"],
        );
    }

    #[track_caller]
    fn check_places(written: &str, expected: &Expect) {
        let told = match containers_of(&config::parse(written).unwrap()) {
            Ok(grant) => {
                let places = grant.egress.iter().map(|it| it.to.as_str());
                let forwards = grant.forwards.values().map(|it| it.to.as_str());
                let mounts = grant.mounts.iter().map(|it| it.as_str());
                places.chain(forwards).chain(mounts).collect::<Vec<_>>().join(" ")
            }
            Err(error) => format!("{error:#}"),
        };
        expected.assert_eq(&told);
    }

    /// An entry that is one variable, which holds this.
    #[track_caller]
    fn check_held(held: &str, expected: &Expect) {
        check_places(&format!("egress = ['${{WINDLASS_NOWHERE:-{held}}}']"), expected);
    }

    #[test]
    fn a_variable_holds_a_place_as_a_url() {
        check_held("http://model.example:1234/v1", &expect!["model.example:1234"]);
        check_held("http://model.example/v1", &expect!["model.example:80"]);
        check_held("https://API.example", &expect!["api.example:443"]);
        check_held(" https://api.example/v1?a=b#c ", &expect!["api.example:443"]);
        check_held("http://[::1]:8080/", &expect!["[::1]:8080"]);
        check_held("http://127.0.0.1/v1", &expect!["127.0.0.1:80"]);
        check_held("model.example:1234", &expect!["model.example:1234"]);
        check_held("model.example/v1", &expect!["model.example"]);
        check_held("*.model.example:*", &expect!["*.model.example:*"]);
        check_held("", &expect![""]);
        check_held(" ", &expect![""]);
        check_held(
            "x://model.example",
            &expect!["what `${WINDLASS_NOWHERE:-x://model.example}` holds has no port"],
        );
        check_held(
            "http://",
            &expect!["what `${WINDLASS_NOWHERE:-http://}` holds is no URL: empty host"],
        );
        check_held(
            "https://me:word@a.example",
            &expect![
                "what `${WINDLASS_NOWHERE:-https://me:word@a.example}` holds names a user: secrets go into `secrets`"
            ],
        );
        check_places(
            "forwards = { 80 = '${WINDLASS_NOWHERE:-http://model.example/v1}', 81 = '${WINDLASS_NOWHERE:-}' }",
            &expect!["model.example:80"],
        );
        // What stands beside a variable is part of a place, and none of a URL.
        check_places(
            "egress = ['${CARGO_PKG_NAME}:80', 'https://a.example']",
            &expect!["windlass:80 https://a.example"],
        );
    }

    #[test]
    fn a_variable_holds_a_directory_or_none() {
        check_places(
            "mounts = ['${WINDLASS_NOWHERE:-}', '/srv/a', '${WINDLASS_NOWHERE:-/srv/a}', '${WINDLASS_NOWHERE:-/srv/b}']",
            &expect!["/srv/a /srv/b"],
        );
        check_places(
            "mounts = ['${WINDLASS_NOWHERE:-/etc}']",
            &expect![
                "mounts: `/etc` cannot be mounted: it holds the machine's settings and passwords"
            ],
        );
        check_places(
            "mounts = ['${WINDLASS_NOWHERE}']",
            &expect!["mounts: the environment variable `WINDLASS_NOWHERE` is not set"],
        );
    }

    #[test]
    fn a_warm_pool_is_counted() {
        check(
            "warm = { a = 2, b = 'true', c = 'false', d = ' 3 ', e = '' }",
            &expect![[
                r#"["docker.io", "ghcr.io"] [] [] {} {"a": Number(2), "b": Number(1), "c": Number(0), "d": Number(3), "e": Number(0)}"#
            ]],
        );
        check(
            "warm = { '${WINDLASS_NOWHERE:-a}' = '${WINDLASS_NOWHERE:-true}' }",
            &expect![[r#"["docker.io", "ghcr.io"] [] [] {} {"a": Number(1)}"#]],
        );
        check(
            "warm = { a = '${WINDLASS_NOWHERE:-many}' }",
            &expect!["warm: `many` is no number of containers"],
        );
        check("warm = { a = '-1' }", &expect!["warm: `-1` is no number of containers"]);
        check(
            "warm = { a = '${WINDLASS_NOWHERE}' }",
            &expect!["the environment variable `WINDLASS_NOWHERE` is not set"],
        );
    }
}

//! Grants as they are written, with the values of variables in place of their names.

use std::collections::BTreeMap;

use anyhow::Context as _;

use crate::{
    config::{ContainersGrant, Count, Grants},
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
    Ok(grants)
}

/// Lets containers have these secrets, where the plugin may have containers at all.
pub(super) fn add_secrets<'a>(grants: &mut Grants, names: impl Iterator<Item = &'a String>) {
    let Some(containers) = &mut grants.containers else { return };
    for name in names {
        if !containers.secrets.contains(name) {
            containers.secrets.push(name.clone());
        }
    }
}

/// Where a grant leads. A variable holds a URL as people write it: without a scheme, with a slash at its end.
pub fn place(written: &str) -> anyhow::Result<String> {
    let to = secrets::expand(written)?;
    let variable = written.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    if variable.is_none_or(|name| name.contains('}')) {
        return Ok(to);
    }
    let (scheme, rest) = to.trim().split_once("://").unwrap_or(("https", to.trim()));
    let origin = rest.split(['/', '?', '#']).next().unwrap_or_default();
    Ok(format!("{scheme}://{origin}"))
}

/// What containers may be. A variable may hold several names, with commas between them.
pub fn containers_of(written: &ContainersGrant) -> anyhow::Result<ContainersGrant> {
    let mut grant = written.clone();
    for list in [&mut grant.registries, &mut grant.images] {
        let expanded = list.iter().map(|it| secrets::expand(it)).collect::<Result<Vec<_>, _>>()?;
        let names = expanded.iter().flat_map(|it| it.split(',')).map(str::trim);
        *list = names.filter(|name| !name.is_empty()).map(str::to_owned).collect();
    }
    for place in grant.egress.iter_mut().chain(grant.forwards.values_mut()) {
        place.to = secrets::expand(&place.to)?;
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

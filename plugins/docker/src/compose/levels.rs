//! Which services start side by side, and which after which.

use std::collections::BTreeMap;

use windlass_sdk::Error;

use super::plan::{Plan, Service};

/// The services of a plan in levels: each needs only what is in levels before its own.
pub(crate) fn of(plan: &Plan) -> Result<Vec<Vec<&Service>>, Error> {
    let needs = plan.services.iter().map(|service| {
        let needs = service.needs.iter().map(|it| it.service.clone());
        (service.name.clone(), needs.collect())
    });
    let levels = sorted(needs.collect()).map_err(|left| {
        let names: Vec<_> = left.iter().map(|it| format!("`{it}`")).collect();
        Error::invalid(format!(
            "`depends_on` goes in a circle: {} wait for each other",
            names.join(", ")
        ))
    })?;
    Ok(levels
        .iter()
        .map(|level| level.iter().filter_map(|name| plan.service(name)).collect())
        .collect())
}

/// Names in levels, by the names that each needs; or those that are left in a circle. What is not there is not waited for.
pub(crate) fn sorted(
    mut needs: BTreeMap<String, Vec<String>>,
) -> Result<Vec<Vec<String>>, Vec<String>> {
    let mut levels = Vec::new();
    while !needs.is_empty() {
        let is_free = |wants: &Vec<String>| !wants.iter().any(|it| needs.contains_key(it));
        let free: Vec<_> = needs
            .iter()
            .filter(|(_, wants)| is_free(wants))
            .map(|(name, _)| name.clone())
            .collect();
        if free.is_empty() {
            return Err(needs.into_keys().collect());
        }
        needs.retain(|name, _| !free.contains(name));
        levels.push(free);
    }
    Ok(levels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(needs: &[(&str, &[&str])], expected: &str) {
        let owned = |it: &&str| (*it).to_owned();
        let needs =
            needs.iter().map(|(name, wants)| (owned(name), wants.iter().map(owned).collect()));
        let said = match sorted(needs.collect()) {
            Ok(levels) => levels.iter().map(|it| it.join(" ")).collect::<Vec<_>>().join(" | "),
            Err(left) => format!("circle {}", left.join(" ")),
        };
        assert_eq!(said, expected);
    }

    #[test]
    fn who_needs_another_one_comes_later() {
        check(
            &[("a", &[]), ("b", &["a"]), ("c", &["a", "b"]), ("d", &[]), ("e", &["d", "gone"])],
            "a d | b e | c",
        );
        check(&[("a", &["b"]), ("b", &["a"]), ("c", &[])], "circle a b");
        check(&[("a", &["a"])], "circle a");
    }
}

//! How much a caller may take. Pure: what is used is told by whoever knows.
//!
//! Of a caller's roles those count that have a table `quota`, and of them for each bound the most generous. What such a table
//! leaves out is as `access.quota` has it, and so is all for a caller none of whose roles has one.

use std::{collections::BTreeMap, fmt::Write as _};

use super::NewContainer;
use crate::config::{AccessConfig, Bounded, QuotaConfig};

/// How many things are named of those that take something.
const MOST_NAMED: usize = 5;
/// What is less is no difference that anybody made: sums of fractions are never quite what they should be.
const HARDLY_ANY: f64 = 1e-6;

/// All bounds of one caller.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quota(BTreeMap<Bounded, Bound>);

/// The most of something, and which line says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    pub most: f64,
    pub line: String,
}

/// A container, or what else somebody has, and how much of each it takes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taken {
    pub name: String,
    /// None: as much as there is.
    pub cpus: Option<f64>,
    pub memory_mib: Option<f64>,
}

/// Why somebody gets no more.
#[derive(Clone, Debug, PartialEq)]
pub struct Over {
    pub of: Bounded,
    pub why: String,
}

/// What counts for a caller with these roles.
pub fn quota_of(access: &AccessConfig, roles: &[String]) -> Quota {
    Quota::of_tables(&tables(access, roles), &access.quota)
}

/// What counts for whoever started the host: what their roles say by themselves.
pub fn quota_of_local(access: &AccessConfig) -> Quota {
    Quota::of_tables(&tables(access, &access.local), &QuotaConfig::default())
}

/// What counts for all callers together, where they share what they make.
pub fn quota_of_all(access: &AccessConfig) -> Quota {
    Quota::of_tables(&[], &access.quota)
}

fn tables<'a>(access: &'a AccessConfig, roles: &'a [String]) -> Vec<(&'a str, &'a QuotaConfig)> {
    let table = |name: &'a String| Some((name.as_str(), access.roles.get(name)?.quota.as_ref()?));
    roles.iter().filter_map(table).collect()
}

impl Quota {
    fn of_tables(tables: &[(&str, &QuotaConfig)], general: &QuotaConfig) -> Self {
        let bound = |of: Bounded| {
            let key = of.key();
            let general =
                || Some(Bound { most: general.most(of)?, line: format!("access.quota.{key}") });
            let said = tables.iter().map(|(role, table)| match table.most(of) {
                Some(most) => {
                    Some(Bound { most, line: format!("access.roles.{role}.quota.{key}") })
                }
                None => general(),
            });
            let widest = said.reduce(|one, other| match (one, other) {
                (Some(one), Some(other)) => Some(if other.most > one.most { other } else { one }),
                _ => None,
            });
            Some((of, widest.unwrap_or_else(general)?))
        };
        Self(Bounded::ALL.into_iter().filter_map(bound).collect())
    }

    pub fn get(&self, of: Bounded) -> Option<&Bound> {
        self.0.get(&of)
    }

    pub fn bounds(&self) -> impl Iterator<Item = (Bounded, &Bound)> {
        self.0.iter().map(|(of, bound)| (*of, bound))
    }

    /// Whether it says anything of containers.
    pub fn bounds_containers(&self) -> bool {
        [Bounded::Containers, Bounded::Cpus, Bounded::MemoryMib]
            .iter()
            .any(|it| self.0.contains_key(it))
    }

    /// Whether there is room for one more container beside those that are there.
    pub fn check_container(&self, taken: &[Taken], wanted: &Taken) -> Result<(), Over> {
        if let Some(bound) =
            self.get(Bounded::Containers).filter(|it| count(taken.len()) + 1.0 > it.most)
        {
            let all: Vec<_> = taken.iter().map(|it| (it.name.as_str(), None)).collect();
            let (number, most, line) = (taken.len(), bound.most, &bound.line);
            let why = format!(
                "quota: {number} containers are there of {most} (`{line}`){}; remove one",
                named(all)
            );
            return Err(Over { of: Bounded::Containers, why });
        }
        self.check_part(Bounded::Cpus, "processors", taken, wanted, |it| it.cpus)?;
        self.check_part(Bounded::MemoryMib, "MiB of memory", taken, wanted, |it| it.memory_mib)
    }

    /// Whether there is room for so much more beside what workspaces hold.
    pub fn check_disk(&self, taken: &[(String, f64)], more_mib: f64) -> Result<(), Over> {
        let parts = taken.iter().map(|(id, mib)| (id.as_str(), *mib)).collect();
        self.check_sum(Bounded::DiskMib, "MiB", parts, more_mib)
    }

    fn check_part(
        &self,
        of: Bounded,
        unit: &str,
        taken: &[Taken],
        wanted: &Taken,
        part: impl Fn(&Taken) -> Option<f64>,
    ) -> Result<(), Over> {
        let Some(Bound { line, .. }) = self.get(of) else { return Ok(()) };
        let Some(more) = part(wanted) else {
            let (name, key) = (&wanted.name, of.key());
            let why = format!(
                "quota: `{name}` has no bound of its own, and `{line}` counts them: ask for one, or set `{key}` in the plugin's `grants.engine`"
            );
            return Err(Over { of, why });
        };
        let parts = taken.iter().map(|it| (it.name.as_str(), part(it).unwrap_or_default()));
        self.check_sum(of, unit, parts.collect(), more)
    }

    fn check_sum(
        &self,
        of: Bounded,
        unit: &str,
        parts: Vec<(&str, f64)>,
        more: f64,
    ) -> Result<(), Over> {
        let Some(Bound { most, line }) = self.get(of) else { return Ok(()) };
        let used: f64 = parts.iter().map(|(_, part)| part).sum();
        if used + more <= most + HARDLY_ANY {
            return Ok(());
        }
        let (more, used) = (short(more), short(used));
        let parts = parts.into_iter().map(|(name, part)| (name, Some(part))).collect();
        let why = format!(
            "quota: {more} {unit} more are over the {most} of `{line}`: {used} are taken{}; remove something, or ask for less",
            named(parts)
        );
        Err(Over { of, why })
    }
}

impl Bound {
    /// The most of something that is counted.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it was written as a number of 32 bits"
    )]
    pub fn whole(&self) -> usize {
        self.most as usize
    }
}

impl NewContainer {
    /// How much it may use.
    pub fn takes(&self) -> Taken {
        let name = self.alias.clone().unwrap_or_else(|| self.image.name.clone());
        let (cpus, memory_mib) = (Some(self.cpus.into()), Some(self.memory_mib.into()));
        Taken { name, cpus, memory_mib }
    }
}

/// What takes most comes first.
fn named(mut taken: Vec<(&str, Option<f64>)>) -> String {
    taken.sort_by(|(_, one), (_, other)| {
        other.unwrap_or_default().total_cmp(&one.unwrap_or_default())
    });
    let mut text = String::new();
    for (index, (name, part)) in taken.iter().take(MOST_NAMED).enumerate() {
        text += if index == 0 { ", by " } else { ", " };
        text += &format!("`{name}`");
        if let Some(part) = part {
            let _ = write!(text, " ({})", short(*part));
        }
    }
    if taken.len() > MOST_NAMED {
        let _ = write!(text, " and {} more", taken.len() - MOST_NAMED);
    }
    text
}

/// A number with no more digits than anybody wants to read.
fn short(number: f64) -> f64 {
    // The sum of nothing is less than nothing, and has a sign that nobody wants to read either.
    (number * 100.0).round() / 100.0 + 0.0
}

#[allow(clippy::cast_precision_loss, reason = "nobody has so many")]
fn count(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::config::parse;

    const ACCESS: &str = "
        local = ['admin']
        [quota]
        calls_per_minute = 60
        containers = 2
        [roles.intern]
        [roles.intern.quota]
        calls_per_minute = 10
        cpus = 0.5
        [roles.builder.quota]
        containers = 9
        cpus = 4
        running_jobs = 3
        [roles.reader]
        [roles.admin.quota]
        disk_mib = 100
    ";

    fn told(quota: &Quota) -> String {
        let bounds: Vec<_> = quota
            .bounds()
            .map(|(of, it)| format!("{} {} {}", of.key(), it.most, it.line))
            .collect();
        bounds.join("\n")
    }

    #[track_caller]
    fn check(roles: &[&str], expected: &Expect) {
        let access: AccessConfig = parse(ACCESS).unwrap();
        let roles: Vec<_> = roles.iter().map(|it| (*it).to_owned()).collect();
        expected.assert_eq(&told(&quota_of(&access, &roles)));
    }

    #[test]
    fn of_several_roles_the_most_generous_counts() {
        let general = expect![[r"
            calls_per_minute 60 access.quota.calls_per_minute
            containers 2 access.quota.containers"]];
        check(&[], &general);
        check(&["reader"], &general);
        check(&["nobody"], &general);
        // What a table leaves out is as it is for all.
        let intern = expect![[r"
            calls_per_minute 10 access.roles.intern.quota.calls_per_minute
            containers 2 access.quota.containers
            cpus 0.5 access.roles.intern.quota.cpus"]];
        check(&["intern"], &intern);
        // A role that says nothing neither widens nor narrows what another one says.
        check(&["reader", "intern"], &intern);
        // Jobs are unbounded for the one, and so for who is both.
        let both = expect![[r"
            calls_per_minute 60 access.quota.calls_per_minute
            containers 9 access.roles.builder.quota.containers
            cpus 4 access.roles.builder.quota.cpus"]];
        check(&["intern", "builder"], &both);
        check(&["builder", "intern"], &both);
    }

    #[test]
    fn whoever_started_the_host_has_what_their_roles_say() {
        let access: AccessConfig = parse(ACCESS).unwrap();
        assert_eq!(
            told(&quota_of_local(&access)),
            "disk_mib 100 access.roles.admin.quota.disk_mib"
        );
        let access: AccessConfig = parse("[quota]\ncontainers = 1").unwrap();
        assert_eq!(quota_of_local(&access), Quota::default());
        assert_eq!(told(&quota_of_all(&access)), "containers 1 access.quota.containers");
    }

    fn container(name: &str, cpus: f64, memory_mib: f64) -> Taken {
        Taken { name: name.to_owned(), cpus: Some(cpus), memory_mib: Some(memory_mib) }
    }

    #[track_caller]
    fn check_one_more(quota: &str, taken: &[Taken], wanted: &Taken, expected: &Expect) {
        let access: AccessConfig = parse(quota).unwrap();
        let over = quota_of(&access, &[]).check_container(taken, wanted);
        expected.assert_eq(&over.map_or_else(|over| over.why, |()| "room".to_owned()));
    }

    #[test]
    fn containers_count_with_what_they_may_use() {
        let taken = [container("a", 0.1, 100.0), container("b", 0.2, 300.0)];
        let wanted = container("c", 0.7, 112.0);
        check_one_more("", &taken, &wanted, &expect!["room"]);
        check_one_more("quota.containers = 3", &taken, &wanted, &expect!["room"]);
        check_one_more(
            "quota.containers = 2",
            &taken,
            &wanted,
            &expect![
                "quota: 2 containers are there of 2 (`access.quota.containers`), by `a`, `b`; remove one"
            ],
        );
        check_one_more(
            "quota.containers = 0",
            &[],
            &wanted,
            &expect!["quota: 0 containers are there of 0 (`access.quota.containers`); remove one"],
        );
        check_one_more("quota.cpus = 1", &taken, &wanted, &expect!["room"]);
        check_one_more(
            "quota.cpus = 0.9",
            &taken,
            &wanted,
            &expect![
                "quota: 0.7 processors more are over the 0.9 of `access.quota.cpus`: 0.3 are taken, by `b` (0.2), `a` (0.1); remove something, or ask for less"
            ],
        );
        check_one_more("quota.memory_mib = 512", &taken, &wanted, &expect!["room"]);
        check_one_more(
            "quota.memory_mib = 511",
            &taken,
            &wanted,
            &expect![
                "quota: 112 MiB of memory more are over the 511 of `access.quota.memory_mib`: 400 are taken, by `b` (300), `a` (100); remove something, or ask for less"
            ],
        );
        let endless = Taken { name: "web".to_owned(), ..Taken::default() };
        check_one_more(
            "quota.memory_mib = 512",
            &[],
            &endless,
            &expect![
                "quota: `web` has no bound of its own, and `access.quota.memory_mib` counts them: ask for one, or set `memory_mib` in the plugin's `grants.engine`"
            ],
        );
        check_one_more("quota.containers = 1", &[], &endless, &expect!["room"]);
    }

    #[test]
    fn of_many_a_few_are_named() {
        let many: Vec<_> =
            (0..9).map(|it| container(&format!("c{it}"), 1.0, f64::from(it))).collect();
        let text = named(many.iter().map(|it| (it.name.as_str(), it.memory_mib)).collect());
        assert_eq!(text, ", by `c8` (8), `c7` (7), `c6` (6), `c5` (5), `c4` (4) and 4 more");
    }
}

//! What a plugin asks of containers and is not granted, key by key.
//!
//! Only what it states is compared: what it says nothing of is left to the operator.

use toml::{Table, Value};

use crate::{
    config::{ContainersGrant, Count, EgressGrant},
    policy::Policy,
    registry,
};

/// A key of `grants.containers` that does not grant all that is asked for.
#[derive(Debug)]
pub(super) struct Lack {
    pub(super) key: &'static str,
    pub(super) what: String,
    /// What would: what is granted, and that.
    pub(super) value: Value,
}

/// Both sides of the comparison, and what would be enough.
struct Comparison<'a> {
    stated: &'a Table,
    /// With the values of variables; as it is written where one is missing.
    asked: ContainersGrant,
    granted: ContainersGrant,
    wanted: ContainersGrant,
    found: Vec<(&'static str, String)>,
}

/// What of the `asked` is not in the `written`, which `policy` holds.
pub(super) fn lacks(
    stated: &Table,
    asked: &ContainersGrant,
    written: &ContainersGrant,
    policy: &Policy,
) -> anyhow::Result<Vec<Lack>> {
    let expanded =
        |it: &ContainersGrant| registry::containers_of(it).unwrap_or_else(|_| it.clone());
    let (asked, granted) = (expanded(asked), expanded(written));
    let mut both =
        Comparison { stated, asked, granted, wanted: written.clone(), found: Vec::new() };
    both.images(policy);
    both.loosened();
    both.places(policy);
    both.sizes();
    both.made_ahead();
    let wanted = Table::try_from(&both.wanted)?;
    let lack = |(key, what): (&'static str, String)| {
        // What is left out when it is written is empty.
        let empty = if key == "pinned" { Value::from(false) } else { Value::Array(Vec::new()) };
        Lack { key, what, value: wanted.get(key).cloned().unwrap_or(empty) }
    };
    Ok(both.found.into_iter().map(lack).collect())
}

impl Comparison<'_> {
    fn note(&mut self, key: &'static str, what: &str, items: &[String]) {
        if !items.is_empty() {
            self.found.push((key, format!("{what} `{}`", items.join("`, `"))));
        }
    }

    fn states(&self, key: &str) -> bool {
        self.stated.contains_key(key)
    }

    fn images(&mut self, policy: &Policy) {
        if self.states("registries") {
            let missing = beyond(&self.asked.registries, |name| policy.lists_registry(name));
            self.note("registries", "images from", &missing);
            self.wanted.registries.extend(missing);
        }
        if self.states("images") && self.asked.images.is_empty() && !self.granted.images.is_empty()
        {
            self.found.push(("images", "images of every name".to_owned()));
            self.wanted.images.clear();
        }
        let missing = beyond(&self.asked.images, |name| policy.lists_image(name));
        self.note("images", "images", &missing);
        self.wanted.images.extend(missing);
        if self.states("pinned") && self.granted.pinned && !self.asked.pinned {
            self.found.push(("pinned", "images without a digest".to_owned()));
            self.wanted.pinned = false;
        }
    }

    fn loosened(&mut self) {
        let missing = beyond(&self.asked.powers, |power| self.granted.powers.contains(power));
        let names: Vec<_> = missing.iter().map(|power| power.name().to_owned()).collect();
        self.note("powers", "the powers", &names);
        self.wanted.powers.extend(missing);
        let missing = beyond(&self.asked.secrets, |name| self.granted.secrets.contains(name));
        self.note("secrets", "the secrets", &missing);
        self.wanted.secrets.extend(missing);
        let missing = beyond(&self.asked.mounts, |mount| self.granted.mounts.contains(mount));
        let paths: Vec<_> = missing.iter().map(|mount| mount.as_str().to_owned()).collect();
        self.note("mounts", "the directories", &paths);
        self.wanted.mounts.extend(missing);
        let missing = beyond(&self.asked.groups, |group| self.granted.groups.contains(group));
        let numbers: Vec<_> = missing.iter().map(|group| group.number().to_string()).collect();
        self.note("groups", "the groups", &numbers);
        self.wanted.groups.extend(missing);
    }

    fn places(&mut self, policy: &Policy) {
        let missing = beyond(&self.asked.egress, |place| {
            self.granted.egress.contains(place) || reaches(policy, place)
        });
        let names: Vec<_> = missing.iter().map(name).collect();
        self.note("egress", "connections to", &names);
        self.wanted.egress.extend(missing);
        let granted = |port: &String, to: &EgressGrant| {
            let here = self.granted.forwards.get(port);
            here.is_some_and(|it| it.to == to.to && (it.private || !to.private))
        };
        let missing: Vec<_> = self.asked.forwards.clone().into_iter().collect();
        let missing: Vec<_> = missing.into_iter().filter(|(port, to)| !granted(port, to)).collect();
        let names: Vec<_> =
            missing.iter().map(|(port, to)| format!("{port} = {}", name(to))).collect();
        self.note("forwards", "the forwards", &names);
        self.wanted.forwards.extend(missing);
    }

    fn sizes(&mut self) {
        let Self { stated, asked, granted, wanted, found } = self;
        let mut number = |key: &'static str, asked: u32, granted: u32, wanted: &mut u32| {
            if stated.contains_key(key) && asked > granted {
                found.push((key, format!("`{key}` of {asked}, more than {granted}")));
                *wanted = asked;
            }
        };
        number("memory_mib", asked.memory_mib, granted.memory_mib, &mut wanted.memory_mib);
        number("pids", asked.pids, granted.pids, &mut wanted.pids);
        number("most", asked.most, granted.most, &mut wanted.most);
        if stated.contains_key("cpus") && asked.cpus > granted.cpus {
            found.push(("cpus", format!("`cpus` of {}, more than {}", asked.cpus, granted.cpus)));
            wanted.cpus = asked.cpus;
        }
    }

    fn made_ahead(&mut self) {
        let number = |count: Option<&Count>| count.and_then(|it| it.number().ok()).unwrap_or(0);
        let fewer = |image: &String| {
            number(self.granted.warm.get(image)) < number(self.asked.warm.get(image))
        };
        let missing: Vec<_> =
            self.asked.warm.clone().into_iter().filter(|(image, _)| fewer(image)).collect();
        let names: Vec<_> = missing.iter().map(|(image, _)| image.clone()).collect();
        self.note("warm", "containers made ahead of", &names);
        self.wanted.warm.extend(missing);
    }
}

fn beyond<T: Clone>(asked: &[T], granted: impl Fn(&T) -> bool) -> Vec<T> {
    asked.iter().filter(|it| !granted(it)).cloned().collect()
}

fn name(place: &EgressGrant) -> String {
    let private = if place.private { " (private addresses too)" } else { "" };
    format!("{}{private}", place.to)
}

/// Whether a program inside would be let through to that place.
fn reaches(policy: &Policy, place: &EgressGrant) -> bool {
    // A wildcard is granted where some name that nobody would list is, at a port nobody would.
    let to = place.to.replacen('*', "any-name-at-all", usize::from(place.to.starts_with('*')));
    let (host, ports) = match to.rsplit_once(':') {
        Some((host, "*")) => (host, vec![80, 443, 61234]),
        Some((host, port)) if !port.contains(']') => (host, port.parse().into_iter().collect()),
        _ => (to.as_str(), vec![80, 443]),
    };
    let allowed = |&port: &u16| {
        let approved = policy.approve_egress(host, port);
        approved.is_ok_and(|it| !place.private || it.request().private)
    };
    !ports.is_empty() && ports.iter().all(allowed)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::lacks;
    use crate::{
        command::explain::lines::line,
        config::{self, ContainersGrant, Grants},
        policy::Policy,
    };

    #[track_caller]
    fn check(asked: &str, written: &str, expected: &Expect) {
        let stated = config::parse(asked).unwrap();
        let written: ContainersGrant = config::parse(written).unwrap();
        let granted = crate::registry::containers_of(&written).unwrap();
        let policy = Policy::new("", Grants { containers: Some(granted), ..Grants::default() });
        let asked = config::parse(asked).unwrap();
        let lacks = lacks(&stated, &asked, &written, &policy.unwrap()).unwrap();
        let lines: Vec<_> =
            lacks.iter().map(|it| format!("{}: {}", it.what, line(it.key, &it.value))).collect();
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn what_is_granted_in_other_words_is_granted() {
        let nothing = expect![""];
        check("", "", &nothing);
        check(
            "",
            "registries = []\nmemory_mib = 16\nmost = 1\nimages = ['a']\npinned = true",
            &nothing,
        );
        check("registries = ['${WINDLASS_NOWHERE:-docker.io,ghcr.io}']", "", &nothing);
        check("registries = ['docker.io']", "registries = ['*']", &nothing);
        check("registries = ['a.example.com']", "registries = ['*.example.com']", &nothing);
        check("images = ['python:3']", "", &nothing);
        check("images = ['python:3']", "images = ['docker.io/library/python']", &nothing);
        check("images = ['ghcr.io/a/*']", "images = ['ghcr.io/*']", &nothing);
        check("powers = ['root']", "powers = ['bridge', 'root']", &nothing);
        check("egress = ['a.example']", "egress = ['*.example:*']", &nothing);
        check("egress = ['*.a.example:443']", "egress = ['*.example:*']", &nothing);
        check(
            "egress = ['a.example:5']",
            "egress = [{ to = '*', private = true }, 'a.example:5']",
            &nothing,
        );
        check(
            "forwards = { 80 = 'a:1' }",
            "forwards = { 80 = { to = 'a:1', private = true } }",
            &nothing,
        );
        check("memory_mib = 100\ncpus = 0.1\npids = 9\nmost = 1", "", &nothing);
        check("warm = { a = 'true', b = 'false' }", "warm = { a = 2 }", &nothing);
        check("pinned = true", "", &nothing);
    }

    #[test]
    fn what_is_not_is_told_key_by_key() {
        check("powers = ['root']", "", &expect![[r#"the powers `root`: powers = ["root"]"#]]);
        check(
            "powers = ['root', 'bridge']",
            "powers = ['bridge']",
            &expect![[r#"the powers `root`: powers = ["bridge", "root"]"#]],
        );
        check(
            "registries = ['a.example', 'docker.io']",
            "",
            &expect![[
                r#"images from `a.example`: registries = ["docker.io", "ghcr.io", "a.example"]"#
            ]],
        );
        check(
            "images = ['python', 'node']",
            "images = ['python']",
            &expect![[r#"images `node`: images = ["python", "node"]"#]],
        );
        check(
            "images = []\npinned = false",
            "images = ['a']\npinned = true",
            &expect![[r#"
            images of every name: images = []
            images without a digest: pinned = false"#]],
        );
    }

    #[test]
    fn what_of_the_machine_is_not_granted_is_told() {
        check(
            "mounts = ['/srv/a', '/srv/b']\ngroups = [7]",
            "mounts = ['/srv/b']",
            &expect![[r#"
            the directories `/srv/a`: mounts = ["/srv/b", "/srv/a"]
            the groups `7`: groups = [7]"#]],
        );
        check(
            "mounts = ['/srv/a']\ngroups = [7]",
            "groups = [8, 7]\nmounts = ['/srv/a']",
            &expect![""],
        );
    }

    #[test]
    fn places_and_sizes_that_are_not_granted_are_told() {
        check(
            "egress = ['a.example', 'b.example']",
            "egress = ['a.example:443', 'b.example']",
            &expect![[
                r#"connections to `a.example`: egress = ["a.example:443", "b.example", "a.example"]"#
            ]],
        );
        check(
            "egress = ['*']",
            "egress = ['*.example']",
            &expect![[r#"connections to `*`: egress = ["*.example", "*"]"#]],
        );
        check(
            "egress = ['a.example:*']",
            "egress = ['a.example']",
            &expect![[r#"connections to `a.example:*`: egress = ["a.example", "a.example:*"]"#]],
        );
        check(
            "egress = [{ to = 'a.example', private = true }]",
            "egress = ['a.example']",
            &expect![[
                r#"connections to `a.example (private addresses too)`: egress = ["a.example", { private = true, to = "a.example" }]"#
            ]],
        );
        check(
            "forwards = { 80 = 'a:1', 81 = 'b:2' }",
            "forwards = { 80 = 'a:2' }",
            &expect![[
                r#"the forwards `80 = a:1`, `81 = b:2`: forwards = { "80" = "a:1", "81" = "b:2" }"#
            ]],
        );
        check(
            "secrets = ['token']",
            "secrets = ['other']",
            &expect![[r#"the secrets `token`: secrets = ["other", "token"]"#]],
        );
        check(
            "memory_mib = 1024\ncpus = 1.1\npids = 300\nmost = 101",
            "",
            &expect![[r#"
            `memory_mib` of 1024, more than 512: memory_mib = 1024
            `pids` of 300, more than 256: pids = 300
            `most` of 101, more than 100: most = 101
            `cpus` of 1.1, more than 1: cpus = 1.1"#]],
        );
        check(
            "warm = { a = 3, b = 'true' }",
            "warm = { a = 2 }",
            &expect![[r#"containers made ahead of `a`, `b`: warm = { "a" = 3, "b" = 1 }"#]],
        );
        check(
            "egress = ['${WINDLASS_NOWHERE}']",
            "",
            &expect![[r#"connections to `${WINDLASS_NOWHERE}`: egress = ["${WINDLASS_NOWHERE}"]"#]],
        );
    }
}

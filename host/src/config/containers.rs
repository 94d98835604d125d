//! What one plugin may do with containers and workspaces, as the operator writes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use super::{Group, Mount};

/// What the containers of one plugin may be.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContainersGrant {
    /// Where images may come from.
    pub registries: Vec<String>,
    /// Which of them: names with registry, `*` for any part, `@sha256:…` for just one. Empty: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// Whether an image has to be named by its digest.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
    /// What may be loosened.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub powers: Vec<Power>,
    /// The hosts that programs inside may reach.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub egress: Vec<EgressGrant>,
    /// Ports of loopback inside, and the `host:port` that each leads to.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub forwards: BTreeMap<String, EgressGrant>,
    /// Secrets that may be in their environment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Directories of this machine that they see, at the same path, and cannot write.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
    /// Groups, by their numbers, that programs in them belong to as well: of images whose programs are for one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// The most memory of one, in MiB. Also what it gets if nobody asks for less.
    pub memory_mib: u32,
    /// The same for processors.
    #[serde(serialize_with = "as_it_is_written")]
    pub cpus: f32,
    /// The same for processes and threads.
    pub pids: u32,
    /// How many there may be at once.
    pub most: u32,
    /// How many of an image are made ahead, so that one is there at once.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub warm: BTreeMap<String, Count>,
}

/// A number, or the word of a variable: `false` is none, `true` is one.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Count {
    Number(u32),
    Word(String),
}

/// What holds for all containers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContainersConfig {
    /// After how many days without use one is removed that is not persistent.
    pub unused_days: u32,
    /// How long processes may go on when the host ends, in seconds.
    pub drain_grace_s: u64,
    /// How often those that were made ahead are looked at, in seconds.
    pub warm_check_s: u64,
}

impl Default for ContainersConfig {
    fn default() -> Self {
        Self { unused_days: 7, drain_grace_s: 60, warm_check_s: 60 }
    }
}

impl Count {
    /// How many it says. Fails where it is no number.
    pub fn number(&self) -> Result<u32, String> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Word(word) => match word.trim() {
                "true" => Ok(1),
                "false" | "" => Ok(0),
                word => word.parse().map_err(|_| format!("`{word}` is no number of containers")),
            },
        }
    }
}

impl Default for ContainersGrant {
    fn default() -> Self {
        Self {
            registries: vec!["docker.io".to_owned(), "ghcr.io".to_owned()],
            images: Vec::new(),
            pinned: false,
            powers: Vec::new(),
            egress: Vec::new(),
            forwards: BTreeMap::new(),
            secrets: Vec::new(),
            mounts: Vec::new(),
            groups: Vec::new(),
            memory_mib: 512,
            cpus: 1.0,
            pids: 256,
            most: 100,
            warm: BTreeMap::new(),
        }
    }
}

/// A tenth is 0.1, and not the closest that fits into 32 bits with all the digits of 64.
fn as_it_is_written<S: Serializer>(number: &f32, serializer: S) -> Result<S::Ok, S::Error> {
    let written = number.to_string().parse().unwrap_or_else(|_| f64::from(*number));
    serializer.serialize_f64(written)
}

/// Something that the profile of a container forbids.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Power {
    Root,
    ImageUser,
    WritableRoot,
    Bridge,
}

impl Power {
    /// As it is written in a grant.
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::ImageUser => "image-user",
            Self::WritableRoot => "writable-root",
            Self::Bridge => "bridge",
        }
    }
}

/// A place that programs in containers may reach.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(from = "WrittenEgress")]
pub struct EgressGrant {
    /// `host:port`; `*.` before the host stands for every name below it, `:*` for every port. Without a port: 80 and 443.
    /// `host.docker.internal` is this machine's loopback.
    pub to: String,
    /// Whether the name may lead to a loopback, link-local or private address.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
}

/// Most are only a place: `egress = ["example.com"]`.
#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenEgress {
    Place(String),
    Whole(WholeEgress),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WholeEgress {
    to: String,
    #[serde(default)]
    private: bool,
}

impl From<WrittenEgress> for EgressGrant {
    fn from(written: WrittenEgress) -> Self {
        match written {
            WrittenEgress::Place(to) => Self { to, private: false },
            WrittenEgress::Whole(WholeEgress { to, private }) => Self { to, private },
        }
    }
}

/// Which workspaces a plugin may open.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkspacesGrant {
    /// Those that it made.
    Own,
    /// Everybody's.
    Shared,
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::{ContainersGrant, Count};
    use crate::config::{Grants, parse};

    #[track_caller]
    fn check(text: &str, expected: &Expect) {
        let told = match parse::<Grants>(text) {
            Ok(grants) => toml::Table::try_from(grants).unwrap().to_string(),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&told);
    }

    #[test]
    fn a_grant_is_read_and_written_as_people_do() {
        check(
            "containers = {}",
            &expect![[r#"
            [containers]
            cpus = 1.0
            memory_mib = 512
            most = 100
            pids = 256
            registries = ["docker.io", "ghcr.io"]
        "#]],
        );
        check(
            "[containers]\negress = ['a', { to = 'b:1', private = true }]\ncpus = 0.1",
            &expect![[r#"
                [containers]
                cpus = 0.1
                memory_mib = 512
                most = 100
                pids = 256
                registries = ["docker.io", "ghcr.io"]

                [[containers.egress]]
                to = "a"

                [[containers.egress]]
                private = true
                to = "b:1"
            "#]],
        );
        check(
            "[containers]\nforwards = { 80 = 'a:1' }\nwarm = { a = 1, b = 'true' }",
            &expect![[r#"
            [containers]
            cpus = 1.0
            memory_mib = 512
            most = 100
            pids = 256
            registries = ["docker.io", "ghcr.io"]

            [containers.forwards.80]
            to = "a:1"

            [containers.warm]
            a = 1
            b = "true"
        "#]],
        );
    }

    #[test]
    fn words_are_written_with_hyphens() {
        check(
            "[containers]\npowers = ['root', 'image-user', 'writable-root', 'bridge']",
            &expect![[r#"
                [containers]
                cpus = 1.0
                memory_mib = 512
                most = 100
                pids = 256
                powers = ["root", "image-user", "writable-root", "bridge"]
                registries = ["docker.io", "ghcr.io"]
            "#]],
        );
        check(
            "workspaces = 'own'",
            &expect![[r#"
            workspaces = "own"
        "#]],
        );
        check(
            "workspaces = 'shared'",
            &expect![[r#"
            workspaces = "shared"
        "#]],
        );
    }

    #[test]
    fn a_mistake_in_a_grant_is_told() {
        check(
            "[containers]\npower = ['root']",
            &expect![
                "built-in configuration:2: unknown field `power`, expected one of `registries`, `images`, `pinned`, `powers`, `egress`, `forwards`, `secrets`, `mounts`, `groups`, `memory_mib`, `cpus`, `pids`, `most`, `warm`; did you mean `powers`?"
            ],
        );
        check(
            "[containers]\npowers = ['privileged']",
            &expect![
                "built-in configuration:2: `powers`: unknown variant `privileged`, expected one of `root`, `image-user`, `writable-root`, `bridge`"
            ],
        );
        check(
            "[containers]\nforwards = { 80 = 1 }",
            &expect![
                "built-in configuration:2: `forwards`: data did not match any variant of untagged enum WrittenEgress"
            ],
        );
        check(
            "[containers]\negress = [{ to = 'a', privat = true }]",
            &expect![
                "built-in configuration:2: `egress`: data did not match any variant of untagged enum WrittenEgress"
            ],
        );
        check(
            "[containers]\nmemory_mib = -1",
            &expect![
                "built-in configuration:2: `memory_mib`: invalid value: integer `-1`, expected u32"
            ],
        );
        check(
            "workspaces = 'everybody'",
            &expect![
                "built-in configuration:1: `workspaces`: unknown variant `everybody`, expected `own` or `shared`"
            ],
        );
        check(
            "workspaces = true",
            &expect!["built-in configuration:1: `workspaces`: wanted string or table"],
        );
    }

    #[test]
    fn a_count_is_a_number_or_a_word_for_one() {
        for (word, count) in
            [("true", Some(1)), ("false", Some(0)), ("", Some(0)), (" 7 ", Some(7)), ("yes", None)]
        {
            assert_eq!(Count::Word(word.to_owned()).number().ok(), count, "{word}");
        }
        assert_eq!(Count::Number(3).number(), Ok(3));
    }

    #[test]
    fn without_a_word_it_is_the_profile() {
        let grant = ContainersGrant::default();
        assert_eq!((grant.memory_mib, grant.cpus, grant.pids), (512, 1.0, 256));
        assert!(grant.egress.is_empty() && grant.powers.is_empty() && !grant.pinned);
    }
}

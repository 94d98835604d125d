//! What one plugin may do with containers and workspaces, as the operator writes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
    /// The most memory of one, in MiB. Also what it gets if nobody asks for less.
    pub memory_mib: u32,
    /// The same for processors.
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
            memory_mib: 512,
            cpus: 1.0,
            pids: 256,
            most: 100,
            warm: BTreeMap::new(),
        }
    }
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

/// Most are only a place: `egress = ["pypi.org"]`.
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

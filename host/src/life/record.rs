//! What the host remembers of a container.

use serde::{Deserialize, Serialize};

use crate::{
    config::Power,
    database::Kind,
    disk::Hold,
    docker::WORKSPACE,
    error::Result,
    policy::{Approved, Beside, NewContainer, Reach, Taken},
};

/// The records of containers in the database.
pub const CONTAINERS: Kind = Kind("container");
/// How long an idempotency key counts, in milliseconds.
const KEY_LIFE_MS: u64 = 24 * 60 * 60 * 1000;

/// One container. It says what was asked for, so that a container can be judged when it is found again; values of
/// secrets are only in the engine.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Record {
    pub id: String,
    pub owner: String,
    pub alias: Option<String>,
    pub image: String,
    pub workspace: String,
    /// Other workspaces that it sees.
    #[serde(default)]
    pub beside: Vec<Beside>,
    /// Whether the workspace was made for this container.
    pub own_workspace: bool,
    pub persistent: bool,
    pub ttl_s: Option<u32>,
    pub key: Option<String>,
    pub powers: Vec<Power>,
    pub offline: bool,
    /// Of the granted places, those that it reaches. None: all.
    #[serde(default)]
    pub reach: Option<Vec<String>>,
    /// Whether it goes with its workspace.
    #[serde(default)]
    pub yields: bool,
    /// Directories of this machine that it sees.
    #[serde(default)]
    pub mounts: Vec<String>,
    /// Groups that its programs belong to.
    #[serde(default)]
    pub groups: Vec<u32>,
    pub memory_mib: u32,
    pub cpus: f32,
    pub pids: u32,
    pub phase: Phase,
    /// Made ahead, and nobody's until somebody asks for one like it.
    pub warm: bool,
    pub engine_id: Option<String>,
    /// Milliseconds since 1970.
    pub created: u64,
    pub used: u64,
}

/// How far a container is. What the engine says counts more.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The engine may have it or not: whoever made it was interrupted, if it is not this process.
    Making,
    Running,
    Stopped,
    /// It has to go, and the engine may still have it.
    Removing {
        /// Since when. Milliseconds since 1970.
        since: u64,
        workspace: bool,
    },
}

impl Record {
    /// A container that is about to be made.
    pub fn new(id: String, wanted: &Approved<NewContainer>, now: u64) -> Self {
        let NewContainer { image, alias, workspace, powers, .. } = wanted.request();
        let asked = wanted.request();
        Self {
            id,
            owner: wanted.owner().to_owned(),
            alias: alias.clone(),
            image: image.name.clone(),
            workspace: workspace.clone().unwrap_or_default(),
            beside: asked.beside.clone(),
            own_workspace: workspace.is_none(),
            persistent: asked.persistent,
            ttl_s: asked.ttl_s,
            key: asked.key.clone(),
            powers: powers.clone(),
            offline: asked.offline,
            reach: asked.reach.clone(),
            yields: asked.yields,
            mounts: asked.mounts.clone(),
            groups: asked.groups.clone(),
            memory_mib: asked.memory_mib,
            cpus: asked.cpus,
            pids: asked.pids,
            phase: Phase::Making,
            warm: false,
            engine_id: None,
            created: now,
            used: now,
        }
    }

    /// Every workspace that it sees, and where.
    pub fn workspaces(&self) -> impl Iterator<Item = (&str, &str)> {
        let beside = self.beside.iter().map(|it| (it.workspace.as_str(), it.path.as_str()));
        std::iter::once((self.workspace.as_str(), WORKSPACE)).chain(beside)
    }

    pub fn uses(&self, workspace: &str) -> bool {
        self.workspaces().any(|(it, _)| it == workspace)
    }

    /// How it uses its workspaces.
    pub fn hold(&self) -> Hold {
        if self.yields { Hold::Yielding } else { Hold::Firm }
    }

    /// What it reaches of all that its plugin is granted.
    pub fn way_out(&self) -> Result<Reach> {
        Reach::new(self.offline, self.reach.as_deref())
    }

    /// How much it may use.
    pub fn takes(&self) -> Taken {
        let name = self.alias.clone().unwrap_or_else(|| self.id.clone());
        let (cpus, memory_mib) = (Some(self.cpus.into()), Some(self.memory_mib.into()));
        Taken { name, cpus, memory_mib }
    }

    /// Whether its time is over.
    pub fn has_expired(&self, now: u64) -> bool {
        self.ttl_s.is_some_and(|ttl| now >= self.created + u64::from(ttl) * 1000)
    }

    /// Whether whoever asks with this key means this one.
    pub fn answers_to_key(&self, key: &str, now: u64) -> bool {
        self.key.as_deref() == Some(key) && now < self.created + KEY_LIFE_MS
    }

    /// Whether it is neither being made nor on its way out.
    pub fn is_settled(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Stopped)
    }

    /// Whether the plugin sees it.
    pub fn is_visible(&self) -> bool {
        !self.warm && !matches!(self.phase, Phase::Removing { .. })
    }

    /// Whether a container made ahead is what is wanted.
    pub fn serves(&self, wanted: &Approved<NewContainer>) -> bool {
        let asked = wanted.request();
        self.warm
            && self.phase == Phase::Running
            && self.owner == wanted.owner()
            && self.image == asked.image.name
            && asked.workspace.is_none()
            && asked.beside.is_empty()
            && asked.env.is_empty()
            && self.yields == asked.yields
            && (&self.mounts, &self.groups) == (&asked.mounts, &asked.groups)
            && self.powers == asked.powers
            && self.offline == asked.offline
            && self.reach == asked.reach
            && (self.memory_mib, self.pids) == (asked.memory_mib, asked.pids)
            && self.cpus.to_bits() == asked.cpus.to_bits()
    }

    /// Makes a container that was made ahead somebody's.
    pub fn claim(&mut self, wanted: &Approved<NewContainer>, now: u64) {
        let asked = wanted.request();
        self.warm = false;
        self.alias.clone_from(&asked.alias);
        self.key.clone_from(&asked.key);
        self.persistent = asked.persistent;
        self.ttl_s = asked.ttl_s;
        (self.created, self.used) = (now, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_says_nothing_of_it_stands_firm_and_sees_nothing() {
        let written = r#"{"id": "c", "owner": "o", "alias": null, "image": "i", "workspace": "w",
            "own_workspace": false, "persistent": true, "ttl_s": null, "key": null, "powers": [],
            "offline": true, "memory_mib": 64, "cpus": 1.0, "pids": 9, "phase": "running",
            "warm": false, "engine_id": null, "created": 1, "used": 1}"#;
        let record: Record = serde_json::from_str(written).unwrap();
        assert_eq!(record.hold(), Hold::Firm);
        assert!(record.mounts.is_empty() && record.groups.is_empty());
        assert_eq!(record.reach, None);
        assert_eq!(record.workspaces().collect::<Vec<_>>(), [("w", "/workspace")]);
    }
}

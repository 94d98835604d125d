//! What comes inside this program: the plugins with what ships beside each of them, and the supervisor.

use std::{collections::BTreeMap, env};

use serde::Deserialize;

use crate::{
    config::{self, Grants},
    secrets::Reference,
};

/// The first process of each container, static. Empty in a build without a bundle.
pub static SUPERVISOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/supervisor"));

/// One plugin, as the build put it into the program.
pub struct Bundled {
    pub name: &'static str,
    pub wasm: &'static [u8],
    /// Compiled by the build. Empty: compiled at first use.
    pub compiled: &'static [u8],
    /// The plugin's `defaults.toml`.
    pub defaults: &'static str,
}

/// What holds for a bundled plugin until the operator says otherwise.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Defaults {
    /// Loaded only where `--plugins` or a table in `windlass.toml` names it.
    pub only_when_named: bool,
    /// Loaded only where this environment variable is set.
    pub when_set: Option<String>,
    pub grants: Grants,
    pub secrets: BTreeMap<String, Reference>,
    pub config: toml::Table,
}

impl Bundled {
    pub fn defaults(&self) -> anyhow::Result<Defaults> {
        config::parse(self.defaults)
    }
}

impl Defaults {
    /// Whether the plugin is loaded without being named.
    pub fn apply_unasked(&self) -> bool {
        let set = |name: &String| env::var_os(name).is_some_and(|value| !value.is_empty());
        !self.only_when_named && self.when_set.as_ref().is_none_or(set)
    }
}

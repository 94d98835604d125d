//! What comes inside this program: the plugins with what ships beside each of them, and the supervisor.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
};

use serde::Deserialize;

use crate::{
    config::{self, Grants},
    figures::Names,
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
    pub secrets_by_prefix: Option<SecretsByPrefix>,
    pub secrets_by_variable: Option<SecretsByVariable>,
    pub config: toml::Table,
    /// Under which other names users of an earlier server know figures of the host.
    pub figures: Names,
}

/// Environment variables that are secrets of the plugin because of how their names begin.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretsByPrefix {
    /// What stands before the name of the secret.
    pub prefix: String,
    /// The key of the plugin's configuration that lists the names. The values the plugin never sees.
    pub config: String,
}

/// Single variables that are secrets of the plugin where they are set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretsByVariable {
    /// Which variable each secret is in.
    pub names: BTreeMap<String, String>,
    /// The key of the plugin's configuration that lists the names of those that are there.
    pub config: String,
}

/// Secrets that are there because a variable is set.
pub struct Inherited {
    pub secrets: BTreeMap<String, Reference>,
    /// The key of the plugin's configuration that lists their names.
    pub config: String,
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

    /// The secrets that these variables hold.
    pub fn inherited(
        &self,
        variables: impl Iterator<Item = (String, String)> + Clone,
    ) -> Vec<Inherited> {
        let by_prefix = self.secrets_by_prefix.as_ref().map(|own| Inherited {
            secrets: own.find(variables.clone()),
            config: own.config.clone(),
        });
        let by_variable = self
            .secrets_by_variable
            .as_ref()
            .map(|own| Inherited { secrets: own.find(variables), config: own.config.clone() });
        by_prefix.into_iter().chain(by_variable).collect()
    }
}

impl SecretsByVariable {
    /// The secrets whose variables are there. An empty one is none.
    fn find(
        &self,
        variables: impl Iterator<Item = (String, String)>,
    ) -> BTreeMap<String, Reference> {
        let set = variables.filter(|(_, value)| !value.trim().is_empty());
        let set: BTreeSet<_> = set.map(|(variable, _)| variable).collect();
        let there = self.names.iter().filter(|(_, variable)| set.contains(*variable));
        there
            .map(|(name, variable)| (name.clone(), Reference::Environment(variable.clone())))
            .collect()
    }
}

impl SecretsByPrefix {
    /// The secrets that these variables hold, by name. An empty one is none, and so is one whose name nobody could write.
    fn find(
        &self,
        variables: impl Iterator<Item = (String, String)>,
    ) -> BTreeMap<String, Reference> {
        let secret = |(variable, value): (String, String)| {
            let name = variable.strip_prefix(&self.prefix)?;
            let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            let usable = !name.is_empty() && name.bytes().all(word) && !value.trim().is_empty();
            usable.then(|| (name.to_owned(), Reference::Environment(variable.clone())))
        };
        variables.filter_map(secret).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_a_prefix_are_secrets() {
        let own = SecretsByPrefix { prefix: "MY_".to_owned(), config: "secrets".to_owned() };
        let variables = [
            ("MY_TOKEN", "t"),
            ("MY_EMPTY", " "),
            ("MY_", "x"),
            ("MY_A-B", "x"),
            ("MY_é", "x"),
            ("TOKEN", "x"),
            ("NOT_MY_TOKEN", "x"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let found = own.find(variables.into_iter());
        let told: Vec<_> = found.iter().map(|(name, from)| format!("{name} {from}")).collect();
        assert_eq!(told, ["TOKEN ${MY_TOKEN}"]);
    }

    #[test]
    fn single_variables_are_secrets_where_they_are_set() {
        let names = [("key", "A_KEY"), ("other", "B_KEY"), ("third", "C_KEY")];
        let names = names.map(|(name, variable)| (name.to_owned(), variable.to_owned())).into();
        let own = SecretsByVariable { names, config: "secrets".to_owned() };
        let variables = [("A_KEY", "k"), ("B_KEY", " "), ("KEY", "x")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let found = own.find(variables.into_iter());
        let told: Vec<_> = found.iter().map(|(name, from)| format!("{name} {from}")).collect();
        assert_eq!(told, ["key ${A_KEY}"]);
    }
}

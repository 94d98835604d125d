//! Containers: rooms in which programs run that nobody has to trust.

use crate::types::Value;

pub use crate::bindings::windlass::plugin::containers::{
    Collected, Connection, Container, Engine, Info, Power, Reconciled, Removal, Spec, State,
    collect, find_engine, list, reconcile,
};

impl Spec {
    /// A transient container of this image, with a workspace of its own, and all that the profile gives.
    pub fn new(image: impl Into<String>) -> Self {
        Self {
            image: image.into(),
            alias: None,
            workspace: None,
            beside: Vec::new(),
            persistent: false,
            ttl_s: None,
            key: None,
            env: Vec::new(),
            powers: Vec::new(),
            offline: false,
            reach: None,
            yields: false,
            memory_mib: None,
            cpus: None,
            pids: None,
        }
    }

    /// Adds another workspace, at a path of one name: `/session-meta`.
    #[must_use]
    pub fn beside(mut self, workspace: impl Into<String>, path: impl Into<String>) -> Self {
        self.beside.push((workspace.into(), path.into()));
        self
    }

    /// Adds a place that it reaches, `host:port`, if the grants name it too. Without one it reaches all that they name.
    #[must_use]
    pub fn reach(mut self, place: impl Into<String>) -> Self {
        self.reach.get_or_insert_default().push(place.into());
        self
    }

    /// Adds a variable to the environment of every process in it.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), Value::Plain(value.into())));
        self
    }

    /// Adds a variable whose value the host puts in place.
    #[must_use]
    pub fn secret_env(mut self, name: impl Into<String>, secret: &str) -> Self {
        self.env.push((name.into(), Value::Secret(secret.to_owned())));
        self
    }
}

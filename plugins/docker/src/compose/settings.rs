//! What can be set.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use windlass_sdk::{Call, Error};

/// What can be set.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Variables for Compose files. Those of a call and of the `.env` beside a file stand above them.
    pub(crate) variables: BTreeMap<String, String>,
    /// Secrets that `grants.engine.secrets` names, for `secrets.<name>.environment` of Compose files and for variables that an
    /// `environment` names alone. The host puts them in place.
    pub(crate) secrets: Vec<String>,
}

impl Settings {
    pub(crate) fn of(call: &Call) -> Result<Self, Error> {
        call.config()
    }
}

//! Prism, which holds what is said over HTTP to the document of an API. The tests start it themselves.

use std::path::PathBuf;

use anyhow::Result;

use super::node;

const PRISM: &str = "@stoplight/prism-cli@5.16.0";

/// The Node and the script that are Prism together.
pub(crate) struct Prism {
    pub(crate) node: PathBuf,
    pub(crate) script: PathBuf,
}

impl Prism {
    pub(crate) fn installed() -> Result<Self> {
        Ok(Self { node: node::node()?, script: node::place("prism", PRISM, "dist/index.js")? })
    }
}

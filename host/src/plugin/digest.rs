//! Which component a plugin is.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::hex;

/// SHA-256 of a component's bytes. Of what is bundled it is found when it is first asked for, so that no start waits for it.
#[derive(Clone, Debug)]
pub struct Digest(Arc<Found>);

#[derive(Debug)]
struct Found {
    bundled: Option<&'static [u8]>,
    text: OnceLock<String>,
}

impl Digest {
    pub fn of(wasm: &[u8]) -> Self {
        let text = OnceLock::from(hex(&Sha256::digest(wasm)));
        Self(Arc::new(Found { bundled: None, text }))
    }

    pub fn of_bundled(wasm: &'static [u8]) -> Self {
        Self(Arc::new(Found { bundled: Some(wasm), text: OnceLock::new() }))
    }

    pub fn text(&self) -> &str {
        let bundled = self.0.bundled.unwrap_or_default();
        self.0.text.get_or_init(|| hex(&Sha256::digest(bundled)))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text())
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.text())
    }
}

//! The record of all that happens: who did what, with what came of it.
//!
//! Rows are chained and only added. One thread writes; what must be on disk before something happens waits for it, and all else
//! is written together with what comes in the meantime.

mod chain;
mod effects;
mod look;
mod redact;
mod row;
mod writer;

use std::path::{Path, PathBuf};

pub use chain::{Head, Point, Verified, verify};
pub use effects::Effects;
pub use look::{end, export, list, rotate, verify_archive};
pub use redact::redacted;
pub use row::{Arguments, Event, Kind};
pub use writer::{Audit, Secret};

/// Where the record and its head lie, and what was taken away from its beginning.
#[derive(Clone, Debug)]
pub struct Place {
    pub trail: PathBuf,
    /// The end of the chain, kept apart from it.
    pub head: PathBuf,
    pub archives: PathBuf,
}

impl Place {
    pub fn below(state: &Path) -> Self {
        Self {
            trail: state.join("audit.db"),
            head: state.join("audit.head"),
            archives: state.join("audit"),
        }
    }
}

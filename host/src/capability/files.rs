//! `files`: files of this machine that a plugin may read.

use super::{CallState, bindings::windlass::plugin::files as wit};
use crate::error::Result;

impl wit::Host for CallState {
    async fn read(&mut self, path: String) -> Result<Vec<u8>> {
        let place = self.policy.approve_file(&path)?;
        self.effects.add(format!("file read {path}"));
        self.doors.disk.read_granted(&place).await
    }
}

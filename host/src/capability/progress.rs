//! `progress`: how far a call is.

use super::{CallState, bindings::windlass::plugin::progress::Host};
use crate::plugin::Progress;

impl Host for CallState {
    async fn report(
        &mut self,
        done: f64,
        total: Option<f64>,
        message: String,
    ) -> wasmtime::Result<()> {
        if self.meter.advances(done) {
            self.observer.progress(Progress { done, total, message });
        }
        Ok(())
    }
}

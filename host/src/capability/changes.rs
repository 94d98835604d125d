//! `changes`: news of what a plugin offers.

use super::{CallState, bindings::windlass::plugin::changes::Host};
use crate::plugin::Change;

impl Host for CallState {
    async fn offers(&mut self) -> wasmtime::Result<()> {
        self.observer.changed(Change::Offers(self.policy.plugin().to_owned()));
        Ok(())
    }

    async fn resources(&mut self) -> wasmtime::Result<()> {
        self.observer.changed(Change::Resources);
        Ok(())
    }

    async fn resource(&mut self, uri: String) -> wasmtime::Result<()> {
        // The same URI is another resource for another caller.
        self.observer.changed(Change::ResourceOf(self.policy.caller().into(), uri));
        Ok(())
    }
}

//! `clock`: time.

use std::time::Duration;

use super::{CallState, bindings::windlass::plugin::clock::Host};
use crate::time::now;

impl Host for CallState {
    async fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(now())
    }

    async fn sleep(&mut self, ms: u32) -> wasmtime::Result<()> {
        tokio::time::sleep(Duration::from_millis(ms.into())).await;
        Ok(())
    }
}

//! `random`: randomness fit for keys.

use super::{CallState, bindings::windlass::plugin::random::Host};

/// The most that one call of `bytes` gives.
const MOST: u32 = 64 << 10;

impl Host for CallState {
    async fn bytes(&mut self, count: u32) -> wasmtime::Result<Vec<u8>> {
        let mut bytes = vec![0; count.min(MOST) as usize];
        getrandom::fill(&mut bytes)
            .map_err(|error| wasmtime::format_err!("no randomness: {error}"))?;
        Ok(bytes)
    }
}

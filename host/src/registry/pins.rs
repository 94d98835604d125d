//! Pins: the bytes of a plugin that its grants were meant for.
//!
//! What a component says of itself comes from its bytes, so other tools or descriptions are other bytes as well.

use anyhow::bail;
use sha2::{Digest as _, Sha256};

use super::Source;
use crate::{config::Config, plugin::hex};

/// Fails where the operator meant another component than this one.
pub(super) fn check(
    config: &Config,
    name: &str,
    source: &Source,
    wasm: &[u8],
) -> anyhow::Result<()> {
    let pinned = config.plugins.get(name).and_then(|plugin| plugin.sha256.as_deref());
    let has_to_be = config.server.pinned_plugins && matches!(source, Source::File(_));
    if pinned.is_none() && !has_to_be {
        return Ok(());
    }
    let found = hex(&Sha256::digest(wasm));
    match pinned {
        Some(pinned) if pinned.eq_ignore_ascii_case(&found) => Ok(()),
        Some(pinned) => bail!(
            "it is another one than `plugins.{name}.sha256` pins: its digest is `{found}`, not `{pinned}`; look at it with `windlass plugins inspect`, and pin it where it is what you want"
        ),
        None => bail!(
            "it is not pinned, and `server.pinned_plugins` wants that: look at it with `windlass plugins inspect`, and set `plugins.{name}.sha256 = \"{found}\"` where it is what you want"
        ),
    }
}

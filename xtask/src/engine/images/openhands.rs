//! What stands in for OpenHands, over the image with git: it keeps the contract of both forms, for the tests of every run.

use std::fs;

use anyhow::Result;

use super::{git, layer::Layer};
use crate::inside;

pub(super) const NAME: &str = "windlass-test/openhands:latest";

const STUB: &str = "openhands-stub";

/// What both forms are called by: the Python of the vendor's images.
const CALLED: [&str; 2] = ["bin/python", "agent-server/.venv/bin/python"];

pub(super) fn lay(layer: &mut Layer) -> Result<()> {
    git::lay(layer)?;
    layer.file(&format!("bin/{STUB}"), 0o755, &fs::read(inside::build(STUB)?)?)?;
    CALLED.iter().try_for_each(|called| layer.link(called, &format!("/bin/{STUB}")))
}

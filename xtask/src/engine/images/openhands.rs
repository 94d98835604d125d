//! What keeps the contract of OpenHands and is no agent, over the image with git: for the tests of every run.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::{git, layer::Layer};
use crate::{inside, report::Absent, tree};

pub(super) const NAME: &str = "windlass-test/openhands:latest";

/// Where it stands: a program, and the files beside it as they lie in the image.
const STUB: &str = "tests/openhands/stub";
const PROGRAM: &str = "openhands-stub";

pub(super) fn lay(layer: &mut Layer) -> Result<()> {
    let stub = tree::root().join(STUB);
    if !stub.is_dir() {
        return Err(Absent(format!("there is no `{STUB}`")).into());
    }
    git::lay(layer)?;
    if stub.join("Cargo.toml").is_file() {
        let program = fs::read(inside::build(PROGRAM)?)?;
        layer.file(&format!("bin/{PROGRAM}"), 0o755, &program)?;
    }
    let files = stub.join("image");
    if files.is_dir() { lay_below(layer, &files, &files) } else { Ok(()) }
}

fn lay_below(layer: &mut Layer, top: &Path, folder: &Path) -> Result<()> {
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut entries = entries.collect::<Result<Vec<PathBuf>>>()?;
    // The same bytes in each run.
    entries.sort();
    for path in entries {
        let status = path.symlink_metadata()?;
        let inside = path.strip_prefix(top)?.to_str().context("a path is not in UTF-8")?;
        if status.is_symlink() {
            let target = fs::read_link(&path)?;
            layer.link(inside, target.to_str().context("a link is not in UTF-8")?)?;
        } else if status.is_dir() {
            lay_below(layer, top, &path)?;
        } else {
            // Git keeps of a mode only whether a file can be run.
            let mode = if status.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 };
            layer.file(inside, mode, &fs::read(&path)?)?;
        }
    }
    Ok(())
}

//! The supervisor as it ships: static, so that it runs in any image, and small.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result};

use crate::{command, plugins, tree};

/// Builds it; gives the binary's path.
///
/// It has a target folder of its own: cargo unites features over what it builds together, and the host wants more
/// of them than are good in a program of a megabyte.
pub(crate) fn build() -> Result<PathBuf> {
    let target = target()?;
    let folder = tree::target().join("supervisor");
    let flags = ["-Ctarget-feature=+crt-static", &plugins::without_paths_of_this_machine()];
    // With a target named, the flags are for the program and not for what runs during the build.
    command::succeed(
        command::cargo()
            .args(["build", "--package", "windlass-supervisor", "--release", "--quiet"])
            .args(["--target", &target])
            .env("CARGO_TARGET_DIR", &folder)
            .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
            .env("CARGO_PROFILE_RELEASE_LTO", "true")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "2")
            .env("CARGO_PROFILE_RELEASE_STRIP", "true")
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f")),
    )?;
    Ok(folder.join(target).join("release/windlass-supervisor"))
}

/// Containers run on the machine of the host, so what builds the one builds the other.
fn target() -> Result<String> {
    let text = command::answer(Command::new("rustc").arg("-vV").current_dir(tree::root()))
        .context("`rustc -vV` failed: run it")?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc -vV` does not name its host")
}

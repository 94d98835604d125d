//! Programs that run inside containers: static, so that they run in any image, and small.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result};

use crate::{command, plugins, tree};

/// What the host starts first in each container.
pub(crate) const SUPERVISOR: &str = "windlass-supervisor";

/// Builds a package's program of the same name as it ships; gives the binary's path.
///
/// Such programs have a target folder of their own: cargo unites features over what it builds together, and the host wants more
/// of them than are good in a program of a megabyte.
pub(crate) fn build(package: &str) -> Result<PathBuf> {
    let target = target()?;
    let folder = tree::target().join("supervisor");
    let flags = ["-Ctarget-feature=+crt-static", &plugins::without_paths_of_this_machine()];
    // With a target named, the flags are for the program and not for what runs during the build.
    command::succeed(
        command::cargo()
            .args(["build", "--package", package, "--release", "--quiet"])
            .args(["--target", &target])
            .env("CARGO_TARGET_DIR", &folder)
            .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
            .env("CARGO_PROFILE_RELEASE_LTO", "true")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "2")
            .env("CARGO_PROFILE_RELEASE_STRIP", "true")
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f")),
    )?;
    Ok(folder.join(target).join("release").join(package))
}

/// Containers run on the machine of the host, so what builds the one builds the other.
fn target() -> Result<String> {
    let text = command::answer(Command::new("rustc").arg("-vV").current_dir(tree::root()))
        .context("`rustc -vV` failed: run it")?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc -vV` does not name its host")
}

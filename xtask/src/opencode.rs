//! `cargo xtask opencode`: the real opencode, for the tests that hold the plugin to it.
//!
//! A small Debian, and in it the program as npm has it. Every `cargo xtask test` builds it where it is missing: any change of
//! this file makes another image.

use std::{
    env::consts::ARCH,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{
    debian::{self, Base, Root},
    kept::OPENCODE,
    report::Absent,
};

/// What opencode calls, and what an agent's work calls.
const BASE: Base = Base {
    suite: "bookworm",
    packages: "ca-certificates,git,procps,python3,python3-pip,ripgrep",
    tools: &["npm"],
};

/// Whom a container is run as.
const USER: &str = "groupadd --gid 1000 agent && \
    useradd --uid 1000 --gid 1000 --create-home --shell /bin/bash agent";

/// What nobody reads there.
const LEFT_OUT: [&str; 4] =
    ["usr/share/doc/*", "usr/share/locale/*", "usr/share/man/*", "var/lib/apt/lists/*"];

/// Where it lies in its package, and in the image.
const PROGRAM: &str = "bin/opencode";
const PLACE: &str = "usr/local/bin/opencode";

/// Builds it if it is not there, and says where it is.
pub(crate) fn build() -> Result<PathBuf> {
    let package = package()?;
    debian::build(&BASE, &[&OPENCODE], |root, _| fill(root, &package))?;
    OPENCODE.archive()
}

/// The same for a run of the tests: a machine that cannot build it does without.
pub(crate) fn build_for_tests() -> Result<PathBuf> {
    build().map_err(|error| Absent(format!("no image of the real opencode: {error:#}")).into())
}

/// The package that holds the program for this machine.
fn package() -> Result<String> {
    let machine = match ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => return Err(Absent(format!("there is no opencode for `{other}`")).into()),
    };
    Ok(format!("opencode-linux-{machine}"))
}

fn fill(root: &mut Root, package: &str) -> Result<()> {
    eprintln!("{}", OPENCODE.image());
    let folder = root.path.with_file_name("npm");
    fs::create_dir(&folder)?;
    root.run(install(package, &folder).current_dir(&folder))?;
    let program = folder.join("node_modules").join(package).join(PROGRAM);
    let context = || format!("`{package}` has no `{PROGRAM}`");
    fs::copy(program, root.path.join(PLACE)).with_context(context)?;
    let mut user = root.inside(USER);
    root.run(&mut user)?;
    root.pack(&OPENCODE, &LEFT_OUT)
}

fn install(package: &str, folder: &Path) -> Command {
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]).arg(folder);
    npm.arg(format!("{package}@{}", OPENCODE.version));
    npm
}

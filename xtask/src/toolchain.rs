//! Which Rust can compile to WebAssembly here.
//!
//! The toolchain in use if it has the target, the same after `rustup target add`, or else
//! Debian's Rust, which compiles the standard library itself.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Result, bail};

use crate::{command, tree};

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// How long rustup may take to fetch a target of some 20 MB.
const RUSTUP_LIMIT: Duration = Duration::from_secs(60);

/// For how long a target that rustup could not add is not asked for again.
const RUSTUP_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "rust-web-src", "cargo-web"];

const ADVICE: &str = "no Rust for `wasm32-unknown-unknown`; \
    run `rustup target add wasm32-unknown-unknown`, or on Debian \
    `apt-get install rustc-web rust-web-src cargo-web`";

/// A cargo that builds for [`TARGET`]: `cargo build` with all that the choice of toolchain needs.
pub(crate) fn cargo_build() -> Result<Command> {
    if has_target() || rustup_adds_target()? {
        let mut cargo = command::cargo();
        cargo.args(["build", "--target", TARGET]);
        return Ok(cargo);
    }
    if !debian_is_complete() {
        install_from_debian();
    }
    if !debian_is_complete() {
        bail!(ADVICE);
    }
    Ok(debian_cargo_build())
}

fn sysroot() -> Option<PathBuf> {
    command::answer(Command::new("rustc").args(["--print", "sysroot"]).current_dir(tree::root()))
        .map(PathBuf::from)
}

fn has_target() -> bool {
    sysroot().is_some_and(|sysroot| sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir())
}

fn rustup_adds_target() -> Result<bool> {
    let refused = tree::made("wasm")?.join("rustup-could-not-add-the-target");
    if tree::age(&refused).is_some_and(|age| age < RUSTUP_PAUSE) || !command::present("rustup") {
        return Ok(false);
    }
    eprintln!("+ rustup target add {TARGET}");
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]).current_dir(tree::root());
    if command::succeeded_within(RUSTUP_LIMIT, &mut rustup) && has_target() {
        return Ok(true);
    }
    fs::write(refused, "")?;
    Ok(false)
}

fn debian_is_complete() -> bool {
    let library = || {
        let sources = fs::read_dir("/usr/src").ok()?;
        let mut folders = sources.flatten().map(|entry| entry.path());
        folders.find(|path| is_rust_source(path))
    };
    Path::new(DEBIAN_CARGO).exists() && Path::new(DEBIAN_RUSTC).exists() && library().is_some()
}

fn is_rust_source(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("rustc-") && path.join("library/std/Cargo.toml").exists()
}

/// Only root may; for others [`ADVICE`] says what is missing.
fn install_from_debian() {
    let root = command::answer(Command::new("id").arg("-u")).is_some_and(|user| user == "0");
    if !root || !command::present("apt-get") {
        return;
    }
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.arg("--quiet")
            .args(arguments)
            .args(command::IN_TURN)
            .env("DEBIAN_FRONTEND", "noninteractive");
        command::succeed(&mut apt)
    };
    let install = [&["install", "--yes", "--no-install-recommends"], &DEBIAN_PACKAGES[..]].concat();
    if let Err(error) = apt(&["update"]).and_then(|()| apt(&install)) {
        eprintln!("{error:#}");
    }
}

fn debian_cargo_build() -> Command {
    let mut cargo = Command::new(DEBIAN_CARGO);
    cargo
        .args(["build", "--target", TARGET, "-Zbuild-std=std,panic_abort"])
        .current_dir(tree::root())
        // Stable Rust refuses `-Z` otherwise.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC", DEBIAN_RUSTC)
        // What rustup sets for the toolchain that runs this tool.
        .env_remove("LD_LIBRARY_PATH")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO");
    let linker = sysroot()
        .map(|sysroot| sysroot.join("lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld"))
        .filter(|linker| linker.exists());
    if let Some(linker) = linker {
        cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    }
    cargo
}

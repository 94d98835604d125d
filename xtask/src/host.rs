//! `cargo xtask build`: `windlass` with its plugins inside, compiled ahead.
//!
//! A plugin is compiled by the very engine that will run it, so the host is built, asked to
//! compile the plugins, and built again if that changed them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{command, inside, plugins, tree};

/// One of cargo's profiles.
#[derive(Clone, Copy)]
pub(crate) struct Profile {
    /// Also the name of its folder in `target`.
    pub(crate) name: &'static str,
    flags: &'static [&'static str],
}

/// The whole workspace, as the tests build it: cargo unites features over what it builds, and would otherwise
/// compile the engine twice.
pub(crate) const DEBUG: Profile = Profile { name: "debug", flags: &["--workspace", "--bins"] };
pub(crate) const RELEASE: Profile =
    Profile { name: "release", flags: &["--package", "windlass", "--release"] };

/// Has the C library in a program, and the program needs no file. Only how it is linked is another, so what is built for a release
/// does for this as well.
const STATIC: [&str; 2] = ["-C", "target-feature=+crt-static"];

/// The first process of containers, in the bundle.
const SUPERVISOR: &str = "supervisor";

/// Builds the plugins and the host; gives the binary's path.
pub(crate) fn build(profile: Profile) -> Result<PathBuf> {
    plugins::build()?;
    build_alone(profile)
}

/// Builds the host around plugins that are built.
pub(crate) fn build_alone(profile: Profile) -> Result<PathBuf> {
    build_by(profile, &|| compile(profile))
}

/// Builds the plugins, and the host as it ships without a need for any library; gives where the binary lies alone.
pub(crate) fn build_static() -> Result<PathBuf> {
    plugins::build()?;
    let built = build_by(RELEASE, &|| {
        let mut cargo = command::cargo();
        cargo.arg("rustc").args(RELEASE.flags).args(["--bin", "windlass", "--"]).args(STATIC);
        command::succeed(with_bundle(&mut cargo, RELEASE)?)
    })?;
    let alone = tree::made("static")?.join("windlass");
    fs::copy(&built, &alone).with_context(|| format!("cannot write `{}`", alone.display()))?;
    Ok(alone)
}

fn build_by(profile: Profile, compile: &dyn Fn() -> Result<()>) -> Result<PathBuf> {
    let windlass = tree::target().join(profile.name).join("windlass");
    let components = bundle(profile)?;
    compile()?;
    if !components.is_empty() && compile_ahead(&windlass, &components)? {
        compile()?;
    }
    Ok(windlass)
}

/// Tells a build of the host where its bundle is. Every build of a profile must, or it builds another host.
pub(crate) fn with_bundle(command: &mut Command, profile: Profile) -> Result<&mut Command> {
    Ok(command.env("WINDLASS_BUNDLE", tree::made(&folder(profile))?))
}

fn folder(profile: Profile) -> String {
    format!("bundle-{}", profile.name)
}

/// Puts the components and their defaults where the host's build finds them, and takes away what is no longer bundled.
fn bundle(profile: Profile) -> Result<Vec<PathBuf>> {
    let folder = tree::made(&folder(profile))?;
    let names: Vec<_> = plugins::bundled()?.into_iter().map(|plugin| plugin.name).collect();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default();
        if stem != SUPERVISOR && !names.iter().any(|name| stem == name.as_str()) {
            fs::remove_file(&path)?;
        }
    }
    tree::write_if_changed(
        &folder.join(SUPERVISOR),
        &fs::read(inside::build(inside::SUPERVISOR)?)?,
    )?;
    let mut components = Vec::new();
    for name in names {
        let component = folder.join(format!("{name}.wasm"));
        let built = tree::target().join("plugins").join(format!("{name}.wasm"));
        let bytes = fs::read(&built).with_context(|| format!("no `{}`", built.display()))?;
        if tree::write_if_changed(&component, &bytes)? {
            forget(&component.with_extension("cwasm"))?;
        }
        let defaults = tree::root().join("plugins").join(&name).join("defaults.toml");
        let shipped = component.with_extension("toml");
        match fs::read(defaults) {
            Ok(bytes) => tree::write_if_changed(&shipped, &bytes).map(drop)?,
            Err(_) => forget(&shipped)?,
        }
        components.push(component);
    }
    Ok(components)
}

fn forget(path: &Path) -> Result<()> {
    if path.exists() {
        fs::remove_file(path)?;
    }
    Ok(())
}

fn compile(profile: Profile) -> Result<()> {
    let mut cargo = command::cargo();
    cargo.arg("build").args(profile.flags);
    command::succeed(with_bundle(&mut cargo, profile)?)
}

/// Has the host compile the components; says whether any came out differently.
fn compile_ahead(windlass: &Path, components: &[PathBuf]) -> Result<bool> {
    let made = tempfile::tempdir()?;
    let mut compile = Command::new(windlass);
    compile.args(["plugins", "compile", "--out"]).arg(made.path()).args(components);
    command::succeed(&mut compile)?;
    let mut changed = false;
    for component in components {
        let compiled = component.with_extension("cwasm");
        let file = made.path().join(compiled.file_name().unwrap_or_default());
        let bytes = fs::read(&file).with_context(|| format!("no `{}`", file.display()))?;
        changed |= tree::write_if_changed(&compiled, &bytes)?;
    }
    Ok(changed)
}

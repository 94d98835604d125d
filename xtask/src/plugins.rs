//! `cargo xtask plugins`: every plugin as a component in `target/plugins`.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde_json::Value;
use wit_component::ComponentEncoder;

use crate::{command, python, toolchain, tree};

/// A plugin's crate.
pub(crate) struct Plugin {
    /// The name of its folder, which is the plugin's name.
    pub(crate) name: String,
    package: String,
    /// The file that cargo makes of it.
    module: String,
}

/// Builds what ships with the host.
pub(crate) fn build() -> Result<()> {
    encode(&bundled()?, &[])
}

/// Builds what ships, and what only tests use.
pub(crate) fn build_with_fixtures() -> Result<()> {
    encode(&bundled()?, &below("tests/fixtures")?)?;
    python::build_fixture()
}

/// The plugins that ship with the host.
pub(crate) fn bundled() -> Result<Vec<Plugin>> {
    below("plugins")
}

/// The crates directly below a folder that make a module: libraries, such as the sdk, do not.
fn below(folder: &str) -> Result<Vec<Plugin>> {
    let mut metadata = command::cargo();
    metadata.args(["metadata", "--no-deps", "--format-version=1"]);
    let text = command::answer(&mut metadata).context("`cargo metadata` failed: run it")?;
    let metadata: Value = serde_json::from_str(&text)?;
    let folder = tree::root().join(folder);
    let packages = metadata["packages"].as_array().into_iter().flatten();
    Ok(packages.filter_map(|package| plugin(package, &folder)).collect())
}

fn plugin(package: &Value, folder: &Path) -> Option<Plugin> {
    let directory = Path::new(package["manifest_path"].as_str()?).parent()?;
    if directory.parent()? != folder {
        return None;
    }
    let targets = package["targets"].as_array()?;
    let is_module = |target: &&Value| {
        let kinds = target["crate_types"].as_array();
        kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == "cdylib"))
    };
    let module = targets.iter().find(is_module)?["name"].as_str()?.replace('-', "_");
    Some(Plugin {
        name: directory.file_name()?.to_str()?.to_owned(),
        package: package["name"].as_str()?.to_owned(),
        module: format!("{module}.wasm"),
    })
}

fn encode(bundled: &[Plugin], fixtures: &[Plugin]) -> Result<()> {
    compile(bundled.iter().chain(fixtures))?;
    let components = tree::made("plugins")?;
    for plugin in bundled {
        plugin.encode_into(&components)?;
    }
    let components = tree::made("plugins/fixtures")?;
    for plugin in fixtures {
        plugin.encode_into(&components)?;
    }
    Ok(())
}

fn compile<'a>(plugins: impl Iterator<Item = &'a Plugin>) -> Result<()> {
    let packages: Vec<_> = plugins.flat_map(|plugin| ["--package", &plugin.package]).collect();
    if packages.is_empty() {
        return Ok(());
    }
    command::succeed(
        toolchain::cargo_build()?
            .args(["--release", "--quiet"])
            .args(packages)
            .env("CARGO_TARGET_DIR", modules())
            .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
            .env("CARGO_PROFILE_RELEASE_LTO", "true")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s")
            .env("CARGO_PROFILE_RELEASE_STRIP", "true")
            .env("CARGO_ENCODED_RUSTFLAGS", without_paths_of_this_machine()),
    )
}

/// Modules have a target folder of their own: another profile, perhaps another compiler.
fn modules() -> PathBuf {
    tree::target().join("wasm")
}

/// Panic messages name source files; a component must not say where it was built.
pub(crate) fn without_paths_of_this_machine() -> String {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo"))).unwrap_or_default();
    let remap = |path: &Path, name| format!("--remap-path-prefix={}={name}", path.display());
    [remap(&home, "cargo"), remap(&tree::root(), "windlass")].join("\x1f")
}

impl Plugin {
    fn encode_into(&self, folder: &Path) -> Result<()> {
        let module = modules().join(toolchain::TARGET).join("release").join(&self.module);
        let bytes = fs::read(&module)
            .with_context(|| format!("cannot read the module `{}`", module.display()))?;
        let mut encoder = ComponentEncoder::default();
        let component = encoder.validate(true).module(&bytes).and_then(|encoder| encoder.encode());
        let component =
            component.with_context(|| format!("cannot make a component of `{}`", self.name))?;
        let path = folder.join(format!("{}.wasm", self.name));
        if tree::write_if_changed(&path, &component)? {
            eprintln!("  {} ({} KiB)", path.display(), component.len() / 1024);
        }
        Ok(())
    }
}

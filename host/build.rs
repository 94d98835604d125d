//! Puts the bundled plugins into the program: every `<name>.wasm` of the folder `WINDLASS_BUNDLE`,
//! with its `<name>.cwasm` and `<name>.toml`. Without that folder the program has none.
//! The folder's `supervisor` comes along: the first process of containers.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=WINDLASS_BUNDLE");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut supervisor = Vec::new();
    let mut list = String::from("&[\n");
    if let Some(folder) = env::var_os("WINDLASS_BUNDLE").map(PathBuf::from) {
        println!("cargo::rerun-if-changed={}", folder.display());
        if folder.join("supervisor").is_file() {
            supervisor = fs::read(folder.join("supervisor"))?;
        }
        for wasm in components(&folder)? {
            let name = wasm.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            writeln!(
                list,
                "windlass::bundled::Bundled {{ name: {name:?}, wasm: include_bytes!({wasm:?}), compiled: {}, defaults: {} }},",
                include("include_bytes", &wasm.with_extension("cwasm"), "&[]"),
                include("include_str", &wasm.with_extension("toml"), "\"\""),
            )?;
        }
    }
    list.push(']');
    fs::write(out.join("supervisor"), supervisor)?;
    Ok(fs::write(out.join("bundled.rs"), list)?)
}

fn components(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut files = files.collect::<Result<Vec<_>, std::io::Error>>()?;
    files.retain(|file| file.extension().is_some_and(|it| it == "wasm"));
    files.sort();
    Ok(files)
}

fn include(how: &str, file: &Path, otherwise: &str) -> String {
    if file.is_file() { format!("{how}!({file:?})") } else { otherwise.to_owned() }
}

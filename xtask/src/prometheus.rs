//! Debian's Prometheus, unpacked and not installed: nothing of it runs but what a test starts.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, bail};

use crate::{command, report::Absent, tree};

/// Its package depends on what its own pages need, and the programs on nothing.
const PACKAGE: &str = "prometheus";
const PROGRAMS: [&str; 2] = ["prometheus", "promtool"];

/// The folder with its programs.
pub(crate) fn unpacked() -> Result<PathBuf> {
    let place = tree::target().join(PACKAGE);
    let programs = place.join("usr/bin");
    if is_whole(&programs) {
        return Ok(programs);
    }
    if !command::present("apt-get") || !command::present("dpkg-deb") {
        return Err(Absent("no Debian, whose `prometheus` it would be".to_owned()).into());
    }
    let fetched = tempfile::tempdir_in(tree::made(PACKAGE)?)?;
    let mut download = Command::new("apt-get");
    download.args(["download", "--quiet", PACKAGE]).current_dir(fetched.path());
    if command::succeed(&mut download).is_err() {
        return Err(Absent("Debian's `prometheus` cannot be fetched".to_owned()).into());
    }
    for entry in fs::read_dir(fetched.path())? {
        let mut unpack = Command::new("dpkg-deb");
        command::succeed(unpack.arg("--extract").arg(entry?.path()).arg(&place))?;
    }
    if !is_whole(&programs) {
        bail!("Debian's `prometheus` has no `{}`", PROGRAMS.join("`, `"));
    }
    Ok(programs)
}

fn is_whole(programs: &Path) -> bool {
    PROGRAMS.iter().all(|name| programs.join(name).is_file())
}

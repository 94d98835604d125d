//! A Debian of its own for an image that is kept: made, filled, and packed where the tests look for it.
//!
//! What is in it is its recipe's business.

use std::{
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::geteuid;

use crate::{
    command, engine,
    kept::{self, Kept},
    report::Absent,
};

/// A machine that takes longer does without.
const LIMIT: Duration = Duration::from_secs(600);

/// How the folder of a build begins. One that nobody builds in any more was left by a build that was killed.
const BUILDING: &str = "building-";

/// What holds nothing of an image.
const EMPTY: [&str; 4] = ["dev/*", "tmp/*", "proc/*", "var/cache/apt/*"];

/// What a Debian is made of.
pub(crate) struct Base {
    pub(crate) suite: &'static str,
    /// With commas between them.
    pub(crate) packages: &'static str,
    /// What else its recipe calls on this machine: programs that are packages of the same name.
    pub(crate) tools: &'static [&'static str],
}

/// A root that is being filled.
pub(crate) struct Root {
    pub(crate) path: PathBuf,
    log: File,
    begin: Instant,
}

/// Makes those images that are not there: `fill` gets the root and which ones.
pub(crate) fn build<'a>(
    base: &Base,
    images: &[&'a Kept],
    fill: impl FnOnce(&mut Root, &[&'a Kept]) -> Result<()>,
) -> Result<()> {
    if missing(images)?.is_empty() {
        return Ok(());
    }
    if !geteuid().is_root() {
        return Err(Absent("only root can make a Debian: run it as root".to_owned()).into());
    }
    engine::need(&["debootstrap", "tar", "chroot"], &["debootstrap", "tar", "coreutils"])?;
    engine::need(base.tools, base.tools)?;
    let cache = kept::cache()?;
    fs::create_dir_all(&cache).with_context(|| format!("cannot make `{}`", cache.display()))?;
    // Every checkout builds there, one at a time. Whoever has the log open has the turn: also what a build that was killed
    // had started.
    let place = cache.join("build.log");
    let log = OpenOptions::new().create(true).append(true).open(&place)?;
    log.lock()?;
    let missing = missing(images)?;
    if missing.is_empty() {
        return Ok(());
    }
    log.set_len(0)?;
    clear_what_was_left(&cache)?;
    let folder = tempfile::Builder::new().prefix(BUILDING).tempdir_in(&cache)?;
    let mut root = Root { path: folder.path().join("root"), log, begin: Instant::now() };
    let built = root.bootstrap(base).and_then(|()| fill(&mut root, &missing));
    built.with_context(|| format!("see `{}`", place.display()))
}

fn missing<'a>(images: &[&'a Kept]) -> Result<Vec<&'a Kept>> {
    let mut missing = Vec::new();
    for image in images {
        if !image.archive()?.is_file() {
            missing.push(*image);
        }
    }
    Ok(missing)
}

fn clear_what_was_left(cache: &Path) -> Result<()> {
    for entry in fs::read_dir(cache)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(BUILDING) {
            clear(&entry.path().join("root"));
            // Its name says what it is where it cannot be removed.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

impl Drop for Root {
    fn drop(&mut self) {
        clear(&self.path);
    }
}

/// Takes away a root, also one in which somebody was killed who had mounted something there.
fn clear(root: &Path) {
    for mounted in ["proc", "sys"] {
        let mut unmount = Command::new("umount");
        // Mostly there is none.
        command::succeeded_within(LIMIT, unmount.arg("--lazy").arg(root.join(mounted)));
    }
    // Somebody may hold on to a part of it. The next build takes it away.
    let _ = fs::remove_dir_all(root);
}

impl Root {
    fn bootstrap(&mut self, base: &Base) -> Result<()> {
        eprintln!("a Debian");
        let mut debootstrap = Command::new("debootstrap");
        let packages = format!("--include={}", base.packages);
        debootstrap.args(["--variant=minbase", &packages, base.suite]).arg(&self.path);
        self.run(&mut debootstrap)
    }

    /// A line of shell that runs in it, with nothing of this machine.
    pub(crate) fn inside(&self, line: &str) -> Command {
        let mut chroot = Command::new("chroot");
        chroot.arg(&self.path).args(["/bin/sh", "-euxc", line]).env_clear();
        chroot.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        chroot
    }

    /// Runs with what is left of the time.
    pub(crate) fn run(&mut self, command: &mut Command) -> Result<()> {
        let name = command.get_program().to_string_lossy().into_owned();
        let left = LIMIT.saturating_sub(self.begin.elapsed());
        if !command::logged_within(left, command, &self.log)? {
            let seconds = LIMIT.as_secs();
            bail!("`{name}` failed, or {seconds} seconds were over");
        }
        Ok(())
    }

    /// The archive has its name when it is whole.
    pub(crate) fn pack(&mut self, image: &Kept, left_out: &[&str]) -> Result<()> {
        let part = self.path.with_extension("tar");
        let mut tar = Command::new("tar");
        for left_out in left_out.iter().chain(&EMPTY) {
            tar.arg(format!("--exclude=./{left_out}"));
        }
        tar.arg("--create").arg("--file").arg(&part).arg("--directory").arg(&self.path).arg(".");
        self.run(&mut tar)?;
        Ok(fs::rename(part, image.archive()?)?)
    }
}

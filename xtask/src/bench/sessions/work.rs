//! Repositories of this machine, and how long it takes to look at one and to begin on one.

use std::{
    fs::{self, File, Permissions},
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tempfile::TempDir;

use super::super::{
    desk::{Desk, text},
    figures::quantile,
};
use crate::tree;

/// The repository that is looked at: so many files, in folders of a hundred.
const FILES: usize = 10_000;
const IN_A_FOLDER: usize = 100;
/// The one that is cloned: so many files of a megabyte that no program can compress.
const MEGABYTES: usize = 50;
const MEGABYTE: u64 = 1_000_000;

const LOOKS: usize = 50;

/// Two bare repositories, in a folder that all may read.
pub(super) struct Origins {
    folder: TempDir,
}

impl Origins {
    pub(super) fn make() -> Result<Self> {
        // What lies elsewhere may be where a container has something of its own.
        let folder = tempfile::tempdir_in(tree::made("tmp")?)?;
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        let origins = Self { folder };
        origins.publish("many", |work| {
            for number in 0..FILES {
                let folder = work.join(format!("folder{}", number / IN_A_FOLDER));
                fs::create_dir_all(&folder)?;
                fs::write(folder.join(format!("file{number}")), format!("file {number}\n"))?;
            }
            Ok(())
        })?;
        origins.publish("large", |work| {
            let random = File::open("/dev/urandom")?;
            for number in 0..MEGABYTES {
                let mut file = File::create(work.join(format!("file{number}")))?;
                io::copy(&mut (&random).take(MEGABYTE), &mut file)?;
            }
            Ok(())
        })?;
        Ok(origins)
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn publish(&self, name: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let work = tempfile::tempdir()?;
        fill(work.path())?;
        git(work.path(), &["init", "--quiet", "--initial-branch", "main"])?;
        git(work.path(), &["add", "--all"])?;
        let author = ["-c", "user.name=Bench", "-c", "user.email=bench@localhost"];
        let commit = ["commit", "--quiet", "--message", "first"];
        git(work.path(), &[&author[..], &commit].concat())?;
        let bare = self.path(name);
        git(work.path(), &["clone", "--quiet", "--bare", "--no-local", ".", &bare])
    }
}

/// `git status` through MCP and directly, in turns, each on a clone of its own: p50 of each in milliseconds.
pub(super) fn look(desk: &mut Desk, origins: &Origins) -> Result<[f64; 2]> {
    let cloned = desk.call("git_clone", &json!({"url": origins.path("many")}))?;
    let session = json!({"session_id": text(&cloned["session_id"])?});
    let beside = tempfile::tempdir_in(tree::made("tmp")?)?;
    let clone = beside.path().join("clone");
    git(beside.path(), &["clone", "--quiet", &origins.path("many"), "clone"])?;
    // The first makes the container, and each writes down in its index what the files are.
    let first = desk.call("git_status", &session)?;
    git(&clone, &["status"])?;
    ensure!(first["clean"] == true, "a clone is changed: {first}");
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..LOOKS {
        let start = Instant::now();
        desk.call("git_status", &session)?;
        ours.push(start.elapsed().as_secs_f64() * 1e3);
        let start = Instant::now();
        git(&clone, &["status", "--porcelain=v2", "--branch"])?;
        bare.push(start.elapsed().as_secs_f64() * 1e3);
    }
    desk.call("teardown", &session)?;
    Ok([quantile(0.5, ours), quantile(0.5, bare)])
}

/// A session and a clone of the same repository, in milliseconds. Git links what it clones where it can, which it cannot into
/// a container: that counts against us.
pub(super) fn begin(desk: &mut Desk, origins: &Origins) -> Result<[f64; 2]> {
    let path = origins.path("large");
    let target = tempfile::tempdir_in(tree::made("tmp")?)?;
    let clone = target.path().join("clone").display().to_string();
    let start = Instant::now();
    git(target.path(), &["clone", "--quiet", &path, &clone])?;
    let bare = start.elapsed();
    let start = Instant::now();
    let started = desk.call("start_session", &json!({"repo_url": path}))?;
    let took = start.elapsed();
    desk.call("teardown", &json!({"session_id": started["session_id"]}))?;
    Ok([took, bare].map(|took| took.as_secs_f64() * 1e3))
}

/// Where the files of a session lie.
pub(super) fn folder(desk: &Desk, session: &str) -> Result<PathBuf> {
    Ok(desk.server.state()?.join("workspaces").join(session))
}

/// This machine's git, as whoever uses it has set it up.
fn git(folder: &Path, arguments: &[&str]) -> Result<()> {
    let mut git = Command::new("git");
    git.current_dir(folder).args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    let status = git.status().context("no `git`")?;
    ensure!(status.success(), "`git {}` failed", arguments.join(" "));
    Ok(())
}

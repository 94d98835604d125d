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
        let folder = tempfile::tempdir()?;
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

    pub(super) fn url(&self, name: &str) -> String {
        format!("file://{}", self.folder.path().join(name).display())
    }

    fn publish(&self, name: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let work = tempfile::tempdir()?;
        fill(work.path())?;
        git(work.path(), &["init", "--quiet", "--initial-branch", "main"])?;
        git(work.path(), &["add", "--all"])?;
        let author = ["-c", "user.name=Bench", "-c", "user.email=bench@localhost"];
        let commit = ["commit", "--quiet", "--message", "first"];
        git(work.path(), &[&author[..], &commit].concat())?;
        let bare = self.folder.path().join(name).display().to_string();
        git(work.path(), &["clone", "--quiet", "--bare", "--no-local", ".", &bare])
    }
}

/// `git status` through MCP and directly, in turns, on the same files: p50 of each in milliseconds.
pub(super) fn look(desk: &mut Desk, origins: &Origins) -> Result<[f64; 2]> {
    let cloned = desk.call("git_clone", &json!({"url": origins.url("many")}))?;
    let session = json!({"session_id": text(&cloned["session_id"])?});
    let folder = folder(desk, &text(&session["session_id"])?)?;
    // The first makes the container, and writes down in the index what the files are.
    let first = desk.call("git_status", &session)?;
    ensure!(first["clean"] == true, "a clone is changed: {first}");
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..LOOKS {
        let start = Instant::now();
        desk.call("git_status", &session)?;
        ours.push(start.elapsed().as_secs_f64() * 1e3);
        let start = Instant::now();
        git(&folder, &["status", "--porcelain=v2", "--branch"])?;
        bare.push(start.elapsed().as_secs_f64() * 1e3);
    }
    desk.call("teardown", &session)?;
    Ok([quantile(0.5, ours), quantile(0.5, bare)])
}

/// A session and a clone of the same repository, in milliseconds.
pub(super) fn begin(desk: &mut Desk, origins: &Origins) -> Result<[f64; 2]> {
    let url = origins.url("large");
    let target = tempfile::tempdir()?;
    let clone = target.path().join("clone").display().to_string();
    let start = Instant::now();
    git(target.path(), &["clone", "--quiet", &url, &clone])?;
    let bare = start.elapsed();
    let start = Instant::now();
    let started = desk.call("start_session", &json!({"repo_url": url}))?;
    let took = start.elapsed();
    desk.call("teardown", &json!({"session_id": started["session_id"]}))?;
    Ok([took, bare].map(|took| took.as_secs_f64() * 1e3))
}

/// Where the files of a session lie.
pub(super) fn folder(desk: &Desk, session: &str) -> Result<PathBuf> {
    Ok(desk.server.state()?.join("workspaces").join(session))
}

/// This machine's git, which does not mind whose files it works on.
fn git(folder: &Path, arguments: &[&str]) -> Result<()> {
    let mut git = Command::new("git");
    git.current_dir(folder).args(["-c", "safe.directory=*"]).args(arguments);
    git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_COUNT", "1");
    git.env("GIT_CONFIG_KEY_0", "safe.directory").env("GIT_CONFIG_VALUE_0", "*");
    let status = git.stdin(Stdio::null()).stdout(Stdio::null()).status().context("no `git`")?;
    ensure!(status.success(), "`git {}` failed", arguments.join(" "));
    Ok(())
}

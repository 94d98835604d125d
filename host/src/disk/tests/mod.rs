//! Attacks on the disk, and what it promises without one.

mod archives;
mod batches;
mod escapes;
mod files;
mod races;
mod transfers;
mod whole;

use std::{
    fs,
    path::{Path, PathBuf},
    process,
};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

use super::Disk;
use crate::{
    capability::{
        bindings::windlass::plugin::workspaces::{Archived, Done, Page, Part, Stat},
        types::{Code, Error},
    },
    config::{Grants, WorkspacesGrant},
    database::Database,
    error::{Failure, Result},
    policy::{PackPaths, Policy, Step, WorkspacePath},
};

/// A state folder with one workspace, and what lies beside it.
struct Ground {
    folder: TempDir,
    disk: Disk,
    policy: Policy,
    id: String,
}

impl Ground {
    async fn new() -> Self {
        Self::within(TempDir::new().unwrap()).await
    }

    async fn within(folder: TempDir) -> Self {
        let disk = disk_in(folder.path());
        let id = disk.make("it").await.unwrap();
        fs::write(folder.path().join("secret"), "a secret").unwrap();
        Self { folder, disk, policy: policy("it", WorkspacesGrant::Own), id }
    }

    /// Where a container would see this path.
    fn inside(&self, path: &str) -> PathBuf {
        self.disk.root(&self.id).join(path)
    }

    fn outside(&self) -> PathBuf {
        self.folder.path().join("secret")
    }

    /// What is in the folder out of which things are put in place.
    fn staged(&self) -> usize {
        fs::read_dir(self.folder.path().join("workspaces/.staging")).unwrap().count()
    }

    async fn read(&self, path: &str) -> Result<Part> {
        self.part(path, 0, None).await
    }

    async fn part(&self, path: &str, offset: u64, most: Option<u32>) -> Result<Part> {
        let part = self.policy.approve_read(&self.id, path.to_owned(), offset, most)?;
        self.disk.read(part).await
    }

    async fn stat(&self, path: &str) -> Result<Stat> {
        self.disk.stat(self.policy.approve_stat(&self.id, path.to_owned())?).await
    }

    async fn list(&self, path: &str, recursive: bool, after: &str, limit: u32) -> Result<Page> {
        let (path, after) = (path.to_owned(), after.to_owned());
        self.disk.list(self.policy.approve_list(&self.id, path, recursive, after, limit)?).await
    }

    async fn step(&self, step: Step) -> Result<Done> {
        self.disk.step(self.policy.approve_step(&self.id, step)?).await
    }

    async fn write(&self, path: &str, text: &str) -> Result<Stat> {
        self.swap(path, text, None).await
    }

    async fn swap(&self, path: &str, text: &str, if_match: Option<&str>) -> Result<Stat> {
        match self.step(write(path, text, if_match)).await? {
            Done::Written(stat) => Ok(stat),
            done => panic!("{done:?}"),
        }
    }

    async fn remove(&self, path: &str) -> Result<()> {
        self.step(remove(path)).await.map(drop)
    }

    async fn batch(&self, steps: Vec<Step>) -> Result<Vec<Done>> {
        self.disk.batch(self.policy.approve_batch(&self.id, steps)?).await
    }

    async fn pack(&self, path: &str, gzip: bool) -> Result<(Vec<u8>, Archived)> {
        self.pack_some(path, &[], &[], gzip).await
    }

    async fn pack_some(
        &self,
        path: &str,
        include: &[&str],
        exclude: &[&str],
        gzip: bool,
    ) -> Result<(Vec<u8>, Archived)> {
        let paths = self.policy.approve_pack(&self.id, selection(path, include, exclude, gzip)?)?;
        self.disk.pack(paths, u32::MAX).await
    }

    async fn unpack(&self, archive: Vec<u8>, target: &str) -> Result<Archived> {
        let unpack = self.policy.approve_unpack(&self.id, archive, target.to_owned())?;
        self.disk.unpack(unpack).await
    }

    /// Every path below the root, with what files hold, as a program inside would see them.
    fn everything(&self) -> Vec<String> {
        let mut found = Vec::new();
        collect(&self.inside(""), "", &mut found);
        found.sort();
        found
    }
}

fn collect(folder: &Path, before: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{before}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.push(format!("{name}/"));
            collect(&entry.path(), &format!("{name}/"), found);
        } else if kind.is_symlink() {
            found.push(format!("{name} -> {}", fs::read_link(entry.path()).unwrap().display()));
        } else {
            found.push(format!("{name}: {}", fs::read_to_string(entry.path()).unwrap()));
        }
    }
}

fn disk_in(folder: &Path) -> Disk {
    Disk::at(&folder.join("workspaces"), Database::at(&folder.join("windlass.db")))
}

fn policy(plugin: &str, grant: WorkspacesGrant) -> Policy {
    Policy::new(plugin, Grants { workspaces: Some(grant), ..Grants::default() }).unwrap()
}

fn path(text: &str) -> WorkspacePath {
    WorkspacePath::new(text.to_owned()).unwrap()
}

fn write(to: &str, text: &str, if_match: Option<&str>) -> Step {
    let if_match = if_match.map(str::to_owned);
    Step::Write { path: path(to), bytes: text.as_bytes().to_vec(), if_match }
}

fn remove(text: &str) -> Step {
    Step::Remove { path: path(text), if_match: None }
}

fn rename(origin: &str, target: &str, replace: bool) -> Step {
    Step::Move { origin: path(origin), target: path(target), replace }
}

fn copy(origin: &str, target: &str, replace: bool) -> Step {
    Step::Copy { origin: path(origin), target: path(target), replace }
}

fn selection(path: &str, include: &[&str], exclude: &[&str], gzip: bool) -> Result<PackPaths> {
    let texts = |globs: &[&str]| globs.iter().map(|&glob| glob.to_owned()).collect();
    let path = WorkspacePath::new(path.to_owned())?;
    Ok(PackPaths { path, include: texts(include), exclude: texts(exclude), gzip })
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T>) -> Error {
    match result {
        Err(Failure::Answer(error)) => error,
        result => panic!("no refusal: {result:?}"),
    }
}

#[track_caller]
fn check_code<T: std::fmt::Debug>(result: Result<T>, code: Code) {
    let error = refused(result);
    assert_eq!(error.code, code, "{}", error.message);
}

fn make_fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::from(0o644), 0).unwrap();
}

/// Whether the host is root, which some attacks and some mounts need.
fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("SKIPPED in process {}: it needs root", process::id());
    }
    root
}

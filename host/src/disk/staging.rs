//! The folder beside the workspaces in which things are made before they are put in place, and to which
//! they are taken before they are deleted. No container sees it.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    os::{
        fd::{AsFd as _, AsRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Context as _;
use rustix::{
    fs::{
        AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, RenameFlags, Uid, chmodat, chownat, fchown,
        mkdirat, openat, renameat_with, unlinkat,
    },
    io::Errno,
};
use uuid::Uuid;

use super::{
    failure::At as _,
    root::{is_directory, named},
};
use crate::{error::Result, private};

/// Whom containers run as where the host is root.
const CONTAINER_USER: u32 = 1000;
/// How often a directory is emptied into which somebody still writes.
const ROUNDS: u32 = 1000;

pub(super) struct Staging {
    pub(super) fd: OwnedFd,
    /// Who owns what is made. None: whoever the host is.
    owner: Option<(Uid, Gid)>,
    /// What the names of this host's own begin with: an earlier one may have had the same pid.
    mark: String,
    next: AtomicU64,
}

/// Something in the staging folder. Deleted unless it was put in place.
pub(super) struct Staged {
    pub(super) staging: Arc<Staging>,
    pub(super) name: OsString,
    there: bool,
}

impl Staging {
    pub(super) fn at(folder: &Path) -> anyhow::Result<Self> {
        private::make_folder(folder)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(CWD, folder, flags, Mode::empty())
            .with_context(|| format!("cannot open `{}`", folder.display()))?;
        let is_root = rustix::process::geteuid().is_root();
        let user = || (Uid::from_raw(CONTAINER_USER), Gid::from_raw(CONTAINER_USER));
        let mark = format!("{}-", Uuid::new_v4().simple());
        Ok(Self { fd, owner: is_root.then(user), mark, next: AtomicU64::new(0) })
    }

    /// Gives what was made to whom containers run as.
    pub(super) fn give(&self, fd: impl std::os::fd::AsFd) -> rustix::io::Result<()> {
        match self.owner {
            Some((user, group)) => fchown(fd, Some(user), Some(group)),
            None => Ok(()),
        }
    }

    /// The same for a link, which cannot be opened.
    pub(super) fn give_link(&self, directory: &OwnedFd, path: &OsStr) -> rustix::io::Result<()> {
        let Some((user, group)) = self.owner else { return Ok(()) };
        chownat(directory, path, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)
    }

    /// A name that nothing has yet.
    pub(super) fn name(self: &Arc<Self>) -> Staged {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let name = OsString::from(format!("{}{number}", self.mark));
        Staged { staging: self.clone(), name, there: false }
    }

    /// An empty file that only the host can read until it has its mode.
    pub(super) fn file(self: &Arc<Self>) -> Result<(Staged, File)> {
        let mut staged = self.name();
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mode = Mode::from(0o600);
        let fd = openat(&self.fd, &staged.name, flags | OFlags::CLOEXEC, mode).on("a new file")?;
        staged.there = true;
        self.give(&fd).on("a new file")?;
        Ok((staged, fd.into()))
    }

    /// An empty directory.
    pub(super) fn directory(self: &Arc<Self>) -> Result<(Staged, OwnedFd)> {
        let mut staged = self.name();
        mkdirat(&self.fd, &staged.name, Mode::from(0o755)).on("a new directory")?;
        staged.there = true;
        let fd = self.enter(&staged.name).on("a new directory")?;
        // The mode that was asked for has the host's umask taken off.
        rustix::fs::fchmod(&fd, Mode::from(0o755)).on("a new directory")?;
        self.give(&fd).on("a new directory")?;
        Ok((staged, fd))
    }

    /// Deletes what earlier hosts left. What this one makes at the moment stays.
    pub(super) fn sweep(self: &Arc<Self>) -> Result<()> {
        for (name, _) in entries(&self.fd).on("the staging folder")? {
            if name.as_bytes().starts_with(self.mark.as_bytes()) {
                continue;
            }
            Staged { staging: self.clone(), name, there: true }
                .delete()
                .on("the staging folder")?;
        }
        Ok(())
    }

    fn enter(&self, name: &OsStr) -> rustix::io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(&self.fd, name, flags, Mode::empty()) {
            Err(Errno::ACCESS) => {
                let look = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let fd = openat(&self.fd, name, look, Mode::empty())?;
                // The descriptor's own name: no link can come between.
                let pinned = format!("/proc/self/fd/{}", fd.as_raw_fd());
                chmodat(CWD, pinned, Mode::from(0o700), AtFlags::empty())?;
                openat(&self.fd, name, flags, Mode::empty())
            }
            opened => opened,
        }
    }

    /// Deletes a file, or a directory with all that is in it, however deep: what is below a directory is first
    /// taken up, so that neither paths nor descriptors nor the stack grow.
    fn delete(self: &Arc<Self>, name: OsString) -> rustix::io::Result<()> {
        let mut waiting = vec![name];
        let mut rounds = 0;
        while let Some(name) = waiting.pop() {
            match named(&self.fd, &name) {
                Ok(stat) if is_directory(&stat) => {}
                Ok(_) => {
                    unlinkat(&self.fd, &name, AtFlags::empty())?;
                    continue;
                }
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(errno),
            }
            let directory = self.enter(&name)?;
            for (entry, kind) in entries(&directory)? {
                if kind == FileType::Directory {
                    let mut up = self.name();
                    up.there = false;
                    let flags = RenameFlags::NOREPLACE;
                    match renameat_with(&directory, &entry, &self.fd, &up.name, flags) {
                        Ok(()) => waiting.push(std::mem::take(&mut up.name)),
                        Err(Errno::NOENT) => {}
                        Err(errno) => return Err(errno),
                    }
                } else {
                    match unlinkat(&directory, &entry, AtFlags::empty()) {
                        Ok(()) | Err(Errno::NOENT | Errno::ISDIR) => {}
                        Err(errno) => return Err(errno),
                    }
                }
            }
            match unlinkat(&self.fd, &name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(Errno::NOTEMPTY | Errno::EXIST) if rounds < ROUNDS => {
                    rounds += 1;
                    waiting.push(name);
                }
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

impl Staged {
    /// It was put in place.
    pub(super) fn gone(&mut self) {
        self.there = false;
    }

    /// Something was put here.
    pub(super) fn filled(&mut self) {
        self.there = true;
    }

    pub(super) fn delete(mut self) -> rustix::io::Result<()> {
        self.there = false;
        self.staging.delete(std::mem::take(&mut self.name))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.there
            && let Err(error) = self.staging.delete(std::mem::take(&mut self.name))
        {
            tracing::warn!("something in the staging folder stays until the next start: {error}");
        }
    }
}

/// What is in a directory, as it stands there.
pub(super) fn entries(directory: &OwnedFd) -> rustix::io::Result<Vec<(OsString, FileType)>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(directory.as_fd())? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => match named(directory, entry.file_name()) {
                Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                Err(_) => continue,
            },
            kind => kind,
        };
        found.push((OsStr::from_bytes(name).to_owned(), kind));
    }
    Ok(found)
}

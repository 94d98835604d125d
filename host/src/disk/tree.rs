//! A directory that is filled in the staging folder, out of the sight of containers.

use std::{ffi::OsStr, fs::File, os::fd::OwnedFd, sync::Arc};

use rustix::{
    fs::{Mode, Timespec, Timestamps, fchmod, fstat, futimens, mkdirat, readlinkat, symlinkat},
    io::Errno,
};

use super::{
    root::{is_directory, make_straight, open_straight, pin_straight},
    staging::{Staged, Staging},
};
use crate::error::Result;

/// Without these the host itself gets into no directory.
const ENTER: u32 = 0o700;

pub(super) struct Tree {
    pub(super) staged: Staged,
    pub(super) fd: OwnedFd,
}

impl Tree {
    pub(super) fn new(staging: &Arc<Staging>) -> Result<Self> {
        let (staged, fd) = staging.directory()?;
        Ok(Self { staged, fd })
    }

    /// A directory, whose parent is there. It may be there itself. The empty path: the whole.
    pub(super) fn directory(&self, path: &OsStr, mode: u32) -> rustix::io::Result<()> {
        if !path.is_empty() {
            match mkdirat(&self.fd, path, Mode::from(ENTER)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
        }
        let directory = open_straight(&self.fd, path)?;
        fstat(&directory).and_then(
            |stat| {
                if is_directory(&stat) { Ok(()) } else { Err(Errno::EXIST) }
            },
        )?;
        fchmod(&directory, Mode::from(mode & 0o777 | ENTER))?;
        self.staged.staging.give(&directory)
    }

    /// An empty file, whose parent is there.
    pub(super) fn file(&self, path: &OsStr) -> rustix::io::Result<File> {
        make_straight(&self.fd, path)
    }

    /// The same link as one elsewhere, wherever it leads.
    pub(super) fn link(
        &self,
        path: &OsStr,
        other: &OwnedFd,
        name: &OsStr,
    ) -> rustix::io::Result<()> {
        let text = readlinkat(pin_straight(other, name)?, "", Vec::new())?;
        symlinkat(text, &self.fd, path)?;
        self.staged.staging.give_link(&self.fd, path)
    }

    /// Gives a file that is written to whom containers run as. No right to be somebody else goes along.
    pub(super) fn finish(&self, file: &File, mode: u32, modified: i64) -> rustix::io::Result<()> {
        self.staged.staging.give(file)?;
        fchmod(file, Mode::from(mode & 0o777))?;
        let time = Timespec { tv_sec: modified.max(0), tv_nsec: 0 };
        futimens(file, &Timestamps { last_access: time, last_modification: time })
    }
}

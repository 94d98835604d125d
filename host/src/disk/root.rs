//! The root of one workspace, beneath which the kernel resolves every path.

use std::{
    fs::File,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat2, statat},
    io::Errno,
    path::Arg,
};

use tokio::sync::Mutex;

use super::{
    failure::{self, At as _},
    staging::Staging,
    tags::Tags,
    usage::Room,
};
use crate::{error::Result, policy::WorkspacePath};

/// How often the kernel is asked again where a rename came in between. It says so rather than be fooled.
const TRIES: u32 = 100;

/// No path leads out, over `..`, a link or `/proc`.
const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);
/// The same, where a link is an error by itself.
const STRAIGHT: ResolveFlags = BENEATH.union(ResolveFlags::NO_SYMLINKS);

/// To look at something without opening it.
const LOOK: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);
/// A fifo that nobody writes to is no reason to wait, and a terminal none to take.
const READ: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

pub(super) struct Root {
    pub(super) fd: OwnedFd,
    pub(super) staging: Arc<Staging>,
    pub(super) tags: Arc<Tags>,
    /// One at a time puts things in place; who only reads does not wait.
    pub(super) changing: Arc<Mutex<()>>,
    /// What its owner may put into it. None: as much as the disk takes.
    pub(super) room: Option<(String, Room)>,
}

impl Root {
    pub(super) fn new(fd: OwnedFd, staging: Arc<Staging>, tags: Arc<Tags>) -> Self {
        Self { fd, staging, tags, changing: Arc::default(), room: None }
    }

    /// The same for one change of the workspace of this id, which is held to what its owner may.
    pub(super) fn within(&self, id: &str, room: Room) -> Result<Self> {
        let fd = self.fd.try_clone().on("the workspace")?;
        let (staging, tags, changing) =
            (self.staging.clone(), self.tags.clone(), self.changing.clone());
        Ok(Self { fd, staging, tags, changing, room: Some((id.to_owned(), room)) })
    }

    /// The file to read. What is none is not opened for long, and never waited for.
    pub(super) fn file(&self, path: &WorkspacePath) -> Result<(File, Stat)> {
        let fd = open(&self.fd, path.as_str(), READ, BENEATH).at(path)?;
        let stat = fstat(&fd).at(path)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok((fd.into(), stat)),
            FileType::Directory => Err(failure::of_path(path, Errno::ISDIR)),
            _ => Err(failure::not_a_file(path)),
        }
    }

    /// A directory to look into.
    pub(super) fn directory(&self, path: &str) -> rustix::io::Result<OwnedFd> {
        open(&self.fd, path, LOOK | OFlags::DIRECTORY, BENEATH)
    }

    /// What the path leads to, over links; or the link itself, where that leads nowhere.
    pub(super) fn look(&self, path: &WorkspacePath) -> Result<Stat> {
        match open(&self.fd, path.as_str(), LOOK, BENEATH) {
            Ok(fd) => fstat(fd).at(path),
            Err(Errno::NOENT) => {
                fstat(open(&self.fd, path.as_str(), LOOK | OFlags::NOFOLLOW, BENEATH).at(path)?)
                    .at(path)
            }
            Err(errno) => Err(failure::of_path(path, errno)),
        }
    }
}

/// Opens below a directory, and follows no link on the way nor at the end.
pub(super) fn open_straight(
    directory: impl AsFd,
    path: impl Arg + Copy,
) -> rustix::io::Result<OwnedFd> {
    open(directory, path, READ | OFlags::NOFOLLOW, STRAIGHT)
}

/// Looks below a directory, and follows no link on the way nor at the end.
pub(super) fn look_straight(
    directory: impl AsFd,
    path: impl Arg + Copy,
) -> rustix::io::Result<Stat> {
    fstat(pin_straight(directory, path)?)
}

/// The same, to keep: whatever the path leads to by then.
pub(super) fn pin_straight(
    directory: impl AsFd,
    path: impl Arg + Copy,
) -> rustix::io::Result<OwnedFd> {
    open(directory, path, LOOK | OFlags::NOFOLLOW, STRAIGHT)
}

/// Makes a file below a directory, or empties the one that is there, and follows no link.
pub(super) fn make_straight(
    directory: impl AsFd,
    path: impl Arg + Copy,
) -> rustix::io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW;
    Ok(open(directory, path, flags | OFlags::CLOEXEC, STRAIGHT)?.into())
}

/// What a name in a directory stands for, itself and nothing it leads to.
pub(super) fn named(directory: impl AsFd, name: impl Arg) -> rustix::io::Result<Stat> {
    statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
}

fn open(
    directory: impl AsFd,
    path: impl Arg + Copy,
    flags: OFlags,
    resolve: ResolveFlags,
) -> rustix::io::Result<OwnedFd> {
    let mode = if flags.contains(OFlags::CREATE) { Mode::from(0o600) } else { Mode::empty() };
    let path = path.as_cow_c_str()?;
    let path: &std::ffi::CStr = if path.is_empty() { c"." } else { &path };
    let mut tries = 0;
    loop {
        match openat2(directory.as_fd(), path, flags, mode, resolve) {
            Err(Errno::AGAIN) if tries < TRIES => tries += 1,
            Err(Errno::INTR) => {}
            opened => return opened,
        }
    }
}

/// The lower nine bits.
pub(super) fn permissions(stat: &Stat) -> u16 {
    u16::try_from(stat.st_mode & 0o777).unwrap_or_default()
}

pub(super) fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or_default()
}

pub(super) fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

pub(super) fn is_file(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

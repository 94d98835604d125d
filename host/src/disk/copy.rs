//! Copies of files and directories, made out of sight.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::fd::OwnedFd,
};

use rustix::{
    fs::{FileType, Stat, fchmod, fstat},
    io::Errno,
};

use super::{
    failure::{self, At as _},
    root::{Root, is_directory, open_straight, permissions, size},
    staging::Staged,
    tree::Tree,
    walk::{Walk, is_gone},
};
use crate::{error::Result, policy::WorkspacePath};

/// Reading and writing so much takes less than asking the kernel to copy it.
const SMALL: u64 = 64 << 10;

/// A copy of what a path leads to.
pub(super) fn copy(root: &Root, origin: &WorkspacePath) -> Result<Staged> {
    let stat = root.look(origin)?;
    if is_directory(&stat) {
        let directory = root.directory(origin.as_str()).at(origin)?;
        return copy_tree(root, origin, &directory, &stat);
    }
    let (file, stat) = root.file(origin)?;
    let (staged, copy) = root.staging.file()?;
    copy_bytes(&file, &copy, size(&stat)).at(origin)?;
    fchmod(&copy, u32::from(permissions(&stat)).into()).at(origin)?;
    Ok(staged)
}

fn copy_tree(
    root: &Root,
    origin: &WorkspacePath,
    directory: &OwnedFd,
    stat: &Stat,
) -> Result<Staged> {
    let tree = Tree::new(&root.staging)?;
    for found in Walk::new(directory, true).at(origin)? {
        let found = found.at(origin)?;
        let mode = permissions(&found.stat).into();
        match FileType::from_raw_mode(found.stat.st_mode) {
            FileType::Directory => tree.directory(&found.path, mode).at(origin)?,
            FileType::Symlink => match tree.link(&found.path, directory, &found.path) {
                // It went meanwhile.
                Err(errno) if is_gone(errno) || errno == Errno::INVAL => {}
                linked => linked.at(origin)?,
            },
            FileType::RegularFile => {
                let file: File = match open_straight(directory, &*found.path) {
                    Ok(file) => file.into(),
                    Err(errno) if is_gone(errno) => continue,
                    Err(errno) => return Err(failure::of_path(origin, errno)),
                };
                let stat = fstat(&file).at(origin)?;
                let copy = tree.file(&found.path).at(origin)?;
                copy_bytes(&file, &copy, size(&stat)).at(origin)?;
                tree.finish(&copy, mode, stat.st_mtime).at(origin)?;
            }
            _ => return Err(failure::not_a_file(&below(origin, &found.shown)?)),
        }
    }
    tree.directory("".as_ref(), permissions(stat).into()).at(origin)?;
    Ok(tree.staged)
}

/// As many bytes as there were: a file may grow faster than it is copied.
pub(super) fn copy_bytes(file: &File, copy: &File, bytes: u64) -> io::Result<()> {
    let mut from = io::Read::take(file, bytes);
    let mut to = copy;
    if bytes > SMALL {
        // The kernel copies it by itself, and on some disks only notes that both are the same.
        return io::copy(&mut from, &mut to).map(drop);
    }
    let mut small = Vec::with_capacity(usize::try_from(bytes).unwrap_or_default());
    from.read_to_end(&mut small)?;
    to.write_all(&small)
}

pub(super) fn below(path: &WorkspacePath, name: &str) -> Result<WorkspacePath> {
    WorkspacePath::new(format!("{}/{name}", path.as_str()).trim_start_matches('/').to_owned())
}

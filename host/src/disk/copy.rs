//! Copies of files and directories, made out of sight.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::fd::OwnedFd,
    sync::Arc,
};

use rustix::{
    fs::{FileType, fchmod, fstat},
    io::Errno,
};

use super::{
    failure::{self, At as _},
    root::{Root, is_directory, is_file, open_straight, permissions, size},
    staging::{Staged, Staging},
    tree::Tree,
    walk::{Found, Walk, is_gone},
};
use crate::{error::Result, policy::WorkspacePath};

/// Reading and writing so much takes less than asking the kernel to copy it.
const SMALL: u64 = 64 << 10;

/// A copy that is not in place yet.
pub(super) enum Copied {
    File(Staged),
    Directory(Tree),
}

/// What there is to copy, told before it is.
pub(super) enum Met<'a> {
    /// A directory, a link, or a file of so many bytes.
    Member(u64),
    /// Something that cannot be copied. Without an objection it is left out.
    Odd(&'a str),
}

/// A copy of what a path leads to, in the same workspace.
pub(super) fn copy(root: &Root, origin: &WorkspacePath) -> Result<Staged> {
    let all_or_nothing = |met: Met<'_>| match met {
        Met::Member(_) => Ok(()),
        Met::Odd(shown) => Err(failure::not_a_file(&below(origin, shown)?)),
    };
    Ok(match take(&root.staging, root, origin, all_or_nothing)? {
        Copied::File(staged) => staged,
        Copied::Directory(tree) => tree.staged,
    })
}

/// A copy of what a path leads to, where whoever asks does not object. Links below it stay links.
pub(super) fn take(
    staging: &Arc<Staging>,
    origin: &Root,
    path: &WorkspacePath,
    mut meet: impl FnMut(Met<'_>) -> Result<()>,
) -> Result<Copied> {
    let stat = origin.look(path)?;
    if !is_directory(&stat) {
        let (file, stat) = origin.file(path)?;
        meet(Met::Member(size(&stat)))?;
        let (staged, copy) = staging.file()?;
        copy_bytes(&file, &copy, size(&stat)).at(path)?;
        fchmod(&copy, u32::from(permissions(&stat)).into()).at(path)?;
        return Ok(Copied::File(staged));
    }
    let directory = origin.directory(path.as_str()).at(path)?;
    let tree = Tree::new(staging)?;
    for found in Walk::new(&directory, true).at(path)? {
        take_member(&tree, path, &directory, &found.at(path)?, &mut meet)?;
    }
    tree.directory("".as_ref(), permissions(&stat).into()).at(path)?;
    Ok(Copied::Directory(tree))
}

fn take_member(
    tree: &Tree,
    path: &WorkspacePath,
    directory: &OwnedFd,
    found: &Found,
    meet: &mut impl FnMut(Met<'_>) -> Result<()>,
) -> Result<()> {
    match FileType::from_raw_mode(found.stat.st_mode) {
        FileType::Directory => {
            meet(Met::Member(0))?;
            tree.directory(&found.path, permissions(&found.stat).into()).at(path)
        }
        FileType::Symlink => match tree.link(&found.path, directory, &found.path) {
            // It went meanwhile, or is none any more.
            Err(errno) if is_gone(errno) || errno == Errno::INVAL => Ok(()),
            linked => linked.at(path).and_then(|()| meet(Met::Member(0))),
        },
        FileType::RegularFile => {
            let file: File = match open_straight(directory, &*found.path) {
                Ok(file) => file.into(),
                Err(errno) if is_gone(errno) => return Ok(()),
                Err(errno) => {
                    return Err(failure::of_path(&below(path, &found.shown)?, errno));
                }
            };
            let stat = fstat(&file).at(path)?;
            // Something else may have taken its name since.
            if !is_file(&stat) {
                return Ok(());
            }
            meet(Met::Member(size(&stat)))?;
            let copy = tree.file(&found.path).at(path)?;
            copy_bytes(&file, &copy, size(&stat)).at(path)?;
            tree.finish(&copy, permissions(&stat).into(), stat.st_mtime).at(path)
        }
        _ => meet(Met::Odd(&found.shown)),
    }
}

/// As many bytes as there were: a file may grow faster than it is copied.
fn copy_bytes(file: &File, copy: &File, bytes: u64) -> io::Result<()> {
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

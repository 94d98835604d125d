//! Putting a staged directory over one that may have something in it.

use std::{ffi::OsString, os::fd::OwnedFd, sync::Arc};

use rustix::{
    fs::{FileType, RenameFlags, renameat_with},
    io::Errno,
};

use super::{
    copy::below,
    failure::{self, At as _},
    journal::{Expected, Journal, Spot},
    root::{Root, is_directory, named, pin_straight},
    staging::entries,
    tree::Tree,
};
use crate::{error::Result, policy::WorkspacePath};

/// Puts everything in place, or nothing. Files replace files; whole directories go where none is.
pub(super) fn merge(root: &Root, mut tree: Tree, target: &WorkspacePath) -> Result<()> {
    let mut journal = Journal::new(root);
    let mut waiting = Vec::new();
    if target.as_str().is_empty() {
        let into = root.directory("").at(target)?;
        waiting.push((OsString::new(), Arc::new(into), target.clone()));
    } else {
        let spot = journal.make_spot(target)?;
        if journal.add((&root.staging.fd, &tree.staged.name), &spot).at(target)? {
            tree.staged.gone();
        } else {
            let into = match root.directory(target.as_str()) {
                Err(Errno::NOTDIR) => return Err(failure::exists(target)),
                into => into.at(target)?,
            };
            waiting.push((OsString::new(), Arc::new(into), target.clone()));
        }
    }
    while let Some((path, into, shown)) = waiting.pop() {
        let from = super::root::open_straight(&tree.fd, &*path).at(target)?;
        for (name, kind) in entries(&from).at(target)? {
            let shown = below(&shown, &name.to_string_lossy())?;
            let spot = Spot { parent: into.clone(), name };
            if journal.add((&from, &spot.name), &spot).at(&shown)? {
                continue;
            }
            let ours = kind == FileType::Directory;
            match named(&*into, &spot.name) {
                Ok(there) if is_directory(&there) && ours => {
                    let mut path = path.clone();
                    if !path.is_empty() {
                        path.push("/");
                    }
                    path.push(&spot.name);
                    let into = pin_straight(&*into, &*spot.name).at(&shown)?;
                    waiting.push((path, Arc::new(into), shown));
                }
                Ok(there) if is_directory(&there) || ours => return Err(failure::exists(&shown)),
                Ok(_) | Err(Errno::NOENT) => replace(&mut journal, &from, spot, &shown)?,
                Err(errno) => return Err(failure::of_path(&shown, errno)),
            }
        }
    }
    journal.finish()
}

fn replace(
    journal: &mut Journal<'_>,
    from: &OwnedFd,
    spot: Spot,
    shown: &WorkspacePath,
) -> Result<()> {
    let mut staged = journal.root.staging.name();
    let staging = &journal.root.staging.fd;
    renameat_with(from, &spot.name, staging, &staged.name, RenameFlags::NOREPLACE).at(shown)?;
    staged.filled();
    journal.put(shown, spot, staged, &Expected::Anything)
}

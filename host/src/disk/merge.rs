//! Putting a staged directory over one that may have something in it.

use std::{ffi::OsString, os::fd::OwnedFd, sync::Arc};

use rustix::{
    fs::{RenameFlags, renameat_with},
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
pub(super) fn merge(root: &Root, tree: Tree, target: &WorkspacePath) -> Result<()> {
    let mut journal = Journal::new(root);
    let into = Arc::new(journal.make_directories(target, target.as_str())?);
    let mut waiting = vec![(OsString::new(), into, target.clone())];
    while let Some((path, into, shown)) = waiting.pop() {
        let from = super::root::open_straight(&tree.fd, &*path).at(target)?;
        for (name, _) in entries(&from).at(target)? {
            let shown = below(&shown, &name.to_string_lossy())?;
            let ours = named(&from, &name).at(&shown)?;
            match named(&*into, &name) {
                Ok(there) if is_directory(&there) && is_directory(&ours) => {
                    let mut path = path.clone();
                    if !path.is_empty() {
                        path.push("/");
                    }
                    path.push(&name);
                    let into = pin_straight(&*into, &*name).at(&shown)?;
                    waiting.push((path, Arc::new(into), shown));
                    continue;
                }
                Ok(there) if is_directory(&there) || is_directory(&ours) => {
                    return Err(failure::exists(&shown));
                }
                Ok(_) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(failure::of_path(&shown, errno)),
            }
            put(&mut journal, &from, name, &into, &shown)?;
        }
    }
    journal.finish();
    Ok(())
}

fn put(
    journal: &mut Journal<'_>,
    from: &OwnedFd,
    name: OsString,
    into: &Arc<OwnedFd>,
    shown: &WorkspacePath,
) -> Result<()> {
    let mut staged = journal.root.staging.name();
    let staging = &journal.root.staging.fd;
    renameat_with(from, &name, staging, &staged.name, RenameFlags::NOREPLACE).at(shown)?;
    staged.filled();
    let spot = Spot { parent: into.clone(), name };
    journal.put(shown, spot, staged, &Expected::Anything)
}

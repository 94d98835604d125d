//! Copies from one workspace into another: read beneath the one's root, made out of sight, put in place beneath the other's.

use std::{ffi::OsStr, fs::File, os::fd::OwnedFd};

use rustix::{
    fs::{FileType, fchmod, fstat},
    io::Errno,
};

use super::{
    copy::{below, copy_bytes},
    failure::{self, At as _},
    journal::{Expected, Journal},
    merge,
    pack::{check_size, skip},
    root::{Root, is_directory, is_file, open_straight, permissions, size},
    staging::Staged,
    tree::Tree,
    walk::{Found, Walk, is_gone},
};
use crate::{
    capability::bindings::windlass::plugin::workspaces::Archived,
    error::{Result, invalid},
    policy::WorkspacePath,
};

/// What is too large, where it is.
const COPY: &str = "the copy";

/// A copy that is not in place yet.
pub(super) enum Copied {
    File(Staged),
    Directory(Tree),
}

/// Copies what a path of the other workspace leads to. Links below it stay links.
pub(super) fn take(root: &Root, origin: &Root, path: &WorkspacePath) -> Result<(Copied, Archived)> {
    let archived = Archived { entries: 0, bytes: 0, skipped: Vec::new() };
    let stat = origin.look(path)?;
    if is_directory(&stat) {
        let directory = origin.directory(path.as_str()).at(path)?;
        let tree = Tree::new(&root.staging)?;
        let mut taking = Taking { path, directory: &directory, tree: &tree, archived };
        for found in Walk::new(&directory, true).at(path)? {
            taking.member(&found.at(path)?)?;
        }
        let archived = taking.archived;
        tree.directory(OsStr::new(""), permissions(&stat).into()).at(path)?;
        return Ok((Copied::Directory(tree), archived));
    }
    let (file, stat) = origin.file(path)?;
    let archived = Archived { entries: 1, bytes: size(&stat), ..archived };
    check_size(COPY, archived.entries, archived.bytes)?;
    let (staged, copy) = root.staging.file()?;
    copy_bytes(&file, &copy, size(&stat)).at(path)?;
    fchmod(&copy, u32::from(permissions(&stat)).into()).at(path)?;
    Ok((Copied::File(staged), archived))
}

/// Puts a copy in place, all of it, or nothing. Files replace files.
pub(super) fn put(root: &Root, copied: Copied, target: &WorkspacePath) -> Result<()> {
    match copied {
        Copied::Directory(tree) => merge::merge(root, tree, target),
        Copied::File(_) if target.is_root() => {
            Err(invalid("the workspace's root is a directory; name a file for the copy of a file"))
        }
        Copied::File(staged) => {
            let mut journal = Journal::new(root);
            let spot = journal.make_spot(target)?;
            journal.put(target, spot, staged, &Expected::Anything)?;
            journal.finish();
            Ok(())
        }
    }
}

/// A directory that is being copied.
struct Taking<'a> {
    path: &'a WorkspacePath,
    directory: &'a OwnedFd,
    tree: &'a Tree,
    archived: Archived,
}

impl Taking<'_> {
    fn member(&mut self, found: &Found) -> Result<()> {
        let mode = permissions(&found.stat).into();
        match FileType::from_raw_mode(found.stat.st_mode) {
            FileType::Directory => {
                self.count(0)?;
                self.tree.directory(&found.path, mode).at(self.path)
            }
            FileType::Symlink => {
                self.count(0)?;
                match self.tree.link(&found.path, self.directory, &found.path) {
                    // It went meanwhile, or is none any more.
                    Err(errno) if is_gone(errno) || errno == Errno::INVAL => {
                        self.archived.entries -= 1;
                        Ok(())
                    }
                    linked => linked.at(self.path),
                }
            }
            FileType::RegularFile => self.file(found),
            _ => {
                skip(&mut self.archived, &found.shown, "no regular file");
                Ok(())
            }
        }
    }

    fn file(&mut self, found: &Found) -> Result<()> {
        let file: File = match open_straight(self.directory, &*found.path) {
            Ok(file) => file.into(),
            Err(errno) if is_gone(errno) => return Ok(()),
            Err(errno) => return Err(failure::of_path(&below(self.path, &found.shown)?, errno)),
        };
        let stat = fstat(&file).at(self.path)?;
        // Something else may have taken its name since.
        if !is_file(&stat) {
            return Ok(());
        }
        self.count(size(&stat))?;
        let copy = self.tree.file(&found.path).at(self.path)?;
        copy_bytes(&file, &copy, size(&stat)).at(self.path)?;
        self.tree.finish(&copy, permissions(&stat).into(), stat.st_mtime).at(self.path)
    }

    fn count(&mut self, bytes: u64) -> Result<()> {
        self.archived.entries += 1;
        self.archived.bytes = self.archived.bytes.saturating_add(bytes);
        check_size(COPY, self.archived.entries, self.archived.bytes)
    }
}

//! The files of an image, as the archive that an engine imports: the same files give the same bytes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use anyhow::{Context as _, Result};
use tar::{Builder, EntryType, Header};

pub(super) struct Layer {
    archive: Builder<Vec<u8>>,
    folders: BTreeSet<String>,
    /// Where a file of this machine lies in the image, by device and inode.
    copies: BTreeMap<(u64, u64), String>,
}

impl Default for Layer {
    fn default() -> Self {
        let archive = Builder::new(Vec::new());
        Self { archive, folders: BTreeSet::new(), copies: BTreeMap::new() }
    }
}

impl Layer {
    /// A folder, with those that lead to it.
    pub(super) fn folder(&mut self, path: &str, mode: u32) -> Result<()> {
        if path.is_empty() || !self.folders.insert(path.to_owned()) {
            return Ok(());
        }
        self.parent(path)?;
        self.entry(EntryType::Directory, path, mode, b"")
    }

    pub(super) fn file(&mut self, path: &str, mode: u32, bytes: &[u8]) -> Result<()> {
        self.parent(path)?;
        self.entry(EntryType::Regular, path, mode, bytes)
    }

    pub(super) fn link(&mut self, path: &str, target: &str) -> Result<()> {
        self.parent(path)?;
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Symlink);
        header.set_size(0);
        Ok(self.archive.append_link(&mut header, path, target)?)
    }

    /// A file of this machine in the place where it lies. One that has several names is copied once.
    pub(super) fn copy(&mut self, place: &Path) -> Result<()> {
        let context = || format!("cannot read `{}`", place.display());
        let status = fs::metadata(place).with_context(context)?;
        let path = place.to_str().context("a path is not in UTF-8")?.trim_start_matches('/');
        let file = (status.dev(), status.ino());
        match self.copies.get(&file).cloned() {
            Some(first) if first == path => Ok(()),
            Some(first) => self.link(path, &format!("/{first}")),
            None => {
                self.copies.insert(file, path.to_owned());
                let bytes = fs::read(place).with_context(context)?;
                self.file(path, status.permissions().mode() & 0o755, &bytes)
            }
        }
    }

    pub(super) fn finish(self) -> Result<Vec<u8>> {
        Ok(self.archive.into_inner()?)
    }

    fn parent(&mut self, path: &str) -> Result<()> {
        match path.rsplit_once('/') {
            Some((folder, _)) => self.folder(folder, 0o755),
            None => Ok(()),
        }
    }

    fn entry(&mut self, kind: EntryType, path: &str, mode: u32, bytes: &[u8]) -> Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(bytes.len() as u64);
        Ok(self.archive.append_data(&mut header, path, bytes)?)
    }
}

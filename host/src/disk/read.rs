//! Reading: parts of files, what is known of paths, and lists of them.

use std::{fs::File, os::unix::fs::FileExt as _};

use rustix::fs::{FileType, Stat as Raw, fstat};

use super::{
    failure::{self, At as _},
    root::{Root, is_file, open_straight, permissions, size},
    tags::of_bytes,
    walk::{Walk, is_gone},
};
use crate::{
    capability::bindings::windlass::plugin::workspaces::{Kind, Page, Part, Stat},
    error::{Result, invalid, limit},
    policy::{ListPaths, ReadPart, WorkspacePath},
};

/// What a plugin takes at once without running out of memory.
pub(super) const LARGEST_PART: u64 = 16 << 20;

/// Part of a file, with the tag of all of it.
pub(super) fn read(root: &Root, part: &ReadPart) -> Result<Part> {
    let (file, raw) = root.file(&part.path)?;
    let rest = size(&raw).saturating_sub(part.offset);
    let most = match part.most {
        Some(most) => rest.min(most.into()).min(LARGEST_PART),
        None if rest > LARGEST_PART => {
            return Err(limit(format!(
                "`{}` has {rest} bytes from there on, more than the {LARGEST_PART} that are read at once; read it in parts",
                part.path
            )));
        }
        None => rest,
    };
    let data = read_at(&file, part.offset, most).at(&part.path)?;
    let whole = part.offset == 0 && data.len() as u64 >= size(&raw);
    // What was read has the tag of what was read, whoever writes meanwhile.
    let etag = if whole { of_bytes(&data) } else { root.tags.of(&file, &raw).at(&part.path)? };
    let stat = known(part.path.as_str().to_owned(), &raw, Some(etag));
    Ok(Part { data, stat })
}

/// What is known of a path. A link is what it leads to.
pub(super) fn stat(root: &Root, path: &WorkspacePath) -> Result<Stat> {
    let raw = root.look(path)?;
    if !is_file(&raw) {
        return Ok(known(path.as_str().to_owned(), &raw, None));
    }
    let (file, raw) = root.file(path)?;
    let etag = root.tags.of(&file, &raw).at(path)?;
    Ok(known(path.as_str().to_owned(), &raw, Some(etag)))
}

/// Some of the paths below a directory. A link is a link.
pub(super) fn list(root: &Root, list: &ListPaths) -> Result<Page> {
    let directory = root.directory(list.path.as_str()).at(&list.path)?;
    let below = match list.path.as_str() {
        "" => String::new(),
        path => format!("{path}/"),
    };
    let after = match list.after.as_str() {
        "" => "",
        after => after.strip_prefix(&below).ok_or_else(|| {
            invalid(format!("`after` is `{after}`, which is no path below `{}`", list.path))
        })?,
    };
    let most = list.limit as usize;
    let mut entries: Vec<Stat> = Vec::new();
    let mut next = None;
    for found in Walk::resume(&directory, list.recursive, after).at(&list.path)? {
        let found = found.at(&list.path)?;
        if entries.len() == most {
            next = entries.last().map(|last| last.path.clone());
            break;
        }
        let mut raw = found.stat;
        let mut etag = None;
        if is_file(&raw) {
            let file: File = match open_straight(&directory, &*found.path) {
                Ok(file) => file.into(),
                Err(errno) if is_gone(errno) => continue,
                Err(errno) => return Err(failure::of_path(&list.path, errno)),
            };
            raw = fstat(&file).at(&list.path)?;
            if is_file(&raw) {
                etag = Some(root.tags.of(&file, &raw).at(&list.path)?);
            }
        }
        entries.push(known(format!("{below}{}", found.shown), &raw, etag));
    }
    Ok(Page { entries, next })
}

/// What the contract says of what the kernel says.
pub(super) fn known(path: String, raw: &Raw, etag: Option<String>) -> Stat {
    let kind = match FileType::from_raw_mode(raw.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    };
    let seconds = u64::try_from(raw.st_mtime).unwrap_or_default();
    let modified = seconds.saturating_mul(1000).saturating_add(raw.st_mtime_nsec / 1_000_000);
    Stat { path, kind, size: size(raw), mode: permissions(raw), modified, etag }
}

fn read_at(file: &File, offset: u64, most: u64) -> std::io::Result<Vec<u8>> {
    let mut data = vec![0; usize::try_from(most).unwrap_or_default()];
    let mut filled = 0;
    while let Some(rest) = data.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    data.truncate(filled);
    Ok(data)
}

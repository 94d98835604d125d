//! Everything below a directory, in the order of its paths, over no link.
//!
//! Each entry is looked up anew beneath the directory: however deep it lies, no descriptor stays open.

use std::{
    ffi::{OsStr, OsString},
    os::fd::OwnedFd,
    vec,
};

use rustix::{fs::Stat, io::Errno};

use super::{
    root::{is_directory, look_straight, open_straight},
    staging::entries,
};

pub(super) struct Walk<'a> {
    base: &'a OwnedFd,
    recursive: bool,
    levels: Vec<Level>,
    /// The names on the way to where an earlier walk ended.
    after: Vec<String>,
}

/// Something below the directory.
pub(super) struct Found {
    /// From the directory on.
    pub(super) path: OsString,
    /// The same, with a mark for what is no text.
    pub(super) shown: String,
    pub(super) stat: Stat,
}

struct Level {
    path: OsString,
    shown: String,
    names: vec::IntoIter<(String, OsString)>,
    /// Whether the earlier walk ended somewhere below.
    resumes: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(base: &'a OwnedFd, recursive: bool) -> rustix::io::Result<Self> {
        Self::resume(base, recursive, "")
    }

    /// Goes on after a path that an earlier walk found.
    pub(super) fn resume(
        base: &'a OwnedFd,
        recursive: bool,
        after: &str,
    ) -> rustix::io::Result<Self> {
        let after = after.split('/').filter(|it| !it.is_empty()).map(str::to_owned).collect();
        let mut walk = Self { base, recursive, levels: Vec::new(), after };
        let resumes = !walk.after.is_empty();
        let level = walk.level(OsString::new(), String::new(), resumes)?;
        walk.levels.push(level);
        Ok(walk)
    }

    /// Leaves out what is below what was found last.
    pub(super) fn leave_out(&mut self, found: &Found) {
        self.levels.pop_if(|level| level.path == found.path);
    }

    fn level(&self, path: OsString, shown: String, resumes: bool) -> rustix::io::Result<Level> {
        let directory = open_straight(self.base, &*path)?;
        let start = self.after.get(self.levels.len()).filter(|_| resumes);
        let name = |(name, _): (OsString, _)| (name.to_string_lossy().into_owned(), name);
        let mut names: Vec<_> = entries(&directory)?.into_iter().map(name).collect();
        names.retain(|(shown, _)| start.is_none_or(|start| shown >= start));
        names.sort_unstable();
        Ok(Level { path, shown, names: names.into_iter(), resumes: start.is_some() })
    }
}

impl Iterator for Walk<'_> {
    type Item = rustix::io::Result<Found>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let depth = self.levels.len().checked_sub(1)?;
            let level = self.levels.last_mut()?;
            let Some((shown, name)) = level.names.next() else {
                self.levels.pop();
                continue;
            };
            let known = level.resumes && self.after.get(depth) == Some(&shown);
            let path = join(&level.path, &name);
            let shown =
                if level.shown.is_empty() { shown } else { format!("{}/{shown}", level.shown) };
            let stat = match look_straight(self.base, &*path) {
                Ok(stat) => stat,
                Err(errno) if is_gone(errno) => continue,
                Err(errno) => return Some(Err(errno)),
            };
            if self.recursive && is_directory(&stat) {
                match self.level(path.clone(), shown.clone(), known) {
                    Ok(level) => self.levels.push(level),
                    Err(errno) if is_gone(errno) => continue,
                    Err(errno) => return Some(Err(errno)),
                }
            }
            if !known {
                return Some(Ok(Found { path, shown, stat }));
            }
        }
    }
}

/// Whether it went, or became something else, since its name was read.
pub(super) fn is_gone(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::XDEV | Errno::NXIO)
}

fn join(above: &OsStr, name: &OsStr) -> OsString {
    if above.is_empty() {
        return name.to_owned();
    }
    let mut path = OsString::with_capacity(above.len() + 1 + name.len());
    path.push(above);
    path.push("/");
    path.push(name);
    path
}

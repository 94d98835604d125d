//! What a change did so far. Dropped before it is finished, it undoes all of it, the latest first.

use std::{
    ffi::{OsStr, OsString},
    os::fd::OwnedFd,
    sync::Arc,
};

use rustix::{
    fs::{RenameFlags, Stat, renameat_with},
    io::Errno,
};

use super::{
    failure::{self, At as _},
    root::{Root, is_directory, is_file, named, open_straight},
    staging::Staged,
    tags::State,
    tree::Tree,
    usage::{LEAST, size_of},
};
use crate::{
    error::{Result, invalid},
    policy::WorkspacePath,
};

/// How often a name is tried again that others make and remove meanwhile.
const TRIES: u32 = 100;

pub(super) struct Journal<'a> {
    pub(super) root: &'a Root,
    done: Vec<Done>,
}

/// A name in a directory that stays the same, wherever paths lead by then.
#[derive(Clone)]
pub(super) struct Spot {
    pub(super) parent: Arc<OwnedFd>,
    pub(super) name: OsString,
}

/// What has to be at a spot for it to be changed.
pub(super) enum Expected {
    Anything,
    Nothing,
    This(Seen),
}

/// A file that was looked at.
pub(super) struct Seen {
    device: u64,
    number: u64,
    state: State,
}

enum Done {
    Added(Spot),
    /// Directories above what is added.
    MadeAbove(Spot),
    Exchanged(Spot, Staged),
    Taken(Spot, Staged),
    Moved {
        from: Spot,
        to: Spot,
        flags: RenameFlags,
    },
}

impl<'a> Journal<'a> {
    pub(super) fn new(root: &'a Root) -> Self {
        Self { root, done: Vec::new() }
    }

    /// All of it stays, unless it is more than there is room for. What was displaced is deleted.
    pub(super) fn finish(mut self) -> Result<()> {
        if let Some((workspace, room)) = &self.root.room {
            room.settle(workspace, self.added())?;
        }
        self.done.clear();
        Ok(())
    }

    /// How much more there is than before.
    fn added(&self) -> i64 {
        let staging = &self.root.staging.fd;
        let is = |it: &Spot| size_of(&*it.parent, &*it.name).cast_signed();
        let was = |it: &Staged| size_of(staging, &*it.name).cast_signed();
        let added = self.done.iter().map(|done| match done {
            Done::Added(spot) => is(spot),
            Done::MadeAbove(_) => LEAST.cast_signed(),
            Done::Exchanged(spot, staged) => is(spot) - was(staged),
            Done::Taken(_, staged) => -was(staged),
            Done::Moved { .. } => 0,
        });
        added.sum()
    }

    /// Where something is to be put. Directories above it are made.
    pub(super) fn make_spot(&mut self, path: &WorkspacePath) -> Result<Spot> {
        let (above, name) = split(path.as_str());
        let parent = self.make_directories(path, above)?;
        Ok(Spot { parent: parent.into(), name: name.into() })
    }

    /// A directory, made with those above it where it is not there.
    pub(super) fn make_directories(
        &mut self,
        asked: &WorkspacePath,
        path: &str,
    ) -> Result<OwnedFd> {
        for _ in 0..TRIES {
            let mut missing = Vec::new();
            let mut known = path;
            let parent = loop {
                match self.root.directory(known) {
                    Ok(parent) if missing.is_empty() => return Ok(parent),
                    Ok(parent) => break parent,
                    Err(Errno::NOENT) if !known.is_empty() => {
                        let (above, name) = split(known);
                        missing.push(name);
                        known = above;
                    }
                    Err(errno) => return Err(failure::of_path(asked, errno)),
                }
            };
            self.make_chain(asked, parent, missing)?;
        }
        // A link that leads nowhere is there, and is no directory.
        Err(failure::not_found(asked))
    }

    /// Makes directories in one another, the last first, unless the last is there by then.
    fn make_chain(
        &mut self,
        asked: &WorkspacePath,
        parent: OwnedFd,
        mut names: Vec<&str>,
    ) -> Result<()> {
        let Some(first) = names.pop() else { return Ok(()) };
        let mut tree = Tree::new(&self.root.staging)?;
        let mut path = String::new();
        for name in names.into_iter().rev() {
            path += name;
            tree.directory(path.as_ref(), 0o755).at(asked)?;
            path += "/";
        }
        let spot = Spot { parent: parent.into(), name: first.into() };
        let made = (&self.root.staging.fd, &*tree.staged.name);
        if self.place(made, &spot, Done::MadeAbove).at(asked)? {
            tree.staged.gone();
        }
        Ok(())
    }

    /// Puts something where nothing is. Says whether it did.
    pub(super) fn add(
        &mut self,
        from: (&OwnedFd, &OsStr),
        spot: &Spot,
    ) -> rustix::io::Result<bool> {
        self.place(from, spot, Done::Added)
    }

    fn place(
        &mut self,
        (directory, name): (&OwnedFd, &OsStr),
        spot: &Spot,
        done: fn(Spot) -> Done,
    ) -> rustix::io::Result<bool> {
        let flags = RenameFlags::NOREPLACE;
        match renameat_with(directory, name, &*spot.parent, &spot.name, flags) {
            Ok(()) => {
                self.done.push(done(spot.clone()));
                Ok(true)
            }
            Err(Errno::EXIST) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    /// What is at a spot, where that is what was expected.
    pub(super) fn check(
        &self,
        path: &WorkspacePath,
        spot: &Spot,
        if_match: Option<&str>,
    ) -> Result<(Option<Stat>, Expected)> {
        let stat = match named(&*spot.parent, &spot.name) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => {
                return match if_match {
                    None => Ok((None, Expected::Anything)),
                    Some("") => Ok((None, Expected::Nothing)),
                    Some(tag) => Err(failure::changed(path, tag, "")),
                };
            }
            Err(errno) => return Err(failure::of_path(path, errno)),
        };
        let Some(expected) = if_match else { return Ok((Some(stat), Expected::Anything)) };
        if !is_file(&stat) {
            return Err(failure::changed(path, expected, ""));
        }
        let file = open_straight(&*spot.parent, &*spot.name).at(path)?.into();
        let stat = rustix::fs::fstat(&file).at(path)?;
        let tag = self.root.tags.of(&file, &stat).at(path)?;
        if tag != expected {
            return Err(failure::changed(path, expected, &tag));
        }
        let seen = Seen { device: stat.st_dev, number: stat.st_ino, state: State::of(&stat) };
        Ok((Some(stat), Expected::This(seen)))
    }

    /// Puts what is staged in place, and takes a file that is there out of it.
    pub(super) fn put(
        &mut self,
        path: &WorkspacePath,
        spot: Spot,
        mut staged: Staged,
        expected: &Expected,
    ) -> Result<()> {
        let staging = &self.root.staging.fd;
        for _ in 0..TRIES {
            let there = match named(&*spot.parent, &spot.name) {
                Ok(there) => Some(there),
                Err(Errno::NOENT) => None,
                Err(errno) => return Err(failure::of_path(path, errno)),
            };
            let flags = match (&there, expected) {
                (Some(_), Expected::Nothing) => return Err(failure::changed(path, "", "?")),
                (Some(there), _) if is_directory(there) => {
                    return Err(failure::of_path(path, Errno::ISDIR));
                }
                (None, Expected::This(_)) => return Err(failure::restless(path)),
                (Some(_), _) => RenameFlags::EXCHANGE,
                (None, _) => RenameFlags::NOREPLACE,
            };
            match renameat_with(staging, &staged.name, &*spot.parent, &spot.name, flags) {
                Ok(()) if there.is_none() => {
                    staged.gone();
                    self.done.push(Done::Added(spot));
                    return Ok(());
                }
                Ok(()) => {
                    let displaced = named(staging, &staged.name).at(path)?;
                    let fits = expected.is(&displaced) && !is_directory(&displaced);
                    self.done.push(Done::Exchanged(spot, staged));
                    // What is not as it was expected is undone with everything else.
                    return if fits { Ok(()) } else { Err(failure::restless(path)) };
                }
                Err(Errno::NOENT | Errno::EXIST) => {}
                Err(errno) => return Err(failure::of_path(path, errno)),
            }
        }
        Err(failure::restless(path))
    }

    /// Takes something out of its place.
    pub(super) fn take(
        &mut self,
        path: &WorkspacePath,
        spot: Spot,
        expected: &Expected,
    ) -> Result<()> {
        let mut staged = self.root.staging.name();
        let staging = &self.root.staging.fd;
        let flags = RenameFlags::NOREPLACE;
        renameat_with(&*spot.parent, &spot.name, staging, &staged.name, flags).at(path)?;
        staged.filled();
        let taken = named(staging, &staged.name).at(path)?;
        self.done.push(Done::Taken(spot, staged));
        if expected.is(&taken) { Ok(()) } else { Err(failure::restless(path)) }
    }

    /// Moves something to where nothing is, or a file that it replaces.
    pub(super) fn rename(
        &mut self,
        paths: (&WorkspacePath, &WorkspacePath),
        from: Spot,
        to: Spot,
        replace: bool,
    ) -> Result<()> {
        let (origin, target) = paths;
        let there = match named(&*to.parent, &to.name) {
            Ok(_) if !replace => return Err(failure::exists(target)),
            Ok(stat) if is_directory(&stat) => return Err(failure::of_path(target, Errno::ISDIR)),
            Ok(_) => true,
            Err(Errno::NOENT) => false,
            Err(errno) => return Err(failure::of_path(target, errno)),
        };
        let flags = if there { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
        match renameat_with(&*from.parent, &from.name, &*to.parent, &to.name, flags) {
            Ok(()) => {}
            Err(Errno::INVAL) => {
                return Err(invalid(format!(
                    "`{target}` lies in `{origin}`, which cannot move into itself"
                )));
            }
            Err(Errno::EXIST) => return Err(failure::exists(target)),
            Err(errno) => return Err(failure::of_path(origin, errno)),
        }
        let displaced = there.then(|| from.clone());
        self.done.push(Done::Moved { from, to, flags });
        match displaced {
            Some(spot) => self.take(target, spot, &Expected::Anything),
            None => Ok(()),
        }
    }

    fn undo(&self, done: Done) -> rustix::io::Result<()> {
        let staging = &self.root.staging.fd;
        let (keep, swap) = (RenameFlags::NOREPLACE, RenameFlags::EXCHANGE);
        match done {
            Done::Added(Spot { parent, name }) | Done::MadeAbove(Spot { parent, name }) => {
                let mut staged = self.root.staging.name();
                renameat_with(&*parent, &name, staging, &staged.name, keep)?;
                staged.filled();
                Ok(())
            }
            Done::Exchanged(Spot { parent, name }, mut staged) => {
                match renameat_with(staging, &staged.name, &*parent, &name, swap) {
                    Err(Errno::NOENT) => {
                        renameat_with(staging, &staged.name, &*parent, &name, keep)?;
                        staged.gone();
                        Ok(())
                    }
                    exchanged => exchanged,
                }
            }
            Done::Taken(Spot { parent, name }, mut staged) => {
                renameat_with(staging, &staged.name, &*parent, &name, keep)?;
                staged.gone();
                Ok(())
            }
            Done::Moved { from, to, flags } => {
                renameat_with(&*to.parent, &to.name, &*from.parent, &from.name, flags)
            }
        }
    }
}

impl Drop for Journal<'_> {
    fn drop(&mut self) {
        while let Some(done) = self.done.pop() {
            // A container that takes away what is being put back gets what it asked for.
            if let Err(error) = self.undo(done) {
                tracing::warn!("a change of a workspace was not undone in full: {error}");
            }
        }
    }
}

impl Spot {
    /// Where something is.
    pub(super) fn of(root: &Root, path: &WorkspacePath) -> Result<Self> {
        let (above, name) = split(path.as_str());
        Ok(Self { parent: root.directory(above).at(path)?.into(), name: name.into() })
    }
}

impl Expected {
    fn is(&self, found: &Stat) -> bool {
        match self {
            Self::Anything => true,
            Self::Nothing => false,
            Self::This(seen) => {
                let same = (seen.device, seen.number) == (found.st_dev, found.st_ino);
                same && seen.state.holds_same(&State::of(found))
            }
        }
    }
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

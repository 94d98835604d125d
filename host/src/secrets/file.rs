//! A secret in a file: when it is read again.
//!
//! Whoever rotates a secret writes another file in its place, or into it, while the host runs. It is looked at before
//! each use, and read where it may hold something else.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};

use super::trimmed;
use crate::time::now;

/// A file that changed so recently can change again without looking any different: no clock of files ticks slower.
const SETTLED_MS: i64 = 2000;

/// A secret's file, as it was when it was read last.
pub(super) struct File {
    name: String,
    /// How the configuration names it.
    key: String,
    path: PathBuf,
    /// None: it is to be read again whatever it looks like.
    mark: Option<Mark>,
    /// Whether it has been said that it cannot be read.
    told: bool,
}

/// What tells a file from what it was before.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Mark {
    device: u64,
    number: u64,
    size: u64,
    changed: (i64, i64),
}

impl File {
    pub(super) fn new(name: &str, key: String, path: &Path) -> Self {
        Self { name: name.to_owned(), key, path: path.to_owned(), mark: None, told: false }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Reads it for the first time. What is no regular file, such as a pipe, can be read only then.
    pub(super) fn read(mut self) -> anyhow::Result<(String, Option<Self>)> {
        let seen = self.see()?;
        let value = self.read_seen(&seen)?;
        Ok((value, seen.is_file().then_some(self)))
    }

    /// What it holds, where that may be something else than before. That it cannot be read is told once, until it can.
    pub(super) fn changed(&mut self) -> Option<String> {
        match self.read_where_changed() {
            Ok(value) => {
                self.told = false;
                value
            }
            Err(error) => {
                if !self.told {
                    tracing::warn!("{}: {error:#}; the value from before stays", self.key);
                }
                self.told = true;
                None
            }
        }
    }

    pub(super) fn tell_of_change(&self) {
        tracing::info!("{}: its file holds another value, which counts from here on", self.key);
    }

    fn read_where_changed(&mut self) -> anyhow::Result<Option<String>> {
        let seen = self.see()?;
        if self.mark == Some(Mark::of(&seen)) {
            return Ok(None);
        }
        // To open a pipe could wait for ever.
        ensure!(seen.is_file(), "`{}` is no file any more", self.path.display());
        self.read_seen(&seen).map(Some)
    }

    fn see(&self) -> anyhow::Result<Metadata> {
        fs::metadata(&self.path).with_context(|| self.cannot_read())
    }

    fn read_seen(&mut self, seen: &Metadata) -> anyhow::Result<String> {
        self.mark = None;
        let text = fs::read_to_string(&self.path).with_context(|| self.cannot_read())?;
        let value = trimmed(&text)?;
        self.mark = Mark::of(seen).settled(now());
        Ok(value)
    }

    fn cannot_read(&self) -> String {
        format!("cannot read `{}`", self.path.display())
    }
}

impl Mark {
    fn of(seen: &Metadata) -> Self {
        Self {
            device: seen.dev(),
            number: seen.ino(),
            size: seen.size(),
            changed: (seen.ctime(), seen.ctime_nsec()),
        }
    }

    /// None where what is written next could leave the same mark.
    fn settled(self, now: u64) -> Option<Self> {
        let (seconds, nanoseconds) = self.changed;
        let changed = seconds.saturating_mul(1000).saturating_add(nanoseconds / 1_000_000);
        let age = i64::try_from(now).unwrap_or(i64::MAX).saturating_sub(changed);
        (age > SETTLED_MS).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn a_pipe_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let writer = thread::spawn({
            let path = path.clone();
            move || fs::write(path, "hunter2\n").unwrap()
        });
        let (value, file) = File::new("token", String::new(), &path).read().unwrap();
        writer.join().unwrap();
        assert_eq!(value, "hunter2");
        assert!(file.is_none());
    }

    #[test]
    fn only_a_file_that_rested_is_trusted_to_be_the_same() {
        let mark = Mark { device: 1, number: 2, size: 3, changed: (100, 500_000_000) };
        for (now, settled) in [(0, false), (100_500, false), (102_500, false), (102_501, true)] {
            assert_eq!(mark.settled(now).is_some(), settled, "{now}");
        }
    }
}

//! Tags: what a file holds, as sixty-four hexadecimal digits.
//!
//! A file is read for its tag once, as long as the disk says that it is the same. One that changed a moment
//! ago is not remembered: it may change again within the same tick of the disk's clock.

use std::{
    collections::HashMap,
    fs::File,
    os::unix::fs::FileExt as _,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use rustix::fs::{Stat, fstat};

use super::root::size;

/// How long a file must have been left alone. Disks with the coarsest clock count in steps of two seconds.
const SETTLED_NS: i128 = 2_100_000_000;
/// About 10 MB of memory. Then it starts anew.
const MOST_REMEMBERED: usize = 1 << 16;
/// How much of a file is read at once: little enough to stay in the processor's cache.
const CHUNK: usize = 128 << 10;
/// How often a file that changes is read again before its tag is that of a moment.
const TRIES: u32 = 3;

#[derive(Default)]
pub(super) struct Tags(Mutex<HashMap<(u64, u64), (State, Tag)>>);

/// What changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    size: u64,
    modified_ns: i128,
    changed_ns: i128,
}

type Tag = blake3::Hash;

impl Tags {
    /// The tag of an open file.
    pub(super) fn of(&self, file: &File, stat: &Stat) -> std::io::Result<String> {
        self.of_at(file, stat, now_ns())
    }

    /// The same where it is `now`, in nanoseconds since 1970.
    pub(super) fn of_at(&self, file: &File, stat: &Stat, now: i128) -> std::io::Result<String> {
        let key = (stat.st_dev, stat.st_ino);
        let mut state = State::of(stat);
        if let Some((known, tag)) = self.known().get(&key)
            && *known == state
        {
            return Ok(tag.to_hex().to_string());
        }
        let mut tries = 0;
        loop {
            let tag = read(file, state.size)?;
            let after = State::of(&fstat(file)?);
            tries += 1;
            if after == state {
                if now - state.modified_ns.max(state.changed_ns) > SETTLED_NS {
                    self.remember(key, state, tag);
                }
                return Ok(tag.to_hex().to_string());
            }
            if tries == TRIES {
                return Ok(tag.to_hex().to_string());
            }
            state = after;
        }
    }

    fn remember(&self, key: (u64, u64), state: State, tag: Tag) {
        let mut known = self.known();
        if known.len() >= MOST_REMEMBERED {
            known.clear();
        }
        known.insert(key, (state, tag));
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.known().len()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<(u64, u64), (State, Tag)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(super) fn of(stat: &Stat) -> Self {
        let ns = |seconds: i64, ns: u64| i128::from(seconds) * 1_000_000_000 + i128::from(ns);
        Self {
            size: size(stat),
            modified_ns: ns(stat.st_mtime, stat.st_mtime_nsec),
            changed_ns: ns(stat.st_ctime, stat.st_ctime_nsec),
        }
    }

    /// Whether both hold the same, however often they were renamed.
    pub(super) fn holds_same(&self, other: &Self) -> bool {
        self.size == other.size && self.modified_ns == other.modified_ns
    }
}

/// The tag of bytes.
pub(super) fn of_bytes(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// Reads no more than what was there at the start: a file may grow faster than it is read.
fn read(file: &File, most: u64) -> std::io::Result<Tag> {
    let mut hasher = blake3::Hasher::new();
    let mut chunk = vec![0; CHUNK.min(usize::try_from(most).unwrap_or(CHUNK).max(1))];
    let mut offset = 0;
    while offset < most {
        let read = match file.read_at(&mut chunk, offset) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(chunk.get(..read).unwrap_or_default());
        offset += read as u64;
    }
    Ok(hasher.finalize())
}

fn now_ns() -> i128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i128::try_from(since.as_nanos()).unwrap_or_default()
}

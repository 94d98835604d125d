//! The log of one job: two files of bounded size, of which the older one goes when the newer is full.
//!
//! Reading its end costs as much as is read, however long the job has run.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::time::{iso, now};

/// What only the owner may read.
const PRIVATE: u32 = 0o600;
/// A longer line is cut.
const LONGEST_LINE: usize = 16 << 10;

pub(super) struct Log {
    newer: PathBuf,
    older: PathBuf,
    /// The most that one of the two files holds.
    most: u64,
    open: Mutex<Option<(File, u64)>>,
}

impl Log {
    /// Nothing is made before the first line.
    pub(super) fn of(folder: &Path, id: &str, most: u64) -> Self {
        let [newer, older] = files(folder, id);
        Self { newer, older, most: most / 2, open: Mutex::default() }
    }

    /// Adds a line. A log that cannot be written stops no job.
    pub(super) fn write(&self, level: &str, message: &str) {
        let end = (0..=LONGEST_LINE.min(message.len())).rev();
        let end = end.into_iter().find(|&end| message.is_char_boundary(end)).unwrap_or_default();
        let message = message.get(..end).unwrap_or_default().replace('\n', "\n    ");
        let line = format!("{} {level} {message}\n", iso(now()));
        if let Err(error) = self.append(line.as_bytes()) {
            tracing::debug!(%error, "a job's log cannot be written");
        }
    }

    fn append(&self, line: &[u8]) -> io::Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let length = line.len() as u64;
        let full = |(_, size): &(File, u64)| *size > 0 && size + length > self.most;
        if open.as_ref().is_some_and(full) {
            *open = None;
            fs::rename(&self.newer, &self.older)?;
        }
        if open.is_none() {
            let mut options = OpenOptions::new();
            let file = options.append(true).create(true).mode(PRIVATE).open(&self.newer)?;
            let size = file.metadata()?.len();
            *open = Some((file, size));
        }
        let Some((file, size)) = open.as_mut() else { return Ok(()) };
        file.write_all(line)?;
        *size += length;
        Ok(())
    }

    /// Up to so many bytes of its end, from the beginning of a line on.
    pub(super) fn tail(&self, most: u64) -> io::Result<String> {
        let mut bytes = end_of(&self.newer, most)?;
        let left = most.saturating_sub(bytes.len() as u64);
        if left > 0 {
            let mut before = end_of(&self.older, left)?;
            before.append(&mut bytes);
            bytes = before;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        // What was cut in the middle of a line begins with the next one.
        let cut = bytes.len() as u64 == most;
        let first = if cut { text.find('\n').map_or(0, |end| end + 1) } else { 0 };
        Ok(text.get(first..).unwrap_or_default().to_owned())
    }

    /// Closes the file: a job that has ended writes no more.
    pub(super) fn close(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Removes the log of a job that is forgotten.
pub(super) fn remove(folder: &Path, id: &str) {
    for file in files(folder, id) {
        // Most have only one, and some none.
        let _ = fs::remove_file(file);
    }
}

fn files(folder: &Path, id: &str) -> [PathBuf; 2] {
    [folder.join(format!("{id}.log")), folder.join(format!("{id}.log.1"))]
}

fn end_of(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(most)))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

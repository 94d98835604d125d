//! The chain of the record: each row carries a hash of itself and of all before it.

use std::{fmt, fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path, str::FromStr};

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Place;
use crate::{
    database::{Link, Mark, TrailReader, Walked},
    plugin::hex,
};

/// A row and the hash that stands for it and all before it, as people note it down: `12:ab…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    pub seq: i64,
    pub hash: String,
}

/// Where the record begins and ends, as it is kept apart from it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Head {
    #[serde(with = "text")]
    pub start: Point,
    #[serde(with = "text")]
    pub end: Point,
}

/// What verifying came to.
#[derive(Debug, Serialize)]
pub struct Verified {
    pub rows: u64,
    /// What the first row goes on from, and the last one.
    pub head: Head,
}

/// The head is written over: a file that is longer than it would keep the end of an earlier one.
const HEAD_BYTES: usize = 512;

impl Head {
    /// None: nobody has kept one yet.
    pub fn read(place: &Place) -> anyhow::Result<Option<Self>> {
        let file = &place.head;
        let reading = || format!("cannot read the head of the record, `{}`", file.display());
        match fs::read(file) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).with_context(reading)?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(reading),
        }
    }

    /// Opens the file that heads are written to.
    pub fn open(file: &Path) -> std::io::Result<fs::File> {
        fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(file)
    }

    /// In one piece, so that whoever reads meanwhile has the one or the other.
    pub fn write(&self, mut file: &fs::File) -> anyhow::Result<()> {
        use std::io::Seek as _;
        let text = serde_json::to_string(self)?;
        file.rewind()?;
        Ok(file.write_all(format!("{text:<HEAD_BYTES$}\n").as_bytes())?)
    }
}

/// The hash of a row that comes after another.
pub(super) fn hash(before: &[u8], seq: i64, time: i64, mark: &Mark, body: &str) -> Vec<u8> {
    let mut digest = Sha256::new();
    digest.update(before);
    digest.update(seq.to_be_bytes());
    digest.update(time.to_be_bytes());
    for text in [&*mark.kind, &*mark.caller, &*mark.tool, &*mark.status, body] {
        // So that no text can pass for the end of one and the beginning of the next.
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text.as_bytes());
    }
    digest.finalize().to_vec()
}

/// Fails at the first row that is not what it was, and says which. `noted`: a point that somebody wrote down.
pub fn verify(place: &Place, noted: Option<&Point>) -> anyhow::Result<Verified> {
    // Before the rows: they may be ahead of the head, and never behind.
    let kept = Head::read(place)?;
    let reader = TrailReader::open(&place.trail)?;
    reader.hold()?;
    let start = reader.start()?;
    if let Some(kept) = &kept {
        check_start(&kept.start, &start)?;
    }
    let mut chain = Chain { last: start.clone(), rows: 0 };
    let mut wanted: Vec<_> = kept.iter().map(|it| &it.end).chain(noted).collect();
    wanted.retain(|point| **point != Point::of(&start));
    reader.walk(|row| {
        chain.add(&row)?;
        if let Some(at) = wanted.iter().position(|point| point.seq == row.seq) {
            ensure!(
                wanted.swap_remove(at).hash == hex(row.hash),
                "row {} is another one than it was when its hash was kept: the record was written anew",
                row.seq
            );
            wanted.retain(|point| point.seq != row.seq);
        }
        Ok(true)
    })?;
    if let Some(point) = wanted.first() {
        let (last, seq) = (chain.last.seq, point.seq);
        ensure!(
            seq > last,
            "row {seq}, whose hash was kept, is in the part that was taken away; verify its archive"
        );
        bail!("the record ends at row {last}, and it had a row {seq}: rows are missing at its end");
    }
    let head = Head { start: Point::of(&start), end: Point::of(&chain.last) };
    Ok(Verified { rows: chain.rows, head })
}

/// Whether the record is another one than when its head was kept, and how. Looks at its ends alone.
pub(super) fn differs(kept: &Head, reader: &TrailReader) -> anyhow::Result<Option<String>> {
    let (start, end) = (reader.start()?, reader.end()?);
    if let Err(error) = check_start(&kept.start, &start) {
        return Ok(Some(format!("{error:#}")));
    }
    let seq = kept.end.seq;
    let at = if seq == start.seq { Some(start) } else { reader.at(seq)? };
    Ok(match at {
        Some(link) if Point::of(&link) == kept.end => None,
        Some(_) => Some(format!("row {seq} is another one than it was: it was written anew")),
        None => Some(format!("it had a row {seq}, and ends at row {}: rows are missing", end.seq)),
    })
}

/// Rows are taken away from the oldest on, and then the head says so.
fn check_start(kept: &Point, start: &Link) -> anyhow::Result<()> {
    ensure!(
        *kept == Point::of(start),
        "the record begins after row {}, and should after row {}: rows are missing at its beginning",
        start.seq,
        kept.seq
    );
    Ok(())
}

/// A chain as it is walked along.
pub(super) struct Chain {
    pub(super) last: Link,
    pub(super) rows: u64,
}

impl Chain {
    /// Fails where the row is not the next one.
    pub(super) fn add(&mut self, row: &Walked<'_>) -> anyhow::Result<()> {
        let Walked { seq, time, mark, body, hash: told } = *row;
        let last = &mut self.last;
        ensure!(seq == last.seq + 1, "between row {} and row {seq} rows are missing", last.seq);
        let right = hash(&last.hash, seq, time, mark, body);
        ensure!(right == told, "row {seq} was changed, or one before it");
        *last = Link { seq, hash: right };
        self.rows += 1;
        Ok(())
    }
}

impl Point {
    pub fn of(link: &Link) -> Self {
        Self { seq: link.seq, hash: hex(&link.hash) }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.seq, self.hash)
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.trim().split_once(':').and_then(|(seq, hash)| {
            let is_hash = hash.len() == 64 && hash.bytes().all(|it| it.is_ascii_hexdigit());
            Some(Self { seq: seq.parse().ok()?, hash: is_hash.then(|| hash.to_lowercase())? })
        });
        parts.ok_or_else(|| {
            format!("`{text}` is no point of the record; `windlass audit head` prints such ones")
        })
    }
}

mod text {
    //! A point as one text.
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use super::Point;

    pub(super) fn serialize<S: Serializer>(point: &Point, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(point)
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Point, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

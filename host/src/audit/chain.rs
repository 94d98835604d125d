//! The chain of the record: each row carries a hash of itself and of all before it.

use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{
    database::{Link, TrailReader, TrailRow},
    private,
};

/// The end of the chain, as it is kept apart from it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Head {
    pub seq: i64,
    pub hash: String,
}

/// What verifying came to.
#[derive(Debug, Serialize)]
pub struct Verified {
    pub rows: u64,
    /// The first row that is there.
    pub first: i64,
    pub head: Head,
}

impl Head {
    pub fn of(link: &Link) -> Self {
        Self { seq: link.seq, hash: hex(&link.hash) }
    }

    /// None: nobody has kept one yet.
    pub fn read(file: &Path) -> anyhow::Result<Option<Self>> {
        let reading = || format!("cannot read the head of the record, `{}`", file.display());
        match std::fs::read(file) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).with_context(reading)?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(reading),
        }
    }

    pub fn write(&self, file: &Path) -> anyhow::Result<()> {
        private::write_whole(file, serde_json::to_string(self)?.as_bytes())
    }
}

/// The hash of a row that comes after another.
pub(super) fn hash(before: &[u8], body: &str) -> Vec<u8> {
    let mut digest = Sha256::new();
    digest.update(before);
    digest.update(body.as_bytes());
    digest.finalize().to_vec()
}

/// Fails at the first row that is not what it was, and says which.
pub fn verify(reader: &TrailReader, kept: Option<&Head>) -> anyhow::Result<Verified> {
    let start = reader.start()?;
    let mut last = start.clone();
    let mut rows = 0;
    // The head is written after its row, so the record may be ahead of it, and never behind.
    let mut met = kept.is_none_or(|head| Head::of(&start) == *head);
    reader.walk(|row| {
        check(&row, &last)?;
        last = Link { seq: row.seq, hash: row.hash };
        if let Some(head) = kept.filter(|head| head.seq == last.seq) {
            ensure!(
                Head::of(&last) == *head,
                "row {} is another one than the head that was kept: the record was written anew",
                last.seq
            );
            met = true;
        }
        rows += 1;
        Ok(true)
    })?;
    if let Some(head) = kept.filter(|_| !met) {
        ensure!(
            head.seq <= start.seq,
            "the record ends at row {}, and the head that was kept is row {}: rows are missing at its end",
            last.seq,
            head.seq
        );
    }
    Ok(Verified { rows, first: start.seq + 1, head: Head::of(&last) })
}

fn check(row: &TrailRow, last: &Link) -> anyhow::Result<()> {
    let seq = row.seq;
    ensure!(seq == last.seq + 1, "between row {} and row {seq} rows are missing", last.seq);
    ensure!(hash(&last.hash, &row.body) == row.hash, "row {seq} was changed, or one before it");
    let body: Value =
        serde_json::from_str(&row.body).with_context(|| format!("row {seq} is no JSON"))?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let same = body.get("seq").and_then(Value::as_i64) == Some(seq)
        && body.get("time").and_then(Value::as_i64) == Some(row.time)
        && text("kind") == row.kind
        && text("caller") == row.caller
        && text("tool") == row.tool
        && text("status") == row.status;
    ensure!(same, "row {seq} is listed as something else than it says");
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

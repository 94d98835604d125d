//! Reading the record, and taking its oldest part away into an archive.

use std::{
    borrow::Cow,
    fs,
    io::{BufRead as _, BufReader, BufWriter, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Head, Place, Point, Verified, chain::Chain};
use crate::{
    database::{Link, Mark, Trail, TrailQuery, TrailReader, TrailRow, Walked},
    plugin::hex,
    private,
    time::iso,
};

/// So many rows are taken away at once.
const CUT_AT_ONCE: i64 = 10_000;

/// The first line of an export: what its rows go on from.
#[derive(Deserialize, Serialize)]
struct Begun {
    after: String,
}

/// A row as it stands in an export: all that its hash is of.
#[derive(Deserialize, Serialize)]
struct Line<'a> {
    seq: i64,
    time: i64,
    kind: String,
    caller: String,
    tool: String,
    status: String,
    /// JSON, as a text: byte by byte what the hash is of.
    #[serde(borrow)]
    body: Cow<'a, str>,
    hash: String,
}

/// Rows that are wanted, the latest first, as people and programs read them.
pub fn list(place: &Place, query: &TrailQuery) -> anyhow::Result<Vec<Value>> {
    if !place.trail.exists() {
        return Ok(Vec::new());
    }
    let rows = TrailReader::open(&place.trail)?.list(query)?;
    Ok(rows.iter().map(shown).collect())
}

/// The names are those by which S4's events were read.
fn shown(row: &TrailRow) -> Value {
    let Mark { kind, caller, tool, status } = &row.mark;
    let time = iso(u64::try_from(row.time).unwrap_or_default());
    let mut shown = json!({
        "seq": row.seq, "timestamp": time, "event_type": kind, "username": caller,
        "tool_name": tool, "status": status,
    });
    let body: Value = serde_json::from_str(&row.body).unwrap_or_default();
    if let (Some(shown), Value::Object(body)) = (shown.as_object_mut(), body) {
        shown.extend(body);
    }
    shown
}

/// The point at which the record ends.
pub fn end(place: &Place) -> anyhow::Result<Point> {
    Ok(Point::of(&TrailReader::open(&place.trail)?.end()?))
}

/// Writes all rows as JSON lines, the oldest first, after a line that says what they go on from. Tells how many.
pub fn export(place: &Place, to: &mut impl Write) -> anyhow::Result<u64> {
    let reader = TrailReader::open(&place.trail)?;
    reader.hold()?;
    let written = write(&reader, i64::MAX, to)?;
    to.flush()?;
    Ok(written.rows)
}

/// What was written: how many rows, and the last of them.
struct Written {
    rows: u64,
    last: Link,
}

fn write(reader: &TrailReader, until: i64, to: &mut impl Write) -> anyhow::Result<Written> {
    let start = reader.start()?;
    let begun = Begun { after: Point::of(&start).to_string() };
    writeln!(to, "{}", serde_json::to_string(&begun)?)?;
    let mut written = Written { rows: 0, last: start };
    reader.walk(|row| {
        if row.time >= until {
            return Ok(false);
        }
        let Mark { kind, caller, tool, status } = row.mark.clone();
        let (body, hash) = (Cow::Borrowed(row.body), hex(row.hash));
        let line = Line { seq: row.seq, time: row.time, kind, caller, tool, status, body, hash };
        serde_json::to_writer(&mut *to, &line)?;
        to.write_all(b"\n")?;
        written.rows += 1;
        written.last = Link { seq: row.seq, hash: row.hash.to_vec() };
        Ok(true)
    })?;
    Ok(written)
}

/// Takes all rows from before this time away into an archive, from which the rest goes on. None: there are none.
pub fn rotate(place: &Place, before: i64) -> anyhow::Result<Option<(PathBuf, u64)>> {
    // Only what is whole is archived as such.
    super::verify(place, None)?;
    private::make_folder(&place.archives)?;
    let partial = place.archives.join(format!("{}.partial", std::process::id()));
    let archived =
        archive(place, before, &partial).inspect_err(|_| drop(fs::remove_file(&partial)));
    let Some((first, written)) = archived? else {
        fs::remove_file(&partial)?;
        return Ok(None);
    };
    let file = place.archives.join(format!("{first}-{}.jsonl", written.last.seq));
    fs::rename(&partial, &file)?;
    fs::File::open(&place.archives)?.sync_all()?;
    cut(place, &written.last)?;
    Ok(Some((file, written.rows)))
}

/// Bit by bit, so that a host that records meanwhile never waits for long.
fn cut(place: &Place, last: &Link) -> anyhow::Result<()> {
    let mut trail = Trail::open(&place.trail)?;
    let (reader, head) = (trail.reader()?, Head::open(&place.head)?);
    loop {
        let next = last.seq.min(reader.start()?.seq + CUT_AT_ONCE);
        let next = reader.at(next)?.context("somebody else takes rows away")?;
        trail.cut(&next)?;
        let kept = Head { start: Point::of(&next), end: Point::of(&reader.end()?) };
        kept.write(&head)?;
        if next == *last {
            return Ok(());
        }
    }
}

fn archive(place: &Place, before: i64, partial: &Path) -> anyhow::Result<Option<(i64, Written)>> {
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(partial);
    let mut to = BufWriter::new(file.with_context(|| format!("`{}`", partial.display()))?);
    let reader = TrailReader::open(&place.trail)?;
    reader.hold()?;
    let first = reader.start()?.seq + 1;
    let written = write(&reader, before, &mut to)?;
    to.into_inner().map_err(|error| error.into_error())?.sync_all()?;
    Ok((written.rows > 0).then_some((first, written)))
}

/// Verifies an archive or an export. Fails at the first row that is not what it was.
pub fn verify_archive(file: &Path) -> anyhow::Result<Verified> {
    let opened = fs::File::open(file).with_context(|| format!("`{}`", file.display()))?;
    let mut lines = BufReader::new(opened).lines();
    let Some(first) = lines.next() else { bail!("`{}` is empty", file.display()) };
    let begun: Begun = serde_json::from_str(&first?)
        .context("its first line does not say what its rows go on from")?;
    let start: Point = begun.after.parse().map_err(anyhow::Error::msg)?;
    let mut chain = Chain { last: Link { seq: start.seq, hash: bytes(&start.hash)? }, rows: 0 };
    for line in lines {
        let line = line?;
        let row: Line<'_> = serde_json::from_str(&line)
            .with_context(|| format!("after row {} comes what is no row", chain.last.seq))?;
        let mark = Mark { kind: row.kind, caller: row.caller, tool: row.tool, status: row.status };
        let (body, hash) = (&*row.body, bytes(&row.hash)?);
        chain.add(&Walked { seq: row.seq, time: row.time, mark: &mark, body, hash: &hash })?;
    }
    let head = Head { start, end: Point::of(&chain.last) };
    Ok(Verified { rows: chain.rows, head })
}

fn bytes(hash: &str) -> anyhow::Result<Vec<u8>> {
    ensure!(hash.len().is_multiple_of(2), "`{hash}` is no hash");
    let pair = |at| hash.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<_> = (0..hash.len()).step_by(2).map(pair).collect();
    bytes.with_context(|| format!("`{hash}` is no hash"))
}

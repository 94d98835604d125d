//! The one who writes the record.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use anyhow::Context as _;
use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::{Event, Head, Place, chain};
use crate::{
    database::{Link, Trail, TrailRow},
    error::{Result, unavailable},
    time::now,
};

/// How many rows are written together at most.
const MOST_TOGETHER: usize = 1024;

/// Takes what happened. Cheap to clone.
#[derive(Clone)]
pub struct Audit(Arc<Shared>);

struct Shared {
    /// None: nothing is recorded.
    sender: Option<mpsc::Sender<Wanted>>,
    /// Whether the last rows could be written.
    writes: AtomicBool,
}

struct Wanted {
    event: Event,
    /// Who waits until it is on disk.
    waiting: Option<oneshot::Sender<std::result::Result<(), String>>>,
}

impl Audit {
    /// Records nothing.
    pub fn none() -> Self {
        Self(Arc::new(Shared { sender: None, writes: AtomicBool::new(true) }))
    }

    /// Opens the record, and goes on from its end.
    pub fn open(place: Place) -> anyhow::Result<Self> {
        let trail = Trail::open(&place.trail)?;
        let end = trail.reader()?.end()?;
        let (sender, receiver) = mpsc::channel();
        let shared = Arc::new(Shared { sender: Some(sender), writes: AtomicBool::new(true) });
        let told = Arc::downgrade(&shared);
        let writer = Writer { trail, place, end };
        thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || {
                writer.run(&receiver, |writes| {
                    if let Some(shared) = told.upgrade() {
                        shared.writes.store(writes, Ordering::Relaxed);
                    }
                });
            })
            .context("the record has no thread to be written by")?;
        Ok(Self(shared))
    }

    /// Whether what happens can be recorded.
    pub fn writes(&self) -> bool {
        self.0.writes.load(Ordering::Relaxed)
    }

    /// Records it soon.
    pub fn note(&self, event: Event) {
        if let Some(sender) = &self.0.sender {
            // The thread ends with the host alone.
            let _ = sender.send(Wanted { event, waiting: None });
        }
    }

    /// Records it, and answers when it is on disk.
    pub async fn note_first(&self, event: Event) -> Result<()> {
        let Some(sender) = &self.0.sender else { return Ok(()) };
        let (waiting, written) = oneshot::channel();
        let sent = sender.send(Wanted { event, waiting: Some(waiting) });
        sent.map_err(|_| unavailable("nothing is recorded any more: the host is ending"))?;
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(why)) => Err(unavailable(format!("what happens cannot be recorded: {why}"))),
            Err(_) => Err(unavailable("nothing is recorded any more: the host is ending")),
        }
    }
}

struct Writer {
    trail: Trail,
    place: Place,
    end: Link,
}

impl Writer {
    fn run(mut self, receiver: &mpsc::Receiver<Wanted>, tell: impl Fn(bool)) {
        let mut kept: Vec<TrailRow> = Vec::new();
        while let Ok(first) = receiver.recv() {
            let mut waiting = Vec::new();
            let mut end = kept.last().map_or(self.end.clone(), link);
            let more = std::iter::from_fn(|| receiver.try_recv().ok()).take(MOST_TOGETHER);
            for wanted in std::iter::once(first).chain(more) {
                let row = row(&wanted.event, &end);
                end = link(&row);
                kept.push(row);
                waiting.extend(wanted.waiting);
            }
            let written = self.write(&kept);
            if let Err(error) = &written {
                tracing::error!("the record is not written: {error:#}; it is tried again");
                // What must be recorded first does not happen, so its row goes; the rest waits for a disk with room.
                if !waiting.is_empty() {
                    kept.clear();
                }
                kept.truncate(MOST_TOGETHER);
            } else {
                self.end = end;
                kept.clear();
            }
            tell(written.is_ok());
            let told = written.map_err(|error| format!("{error:#}"));
            for waiting in waiting {
                let _ = waiting.send(told.clone());
            }
        }
    }

    fn write(&self, rows: &[TrailRow]) -> anyhow::Result<()> {
        self.trail.add(rows)?;
        let Some(last) = rows.last() else { return Ok(()) };
        Head::of(&link(last)).write(&self.place.head)
    }
}

fn link(row: &TrailRow) -> Link {
    Link { seq: row.seq, hash: row.hash.clone() }
}

fn row(event: &Event, end: &Link) -> TrailRow {
    let (seq, time) = (end.seq + 1, i64::try_from(now()).unwrap_or(i64::MAX));
    let mut body = Map::new();
    body.insert("seq".to_owned(), seq.into());
    body.insert("time".to_owned(), time.into());
    if let Ok(Value::Object(fields)) = serde_json::to_value(event) {
        body.extend(fields);
    }
    let body = Value::Object(body).to_string();
    TrailRow {
        seq,
        time,
        kind: event.kind.name().to_owned(),
        caller: event.caller.clone(),
        tool: event.tool.clone(),
        status: event.status.clone(),
        hash: chain::hash(&end.hash, &body),
        body,
    }
}

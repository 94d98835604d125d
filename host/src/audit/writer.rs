//! The one who writes the record.

use std::{
    fs,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tokio::sync::oneshot;

use super::{Event, Head, Kind, Place, Point, chain};
use crate::{
    database::{Link, Trail},
    error::{Result, unavailable},
    policy::LOCAL,
    private,
    secrets::Values,
    time::now,
};

/// For so long what happens is gathered, unless somebody waits for it to be written.
const GATHERING: Duration = Duration::from_millis(5);
/// How soon it is tried again to write what could not be written.
const RETRY: Duration = Duration::from_secs(1);
/// How many rows are written together at most.
const MOST_TOGETHER: usize = 1024;
/// How many wait to be written at most. More are lost, and counted.
const MOST_WAITING: usize = 16_384;
/// What the record says of itself stands there under this name.
const ITSELF: &str = "record";

/// Takes what happened. Cheap to clone.
#[derive(Clone)]
pub struct Audit(Option<Arc<Shared>>);

/// Tells which values nobody may read.
pub type Secret = Arc<dyn Fn() -> Vec<Arc<Values>> + Send + Sync>;

struct Shared {
    place: Place,
    secret: OnceLock<Secret>,
    /// Of the thread that writes, which begins with what is recorded first.
    sender: OnceLock<Option<(mpsc::Sender<Wanted>, thread::Thread)>>,
    waiting: AtomicUsize,
    lost: AtomicU64,
    rows: AtomicU64,
    /// Whether the last rows could be written.
    writes: AtomicBool,
}

struct Wanted {
    /// None: only that all before is on disk.
    event: Option<Event>,
    time: i64,
    /// Who waits until it is on disk.
    waiting: Option<oneshot::Sender<std::result::Result<(), String>>>,
}

impl Audit {
    /// Records nothing.
    pub fn none() -> Self {
        Self(None)
    }

    pub fn at(place: Place) -> Self {
        Self(Some(Arc::new(Shared {
            place,
            secret: OnceLock::new(),
            sender: OnceLock::new(),
            waiting: AtomicUsize::new(0),
            lost: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            writes: AtomicBool::new(true),
        })))
    }

    /// From here on these values are left out, wherever they stand.
    pub fn keep_out(&self, secret: Secret) {
        if let Some(shared) = &self.0 {
            let _ = shared.secret.set(secret);
        }
    }

    pub fn place(&self) -> Option<&Place> {
        self.0.as_ref().map(|it| &it.place)
    }

    /// Whether what happens can be recorded.
    pub fn writes(&self) -> bool {
        self.0.as_ref().is_none_or(|it| it.writes.load(Ordering::Relaxed))
    }

    /// How many rows were written since the host began.
    pub fn rows(&self) -> u64 {
        self.0.as_ref().map_or(0, |it| it.rows.load(Ordering::Relaxed))
    }

    /// Records it soon.
    pub fn note(&self, event: Event) {
        if let Some(shared) = &self.0 {
            shared.send(Some(event), None);
        }
    }

    /// Records it, and answers when it is on disk.
    pub async fn note_first(&self, event: Event) -> Result<()> {
        self.wait(Some(event)).await
    }

    /// Answers when all that was noted before is on disk.
    pub async fn flush(&self) -> Result<()> {
        match &self.0 {
            Some(shared) if shared.sender.get().is_some() => self.wait(None).await,
            _ => Ok(()),
        }
    }

    async fn wait(&self, event: Option<Event>) -> Result<()> {
        let Some(shared) = &self.0 else { return Ok(()) };
        let (waiting, written) = oneshot::channel();
        shared.send(event, Some(waiting));
        let why = match written.await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(why)) => why,
            Err(_) => "nobody writes".to_owned(),
        };
        Err(unavailable(format!("it cannot be recorded, so it is not done: {why}")))
    }
}

impl Shared {
    fn send(
        self: &Arc<Self>,
        event: Option<Event>,
        waiting: Option<oneshot::Sender<std::result::Result<(), String>>>,
    ) {
        let sender = self.sender.get_or_init(|| Writer::begin(self));
        let is_full = self.waiting.load(Ordering::Relaxed) >= MOST_WAITING;
        if is_full && waiting.is_none() {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if let Some((sender, writer)) = sender {
            let time = i64::try_from(now()).unwrap_or(i64::MAX);
            let waits = waiting.is_some();
            let _ = sender.send(Wanted { event, time, waiting });
            if waits {
                writer.unpark();
            }
        }
    }
}

struct Writer {
    shared: Weak<Shared>,
    place: Place,
    open: Option<(Trail, fs::File)>,
    /// What could not be written yet, the oldest first.
    kept: Vec<Wanted>,
    /// When it could not be written for the last time, unless it could since.
    failed: Option<Instant>,
}

impl Writer {
    /// None: there is no thread to be had.
    fn begin(shared: &Arc<Shared>) -> Option<(mpsc::Sender<Wanted>, thread::Thread)> {
        let (sender, receiver) = mpsc::channel();
        let (place, shared) = (shared.place.clone(), Arc::downgrade(shared));
        let writer = Self { shared, place, open: None, kept: Vec::new(), failed: None };
        let begun = thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run(&receiver))
            .inspect_err(|error| tracing::error!("nothing is recorded: no thread: {error}"));
        begun.ok().map(|begun| (sender, begun.thread().clone()))
    }

    fn run(mut self, receiver: &mpsc::Receiver<Wanted>) {
        loop {
            let first = if self.kept.is_empty() {
                receiver.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                receiver.recv_timeout(RETRY)
            };
            match first {
                Ok(first) => self.gather(first, receiver),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let Some(shared) = self.shared.upgrade() else { return };
            let waits = self.kept.iter().any(|it| it.waiting.is_some());
            if waits || self.failed.is_none_or(|at| at.elapsed() >= RETRY) {
                self.settle(&shared);
            } else {
                self.bound(&shared);
            }
        }
    }

    /// Takes what comes within a moment.
    fn gather(&mut self, first: Wanted, receiver: &mpsc::Receiver<Wanted>) {
        let waits = first.waiting.is_some();
        self.kept.push(first);
        if !waits {
            // Not woken by each row that comes: who sends one need not wake anybody. Who waits for one does.
            thread::park_timeout(GATHERING);
        }
        let room = MOST_TOGETHER.saturating_sub(self.kept.len());
        self.kept.extend(receiver.try_iter().take(room));
    }

    /// Writes what there is, and tells who waits.
    fn settle(&mut self, shared: &Shared) {
        let lost = shared.lost.swap(0, Ordering::Relaxed);
        let written = self.write(shared, lost);
        let failed = written.as_ref().err().map(|error| format!("{error:#}"));
        let wrote = shared.writes.swap(failed.is_none(), Ordering::Relaxed);
        match &failed {
            None if !wrote => tracing::info!("what happens is recorded again"),
            Some(why) if wrote => {
                tracing::error!(
                    "what happens cannot be recorded: {why}; destructive calls are refused until it can"
                );
            }
            _ => {}
        }
        if failed.is_some() {
            shared.lost.fetch_add(lost, Ordering::Relaxed);
        }
        // What must be recorded first does not happen, so its row goes; the rest waits for a disk with room.
        let all = std::mem::take(&mut self.kept);
        let taken = all.len();
        for mut wanted in all {
            match wanted.waiting.take() {
                Some(waiting) => {
                    let _ = waiting.send(failed.clone().map_or(Ok(()), Err));
                }
                None if failed.is_some() => self.kept.push(wanted),
                None => {}
            }
        }
        shared.waiting.fetch_sub(taken - self.kept.len(), Ordering::Relaxed);
        self.failed = failed.map(|_| Instant::now());
        self.bound(shared);
    }

    /// Loses what is too much to be kept until there is room.
    fn bound(&mut self, shared: &Shared) {
        let dropped = self.kept.len().saturating_sub(MOST_WAITING);
        if dropped > 0 {
            self.kept.truncate(MOST_WAITING);
            shared.waiting.fetch_sub(dropped, Ordering::Relaxed);
            shared.lost.fetch_add(dropped as u64, Ordering::Relaxed);
        }
    }

    fn write(&mut self, shared: &Shared, lost: u64) -> anyhow::Result<()> {
        if self.open.is_none() {
            self.open = Some(open(&self.place)?);
        }
        let Some((trail, file)) = &mut self.open else { return Ok(()) };
        let values = shared.secret.get().map(|secret| secret()).unwrap_or_default();
        let secrets: Vec<_> = values.iter().flat_map(|it| it.all()).collect();
        let surely = self.kept.iter().any(|it| it.waiting.is_some());
        let gap = (lost > 0).then(|| {
            let why = format!("{lost} rows are missing here: they could not be written");
            Event::new(Kind::Admin, LOCAL, ITSELF).failed(why)
        });
        let events = self.kept.iter().filter_map(|it| Some((it.event.as_ref()?, it.time)));
        let events: Vec<_> = events.chain(gap.as_ref().map(|it| (it, 0))).collect();
        let count = events.len() as u64;
        let added = trail.add(surely, |before, time| {
            let (mut before, mut last, mut rows) = (before.clone(), time, Vec::new());
            for (event, time) in events {
                last = last.max(time);
                let row = event.row(&before, last, &secrets);
                before = Link { seq: row.seq, hash: row.hash.clone() };
                rows.push(row);
            }
            rows
        })?;
        shared.rows.fetch_add(count, Ordering::Relaxed);
        let head = Head { start: Point::of(&added.start), end: Point::of(&added.end) };
        // Behind its rows a head says no less than it did; the next one catches up.
        if let Err(error) = head.write(file) {
            tracing::warn!("the head of the record is not kept: {error:#}");
        }
        Ok(())
    }
}

/// Opens the record, which says of itself where it is not what it was.
fn open(place: &Place) -> anyhow::Result<(Trail, fs::File)> {
    if let Some(folder) = place.trail.parent() {
        private::make_folder(folder)?;
    }
    let mut trail = Trail::open(&place.trail)?;
    let told = match Head::read(place) {
        Ok(kept) => kept.map_or(Ok(None), |kept| chain::differs(&kept, &trail.reader()?))?,
        Err(error) => Some(format!("{error:#}")),
    };
    let file = Head::open(&place.head)
        .with_context(|| format!("cannot open `{}`", place.head.display()))?;
    if let Some(why) = told {
        tracing::error!("the record is not what it was: {why}");
        let event = Event::new(Kind::Admin, LOCAL, ITSELF).failed(why);
        let time = i64::try_from(now()).unwrap_or(i64::MAX);
        trail.add(true, |before, last| vec![event.row(before, last.max(time), &[])])?;
    }
    Ok((trail, file))
}

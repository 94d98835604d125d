//! The connection of one process: what it prints goes to disk, what is asked of it goes in.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    io::AsyncWriteExt as _,
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    time::{sleep, timeout},
};
use windlass_supervisor::protocol::{Demand, Ended, How as Said, Kind, LARGEST_CHUNK, Report};

use super::{
    Shared,
    frames::{self, Frame, Frames},
    process::{Ending, Entry, How, State},
    spool::Refused,
};
use crate::time::now;

/// After how many bytes the supervisor hears that they are on disk.
const ACKNOWLEDGED: usize = 256 << 10;
/// How much output is put on disk at once.
const LARGEST_BATCH: usize = 512 << 10;
/// How long to wait before a full disk is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the supervisor may take to hang up at the end.
const FAREWELL: Duration = Duration::from_secs(10);

/// A piece of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    pub seq: u64,
    pub stderr: bool,
    pub data: Vec<u8>,
    /// Milliseconds since 1970.
    pub time: u64,
}

/// Some output, and how the process was when it was read.
#[derive(Debug)]
pub struct Output {
    pub chunks: Vec<Chunk>,
    /// The chunks up to this one are gone.
    pub dropped: u64,
    pub state: State,
    pub complete: bool,
}

/// Serves one connection of a process until it breaks off, or another one takes its place.
pub(super) async fn attend(
    shared: &Arc<Shared>,
    entry: &Arc<Entry>,
    stream: UnixStream,
    again: bool,
) -> io::Result<()> {
    let (hearing, speaking) = stream.into_split();
    let (sender, wishes) = mpsc::unbounded_channel();
    let voice = sender.downgrade();
    let (stdin, pending) = entry.attach(sender);
    let mut first = Vec::new();
    if again {
        first.push(Demand::Resume { after: entry.view.borrow().last });
    }
    // What was asked of a connection that broke off may not have got there. Asking twice does no harm.
    if *entry.cancelled.borrow() {
        first.push(Demand::Cancel);
    }
    first.extend(pending);
    // An input that an earlier connection began cannot be taken up again: the process sees its end.
    let stdin = stdin.or_else(|| (again && entry.origin.input).then(Bytes::new));
    tokio::select! {
        heard = hear(shared, entry, hearing, &voice) => heard,
        spoken = speak(speaking, first, stdin, wishes) => spoken,
    }
}

async fn speak(
    mut stream: OwnedWriteHalf,
    first: Vec<Demand>,
    stdin: Option<Bytes>,
    mut wishes: mpsc::UnboundedReceiver<Demand>,
) -> io::Result<()> {
    for demand in first {
        stream.write_all(&frames::message(&demand)?).await?;
    }
    if let Some(stdin) = stdin {
        for piece in stdin.chunks(LARGEST_CHUNK) {
            stream.write_all(&frames::frame(Kind::Input, &[piece])).await?;
            while let Ok(demand) = wishes.try_recv() {
                stream.write_all(&frames::message(&demand)?).await?;
            }
        }
        stream.write_all(&frames::frame(Kind::Input, &[])).await?;
    }
    while let Some(demand) = wishes.recv().await {
        stream.write_all(&frames::message(&demand)?).await?;
    }
    Ok(())
}

async fn hear(
    shared: &Arc<Shared>,
    entry: &Arc<Entry>,
    stream: OwnedReadHalf,
    voice: &mpsc::WeakUnboundedSender<Demand>,
) -> io::Result<()> {
    let mut frames = Frames::new(stream);
    let mut unacknowledged = 0;
    while let Some(frame) = frames.next().await? {
        if !frame.is_chunk() {
            match frame.message()? {
                Report::Started { .. } => continue,
                Report::Ended(ended) => return end(shared, entry, ended, frames, voice).await,
            }
        }
        let (batch, behind) = batch(&mut frames, frame)?;
        unacknowledged += batch.iter().map(|frame| frame.whole.len()).sum::<usize>();
        store(entry, batch).await?;
        if unacknowledged >= ACKNOWLEDGED {
            unacknowledged = 0;
            let seq = entry.view.borrow().last;
            if let Some(voice) = voice.upgrade() {
                let _ = voice.send(Demand::Acknowledge { seq });
            }
        }
        match behind.map(|frame| frame.message()).transpose()? {
            Some(Report::Ended(ended)) => return end(shared, entry, ended, frames, voice).await,
            Some(Report::Started { .. }) | None => {}
        }
    }
    Ok(())
}

/// The chunks that are here already, and the frame of another kind that came behind them.
fn batch<S: tokio::io::AsyncRead + Unpin>(
    frames: &mut Frames<S>,
    first: Frame,
) -> io::Result<(Vec<Frame>, Option<Frame>)> {
    let mut size = first.whole.len();
    let mut batch = vec![first];
    while size < LARGEST_BATCH {
        match frames.ready()? {
            Some(frame) if frame.is_chunk() => {
                size += frame.whole.len();
                batch.push(frame);
            }
            other => return Ok((batch, other)),
        }
    }
    Ok((batch, None))
}

/// Puts chunks on disk. While the disk is full nothing more is read, and the process waits.
async fn store(entry: &Arc<Entry>, batch: Vec<Frame>) -> io::Result<()> {
    let batch = Arc::new(batch);
    let mut told = false;
    loop {
        let (writer, frames) = (entry.clone(), batch.clone());
        let writing = tokio::task::spawn_blocking(move || {
            writer.write(|spool| frames.iter().try_for_each(|frame| spool.append(&frame.whole)))
        });
        match writing.await.map_err(io::Error::other)? {
            Ok(()) => return Ok(()),
            Err(Refused::Wrong(what)) => return Err(frames::wrong(what)),
            Err(Refused::Disk(_)) if entry.is_ending() => return Ok(()),
            Err(Refused::Disk(error)) if !told => {
                tracing::error!(process = entry.origin.id, %error, "the output waits for the disk");
                told = true;
            }
            Err(Refused::Disk(_)) => {}
        }
        sleep(PAUSE).await;
    }
}

/// Writes down how the process ended, then tells the supervisor, and waits until it hangs up.
async fn end(
    shared: &Arc<Shared>,
    entry: &Arc<Entry>,
    ended: Ended,
    mut frames: Frames<OwnedReadHalf>,
    voice: &mpsc::WeakUnboundedSender<Demand>,
) -> io::Result<()> {
    if ended.last != entry.view.borrow().last {
        return Err(frames::wrong("an end without all of the output"));
    }
    let voice = voice.upgrade();
    shared.finish(entry, Ending::from(ended)).await;
    if let Some(voice) = voice {
        let _ = voice.send(Demand::Forget);
    }
    let hung_up = async { while let Ok(Some(_)) = frames.next().await {} };
    let _ = timeout(FAREWELL, hung_up).await;
    Ok(())
}

impl From<Ended> for Ending {
    fn from(ended: Ended) -> Self {
        Self {
            how: match ended.how {
                Said::Exited => How::Exited,
                Said::TimedOut => How::TimedOut,
                Said::Cancelled => How::Cancelled,
                Said::Refused => How::Refused,
            },
            code: ended.code,
            signal: ended.signal.and_then(|number| u8::try_from(number).ok()),
            message: ended.message,
            wall_ms: ended.wall_ms,
            cpu_ms: Some(ended.cpu_ms),
            memory_kib: Some(ended.memory_kib),
            ended: now(),
        }
    }
}

//! The output of one process, on disk: a ring of segments, of which the oldest goes when there is too much.
//!
//! A segment holds frames as they came from the supervisor. Little is kept in memory, and all of it can be found again
//! by reading the files.

use std::{
    collections::VecDeque,
    fs, io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use windlass_supervisor::protocol::{ChunkHead, Kind, LARGEST_CHUNK};

use super::{frames, output::Chunk};

/// How much output of a process is kept, in bytes of files and in chunks.
const MOST_BYTES: u64 = 64 << 20;
const MOST_CHUNKS: u64 = 10_000;
/// What goes at once when that is too much.
const SEGMENT_BYTES: u64 = 4 << 20;
const SEGMENT_CHUNKS: u64 = 1_000;

/// The front of a segment: how many bytes of stdout and stderr came before it.
const SEGMENT_HEAD: u64 = 16;
/// The front of a frame: its length, its kind, and the head of the chunk.
const FRAME_HEAD: usize = 5 + ChunkHead::SIZE;
/// One chunk of so many is found without looking at those before it.
const MARKED: u64 = 16;
/// No reader gets more at once, whatever it asks for.
const MOST_READ: usize = 4 << 20;

/// The kept output of a process.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    segments: VecDeque<Segment>,
    /// The newest segment.
    file: Option<fs::File>,
    /// The number of the newest chunk.
    last: u64,
    bytes: u64,
    chunks: u64,
    printed: Printed,
}

/// How much a process has printed, kept or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Printed {
    pub(super) stdout: u64,
    pub(super) stderr: u64,
}

#[derive(Debug)]
struct Segment {
    /// The number of its first chunk, which is also its name.
    first: u64,
    chunks: u64,
    /// How long its file is.
    size: u64,
    /// Where every sixteenth chunk begins.
    marks: Vec<u32>,
}

/// Why a chunk was not taken.
#[derive(Debug)]
pub(super) enum Refused {
    /// It is none, or one before it is missing.
    Wrong(&'static str),
    Disk(io::Error),
}

impl Spool {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            segments: VecDeque::new(),
            file: None,
            last: 0,
            bytes: 0,
            chunks: 0,
            printed: Printed::default(),
        }
    }

    /// Finds what an earlier host has written. What it did not finish writing is cut off.
    pub(super) fn find(folder: PathBuf) -> io::Result<Self> {
        let mut spool = Self::new(folder);
        let mut firsts = Vec::new();
        match fs::read_dir(&spool.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(spool),
            Err(error) => return Err(error),
            Ok(entries) => {
                for entry in entries {
                    let name = entry?.file_name();
                    let first = name.to_str().and_then(|it| it.parse().ok());
                    firsts.extend(first.filter(|first: &u64| *first > 0));
                }
            }
        }
        firsts.sort_unstable();
        firsts.into_iter().try_for_each(|first| spool.find_segment(first))?;
        Ok(spool)
    }

    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// The chunks up to this one are gone.
    pub(super) fn dropped(&self) -> u64 {
        let kept = self.segments.iter().find(|segment| segment.chunks > 0);
        kept.map_or(self.last, |segment| segment.first - 1)
    }

    pub(super) fn printed(&self) -> Printed {
        self.printed
    }

    /// Closes its file, until something is written again.
    pub(super) fn rest(&mut self) {
        self.file = None;
    }

    /// Adds a chunk in its frame. One that is here already is left out.
    pub(super) fn append(&mut self, frame: &[u8]) -> Result<(), Refused> {
        let (head, data) = ChunkHead::split(frames::body(frame))
            .ok_or(Refused::Wrong("a chunk without a head"))?;
        if head.seq <= self.last {
            return Ok(());
        }
        if head.seq != self.last + 1 {
            return Err(Refused::Wrong("a gap in the output"));
        }
        if data.is_empty() || data.len() > LARGEST_CHUNK {
            return Err(Refused::Wrong("a chunk of a wrong size"));
        }
        self.store(head, data.len(), frame).map_err(Refused::Disk)
    }

    /// Adds the next chunk.
    pub(super) fn push(&mut self, stderr: bool, time: u64, data: &[u8]) -> Result<(), Refused> {
        let mut head = Vec::with_capacity(ChunkHead::SIZE);
        ChunkHead { seq: self.last + 1, time, stderr }.write(&mut head);
        self.append(&frames::frame(Kind::Chunk, &[&head, data]))
    }

    fn store(&mut self, head: ChunkHead, data: usize, frame: &[u8]) -> io::Result<()> {
        let length = frame.len() as u64;
        let room = |segment: &Segment| {
            segment.size + length <= SEGMENT_BYTES && segment.chunks < SEGMENT_CHUNKS
        };
        match self.segments.back().filter(|segment| room(segment)) {
            Some(_) if self.file.is_some() => {}
            Some(newest) => {
                let path = self.folder.join(newest.first.to_string());
                self.file = Some(fs::File::options().write(true).open(path)?);
            }
            None => self.begin(head.seq)?,
        }
        while self.bytes + length > MOST_BYTES || self.chunks >= MOST_CHUNKS {
            self.drop_oldest()?;
        }
        let (Some(file), Some(segment)) = (&self.file, self.segments.back_mut()) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        // What a full disk leaves unfinished is written over the next time.
        file.write_all_at(frame, segment.size)?;
        segment.count(length);
        self.count(head, data, length);
        Ok(())
    }

    fn count(&mut self, head: ChunkHead, data: usize, length: u64) {
        let printed = if head.stderr { &mut self.printed.stderr } else { &mut self.printed.stdout };
        *printed += data as u64;
        self.last = head.seq;
        self.bytes += length;
        self.chunks += 1;
    }

    fn begin(&mut self, first: u64) -> io::Result<()> {
        if self.segments.is_empty() {
            fs::create_dir_all(&self.folder)?;
        }
        let path = self.folder.join(first.to_string());
        let file = fs::File::options().write(true).create(true).truncate(true).open(path)?;
        let Printed { stdout, stderr } = self.printed;
        file.write_all_at(&[stdout.to_le_bytes(), stderr.to_le_bytes()].concat(), 0)?;
        self.file = Some(file);
        self.segments.push_back(Segment::new(first));
        self.bytes += SEGMENT_HEAD;
        Ok(())
    }

    fn drop_oldest(&mut self) -> io::Result<()> {
        let Some(oldest) = self.segments.front() else { return Ok(()) };
        match fs::remove_file(self.folder.join(oldest.first.to_string())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.bytes -= oldest.size;
        self.chunks -= oldest.chunks;
        self.segments.pop_front();
        Ok(())
    }

    /// What came after a chunk: whole chunks up to `most` bytes, but at least one; and up to which one all are gone.
    pub(super) fn read(&self, after: u64, most: usize) -> io::Result<(Vec<Chunk>, u64)> {
        let dropped = self.dropped();
        let most = most.min(MOST_READ);
        let (mut seq, mut size, mut chunks) = (after.max(dropped) + 1, 0, Vec::new());
        for segment in &self.segments {
            if seq >= segment.first + segment.chunks {
                continue;
            }
            let mut reader = segment.reader(&self.folder, seq)?;
            while let Some((head, length)) = reader.head()? {
                if head.seq >= seq {
                    size += length;
                    if size > most && !chunks.is_empty() {
                        return Ok((chunks, dropped));
                    }
                    chunks.push(reader.chunk(head, length)?);
                    seq = head.seq + 1;
                }
                reader.skip(length);
            }
        }
        Ok((chunks, dropped))
    }

    /// The last chunks: whole ones up to `most` bytes, or the end of one that is larger; and up to which one all come before.
    pub(super) fn tail(&self, most: usize) -> io::Result<(Vec<Chunk>, u64)> {
        let most = most.min(MOST_READ);
        let (mut size, mut chunks) = (0, VecDeque::new());
        'back: for segment in self.segments.iter().rev() {
            let mut reader = segment.reader(&self.folder, segment.first)?;
            for &mark in segment.marks.iter().rev() {
                for (at, head, length) in reader.heads(mark)?.into_iter().rev() {
                    size += length;
                    if size > most && (!chunks.is_empty() || most == 0) {
                        break 'back;
                    }
                    reader.at = at;
                    let mut chunk = reader.chunk(head, length)?;
                    chunk.data.drain(..length.saturating_sub(most));
                    chunks.push_front(chunk);
                }
            }
        }
        let dropped = chunks.front().map_or(self.last, |chunk| chunk.seq - 1);
        Ok((chunks.into(), dropped))
    }

    /// Reads one segment of an earlier host. One that does not follow those before it makes them worthless.
    fn find_segment(&mut self, first: u64) -> io::Result<()> {
        let path = self.folder.join(first.to_string());
        let file = fs::File::options().read(true).write(true).open(&path)?;
        let mut front = [0; 16];
        if file.metadata()?.len() <= SEGMENT_HEAD {
            return fs::remove_file(path);
        }
        file.read_exact_at(&mut front, 0)?;
        if first != self.last + 1 {
            while !self.segments.is_empty() {
                self.drop_oldest()?;
            }
        }
        let (stdout, stderr) = front.split_at(8);
        let number = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_le_bytes);
        self.printed = Printed { stdout: number(stdout), stderr: number(stderr) };
        self.last = first.saturating_sub(1);
        self.bytes += SEGMENT_HEAD;
        let mut segment = Segment::new(first);
        let mut reader = Reader { end: file.metadata()?.len(), at: SEGMENT_HEAD, file };
        while let Some((head, length)) = reader.head()? {
            if head.seq != self.last + 1 {
                break;
            }
            reader.skip(length);
            segment.count((FRAME_HEAD + length) as u64);
            self.count(head, length, (FRAME_HEAD + length) as u64);
        }
        reader.file.set_len(segment.size)?;
        self.segments.push_back(segment);
        Ok(())
    }
}

impl Segment {
    fn new(first: u64) -> Self {
        Self { first, chunks: 0, size: SEGMENT_HEAD, marks: Vec::new() }
    }

    fn count(&mut self, length: u64) {
        if self.chunks.is_multiple_of(MARKED) {
            self.marks.push(u32::try_from(self.size).unwrap_or(u32::MAX));
        }
        self.chunks += 1;
        self.size += length;
    }

    /// A reader that stands at a chunk, or a little before it.
    fn reader(&self, folder: &Path, seq: u64) -> io::Result<Reader> {
        let mark = seq.saturating_sub(self.first) / MARKED;
        let mark = usize::try_from(mark).ok().and_then(|mark| self.marks.get(mark));
        let at = mark.map_or(SEGMENT_HEAD, |mark| u64::from(*mark));
        let file = fs::File::open(folder.join(self.first.to_string()))?;
        Ok(Reader { file, at, end: self.size })
    }
}

/// Goes through the chunks of a segment.
struct Reader {
    file: fs::File,
    at: u64,
    end: u64,
}

impl Reader {
    /// The head of the chunk at hand, and how much output it has. None behind the last whole one.
    fn head(&self) -> io::Result<Option<(ChunkHead, usize)>> {
        if self.at + FRAME_HEAD as u64 > self.end {
            return Ok(None);
        }
        let mut front = [0; FRAME_HEAD];
        self.file.read_exact_at(&mut front, self.at)?;
        let Some((length, _)) = front.split_first_chunk() else { return Ok(None) };
        let whole = 4 + u64::from(u32::from_le_bytes(*length));
        let data = usize::try_from(whole).unwrap_or(usize::MAX).saturating_sub(FRAME_HEAD);
        let Some((head, _)) = ChunkHead::split(frames::body(&front)) else { return Ok(None) };
        let fits = (1..=LARGEST_CHUNK).contains(&data) && self.at + whole <= self.end;
        Ok(fits.then_some((head, data)))
    }

    fn chunk(&self, head: ChunkHead, length: usize) -> io::Result<Chunk> {
        let mut data = vec![0; length];
        self.file.read_exact_at(&mut data, self.at + FRAME_HEAD as u64)?;
        Ok(Chunk { seq: head.seq, stderr: head.stderr, data, time: head.time })
    }

    /// The chunks from a mark to the next one: where each begins, its head, how much output it has.
    fn heads(&mut self, mark: u32) -> io::Result<Vec<(u64, ChunkHead, usize)>> {
        self.at = mark.into();
        let mut found = Vec::new();
        while found.len() < MARKED as usize
            && let Some((head, length)) = self.head()?
        {
            found.push((self.at, head, length));
            self.skip(length);
        }
        Ok(found)
    }

    fn skip(&mut self, length: usize) {
        self.at += (FRAME_HEAD + length) as u64;
    }
}

#[cfg(test)]
mod tests;

//! Packing: part of a workspace as a tar. Links stay out, and the answer says so.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, BufWriter, Read as _, Write},
    os::fd::OwnedFd,
};

use flate2::{Compression, write::GzEncoder};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use rustix::fs::{FileType, Stat, fchmod, fstat};
use tar::{Builder, EntryType, Header};

use super::{
    failure::{self, At as _},
    journal::{Expected, Journal},
    read::known,
    root::{Root, is_directory, open_straight, permissions, size},
    walk::{Found, Walk, is_gone},
};
use crate::{
    capability::bindings::windlass::plugin::workspaces::{Archived, Stat as Known},
    error::{Failure, Result, invalid, limit},
    policy::{PackPaths, WorkspacePath},
};

/// More is no archive to pass around, but a disk: S3's limit, and minutes of work.
pub(super) const MOST_BYTES: u64 = 1 << 30;
/// As many as a large repository with its dependencies has.
pub(super) const MOST_ENTRIES: u32 = 100_000;
/// How many of the members that were left out are named.
const MOST_NAMED: usize = 100;
/// What the host holds in memory of one archive.
const LARGEST_IN_MEMORY: u32 = 32 << 20;
/// How much is written at once.
const CHUNK: usize = 256 << 10;
/// Whom members belong to: whom containers run as.
const USER: u64 = 1000;

/// Packs into memory.
pub(super) fn pack(root: &Root, paths: &PackPaths, most: u32) -> Result<(Vec<u8>, Archived)> {
    let most = most.min(LARGEST_IN_MEMORY);
    let bytes = Bounded { bytes: Vec::new(), most: most as usize };
    let (bytes, archived) = pack_to(root, paths, None, bytes).map_err(|failure| match failure {
        Stopped::Failure(failure) => failure,
        Stopped::Output(error) if error.kind() == io::ErrorKind::FileTooLarge => limit(format!(
            "the archive has more than {most} bytes; pack it into a file of the workspace, or less"
        )),
        Stopped::Output(error) => failure::of_io("the archive", &error),
    })?;
    Ok((bytes.bytes, archived))
}

/// Packs into a file of the workspace.
pub(super) fn pack_into(
    root: &Root,
    paths: &PackPaths,
    target: &WorkspacePath,
) -> Result<(Known, Archived)> {
    let (staged, file) = root.staging.file()?;
    let output = BufWriter::with_capacity(CHUNK, file);
    let (output, archived) =
        pack_to(root, paths, Some(target), output).map_err(|stopped| match stopped {
            Stopped::Failure(failure) => failure,
            Stopped::Output(error) => failure::of_io("the archive", &error),
        })?;
    let file = output.into_inner().map_err(|error| failure::of_io("the archive", error.error()))?;
    fchmod(&file, 0o644.into()).at(target)?;
    let raw = fstat(&file).at(target)?;
    let etag = root.tags.of(&file, &raw).at(target)?;
    let mut journal = Journal::new(root);
    let spot = journal.make_spot(target)?;
    journal.put(target, spot, staged, &Expected::Anything)?;
    journal.finish()?;
    Ok((known(target.as_str().to_owned(), &raw, Some(etag)), archived))
}

enum Stopped {
    Failure(Failure),
    Output(io::Error),
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// An archive that is being written.
struct Packing<'a, W: Write> {
    root: &'a Root,
    paths: &'a PackPaths,
    include: GlobSet,
    exclude: GlobSet,
    builder: Builder<W>,
    archived: Archived,
    /// A file that is small.
    chunk: Vec<u8>,
}

fn pack_to<W: Write>(
    root: &Root,
    paths: &PackPaths,
    target: Option<&WorkspacePath>,
    output: W,
) -> Result<(W, Archived), Stopped> {
    if !paths.gzip {
        let mut packing = Packing::new(root, paths, output)?;
        packing.all(target)?;
        return Ok((packing.builder.into_inner()?, packing.archived));
    }
    let mut packing = Packing::new(root, paths, GzEncoder::new(output, Compression::default()))?;
    packing.all(target)?;
    Ok((packing.builder.into_inner()?.finish()?, packing.archived))
}

impl<'a, W: Write> Packing<'a, W> {
    fn new(root: &'a Root, paths: &'a PackPaths, output: W) -> Result<Self> {
        let archived = Archived { entries: 0, bytes: 0, skipped: Vec::new() };
        let (include, exclude) = (globs(&paths.include)?, globs(&paths.exclude)?);
        let (builder, chunk) = (Builder::new(output), Vec::new());
        Ok(Self { root, paths, include, exclude, builder, archived, chunk })
    }

    fn all(&mut self, target: Option<&WorkspacePath>) -> Result<(), Stopped> {
        let (root, path) = (self.root, &self.paths.path);
        if !is_directory(&root.look(path)?) {
            let (file, stat) = root.file(path)?;
            let name = path.as_str().rsplit('/').next().unwrap_or_default();
            return self.file(name.as_ref(), &file, &stat);
        }
        let directory = root.directory(path.as_str()).at(path)?;
        let target = target.filter(|target| target.is_within(path));
        let target = target.and_then(|it| it.as_str().get(path.as_str().len()..));
        let target = target.map(|it| it.trim_start_matches('/'));
        let mut walk = Walk::new(&directory, true).at(path)?;
        while let Some(found) = walk.next() {
            let found = found.at(path)?;
            if self.exclude.is_match(&found.path) {
                walk.leave_out(&found);
            } else if self.is_included(&found) && target != Some(&found.shown) {
                self.member(&directory, &found)?;
            }
        }
        Ok(())
    }

    /// Whether a glob names the path, or a directory that it lies in.
    fn is_included(&self, found: &Found) -> bool {
        let path: &std::path::Path = found.path.as_ref();
        self.paths.include.is_empty() || path.ancestors().any(|part| self.include.is_match(part))
    }

    fn member(&mut self, directory: &OwnedFd, found: &Found) -> Result<(), Stopped> {
        match FileType::from_raw_mode(found.stat.st_mode) {
            FileType::Directory => {
                self.count(0)?;
                let mut header = header(&found.stat, EntryType::Directory, 0);
                Ok(self.builder.append_data(&mut header, &found.path, io::empty())?)
            }
            FileType::RegularFile => {
                let file: File = match open_straight(directory, &*found.path) {
                    Ok(file) => file.into(),
                    Err(errno) if is_gone(errno) => return Ok(()),
                    Err(errno) => Err(failure::of_path(&self.paths.path, errno))?,
                };
                let stat = fstat(&file).at(&self.paths.path)?;
                self.file(&found.path, &file, &stat)
            }
            FileType::Symlink => {
                skip(&mut self.archived, &found.shown, "a link");
                Ok(())
            }
            _ => {
                skip(&mut self.archived, &found.shown, "no regular file");
                Ok(())
            }
        }
    }

    /// The header says how long a file is, so one that is cut meanwhile cannot go in.
    fn file(&mut self, name: &OsStr, file: &File, stat: &Stat) -> Result<(), Stopped> {
        let bytes = size(stat);
        self.count(bytes)?;
        let mut header = header(stat, EntryType::Regular, bytes);
        self.builder.append_data(&mut header, name, io::empty())?;
        if !self.content(file, bytes)? {
            Err(failure::restless(&super::copy::below(
                &self.paths.path,
                &name.to_string_lossy(),
            )?))?;
        }
        let output = self.builder.get_mut();
        let rest = usize::try_from(bytes.next_multiple_of(512) - bytes).unwrap_or_default();
        output.write_all([0; 512].get(..rest).unwrap_or_default())?;
        Ok(())
    }

    /// Writes so much of a file. Says whether it had as much.
    fn content(&mut self, mut file: &File, bytes: u64) -> io::Result<bool> {
        let output = self.builder.get_mut();
        if bytes > CHUNK as u64 {
            return Ok(io::copy(&mut file.take(bytes), output)? == bytes);
        }
        // The library asks the kernel to copy, which takes longer than to read what is small.
        self.chunk.resize(usize::try_from(bytes).unwrap_or_default(), 0);
        match file.read_exact(&mut self.chunk) {
            Ok(()) => output.write_all(&self.chunk).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn count(&mut self, bytes: u64) -> Result<()> {
        self.archived.entries += 1;
        self.archived.bytes += bytes;
        check_size("the archive", self.archived.entries, self.archived.bytes)
    }
}

/// Names what was left out.
pub(super) fn skip(archived: &mut Archived, path: &str, why: &str) {
    if archived.skipped.len() < MOST_NAMED {
        archived.skipped.push(format!("{path}: {why}"));
    }
}

/// Whether it is not more than may be.
pub(super) fn check_size(what: &str, entries: u32, bytes: u64) -> Result<()> {
    if entries > MOST_ENTRIES {
        return Err(limit(format!("{what} has more than {MOST_ENTRIES} members")));
    }
    if bytes > MOST_BYTES {
        let most = MOST_BYTES >> 20;
        return Err(limit(format!("{what} holds more than {most} MiB")));
    }
    Ok(())
}

/// The refusal of an archive that is too large.
pub(super) fn too_large() -> Failure {
    let most = MOST_BYTES >> 20;
    limit(format!("the archive holds more than {most} MiB"))
}

fn header(stat: &Stat, kind: EntryType, bytes: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(bytes);
    header.set_mode(permissions(stat).into());
    header.set_uid(USER);
    header.set_gid(USER);
    header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or_default());
    header
}

/// `*` stops at a slash; `**` does not.
fn globs(texts: &[String]) -> Result<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for text in texts {
        let glob = GlobBuilder::new(text.trim_end_matches('/')).literal_separator(true).build();
        set.add(glob.map_err(|error| invalid(format!("`{text}` is no glob: {error}")))?);
    }
    set.build().map_err(|error| invalid(format!("the globs are too much: {error}")))
}

/// Bytes in memory, up to a limit.
struct Bounded {
    bytes: Vec<u8>,
    most: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

//! Unpacking: a tar is read to its end into a directory of its own, and then put in place, all of it.

use std::{
    cell::Cell,
    collections::HashSet,
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, BufRead as _, BufReader, Read, Write as _},
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    rc::Rc,
};

use flate2::bufread::MultiGzDecoder;
use rustix::io::Errno;
use tar::{Archive, Entry, EntryType, PaxExtensions};

use super::{
    failure::At as _,
    merge,
    pack::{MOST_BYTES, MOST_ENTRIES, check_size},
    root::Root,
    tree::Tree,
};
use crate::{
    capability::bindings::windlass::plugin::workspaces::Archived,
    error::{Failure, Result, denied, invalid},
    policy::WorkspacePath,
};

/// How much is read at once.
const CHUNK: usize = 256 << 10;
/// What surrounds the members: headers, their long names, filling. More is a bomb.
const MOST_AROUND: u64 = MOST_ENTRIES as u64 * 4096;
/// A header's extension holds a path and some numbers.
const LARGEST_EXTENSION: u64 = 64 << 10;
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// What is too large, where it is.
const ARCHIVE: &str = "the archive";

/// Unpacks below a directory: all of it, or nothing.
pub(super) fn unpack(root: &Root, archive: impl Read, target: &WorkspacePath) -> Result<Archived> {
    let tree = Tree::new(&root.staging)?;
    let archived = fill(&tree, archive)?;
    merge::merge(root, tree, target)?;
    Ok(archived)
}

/// The same for a file of the workspace.
pub(super) fn unpack_from(
    root: &Root,
    path: &WorkspacePath,
    target: &WorkspacePath,
) -> Result<Archived> {
    let (file, stat) = root.file(path)?;
    unpack(root, File::take(file, super::root::size(&stat)), target)
}

/// A tar that is being read.
struct Unpacking<'a> {
    tree: &'a Tree,
    directories: HashSet<OsString>,
    archived: Archived,
    /// What an extension says of the member after it.
    name: Option<Vec<u8>>,
    chunk: Vec<u8>,
}

fn fill(tree: &Tree, archive: impl Read) -> Result<Archived> {
    let mut input = BufReader::with_capacity(CHUNK, archive);
    let gzip = input.fill_buf().map_err(damaged)?.starts_with(&GZIP);
    let input: Box<dyn Read + '_> =
        if gzip { Box::new(MultiGzDecoder::new(input)) } else { Box::new(input) };
    let ended = Rc::new(Cell::new(false));
    let input = Bounded { input, left: MOST_BYTES + MOST_AROUND, ended: ended.clone() };
    let mut archive = Archive::new(input);
    let archived = Archived { entries: 0, bytes: 0, skipped: Vec::new() };
    let chunk = vec![0; CHUNK];
    let mut unpacking =
        Unpacking { tree, directories: HashSet::new(), archived, name: None, chunk };
    for entry in archive.entries().map_err(damaged)?.raw(true) {
        unpacking.entry(entry.map_err(damaged)?)?;
    }
    if ended.get() {
        return Err(invalid("the archive is damaged: it ends before its end mark"));
    }
    // What is compressed has its checksum at its end.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(damaged)?;
    Ok(unpacking.archived)
}

impl Unpacking<'_> {
    fn entry(&mut self, mut entry: Entry<'_, impl Read>) -> Result<()> {
        match entry.header().entry_type() {
            EntryType::GNULongName => {
                let mut name = extension(&mut entry)?;
                name.truncate(name.iter().position(|&byte| byte == 0).unwrap_or(name.len()));
                self.name = Some(name);
                return Ok(());
            }
            EntryType::XHeader => return self.read_pax(&mut entry),
            EntryType::GNULongLink | EntryType::XGlobalHeader => return Ok(()),
            _ => {}
        }
        let bytes = self.name.take().unwrap_or_else(|| entry.path_bytes().into_owned());
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let refuse = |why: &str| Err(refused(&shown, why));
        let Some(path) = inside(&bytes) else {
            return refuse("leads out of where it is unpacked");
        };
        let is_directory = bytes.ends_with(b"/");
        match entry.header().entry_type() {
            EntryType::Directory => self.directory(&path, &shown, &entry),
            EntryType::Regular | EntryType::Continuous if is_directory => {
                self.directory(&path, &shown, &entry)
            }
            EntryType::Regular | EntryType::Continuous if path.is_empty() => {
                refuse("is a file without a name")
            }
            EntryType::Regular | EntryType::Continuous => self.file(&path, &shown, &mut entry),
            EntryType::Symlink => refuse("is a symbolic link"),
            EntryType::Link => refuse("is a hard link"),
            EntryType::GNUSparse => refuse("is a sparse file"),
            EntryType::Char | EntryType::Block => refuse("is a device"),
            EntryType::Fifo => refuse("is a fifo"),
            _ => refuse("is of a kind that is not known"),
        }
    }

    fn read_pax(&mut self, entry: &mut Entry<'_, impl Read>) -> Result<()> {
        let text = extension(entry)?;
        for field in PaxExtensions::new(&text) {
            let field = field.map_err(damaged)?;
            match field.key_bytes() {
                b"path" => self.name = Some(field.value_bytes().to_owned()),
                // It would say that the member is not as long as its header says.
                b"size" => return Err(refused("?", "has its size in an extension")),
                key if key.starts_with(b"GNU.sparse") => {
                    return Err(refused("?", "is a sparse file"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn directory(&mut self, path: &OsStr, shown: &str, entry: &Entry<'_, impl Read>) -> Result<()> {
        self.make_parents(path, shown)?;
        if path.is_empty() {
            return Ok(());
        }
        let mode = entry.header().mode().unwrap_or(0o755);
        self.make_directory(path, shown, mode)
    }

    fn file(&mut self, path: &OsStr, shown: &str, entry: &mut Entry<'_, impl Read>) -> Result<()> {
        self.make_parents(path, shown)?;
        self.count(1, 0)?;
        // What says itself that it is too large need not be tried.
        check_size(
            ARCHIVE,
            self.archived.entries,
            self.archived.bytes.saturating_add(entry.size()),
        )?;
        let mut file = self.tree.file(path).map_err(|errno| not_made(shown, errno))?;
        let mut left = entry.size();
        while left > 0 {
            let read = match entry.read(&mut self.chunk) {
                Ok(0) => {
                    return Err(invalid(format!("the archive is damaged: it ends in `{shown}`")));
                }
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(damaged(error)),
            };
            self.count(0, read as u64)?;
            file.write_all(self.chunk.get(..read).unwrap_or_default())
                .on(&format!("unpacking `{shown}`"))?;
            left = left.saturating_sub(read as u64);
        }
        let header = entry.header();
        let modified = header.mtime().ok().and_then(|it| i64::try_from(it).ok());
        let mode = header.mode().unwrap_or(0o644);
        self.tree
            .finish(&file, mode, modified.unwrap_or_default())
            .on(&format!("unpacking `{shown}`"))
    }

    fn make_parents(&mut self, path: &OsStr, shown: &str) -> Result<()> {
        let bytes = path.as_bytes();
        let slashes = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        for (at, _) in slashes {
            let above = OsStr::from_bytes(bytes.get(..at).unwrap_or_default());
            if !self.directories.contains(above) {
                self.make_directory(above, shown, 0o755)?;
            }
        }
        Ok(())
    }

    fn make_directory(&mut self, path: &OsStr, shown: &str, mode: u32) -> Result<()> {
        self.count(1, 0)?;
        self.tree.directory(path, mode).map_err(|errno| not_made(shown, errno))?;
        self.directories.insert(path.to_owned());
        Ok(())
    }

    fn count(&mut self, entries: u32, bytes: u64) -> Result<()> {
        self.archived.entries += entries;
        self.archived.bytes += bytes;
        check_size(ARCHIVE, self.archived.entries, self.archived.bytes)
    }
}

/// The path of a member, without `.` and slashes at its ends. None: it leads out, or is none.
fn inside(bytes: &[u8]) -> Option<OsString> {
    if bytes.starts_with(b"/") || bytes.contains(&0) || bytes.is_empty() {
        return None;
    }
    let mut path: Vec<u8> = Vec::with_capacity(bytes.len());
    for part in bytes.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return None,
            part => {
                if !path.is_empty() {
                    path.push(b'/');
                }
                path.extend_from_slice(part);
            }
        }
    }
    Some(OsString::from_vec(path))
}

fn extension(entry: &mut Entry<'_, impl Read>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if entry.size() > LARGEST_EXTENSION {
        return Err(refused("?", "has a name of more than 64 KiB"));
    }
    entry.take(LARGEST_EXTENSION).read_to_end(&mut bytes).map_err(damaged)?;
    Ok(bytes)
}

fn not_made(shown: &str, errno: Errno) -> Failure {
    match errno {
        Errno::EXIST | Errno::NOTDIR | Errno::ISDIR => {
            refused(shown, "is a file and a directory at once")
        }
        Errno::NAMETOOLONG => refused(shown, "has a name that is longer than the kernel takes"),
        errno => super::failure::of_disk(&format!("unpacking `{shown}`"), errno),
    }
}

fn refused(member: &str, why: &str) -> Failure {
    denied(format!("member `{member}` of the archive {why}; nothing was unpacked"))
        .with_detail("error_code", "PATH_SECURITY")
        .with_detail("member", member)
}

fn damaged(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::FileTooLarge => super::pack::too_large(),
        _ => invalid(format!("the archive is damaged: {error}")),
    }
}

/// Counts what really comes out of an archive, whatever its headers say.
struct Bounded<R> {
    input: R,
    left: u64,
    ended: Rc<Cell<bool>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(bytes)?;
        if read == 0 && !bytes.is_empty() {
            self.ended.set(true);
        }
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))?;
        Ok(read)
    }
}

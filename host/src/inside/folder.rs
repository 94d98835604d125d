//! The folder of a container: the supervisor that it starts with, and the socket that this one dials.

use std::{
    fs,
    io::{self, Write as _},
    os::{
        fd::AsRawFd as _,
        unix::{
            fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
            net::UnixListener,
        },
    },
    path::{Path, PathBuf},
    sync::Mutex,
};

use windlass_supervisor::protocol::{PROGRAM, SOCKET};

use super::locked;

/// The front of the name of the one copy that all containers share.
const COPY: &str = ".supervisor-";
/// What the container's user may do: enter and read, run, and connect.
const FOLDER_MODE: u32 = 0o755;
const PROGRAM_MODE: u32 = 0o755;
const SOCKET_MODE: u32 = 0o666;

/// The supervisor as it was built into the host.
pub(super) struct Program {
    bytes: &'static [u8],
    /// Where it lies, once somebody needed it.
    copy: Mutex<Option<PathBuf>>,
}

impl Program {
    pub(super) fn new(bytes: &'static [u8]) -> Self {
        Self { bytes, copy: Mutex::default() }
    }

    /// Makes the folder of a container with all that is in it. Blocks.
    pub(super) fn furnish(&self, containers: &Path, container: &str) -> io::Result<UnixListener> {
        let folder = containers.join(container);
        fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&folder)?;
        // Whatever the umask of the host says.
        fs::set_permissions(&folder, fs::Permissions::from_mode(FOLDER_MODE))?;
        link(&self.copy(containers)?, &folder.join(PROGRAM))?;
        listen(&folder)
    }

    fn copy(&self, containers: &Path) -> io::Result<PathBuf> {
        if self.bytes.is_empty() {
            let why =
                "this build of windlass has no supervisor in it: build it with `cargo xtask build`";
            return Err(io::Error::other(why));
        }
        let mut copy = locked(&self.copy);
        if let Some(copy) = copy.as_ref().filter(|copy| copy.exists()) {
            return Ok(copy.clone());
        }
        let hash = blake3::hash(self.bytes).to_hex();
        let path = containers.join(format!("{COPY}{hash}"));
        remove_others(containers, &path)?;
        if fs::read(&path).ok().as_deref() != Some(self.bytes) {
            write(&path, self.bytes)?;
        }
        Ok(copy.insert(path).clone())
    }
}

/// Copies of other builds. Containers that have them keep them.
fn remove_others(containers: &Path, mine: &Path) -> io::Result<()> {
    for entry in fs::read_dir(containers)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(COPY) && path != mine {
            let _ = fs::remove_file(path);
        }
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let partial = path.with_extension("partial");
    let mut options = fs::OpenOptions::new();
    let mut file =
        options.write(true).create(true).truncate(true).mode(PROGRAM_MODE).open(&partial)?;
    file.write_all(bytes)?;
    file.set_permissions(fs::Permissions::from_mode(PROGRAM_MODE))?;
    fs::rename(partial, path)
}

/// Puts a hard link in place of whatever is there: one copy on disk, and in memory, for all containers.
fn link(copy: &Path, to: &Path) -> io::Result<()> {
    let inode = |path: &Path| fs::metadata(path).map(|it| it.ino()).ok();
    if inode(to).is_some() && inode(to) == inode(copy) {
        return Ok(());
    }
    let partial = to.with_extension("partial");
    let _ = fs::remove_file(&partial);
    fs::hard_link(copy, &partial)?;
    fs::rename(partial, to)
}

fn listen(folder: &Path) -> io::Result<UnixListener> {
    let directory = fs::File::open(folder)?;
    // The address of a socket is at most 107 bytes long, and a state folder may be deeper than that.
    let short = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(SOCKET);
    match fs::remove_file(&short) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&short)?;
    fs::set_permissions(&short, fs::Permissions::from_mode(SOCKET_MODE))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

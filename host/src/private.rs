//! Files and folders that nobody but this user can write: what the host trusts lies in such ones.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::Path,
    process,
};

use anyhow::{Context as _, ensure};

/// What only the owner may enter, and read and write.
const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;
/// Others' rights to write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Makes a folder for this user alone. One that is there already must be such a one.
pub fn make_folder(folder: &Path) -> anyhow::Result<()> {
    let shown = folder.display();
    fs::DirBuilder::new()
        .recursive(true)
        .mode(FOLDER)
        .create(folder)
        .with_context(|| format!("cannot make the folder `{shown}`"))?;
    let metadata = fs::metadata(folder).with_context(|| format!("cannot look at `{shown}`"))?;
    ensure!(is_ours(&metadata), "others can write `{shown}`; `chmod go-w` it, or choose another");
    Ok(())
}

/// Makes an empty file for this user alone, unless it is there.
pub fn make_file(file: &Path) -> std::io::Result<()> {
    fs::OpenOptions::new().append(true).create(true).mode(FILE).open(file).map(drop)
}

/// Writes a file for this user alone, whole or not at all.
pub fn write_whole(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let partial = file.with_extension(format!("{}.partial", process::id()));
    let write = || -> std::io::Result<()> {
        let mut options = fs::OpenOptions::new();
        options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(FILE)
            .open(&partial)?
            .write_all(bytes)?;
        fs::rename(&partial, file)
    };
    write()
        .inspect_err(|_| drop(fs::remove_file(&partial)))
        .with_context(|| format!("cannot write `{}`", file.display()))
}

/// Whether it belongs to this user, and nobody else can write it.
pub fn is_ours(metadata: &fs::Metadata) -> bool {
    let owner = rustix::process::geteuid().as_raw();
    metadata.uid() == owner && metadata.mode() & WRITABLE_BY_OTHERS == 0
}

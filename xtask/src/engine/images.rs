//! The image of the tests: BusyBox of this machine, and the few files that programs expect.

use std::{env, fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result};
use tar::{Builder, EntryType, Header};

use super::{IMAGE, keeper};
use crate::{api::Api, command, report::Absent};

/// Users by name; the second is the one that our containers run as.
const USERS: &str = "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\n";
const GROUPS: &str = "root:x:0:\nuser:x:1000:\n";

/// A program that needs a loader names one near its front.
const LOADER: &[u8] = b"/ld-";
const FRONT: usize = 4096;

/// Makes the image unless it is there; says whether it was made.
pub(super) fn make(api: &Api) -> Result<bool> {
    if api.get(&format!("/images/{IMAGE}/json")).is_ok() {
        return Ok(false);
    }
    let (name, tag) = IMAGE.split_once(':').unwrap_or((IMAGE, "latest"));
    let archive = archive()?;
    let label = "LABEL%20windlass.test%3Dtrue";
    let path = format!("/images/create?fromSrc=-&repo={name}&tag={tag}&changes={label}");
    api.post_bytes(&path, "application/x-tar", &archive)
        .context("cannot import the image of the tests")?;
    Ok(true)
}

pub(super) fn remove(api: &Api) {
    // Somebody may have removed it.
    let _ = api.delete(&format!("/images/{IMAGE}?force=1"));
}

fn archive() -> Result<Vec<u8>> {
    keeper::need(&["busybox"], &["busybox-static"])?;
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places = env::split_paths(&path).map(|folder| folder.join("busybox"));
    let program: PathBuf = places.find(|place| place.is_file()).context("no `busybox`")?;
    let bytes = fs::read(&program)?;
    let front = bytes.get(..FRONT).unwrap_or(&bytes);
    if front.windows(LOADER.len()).any(|part| part == LOADER) {
        return Err(Absent("`busybox` is not static: `busybox-static` is".to_owned()).into());
    }
    let applets = command::answer(Command::new(&program).arg("--list")).context("no applets")?;
    let mut archive = Builder::new(Vec::new());
    for folder in ["bin", "etc", "dev", "proc", "sys", "root", "workspace"] {
        entry(&mut archive, EntryType::Directory, folder, 0o755, b"")?;
    }
    entry(&mut archive, EntryType::Directory, "tmp", 0o1777, b"")?;
    entry(&mut archive, EntryType::Regular, "bin/busybox", 0o755, &bytes)?;
    entry(&mut archive, EntryType::Regular, "etc/passwd", 0o644, USERS.as_bytes())?;
    entry(&mut archive, EntryType::Regular, "etc/group", 0o644, GROUPS.as_bytes())?;
    for applet in applets.lines().filter(|applet| *applet != "busybox") {
        let mut link = Header::new_gnu();
        link.set_entry_type(EntryType::Symlink);
        link.set_size(0);
        archive.append_link(&mut link, format!("bin/{applet}"), "busybox")?;
    }
    Ok(archive.into_inner()?)
}

fn entry(
    archive: &mut Builder<Vec<u8>>,
    kind: EntryType,
    path: &str,
    mode: u32,
    bytes: &[u8],
) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(bytes.len() as u64);
    Ok(archive.append_data(&mut header, path, bytes)?)
}

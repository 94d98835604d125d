//! BusyBox of this machine, and the few files that programs expect.

use std::{env, fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result};

use super::layer::Layer;
use crate::{command, engine::keeper, report::Absent};

/// Users by name; the second is the one that our containers run as.
const USERS: &str = "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\n";
const GROUPS: &str = "root:x:0:\nuser:x:1000:\n";

/// A program that needs a loader names one near its front.
const LOADER: &[u8] = b"/ld-";
const FRONT: usize = 4096;

pub(super) fn lay(layer: &mut Layer) -> Result<()> {
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
    for folder in ["bin", "etc", "dev", "proc", "sys", "root", "workspace"] {
        layer.folder(folder, 0o755)?;
    }
    layer.folder("tmp", 0o1777)?;
    layer.file("bin/busybox", 0o755, &bytes)?;
    layer.file("etc/passwd", 0o644, USERS.as_bytes())?;
    layer.file("etc/group", 0o644, GROUPS.as_bytes())?;
    for applet in applets.lines().filter(|applet| *applet != "busybox") {
        layer.link(&format!("bin/{applet}"), "busybox")?;
    }
    Ok(())
}

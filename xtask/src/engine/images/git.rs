//! This machine's git over BusyBox: what clones, fetches and pushes, with the libraries that it needs and no more.
//!
//! All lies where it lies on this machine, because git was built to find its parts there.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{busybox, layer::Layer};
use crate::{command, engine::keeper, report::Absent};

pub(super) const NAME: &str = "windlass-test/git:latest";

/// What is a program of its own: they speak HTTP. The scripts are sourced by the ones that merge.
const PARTS: [&str; 4] = ["git-remote-http", "git-remote-https", "git-sh-setup", "git-sh-i18n"];

/// Where the loader finds libraries that are not in its usual folders.
const LIBRARIES: &str = "/etc/ld.so.cache";

/// Whom git trusts, where the usual systems have it.
const CERTIFICATES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

pub(super) fn lay(layer: &mut Layer) -> Result<()> {
    keeper::need(&["git", "ldd"], &["git", "libc-bin"])?;
    let folder = command::answer(Command::new("git").arg("--exec-path"));
    let folder = PathBuf::from(folder.context("`git --exec-path` failed: run it")?);
    let program = folder.join("git");
    let http = folder.join("git-remote-http");
    if !program.is_file() || !http.is_file() {
        let folder = folder.display();
        let reason = format!("this machine's git has no `git` or `git-remote-http` in `{folder}`");
        return Err(Absent(format!("{reason}: the package `git` has both")).into());
    }
    busybox::lay(layer)?;
    layer.copy(&program)?;
    layer.link("bin/git", &program.display().to_string())?;
    for part in parts(&folder, &program)? {
        layer.copy(&part)?;
    }
    for library in libraries(&[&program, &http])? {
        layer.copy(&library)?;
    }
    let others = CERTIFICATES.iter().chain([&LIBRARIES]).map(Path::new);
    others.filter(|place| place.is_file()).try_for_each(|place| layer.copy(place))?;
    // Git warns when it has no folder of templates; an empty one is enough.
    let templates = folder.ancestors().nth(2).map(|prefix| prefix.join("share/git-core/templates"));
    let templates = templates.map(|templates| templates.display().to_string());
    layer.folder(templates.unwrap_or_default().trim_start_matches('/'), 0o755)
}

/// What of git's own folder is needed: every name of git itself, and the few parts.
fn parts(folder: &Path, program: &Path) -> Result<Vec<PathBuf>> {
    let own = fs::metadata(program)?.ino();
    let mut parts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let named = PARTS.iter().any(|part| path.ends_with(part));
        if named || fs::metadata(&path).is_ok_and(|found| found.ino() == own) {
            parts.push(path);
        }
    }
    // The same bytes in each run.
    parts.sort();
    Ok(parts)
}

/// The libraries of programs, and the loader.
fn libraries(programs: &[&Path]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for program in programs {
        let listed = command::answer(Command::new("ldd").arg(program));
        // A static program needs none, and `ldd` fails.
        let listed = listed.unwrap_or_default();
        found.extend(listed.lines().filter_map(library));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Lines such as `libz.so.1 => /lib/libz.so.1 (0x7f…)` and, for the loader, `/lib64/ld.so (0x7f…)`.
fn library(line: &str) -> Option<PathBuf> {
    let (_, path) = line.split_once(" => ").unwrap_or(("", line));
    let path = path.trim().split(" (").next()?;
    path.starts_with('/').then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::{PathBuf, library};

    #[test]
    fn libraries_and_the_loader_are_found() {
        let check = |line, path: Option<&str>| assert_eq!(library(line), path.map(PathBuf::from));
        check("\tlibz.so.1 => /lib/libz.so.1 (0x00007fc7)", Some("/lib/libz.so.1"));
        check("\t/lib64/ld-linux-x86-64.so.2 (0x00007fc7)", Some("/lib64/ld-linux-x86-64.so.2"));
        check("\tlinux-vdso.so.1 (0x00007fc7)", None);
        check("\tlibgone.so => not found", None);
    }
}

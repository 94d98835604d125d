//! Files and folders of this machine that an operator has granted, outside of all workspaces.

use std::{
    fs::{self, File},
    io::Read as _,
    os::fd::{AsRawFd as _, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FileType, Mode, OFlags, ResolveFlags, fstat, mkdirat, open, openat2},
    io::Errno,
};
use tokio::task::spawn_blocking;

use super::Disk;
use crate::{
    error::{Result, denied, invalid, limit, not_found, trap, unavailable},
    policy::{Approved, BindPlace, FilePlace},
};

/// The largest file that is read whole.
const LARGEST: u64 = 1 << 20;

impl Disk {
    /// The path without links of what a container is to have, made where it is missing and is to be made.
    pub async fn settle(&self, place: &Approved<BindPlace>) -> Result<String> {
        let BindPlace { folder, rest, create } = place.request();
        let (folder, rest, create) = (folder.clone(), rest.clone(), *create);
        let settled = spawn_blocking(move || settle(&folder, &rest, create)).await;
        settled.map_err(|error| trap(error.to_string()))?
    }

    /// The bytes of a file.
    pub async fn read_granted(&self, place: &Approved<FilePlace>) -> Result<Vec<u8>> {
        let FilePlace { folder, rest } = place.request();
        let (folder, rest) = (folder.clone(), rest.clone());
        let read = spawn_blocking(move || read(&folder, &rest)).await;
        read.map_err(|error| trap(error.to_string()))?
    }
}

fn settle(folder: &str, rest: &str, create: bool) -> Result<String> {
    let whole = Path::new(folder).join(rest);
    let found = match beneath(folder, rest, OFlags::PATH) {
        Err(Errno::NOENT) if create => {
            make(folder, rest).map_err(|errno| told(&whole, errno))?;
            beneath(folder, rest, OFlags::PATH)
        }
        found => found,
    };
    let found = found.map_err(|errno| told(&whole, errno))?;
    let path = fs::read_link(format!("/proc/self/fd/{}", found.as_raw_fd()));
    let path: PathBuf =
        path.map_err(|error| unavailable(format!("`{}`: {error}", whole.display())))?;
    path.into_os_string()
        .into_string()
        .map_err(|_| invalid(format!("`{}` leads to a path that is no UTF-8", whole.display())))
}

/// Every folder on the way that is missing.
fn make(folder: &str, rest: &str) -> rustix::io::Result<()> {
    let mut at = PathBuf::new();
    for part in Path::new(rest) {
        let above = beneath(folder, &at.to_string_lossy(), OFlags::PATH | OFlags::DIRECTORY)?;
        match mkdirat(&above, part, Mode::from(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
        at.push(part);
    }
    Ok(())
}

fn read(folder: &str, rest: &str) -> Result<Vec<u8>> {
    let whole = Path::new(folder).join(rest);
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    let found = beneath(folder, rest, flags).map_err(|errno| told(&whole, errno))?;
    let stat = fstat(&found).map_err(|errno| told(&whole, errno))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(invalid(format!("`{}` is no file", whole.display())));
    }
    let mut bytes = Vec::new();
    let reading = File::from(found).take(LARGEST + 1).read_to_end(&mut bytes);
    reading.map_err(|error| unavailable(format!("`{}`: {error}", whole.display())))?;
    if bytes.len() as u64 > LARGEST {
        return Err(limit(format!("`{}` is larger than {LARGEST} bytes", whole.display())));
    }
    Ok(bytes)
}

/// No path leads out of the folder, over `..`, a link or `/proc`.
fn beneath(folder: &str, rest: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let root = open(folder, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    if rest.is_empty() && flags.contains(OFlags::PATH) {
        return Ok(root);
    }
    let way = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let rest = if rest.is_empty() { "." } else { rest };
    openat2(&root, rest, flags | OFlags::CLOEXEC, Mode::empty(), way)
}

fn told(path: &Path, errno: Errno) -> crate::error::Failure {
    let path = path.display();
    match errno {
        Errno::NOENT | Errno::NOTDIR => not_found(format!("there is nothing at `{path}`")),
        Errno::XDEV | Errno::LOOP => {
            denied(format!("not allowed: `{path}` leads out of the folder that is granted"))
        }
        Errno::ACCESS | Errno::PERM => {
            denied(format!("the host's own user may not reach `{path}`"))
        }
        errno => unavailable(format!("`{path}`: {errno}")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::error::told;

    fn text(result: Result<String>) -> String {
        result.unwrap_or_else(|failure| format!("{:#}", told(failure)))
    }

    #[test]
    fn a_path_leads_nowhere_but_into_its_folder() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().canonicalize().unwrap().join("granted");
        fs::create_dir_all(root.join("a")).unwrap();
        fs::write(outer.path().join("secret"), "s").unwrap();
        fs::write(root.join("a/file"), "f").unwrap();
        symlink("../../secret", root.join("a/out")).unwrap();
        symlink("/etc", root.join("etc")).unwrap();
        symlink("a", root.join("same")).unwrap();
        let root = root.to_str().unwrap();
        assert_eq!(text(settle(root, "same/file", false)), format!("{root}/a/file"));
        assert_eq!(text(settle(root, "", false)), root);
        assert_eq!(text(settle(root, "new/deep", true)), format!("{root}/new/deep"));
        for (rest, why) in [
            ("a/out", "leads out"),
            ("etc/passwd", "leads out"),
            ("etc/x", "leads out"),
            ("none", "nothing at"),
        ] {
            let told = text(settle(root, rest, rest.starts_with("etc")));
            assert!(told.contains(why), "{rest}: {told}");
        }
        assert_eq!(read(root, "same/file").unwrap(), b"f");
        assert!(text(read(root, "a").map(|_| String::new())).contains("is no file"));
        assert!(text(read(root, "a/out").map(|_| String::new())).contains("leads out"));
        fs::write(format!("{root}/big"), vec![0; 2 << 20]).unwrap();
        assert!(text(read(root, "big").map(|_| String::new())).contains("larger than"));
    }
}

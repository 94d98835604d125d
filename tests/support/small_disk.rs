//! A disk that is full soon.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::symlink,
    path::Path,
    process::Command,
};

use tempfile::TempDir;

/// Two megabytes, mounted in a folder of their own.
pub(crate) struct SmallDisk(TempDir);

impl SmallDisk {
    /// Mounts it in a folder that outlives the mount, and makes `at` lead there. None: this machine does not let us.
    pub(crate) fn mount(at: &Path) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs"]).arg(folder.path());
        if !mount.output().is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED: no disk can be mounted here");
            return None;
        }
        symlink(folder.path(), at).unwrap();
        Some(Self(folder))
    }

    /// Fills it, but for so many bytes.
    pub(crate) fn fill(&self, but: u64) {
        let mut file = File::create(self.filling()).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        let size = file.metadata().unwrap().len();
        file.set_len(size.saturating_sub(but)).unwrap();
    }

    pub(crate) fn empty(&self) {
        fs::remove_file(self.filling()).unwrap();
    }

    fn filling(&self) -> std::path::PathBuf {
        self.0.path().join("filling")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A test that failed may leave a host behind for a moment.
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

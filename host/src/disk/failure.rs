//! What goes wrong on a disk, as plugins read it.

use std::io;

use rustix::io::Errno;

use crate::{
    error::{self, Failure, Result, conflict, denied, invalid, unavailable},
    policy::WorkspacePath,
};

/// The failure of one path's operation.
pub(super) fn of_path(path: &WorkspacePath, errno: Errno) -> Failure {
    match errno {
        Errno::NOENT | Errno::NOTDIR => not_found(path),
        Errno::XDEV => path.violation(),
        Errno::LOOP => {
            invalid(format!("`{path}` leads through too many links, or round in a circle"))
        }
        Errno::ISDIR => invalid(format!("`{path}` is a directory")),
        Errno::NAMETOOLONG => invalid(format!("`{path}` is longer than the kernel takes")),
        Errno::ACCESS | Errno::PERM => denied(format!(
            "the host may not reach `{path}`; `chmod` it in a container of this workspace"
        )),
        Errno::NXIO => not_a_file(path),
        errno => of_disk(&format!("`{path}`"), errno),
    }
}

/// The failure of the disk itself.
pub(super) fn of_disk(what: &str, errno: Errno) -> Failure {
    match errno {
        Errno::NOSPC | Errno::DQUOT => unavailable(format!(
            "{what}: the disk is full; nothing was changed. Remove something and try again"
        )),
        Errno::NOSYS => unavailable(
            "this kernel has no `openat2`, by which workspaces are confined; Linux 5.6 or later is needed",
        ),
        errno => unavailable(format!("{what}: {errno}")),
    }
}

/// The same for what the standard library did.
pub(super) fn of_io(what: &str, error: &io::Error) -> Failure {
    match Errno::from_io_error(error) {
        Some(errno) => of_disk(what, errno),
        None => unavailable(format!("{what}: {error}")),
    }
}

pub(super) fn not_found(path: &WorkspacePath) -> Failure {
    error::not_found(format!("File not found: {path}")).with_detail("error_code", "FILE_NOT_FOUND")
}

pub(super) fn no_workspace(id: &str) -> Failure {
    error::not_found(format!("there is no workspace `{id}`"))
}

pub(super) fn not_a_file(path: &WorkspacePath) -> Failure {
    invalid(format!("`{path}` is no regular file"))
}

/// A file that is not the one it was expected to be.
pub(super) fn changed(path: &WorkspacePath, expected: &str, found: &str) -> Failure {
    conflict(format!("File conflict at '{path}': expected ETag '{expected}', but found '{found}'"))
        .with_detail("error_code", "CONFLICT")
        .with_detail("expected", expected)
        .with_detail("found", found)
}

pub(super) fn exists(path: &WorkspacePath) -> Failure {
    conflict(format!("`{path}` is there already")).with_detail("error_code", "CONFLICT")
}

/// Something in the workspace changed again and again.
pub(super) fn restless(path: &WorkspacePath) -> Failure {
    conflict(format!("`{path}` changes while it is worked on; try again"))
        .with_detail("error_code", "CONFLICT")
}

/// The failure of one step of several, which undid those before it.
pub(super) fn in_step(mut failure: Failure, number: usize, what: &str) -> Failure {
    if let Failure::Answer(error) = &mut failure {
        error.message = format!("step {number} ({what}): {}", error.message);
    }
    failure.with_detail("step", number).with_detail("rollback_performed", true)
}

/// Names the path that failed.
pub(super) trait At<T> {
    fn at(self, path: &WorkspacePath) -> Result<T>;
    fn on(self, what: &str) -> Result<T>;
}

impl<T> At<T> for rustix::io::Result<T> {
    fn at(self, path: &WorkspacePath) -> Result<T> {
        self.map_err(|errno| of_path(path, errno))
    }

    fn on(self, what: &str) -> Result<T> {
        self.map_err(|errno| of_disk(what, errno))
    }
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &WorkspacePath) -> Result<T> {
        self.map_err(|error| match Errno::from_io_error(&error) {
            Some(errno) => of_path(path, errno),
            None => unavailable(format!("`{path}`: {error}")),
        })
    }

    fn on(self, what: &str) -> Result<T> {
        self.map_err(|error| of_io(what, &error))
    }
}

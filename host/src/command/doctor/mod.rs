//! `windlass doctor`: whether this machine and the configuration are fit.
//!
//! It mends nothing, and makes nothing but the cache of compiled plugins, which loading them fills.

mod containers;
mod machine;

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use rustix::{
    fs::{Access, FlockOperation, access, flock, statvfs},
    process::geteuid,
};
use serde::Serialize;

use self::machine::{address_space, compiler, open_files, overcommit};
use super::{Opening, output};
use crate::{bundled::Bundled, registry::Registry};

/// With less, a busy host soon cannot write.
const LITTLE_SPACE: u64 = 100 << 20;
/// What others may do with a file.
const OTHERS: u32 = 0o077;
/// What others may write.
const OTHERS_WRITE: u32 = 0o022;
#[derive(Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    opening: Opening,
    /// JSON, for programs.
    #[arg(long)]
    json: bool,
}

/// How one thing is.
#[derive(Serialize)]
struct Finding {
    state: State,
    what: String,
    /// What is wrong, and how to mend it.
    mend: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warn,
    Fail,
}

impl Doctor {
    pub(super) async fn run(self, bundled: &'static [Bundled]) -> anyhow::Result<ExitCode> {
        let mut findings = vec![self.configuration()];
        findings.extend(self.state_directory()?);
        findings.push(cache(&self.opening.state.cache()?));
        findings.push(self.token()?);
        findings.extend([open_files(), address_space(), overcommit(), compiler()]);
        findings.extend(containers::look().await);
        match self.opening.empty(bundled) {
            Ok(registry) => {
                findings.push(ok("memory for all calls at once".to_owned()));
                findings.push(self.database(&registry)?);
                findings.extend(self.plugins(&registry).await);
            }
            // The first finding has told it already.
            Err(_) if findings.iter().any(Finding::stops_all) => {}
            Err(error) => findings.push(fail("the host itself".to_owned(), &error)),
        }
        if self.json {
            output::print_json(&findings)?;
        } else {
            findings.iter().for_each(|finding| output::print(&finding.text()));
        }
        let failed = findings.iter().any(|finding| finding.state == State::Fail);
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn configuration(&self) -> Finding {
        let file = self.opening.config_file();
        let what = match &file {
            Some(file) => format!("configuration `{}`", file.display()),
            None => "configuration: there is no file, so the defaults hold".to_owned(),
        };
        match self.opening.config() {
            Ok(_) => ok(what),
            Err(error) => fail(what, &error),
        }
    }

    fn state_directory(&self) -> anyhow::Result<Vec<Finding>> {
        let directory = self.opening.state.directory()?;
        let mut findings =
            vec![place(&format!("state directory `{}`", directory.display()), &directory, OTHERS)];
        findings.push(space(&existing(&directory)));
        findings.push(lock(&directory.join("lock")));
        Ok(findings)
    }

    fn token(&self) -> anyhow::Result<Finding> {
        let file = self.opening.state.token_file()?;
        let what = format!("token `{}`", file.display());
        if !file.exists() {
            return Ok(ok(format!("{what}: it is made when the host first serves over HTTP")));
        }
        Ok(match self.opening.state.token() {
            Ok(_) => ok(what),
            Err(error) => fail(what, &error),
        })
    }

    /// Opens the file only where it is: opening makes it.
    fn database(&self, registry: &Registry) -> anyhow::Result<Finding> {
        let file = self.opening.state.database()?;
        let what = format!("database `{}`", file.display());
        if !file.exists() {
            return Ok(ok(format!("{what}: it is made when it is first needed")));
        }
        Ok(match registry.database().check() {
            Ok(()) => ok(what),
            Err(error) => fail(what, &error),
        })
    }

    async fn plugins(&self, registry: &Registry) -> Vec<Finding> {
        let wanted = self.opening.files();
        let wanted = wanted.and_then(|files| registry.wanted(self.opening.chosen(), &files));
        let wanted = match wanted {
            Ok(wanted) => wanted,
            Err(error) => return vec![fail("plugins".to_owned(), &error)],
        };
        let loaded = registry.load_all(&wanted).await;
        let failures = registry.failures();
        let mut findings: Vec<_> = wanted
            .keys()
            .map(|name| match failures.get(name) {
                None => ok(format!("plugin `{name}`")),
                Some(failure) => Finding {
                    state: State::Fail,
                    what: format!("plugin `{name}`"),
                    mend: Some(format!("{failure}; `windlass explain {name}` says more")),
                },
            })
            .collect();
        findings.extend(loaded.err().map(|error| fail("all plugins together".to_owned(), &error)));
        if wanted.is_empty() {
            let mend = "no plugin is wanted; `windlass plugins list` says which there are";
            findings.push(warn("plugins".to_owned(), mend.to_owned()));
        }
        findings
    }
}

impl Finding {
    /// Without a configuration there is no host to look at.
    fn stops_all(&self) -> bool {
        self.state == State::Fail && self.what.starts_with("configuration")
    }

    fn text(&self) -> String {
        let state = match self.state {
            State::Ok => "ok  ",
            State::Warn => "warn",
            State::Fail => "fail",
        };
        match &self.mend {
            None => format!("{state}  {}", self.what),
            Some(mend) => format!("{state}  {}: {mend}", self.what),
        }
    }
}

fn ok(what: String) -> Finding {
    Finding { state: State::Ok, what, mend: None }
}

fn warn(what: String, mend: String) -> Finding {
    Finding { state: State::Warn, what, mend: Some(mend) }
}

fn fail(what: String, error: &anyhow::Error) -> Finding {
    Finding { state: State::Fail, what, mend: Some(format!("{error:#}")) }
}

/// A directory of the host's own, in which others have none of these rights.
fn place(what: &str, directory: &Path, forbidden: u32) -> Finding {
    let broken =
        |mend: String| Finding { state: State::Fail, what: what.to_owned(), mend: Some(mend) };
    let metadata = match fs::metadata(directory) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let above = existing(directory);
            return match access(&above, Access::WRITE_OK | Access::EXEC_OK) {
                Ok(()) => ok(format!("{what}: it is made at the first start")),
                Err(_) => broken(format!(
                    "it is not there, and this user cannot write `{}`; choose another",
                    above.display()
                )),
            };
        }
        Err(error) => return broken(format!("it cannot be read: {error}")),
    };
    let path = directory.display();
    if !metadata.is_dir() {
        return broken("it is no directory; choose another".to_owned());
    }
    if metadata.uid() != geteuid().as_raw() {
        return broken(format!(
            "it belongs to user {}; `chown` it, or choose another",
            metadata.uid()
        ));
    }
    if access(directory, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        return broken(format!("this user cannot write it; `chmod u+rwx {path}`"));
    }
    let mode = metadata.mode() & 0o777;
    if mode & OTHERS_WRITE != 0 {
        return broken(format!("others can write it (mode {mode:o}); `chmod 700 {path}`"));
    }
    if mode & forbidden != 0 {
        return warn(
            what.to_owned(),
            format!("others can read it (mode {mode:o}); `chmod 700 {path}`"),
        );
    }
    ok(what.to_owned())
}

/// Without a cache that only this user can write, every start compiles every plugin.
fn cache(directory: &Path) -> Finding {
    let what = format!("cache directory `{}`", directory.display());
    let mut finding = place(&what, directory, OTHERS_WRITE);
    if finding.state == State::Fail {
        finding.state = State::Warn;
    }
    finding
}

fn space(directory: &Path) -> Finding {
    let what = format!("free space below `{}`", directory.display());
    match statvfs(directory) {
        Ok(system) => {
            let free = system.f_bavail.saturating_mul(system.f_frsize);
            let what = format!("{what}: {} MiB", free >> 20);
            if free < LITTLE_SPACE {
                return warn(what, format!("less than {} MiB; make room", LITTLE_SPACE >> 20));
            }
            ok(what)
        }
        Err(error) => warn(what, format!("it cannot be told: {error}")),
    }
}

/// Tries the lock without keeping it, and without writing the file.
fn lock(file: &Path) -> Finding {
    let what = "no other host has the state directory".to_owned();
    let Ok(lock) = fs::File::open(file) else { return ok(what) };
    if flock(&lock, FlockOperation::NonBlockingLockShared).is_ok() {
        return ok(what);
    }
    let holder = fs::read_to_string(file).unwrap_or_default();
    let what = format!("process {} has the state directory", holder.trim());
    let mend = "a second host would not start; connect to that one over HTTP, end it, or choose another --state-dir";
    warn(what, mend.to_owned())
}

/// The nearest directory that is there.
fn existing(directory: &Path) -> PathBuf {
    let there = directory.ancestors().find(|it| it.is_dir() && !it.as_os_str().is_empty());
    there.unwrap_or(Path::new(".")).to_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_directory_is_its_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let state = |mode, forbidden| {
            fs::set_permissions(directory.path(), fs::Permissions::from_mode(mode)).unwrap();
            place("it", directory.path(), forbidden).state
        };
        assert!(state(0o700, OTHERS) == State::Ok);
        assert!(state(0o755, OTHERS_WRITE) == State::Ok);
        assert!(state(0o755, OTHERS) == State::Warn);
        assert!(state(0o777, OTHERS) == State::Fail);
    }
}

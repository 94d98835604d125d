//! Where the host keeps its things, and that only one host keeps them there.

use std::{
    env, fs,
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process,
};

use anyhow::{Context as _, bail, ensure};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use clap::Args;
use rustix::fs::{FlockOperation, flock};

use super::inherited;
use crate::audit;

/// What only the owner of a file may read.
const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_FOLDER: u32 = 0o700;
/// The rights of everybody but the owner.
const OTHERS: u32 = 0o077;
/// 256 bits.
const TOKEN_BYTES: usize = 32;

/// Where things are.
#[derive(Args, Clone)]
pub struct State {
    /// Where documents, the token and added plugins are kept [default: ~/.local/state/windlass].
    #[arg(long, env = "WINDLASS_STATE_DIR", value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Where compiled plugins are kept [default: ~/.cache/windlass].
    #[arg(long, env = "WINDLASS_CACHE_DIR", value_name = "DIR")]
    cache_dir: Option<PathBuf>,
}

/// The state directory, for this process alone.
pub struct Claim(#[allow(dead_code, reason = "holds the lock until it is dropped")] fs::File);

impl State {
    pub fn directory(&self) -> anyhow::Result<PathBuf> {
        let inherited = || inherited::state_directory(&inherited::variable);
        let chosen = self.state_dir.clone().or_else(inherited);
        place(chosen.as_ref(), "XDG_STATE_HOME", ".local/state", "--state-dir")
    }

    pub fn cache(&self) -> anyhow::Result<PathBuf> {
        place(self.cache_dir.as_ref(), "XDG_CACHE_HOME", ".cache", "--cache-dir")
    }

    pub fn database(&self) -> anyhow::Result<PathBuf> {
        match inherited::database(&inherited::variable) {
            Some(file) => Ok(file),
            None => Ok(self.directory()?.join("windlass.db")),
        }
    }

    /// Where the directories are that containers work in.
    pub fn workspaces(&self) -> anyhow::Result<PathBuf> {
        Ok(self.directory()?.join("workspaces"))
    }

    /// Where it is recorded what happens.
    pub fn record(&self) -> anyhow::Result<audit::Place> {
        Ok(audit::Place::below(&self.directory()?))
    }

    /// Where components that were added lie.
    pub fn plugins(&self) -> anyhow::Result<PathBuf> {
        Ok(self.directory()?.join("plugins"))
    }

    pub fn token_file(&self) -> anyhow::Result<PathBuf> {
        Ok(self.directory()?.join("token"))
    }

    /// Makes the directory, for this user alone.
    pub fn make(&self) -> anyhow::Result<PathBuf> {
        let directory = self.directory()?;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(PRIVATE_FOLDER)
            .create(&directory)
            .with_context(|| {
                format!("cannot make the state directory `{}`", directory.display())
            })?;
        Ok(directory)
    }

    /// Claims the directory. A second host on it would not know of the first one's work.
    pub fn claim(&self) -> anyhow::Result<Claim> {
        let directory = self.make()?;
        let path = directory.join("lock");
        let mut lock = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(PRIVATE_FILE)
            .open(&path)
            .with_context(|| format!("cannot open `{}`", path.display()))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut holder = String::new();
            lock.read_to_string(&mut holder)?;
            bail!(
                "the state directory `{}` is in use by process {}; end that host, connect to it over HTTP, or choose another --state-dir",
                directory.display(),
                holder.trim()
            );
        }
        lock.set_len(0)?;
        lock.rewind()?;
        write!(lock, "{}", process::id())?;
        Ok(Claim(lock))
    }

    /// The token of this host, made at first need.
    pub fn token(&self) -> anyhow::Result<String> {
        if let Some(token) = inherited::variable("MCP_BEARER_TOKEN") {
            return Ok(token);
        }
        let path = self.token_file()?;
        if let Some(token) = read_token(&path)? {
            return Ok(token);
        }
        self.make()?;
        let mut bytes = [0; TOKEN_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
        let token = BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let writing = || format!("cannot write `{}`", path.display());
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(PRIVATE_FILE)
            .open(&path)
            .with_context(writing)?;
        file.write_all(token.as_bytes()).with_context(writing)?;
        Ok(token)
    }
}

fn read_token(path: &Path) -> anyhow::Result<Option<String>> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context(format!("cannot read `{}`", path.display())),
    };
    let path = path.display();
    ensure!(
        metadata.mode() & OTHERS == 0,
        "others can read the token in `{path}`; delete the file to get another token, or `chmod 600` it"
    );
    let token =
        fs::read_to_string(path.to_string()).with_context(|| format!("cannot read `{path}`"))?;
    let token = token.trim().to_owned();
    ensure!(
        token.len() >= TOKEN_BYTES,
        "the token in `{path}` is too short; delete the file to get another"
    );
    Ok(Some(token))
}

fn place(
    chosen: Option<&PathBuf>,
    variable: &str,
    below_home: &str,
    flag: &str,
) -> anyhow::Result<PathBuf> {
    if let Some(chosen) = chosen {
        return Ok(chosen.clone());
    }
    let absolute = |path: &PathBuf| path.is_absolute();
    if let Some(base) = env::var_os(variable).map(PathBuf::from).filter(absolute) {
        return Ok(base.join("windlass"));
    }
    let home = env::var_os("HOME").map(PathBuf::from).filter(absolute);
    let home = home.with_context(|| format!("there is no home directory; say {flag}"))?;
    Ok(home.join(below_home).join("windlass"))
}

//! A door for other programs of this user: a port inside a container, through a socket in the state directory.
//!
//! The visitor sends one line of JSON that names container and port, and gets one back; bare bytes follow.

use std::{
    os::fd::{AsRawFd as _, OwnedFd},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    time::{sleep, timeout},
};

use super::{Entry, Rooms};
use crate::{
    error::{Result, told},
    inside::Tunnel,
};

/// The socket's name in the state directory.
const SOCKET: &str = "visit";
/// How long a visitor may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait before the next visitor where one could not be let in.
const PAUSE: Duration = Duration::from_millis(100);
/// A longer line is no request.
const LONGEST_LINE: u64 = 4096;

/// What a visitor wants.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Visit {
    /// An id, or an alias that only one container has.
    pub container: String,
    pub port: u16,
}

#[derive(Deserialize, Serialize)]
struct Answer {
    error: Option<String>,
}

/// The state directory, open: a socket's path may have 107 bytes, and a home may be deep.
struct Door(OwnedFd);

impl Door {
    fn at(state: &Path) -> anyhow::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(state, flags, Mode::empty());
        Ok(Self(opened.with_context(|| format!("cannot open `{}`", state.display()))?))
    }

    fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", self.0.as_raw_fd()))
    }
}

impl Rooms {
    /// Lets visitors in until the host ends. Only this user can enter the state directory.
    pub async fn receive(self: Arc<Self>, state: &Path) -> anyhow::Result<()> {
        // A host that was killed leaves its socket; the claim says that there is no other one.
        let _ = std::fs::remove_file(state.join(SOCKET));
        let door = Door::at(state)?;
        let listener = UnixListener::bind(door.path())
            .with_context(|| format!("cannot listen in `{}`", state.display()))?;
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!("a visitor is not let in: {error}");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let rooms = self.clone();
            self.inside.spawn(async move {
                if let Err(error) = rooms.let_in(stream).await {
                    tracing::debug!("a visitor left: {error:#}");
                }
            });
        }
    }

    async fn let_in(&self, mut stream: UnixStream) -> anyhow::Result<()> {
        let visit =
            timeout(PATIENCE, read_line(&mut stream)).await.context("it said nothing")??;
        let visit: Visit = serde_json::from_str(&visit)?;
        // Port 0 asks only whether the container is there.
        if visit.port == 0 {
            let error = self.exists(&visit.container).err().map(|error| format!("{error:#}"));
            return say(&mut stream, error).await;
        }
        let opened = self.visit(&visit).await;
        let error = opened.as_ref().err().map(|error| format!("{error:#}"));
        say(&mut stream, error).await?;
        opened?.join(stream).await?;
        Ok(())
    }

    /// Fails where there is no such container.
    pub fn exists(&self, name: &str) -> anyhow::Result<()> {
        self.one(name).map(drop)
    }

    /// A way to the port, whichever plugin the container belongs to: the user owns them all.
    pub async fn visit(&self, visit: &Visit) -> anyhow::Result<Tunnel> {
        let entry = self.one(&visit.container)?;
        let tunnel: Result<_> = async {
            self.wake(&entry).await?;
            self.inside.connect(&entry.id, visit.port).await
        }
        .await;
        tunnel.map_err(told)
    }

    fn one(&self, name: &str) -> anyhow::Result<Arc<Entry>> {
        let mut found: Vec<_> = self.all();
        found.retain(|entry| {
            let record = entry.record();
            record.is_visible() && (record.id == name || record.alias.as_deref() == Some(name))
        });
        match found.as_slice() {
            [entry] => Ok(entry.clone()),
            [] => bail!("there is no container `{name}`"),
            _ => bail!("several plugins have a container `{name}`; use its id"),
        }
    }
}

async fn say(stream: &mut UnixStream, error: Option<String>) -> anyhow::Result<()> {
    let mut answer = serde_json::to_vec(&Answer { error })?;
    answer.push(b'\n');
    Ok(stream.write_all(&answer).await?)
}

/// Asks the host that has this state directory for a way to a port. None: no host has it.
pub async fn visit(state: &Path, visit: &Visit) -> anyhow::Result<Option<UnixStream>> {
    let Ok(door) = Door::at(state) else { return Ok(None) };
    let Ok(mut stream) = UnixStream::connect(door.path()).await else { return Ok(None) };
    let mut line = serde_json::to_vec(visit)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    let answer = read_line(&mut stream).await.context("the host does not answer")?;
    if let Some(error) = serde_json::from_str::<Answer>(&answer)?.error {
        bail!(error);
    }
    Ok(Some(stream))
}

/// One line, and not a byte of what follows it.
async fn read_line(stream: &mut UnixStream) -> anyhow::Result<String> {
    let mut line = String::new();
    // A buffer of one byte reads nothing that belongs to the port.
    let mut bytes = BufReader::with_capacity(1, stream).take(LONGEST_LINE);
    bytes.read_line(&mut line).await?;
    ensure!(line.ends_with('\n'), "it is no line");
    Ok(line)
}

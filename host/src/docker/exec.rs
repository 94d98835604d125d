//! The engine's own exec, for what the supervisor cannot do: to run as the container's root.
//!
//! Measured, and why everything else goes through the supervisor:
//! - it takes 50 ms and more, and no more than some twenty a second;
//! - when the client goes while the command prints, Docker says code 126 of a command that ended well, so a code
//!   counts only if all output was read before;
//! - a child in the background that holds stdout keeps the output open some two seconds longer;
//! - an exec is forgotten when the engine starts again, by Podman soon after its end: its id is never kept;
//! - command lines show in the engine's events: secrets belong into the environment or into stdin;
//! - bollard looks for frames in the output of a terminal and mangles it, so there is no terminal here.

use std::{collections::VecDeque, pin::Pin, time::Duration};

use bollard::{
    container::LogOutput,
    exec::{CreateExecOptions, StartExecOptions, StartExecResults},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::{
    io::AsyncWriteExt as _,
    time::{Instant, sleep},
};
use windlass_supervisor::protocol::MARKER;

use super::{Docker, Ours, failure::Trouble};
use crate::error::{Result, unavailable};

/// How long after the end of its output an exec may look as if it ran: in Podman, a second.
const SETTLING: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_millis(20);

/// A command for the engine.
#[derive(Clone, Debug)]
pub struct Exec {
    pub command: Vec<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
    /// None: where the container's own program started.
    pub cwd: Option<String>,
    /// What it reads. None: its stdin is closed.
    pub stdin: Option<Vec<u8>>,
    /// `0:0`. None: the container's own.
    pub user: Option<String>,
}

/// A piece of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    pub stderr: bool,
    pub bytes: Bytes,
}

/// A command that the engine runs.
pub struct Running {
    docker: Docker,
    exec: String,
    output: Pin<Box<dyn Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send>>,
    ready: VecDeque<Output>,
    broken: bool,
}

impl Docker {
    /// Starts a command.
    ///
    /// `id`, `e_…`, is in the environment of it and of its children, so that they can be found.
    pub async fn exec(&self, ours: &Ours, id: &str, mut exec: Exec) -> Result<Running> {
        exec.env.push(format!("{MARKER}={id}"));
        self.exec_in(ours.engine_id(), ours.id(), exec).await
    }

    /// The same in the container that the engine calls so. What is told of it has its name.
    pub(super) async fn exec_in(&self, engine_id: &str, name: &str, exec: Exec) -> Result<Running> {
        let what = format!("run a command in container `{name}`");
        let options = CreateExecOptions {
            attach_stdin: Some(exec.stdin.is_some()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(false),
            env: Some(exec.env),
            cmd: Some(exec.command),
            privileged: Some(false),
            user: exec.user,
            working_dir: exec.cwd,
            detach_keys: None,
        };
        let created = self
            .quickly(async |client| client.create_exec(engine_id, options).await)
            .await?
            .map_err(|trouble| trouble.doing(&what))?;
        let start = StartExecOptions { detach: false, tty: false, output_capacity: Some(64 << 10) };
        let started = self
            .quickly(async |client| client.start_exec(&created.id, Some(start)).await)
            .await?
            .map_err(|trouble| trouble.doing(&what))?;
        match started {
            StartExecResults::Attached { output, mut input } => {
                if let Some(stdin) = exec.stdin {
                    // A command that does not read it must not stand before its own output.
                    tokio::spawn(async move {
                        let _ = input.write_all(&stdin).await;
                        let _ = input.shutdown().await;
                    });
                }
                Ok(Running {
                    docker: self.clone(),
                    exec: created.id,
                    output,
                    ready: VecDeque::new(),
                    broken: false,
                })
            }
            StartExecResults::Detached => {
                Err(unavailable(format!("cannot {what}: the engine gives no output of it")))
            }
        }
    }
}

impl Running {
    /// The next piece, None at the end of them.
    pub async fn next(&mut self) -> Option<Result<Output>> {
        loop {
            if let Some(output) = self.ready.pop_front() {
                return Some(Ok(output));
            }
            match self.output.next().await? {
                Ok(piece) => self.take(piece),
                Err(error) => {
                    self.broken = true;
                    let trouble = Trouble::from(error);
                    return Some(Err(unavailable(format!("the output breaks off: {trouble}"))));
                }
            }
        }
    }

    fn take(&mut self, piece: LogOutput) {
        let stderr = matches!(piece, LogOutput::StdErr { .. });
        let bytes = piece.into_bytes();
        if !bytes.is_empty() {
            self.ready.push_back(Output { stderr, bytes });
        }
    }

    /// How it ended. None where nobody knows any more: its output broke off, or the engine has forgotten it.
    pub async fn code(self) -> Result<Option<i64>> {
        // A code that is told after that may be one of the engine's own.
        if self.broken {
            return Ok(None);
        }
        let deadline = Instant::now() + SETTLING;
        loop {
            let found =
                self.docker.quickly(async |client| client.inspect_exec(&self.exec).await).await?;
            let found = match found {
                Ok(found) => found,
                Err(trouble) if trouble.is(404) => return Ok(None),
                Err(trouble) => return Err(trouble.doing("look at a command")),
            };
            // First this: Podman shows a code of 0 while it runs.
            if found.running != Some(true) {
                return Ok(found.exit_code.filter(|code| *code >= 0));
            }
            if Instant::now() > deadline {
                return Ok(None);
            }
            sleep(AGAIN).await;
        }
    }
}

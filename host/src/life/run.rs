//! Running programs in a container: by its supervisor, or by the engine where the supervisor cannot.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{
    Entry, Phase, Record, Rooms,
    make::{PATIENCE, plain},
};
use crate::{
    docker::{Exec, Ours},
    error::{Failure, Result, invalid, told, unavailable},
    inside::{Ending, Feed, How},
    policy::{Approved, NewProcess, plugin_of},
    secrets::Values,
};

const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;
/// Between the two.
const GRACE: Duration = Duration::from_secs(5);
/// How long a supervisor may take to come before the engine is asked again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long to wait before it is looked again whether anything is left.
const PAUSE: Duration = Duration::from_millis(50);
/// What a result says that the supervisor did not bring.
const BY_ENGINE: &str = "run by the engine's exec, which the supervisor cannot do: processor time and memory are not known";
/// What it says where nothing else helped.
const LAST_RESORT: &str = "nothing else ended it, so its container was stopped";
/// The only user that the supervisor cannot be.
const ROOT: &str = "0:0";

impl Rooms {
    /// Starts a program, or puts it in the queue. Gives its id.
    pub async fn run(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        process: Approved<NewProcess>,
    ) -> Result<String> {
        if self.is_ending() {
            return Err(unavailable("the host is ending: nothing is started any more"));
        }
        self.wake(entry).await?;
        entry.touch();
        if !process.request().root {
            return self.inside.start(&entry.id, process).await;
        }
        if process.request().terminal.is_some() {
            return Err(invalid("the engine's own exec, which root needs, has no terminal here"));
        }
        let limit = process.request().timeout_ms.map(Duration::from_millis);
        let exec = exec_of(process.request(), &self.secrets(process.owner()))?;
        let (id, feed) = self.inside.start_elsewhere(&entry.id, process).await?;
        if let Some(feed) = feed {
            let (rooms, container, process) = (self.clone(), entry.id.clone(), id.clone());
            let carrying = async move { rooms.feed(&container, &process, exec, limit, feed).await };
            self.inside.spawn(carrying);
        }
        Ok(id)
    }

    /// Carries what the engine's exec prints to where all output goes.
    async fn feed(
        &self,
        container: &str,
        process: &str,
        exec: Exec,
        limit: Option<Duration>,
        feed: Feed,
    ) {
        if !feed.admitted().await {
            return;
        }
        let started = Instant::now();
        let ended = match self.carry(container, process, exec, limit, &feed).await {
            Ok(ending) => ending,
            Err(failure) => Ending::without(How::Refused, Some(format!("{:#}", told(failure)))),
        };
        let wall_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        feed.ended(Ending { wall_ms, ..ended }).await;
    }

    async fn carry(
        &self,
        container: &str,
        process: &str,
        exec: Exec,
        limit: Option<Duration>,
        feed: &Feed,
    ) -> Result<Ending> {
        let ours = self.docker.find(container).await?;
        let ours = ours.ok_or_else(|| unavailable("its container is gone"))?;
        let mut running = self.docker.exec(&ours, process, exec).await?;
        let deadline = limit.map(|limit| Instant::now() + limit);
        let (mut how, mut said) = (How::Exited, BY_ENGINE);
        loop {
            let over = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                piece = running.next() => match piece {
                    Some(Ok(piece)) => feed.chunk(piece.stderr, &piece.bytes).await?,
                    Some(Err(failure)) => return Ok(lost(failure)),
                    None => break,
                },
                () = feed.cancelled(), if how == How::Exited => {
                    how = How::Cancelled;
                    said = self.end_exec(&ours, process).await;
                }
                () = over, if how == How::Exited => {
                    how = How::TimedOut;
                    said = self.end_exec(&ours, process).await;
                }
            }
        }
        let code = running.code().await?;
        let code = code.and_then(|code| i32::try_from(code).ok());
        let code = code.filter(|_| how == How::Exited);
        Ok(Ending { code, ..Ending::without(how, Some(said.to_owned())) })
    }

    /// SIGTERM, a grace, SIGKILL, until nothing carries its marker. Where that does not end it, its container is stopped.
    async fn end_exec(&self, ours: &Ours, process: &str) -> &'static str {
        let (begin, mut number) = (Instant::now(), SIGTERM);
        while begin.elapsed() < 2 * GRACE {
            match self.docker.signal(ours, process, number).await {
                Ok(0) => return BY_ENGINE,
                Ok(_) => {}
                Err(failure) => {
                    tracing::warn!(process, "it cannot be signalled: {:#}", told(failure));
                    break;
                }
            }
            tokio::time::sleep(PAUSE).await;
            if begin.elapsed() >= GRACE {
                number = SIGKILL;
            }
        }
        if let Err(failure) = self.docker.stop(ours, 0).await {
            tracing::error!(process, "nor can its container be stopped: {:#}", told(failure));
        }
        LAST_RESORT
    }

    /// Sees to it that programs can run in it.
    pub async fn wake(&self, entry: &Arc<Entry>) -> Result<()> {
        self.judge(&entry.record())?;
        if entry.record().phase == Phase::Running && self.inside.is_connected(&entry.id) {
            return Ok(());
        }
        let _turn = entry.turn.lock().await;
        if !entry.record().is_settled() {
            return Err(super::not_found(&entry.id));
        }
        if entry.record().phase == Phase::Running && self.inside.is_connected(&entry.id) {
            return Ok(());
        }
        let Some(ours) = self.docker.find(&entry.id).await? else {
            self.inside.distrust(&entry.id).await;
            self.write(entry, |record| record.phase = Phase::Stopped).await?;
            return Err(unavailable(format!(
                "the engine has no container `{}` any more; remove it and make another, on its workspace if that is needed",
                entry.id
            )));
        };
        let begin = Instant::now();
        while !self.start(entry, &ours).await? {
            // The engine may not have heard yet that what it calls running has ended.
            if begin.elapsed() > PATIENCE {
                return Err(unavailable(format!(
                    "the supervisor in `{}` does not answer",
                    entry.id
                )));
            }
        }
        self.write(entry, |record| record.phase = Phase::Running).await
    }

    /// Starts it where it does not run. Says whether its supervisor came.
    async fn start(&self, entry: &Arc<Entry>, ours: &Ours) -> Result<bool> {
        let found = self.docker.inspect(ours).await?;
        let record = entry.current();
        self.inside.prepare(&record.owner, &record.id, record.way_out()?).await?;
        let pid = match found.and_then(|found| found.pid) {
            Some(pid) => pid,
            None => {
                self.inside.distrust(&entry.id).await;
                self.check_workspaces(&record).await?;
                self.docker.start(ours).await?
            }
        };
        self.inside.trust(&entry.id, pid);
        self.inside.ready(&entry.id, LOOK_AGAIN).await
    }

    /// Fails where a workspace of a container is gone, which the engine would tell in words of its own.
    async fn check_workspaces(&self, record: &Record) -> Result<()> {
        for (workspace, path) in record.workspaces() {
            if !self.disk.is_there(workspace).await? {
                return Err(unavailable(format!(
                    "`{workspace}`, which `{}` has at `{path}`, is gone; remove the container and make another",
                    record.id
                )));
            }
        }
        Ok(())
    }

    /// Whether the container of a plugin that is loaded may go on as it was made.
    fn judge(&self, record: &Record) -> Result<()> {
        let owners = self.owners.load();
        let Some(owner) = owners.get(plugin_of(&record.owner)) else { return Ok(()) };
        let Record { id, mounts, groups, .. } = record;
        owner.policy.approve_going_on(id, mounts, groups)
    }
}

fn lost(failure: Failure) -> Ending {
    Ending::without(How::Lost, Some(format!("{:#}", told(failure))))
}

/// The same command for the engine. Its id is known when it has one.
fn exec_of(process: &NewProcess, secrets: &Values) -> Result<Exec> {
    let variable = |(name, value): &(String, _)| Ok(format!("{name}={}", plain(value, secrets)?));
    Ok(Exec {
        command: process.command.clone(),
        env: process.env.iter().map(variable).collect::<Result<_>>()?,
        cwd: Some(process.cwd.clone()),
        stdin: process.stdin.clone(),
        user: Some(ROOT.to_owned()),
    })
}

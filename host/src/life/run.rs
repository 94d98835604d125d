//! Running programs in a container: by its supervisor, or by the engine where the supervisor cannot.

use std::sync::Arc;

use futures_util::StreamExt as _;

use super::{Entry, Phase, Rooms, make::PATIENCE};
use crate::{
    docker::Exec,
    error::{Result, unavailable},
    inside::Feed,
    policy::{Approved, NewProcess},
    secrets::Secrets,
};

impl Rooms {
    /// Starts a program, or puts it in the queue. Gives its id.
    pub async fn run(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        process: Approved<NewProcess>,
        secrets: &Secrets,
    ) -> Result<String> {
        if self.is_ending() {
            return Err(unavailable("the host is ending: nothing is started any more"));
        }
        self.wake(entry).await?;
        entry.touch();
        if !process.request().root {
            return self.inside.start(&entry.id, process, secrets).await;
        }
        let exec = Exec::of(process.request(), secrets)?;
        let (id, feed) = self.inside.start_elsewhere(&entry.id, process).await?;
        if let Some(feed) = feed {
            let (rooms, container, process) = (self.clone(), entry.id.clone(), id.clone());
            self.inside.spawn(async move { rooms.feed(&container, &process, exec, feed).await });
        }
        Ok(id)
    }

    /// Carries what the engine's exec prints to where all output goes.
    async fn feed(&self, container: &str, process: &str, exec: Exec, mut feed: Feed) {
        if !feed.turn().await {
            return;
        }
        let started = async {
            let ours = self.docker.find(container).await?;
            let ours = ours.ok_or_else(|| unavailable("its container is gone"))?;
            self.docker.exec(&ours, process, exec).await
        };
        let mut running = match started.await {
            Ok(running) => running,
            Err(failure) => return feed.refused(&format!("{:#}", super::told(failure))).await,
        };
        loop {
            tokio::select! {
                piece = running.output.next() => match piece {
                    Some((stderr, bytes)) => feed.chunk(stderr, &bytes).await,
                    None => break,
                },
                grace = feed.asked_to_end() => running.kill(grace).await,
            }
        }
        feed.ended(running.exit_code().await).await;
    }

    /// Sees to it that programs can run in it.
    pub async fn wake(&self, entry: &Arc<Entry>) -> Result<()> {
        if entry.record().phase == Phase::Running && self.inside.is_connected(&entry.id) {
            return Ok(());
        }
        let _turn = entry.turn.lock().await;
        let phase = entry.record().phase;
        if !matches!(phase, Phase::Running | Phase::Stopped) {
            return Err(super::not_found(&entry.id));
        }
        if phase == Phase::Running && self.inside.is_connected(&entry.id) {
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
        let found = self.docker.inspect(&ours).await?;
        let running = found.and_then(|found| found.running.then_some(found.pid));
        let record = entry.current();
        self.inside.prepare(&record.owner, &record.id, record.offline).await?;
        let pid = match running {
            Some(pid) => pid,
            None => {
                self.inside.distrust(&entry.id).await;
                self.docker.start(&ours).await?
            }
        };
        self.inside.trust(&entry.id, pid);
        self.inside.ready(&entry.id, PATIENCE).await?;
        self.write(entry, |record| record.phase = Phase::Running).await
    }
}

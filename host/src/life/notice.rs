//! Noticing that a container has ended by itself: its memory was too little, somebody stopped it, the engine went down.

use std::{sync::Arc, time::Duration};

use tokio::{sync::broadcast::error::RecvError, time::sleep};

use super::{Entry, Phase, Rooms};

/// How long a supervisor that has gone away may take to come again before the engine is asked.
const PATIENCE: Duration = Duration::from_millis(200);

impl Rooms {
    /// Looks at each container whose supervisor goes away, until the host ends.
    pub(super) async fn notice(self: Arc<Self>) {
        let mut departures = self.inside.departures();
        loop {
            let id = match departures.recv().await {
                Ok(id) => id,
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return,
            };
            let Some(entry) = self.entries().get(&id).cloned() else { continue };
            let rooms = self.clone();
            self.inside.spawn(async move { rooms.find_out(&entry).await });
        }
    }

    /// Asks the engine until it is known how the container is. While the engine is away, nothing is.
    async fn find_out(&self, entry: &Arc<Entry>) {
        let mut patience = PATIENCE;
        loop {
            sleep(patience).await;
            patience = (patience * 2).min(Duration::from_secs(10));
            if self.inside.is_connected(&entry.id) || entry.record().phase != Phase::Running {
                return;
            }
            // Who starts or ends it at this moment knows better.
            let Ok(_turn) = entry.turn.try_lock() else { continue };
            let found = match self.docker.find(&entry.id).await {
                Ok(Some(ours)) => self.docker.inspect(&ours).await,
                Ok(None) => Ok(None),
                Err(failure) => Err(failure),
            };
            let Ok(found) = found else { continue };
            if found.as_ref().is_some_and(|found| found.running) {
                continue;
            }
            let memory = found.is_some_and(|found| found.oom_killed);
            let why = if memory { ": it had too little memory" } else { "" };
            tracing::warn!(container = entry.id, "it has ended by itself{why}");
            self.inside.distrust(&entry.id).await;
            if self.write(entry, |record| record.phase = Phase::Stopped).await.is_ok() {
                return;
            }
        }
    }
}

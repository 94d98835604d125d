//! Ending jobs that nobody waits to end by themselves: because somebody wants it, or because their time is over.

use std::{sync::Arc, time::Duration};

use super::{Board, Record, State, active::Active, run::overdue};
use crate::{
    error::Result,
    policy::{Approved, JobsOf},
    time::now,
};

/// How long who cancels a job waits for its end. It ends all the same if it takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

impl Board {
    /// Ends a job. That somebody wants it is on disk before anything is done; ending twice is ending once.
    pub async fn cancel(self: &Arc<Self>, of: &Approved<JobsOf>, id: &str) -> Result<Record> {
        let record = self.get(of, id).await?;
        let Some(active) = self.find_active(id) else { return Ok(record) };
        active.change(|record| record.cancel_asked |= !record.state.is_over());
        self.write(&active).await?;
        active.stop();
        let mut changes = active.watch();
        self.spawn(self.clone().end_canceled(active.clone()));
        let over =
            async { while !active.record().state.is_over() && changes.changed().await.is_ok() {} };
        let _ = tokio::time::timeout(PATIENCE, over).await;
        Ok(active.record())
    }

    /// Ends one that does not run. One that does ends by itself, now that it is stopped.
    pub(super) async fn end_canceled(self: Arc<Self>, active: Arc<Active>) {
        let _turn = active.turn.lock().await;
        let record = active.record();
        if record.state.is_over() {
            return;
        }
        if record.attempt > 0 {
            match (self.plugins)(&record.owner) {
                Some(plugin) => self.clean(&active, &plugin).await,
                None => self.heard(&active).say(&format!(
                    "plugin `{}` is not loaded: what its run left behind may still be there",
                    record.owner
                )),
            }
        }
        self.finish(&active, State::Canceled, None, None).await;
    }

    /// Ends one that asks, and got no answer in time.
    pub(super) async fn end_late(self: Arc<Self>, active: Arc<Active>) {
        let _turn = active.turn.lock().await;
        let record = active.record();
        let over = record.deadline().is_some_and(|at| now() > at);
        if record.state != State::InputRequired || !over {
            return;
        }
        if let Some(plugin) = (self.plugins)(&record.owner) {
            self.clean(&active, &plugin).await;
        }
        self.fail(&active, overdue(&record)).await;
    }
}

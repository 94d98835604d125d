//! Ending what has outlived its time, and ending in order when the host ends.

use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout};

use super::{Entry, Phase, Rooms};
use crate::{
    error::{Result, told},
    time::now,
};

/// How often it is looked for what has outlived its time.
const ROUND: Duration = Duration::from_secs(60 * 60);
/// How soon after the start, and after a round that failed, the next one comes.
const RETRY: Duration = Duration::from_secs(60);
/// How long results of processes are kept.
const RESULTS_MS: u64 = 24 * 60 * 60 * 1000;
/// How soon what is over is looked at again.
const SOON_MS: u64 = 1000;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// How long the processes of one container may take to end, in seconds.
const GRACE_S: u32 = 10;

/// What was removed.
#[derive(Debug, Default)]
pub struct Collected {
    pub containers: u32,
    pub processes: u32,
    pub workspaces: u32,
}

impl Rooms {
    /// Looks after everything until the host ends.
    pub async fn look_after(self: Arc<Self>) {
        let mut next = Instant::now();
        loop {
            if Instant::now() >= next {
                next = Instant::now() + if self.round().await { ROUND } else { RETRY };
            }
            self.end_expired();
            if self.is_pending() {
                next = next.min(Instant::now() + RETRY);
            }
            let expiry = self
                .next_expiry()
                .map_or(ROUND, |at| Duration::from_millis(at.saturating_sub(now())));
            let wait = next.saturating_duration_since(Instant::now()).min(expiry);
            tokio::select! {
                () = sleep(wait) => {}
                () = self.tick.notified() => {}
            }
        }
    }

    /// One round. Says whether all of it could be done.
    async fn round(self: &Arc<Self>) -> bool {
        let reconciled = match self.reconcile(None).await {
            Ok(reconciled) => reconciled,
            Err(failure) => {
                tracing::warn!("containers are not looked after: {:#}", told(failure));
                return false;
            }
        };
        for error in &reconciled.errors {
            tracing::warn!("reconciling: {error}");
        }
        if let Err(failure) = self.disk.sweep().await {
            tracing::warn!("leftovers of workspaces stay: {:#}", told(failure));
        }
        let collected = self.collect(None).await;
        self.refill();
        reconciled.errors.is_empty() && collected.is_ok() && !self.is_pending()
    }

    /// Whether anything is on its way out: what was being made when a host ended may still come.
    fn is_pending(&self) -> bool {
        self.all().iter().any(|it| matches!(it.record().phase, Phase::Removing { .. }))
    }

    /// Removes what has outlived its time: of one plugin, or of all.
    pub async fn collect(&self, owner: Option<&str>) -> Result<Collected> {
        let mut collected = Collected::default();
        let unseen = u64::from(self.config.unused_days) * DAY_MS;
        for entry in self.all() {
            let record = entry.current();
            let theirs = owner.is_none_or(|owner| record.owner == owner);
            let unused = !record.persistent && now() > record.used + unseen;
            let idle = || self.inside.running_in(&record.id).is_empty();
            let over = entry.has_expired() || record.is_settled() && unused && idle();
            if !theirs || !over {
                continue;
            }
            let workspace = !record.persistent;
            // One that stays must not keep the others.
            if let Err(failure) = self.remove(&entry, GRACE_S, workspace).await {
                tracing::warn!(container = record.id, "it is not removed: {:#}", told(failure));
                continue;
            }
            collected.containers += 1;
            collected.workspaces += u32::from(workspace && record.own_workspace);
        }
        let old = now().saturating_sub(RESULTS_MS);
        collected.processes = match owner {
            Some(owner) => self.inside.forget_of(owner, old).await?,
            None => self.inside.forget_before(old).await?,
        };
        Ok(collected)
    }

    /// Removes what has a time to live that is over, each in a task of its own.
    fn end_expired(self: &Arc<Self>) {
        for entry in self.all().into_iter().filter(|entry| entry.has_expired()) {
            // Whoever makes, starts or ends it at this moment is waited for by nobody.
            let Ok(turn) = entry.turn.clone().try_lock_owned() else { continue };
            drop(turn);
            tracing::info!(container = entry.id, "its time to live is over");
            let rooms = self.clone();
            self.inside.spawn(async move {
                let workspace = !entry.record().persistent;
                if let Err(failure) = rooms.remove(&entry, GRACE_S, workspace).await {
                    tracing::warn!(container = entry.id, "it is not removed: {:#}", told(failure));
                }
            });
        }
    }

    /// When the next one is over, in milliseconds since 1970. One that could not be ended has to wait.
    fn next_expiry(&self) -> Option<u64> {
        let expiry = |entry: &Arc<Entry>| {
            let record = entry.record();
            let expiry = record.created + u64::from(record.ttl_s?) * 1000;
            record.is_settled().then(|| expiry.max(now() + SOON_MS))
        };
        self.all().iter().filter_map(expiry).min()
    }

    /// Ends in order: nothing is started any more, what runs may finish for a while, and containers that are not
    /// persistent are stopped. Doing it twice is doing it once.
    pub async fn drain(&self) {
        if self.ending.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut warm = self.all();
        warm.retain(|entry| entry.record().warm);
        let gone = join_all(warm.iter().map(|entry| self.remove(entry, 0, true)));
        let _ = timeout(Duration::from_secs(GRACE_S.into()), gone).await;
        let mut transient = self.all();
        transient.retain(|entry| {
            let record = entry.record();
            !record.persistent && record.phase == Phase::Running
        });
        let ids: Vec<_> = transient.iter().map(|entry| entry.id.clone()).collect();
        let grace = Duration::from_secs(self.config.drain_grace_s);
        if timeout(grace, self.inside.idle(&ids)).await.is_err() {
            tracing::warn!("processes that still run are cancelled");
            join_all(ids.iter().map(|id| self.inside.cancel_all(id))).await;
            let _ = timeout(Duration::from_secs(GRACE_S.into()), self.inside.idle(&ids)).await;
        }
        let stopping = join_all(transient.iter().map(|entry| self.stop(entry, GRACE_S)));
        // An engine that hangs must not keep the host.
        match timeout(Duration::from_secs(2 * u64::from(GRACE_S)), stopping).await {
            Ok(stopped) => stopped.into_iter().filter_map(Result::err).for_each(|failure| {
                tracing::warn!("a container is not stopped: {:#}", told(failure));
            }),
            Err(_) => tracing::warn!("the engine does not stop all containers in time"),
        }
        self.remember_use().await;
    }

    /// Writes down when each container was last used.
    async fn remember_use(&self) {
        for entry in self.all() {
            let used = entry.used.load(Ordering::Relaxed);
            if used != entry.record().used {
                let _ = self.write(&entry, |_| {}).await;
            }
        }
    }
}

impl Entry {
    fn has_expired(&self) -> bool {
        let record = self.record();
        record.is_settled() && record.has_expired(now())
    }
}

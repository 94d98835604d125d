//! What a client hears of a call before its end: progress and log messages, where it asked for them.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rmcp::{
    Peer, RoleServer,
    model::{
        LoggingLevel, LoggingMessageNotificationParam, ProgressNotificationParam, ProgressToken,
    },
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::convert;
use crate::{
    capability::Level,
    plugin::{Change, Observer, Progress},
    registry::Registry,
    visible::shown,
};

/// How far apart notes are sent. What comes in between goes together, and of much progress the latest.
const PAUSE: Duration = Duration::from_millis(10);
/// How many log messages may wait for a slow client.
const MOST_WAITING: usize = 256;

/// Passes on changes, and nothing to the client.
struct Quiet(Arc<Registry>);

/// Collects for a client that asked.
pub(super) struct Notes {
    registry: Arc<Registry>,
    plugin: String,
    token: Option<ProgressToken>,
    level: Option<LoggingLevel>,
    waiting: Mutex<Waiting>,
    woken: Notify,
}

#[derive(Default)]
struct Waiting {
    progress: VecDeque<Progress>,
    logged: VecDeque<(Level, String)>,
}

/// How many progress reports wait before only the latest is kept.
const MOST_PROGRESS: usize = 16;

/// Who observes a call, and its notes if the client wants any.
pub(super) fn observer(
    registry: &Arc<Registry>,
    plugin: &str,
    token: Option<ProgressToken>,
    level: Option<LoggingLevel>,
) -> (Arc<dyn Observer>, Option<Arc<Notes>>) {
    if token.is_none() && level.is_none() {
        return (Arc::new(Quiet(registry.clone())), None);
    }
    let notes = Arc::new(Notes {
        registry: registry.clone(),
        plugin: plugin.to_owned(),
        token,
        level,
        waiting: Mutex::default(),
        woken: Notify::new(),
    });
    (notes.clone(), Some(notes))
}

impl Notes {
    /// Runs `work` and meanwhile sends the notes. All of them are sent before its result is there.
    pub(super) async fn along<T>(
        &self,
        peer: &Peer<RoleServer>,
        work: impl Future<Output = T>,
    ) -> T {
        tokio::pin!(work);
        let mut next = Instant::now();
        let result = loop {
            let due = async {
                self.woken.notified().await;
                sleep_until(next).await;
            };
            tokio::select! {
                biased;
                () = due => self.send(peer).await,
                result = &mut work => break result,
            }
            next = Instant::now() + PAUSE;
        };
        self.send(peer).await;
        result
    }

    async fn send(&self, peer: &Peer<RoleServer>) {
        let waiting = mem::take(&mut *self.waiting());
        for (level, message) in waiting.logged {
            let message = shown(message).into();
            let note = LoggingMessageNotificationParam::new(convert::level(level), message)
                .with_logger(self.plugin.clone());
            // A client that has gone needs no notes.
            let _ = peer.notify_logging_message(note).await;
        }
        for progress in waiting.progress {
            let Some(token) = self.token.clone() else { return };
            let mut note = ProgressNotificationParam::new(token, progress.done);
            note.total = progress.total;
            note.message = (!progress.message.is_empty()).then(|| shown(progress.message));
            let _ = peer.notify_progress(note).await;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Notes {
    fn progress(&self, progress: Progress) {
        if self.token.is_none() {
            return;
        }
        let mut waiting = self.waiting();
        if waiting.progress.len() >= MOST_PROGRESS {
            waiting.progress.clear();
        }
        waiting.progress.push_back(progress);
        drop(waiting);
        self.woken.notify_one();
    }

    fn log(&self, level: Level, message: String) {
        let rank = convert::rank_of(convert::level(level));
        if self.level.is_none_or(|least| rank < convert::rank_of(least)) {
            return;
        }
        let mut waiting = self.waiting();
        if waiting.logged.len() < MOST_WAITING {
            waiting.logged.push_back((level, message));
        }
        drop(waiting);
        self.woken.notify_one();
    }

    fn changed(&self, change: Change) {
        self.registry.hear(change);
    }
}

impl Observer for Quiet {
    fn progress(&self, _: Progress) {}

    fn log(&self, _: Level, _: String) {}

    fn changed(&self, change: Change) {
        self.0.hear(change);
    }
}

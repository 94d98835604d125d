//! Containers made ahead, so that one is there at once when it is wanted.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;
use uuid::Uuid;

use super::{Entry, Phase, Record, Rooms};
use crate::{
    error::{Result, told},
    policy::{Approved, AskedContainer, NewContainer, Policy},
    time::now,
};

/// How long a supervisor may take to say that it is there.
const ANSWER: Duration = Duration::from_secs(2);

impl Rooms {
    /// Makes ahead what is missing, in the background.
    pub(super) fn refill(self: &Arc<Self>) {
        if self.is_ending() {
            return;
        }
        let rooms = self.clone();
        self.inside.spawn(async move {
            // One at a time: whoever asked for a container just now comes first.
            let Ok(_turn) = rooms.filling.try_lock() else { return };
            for owner in rooms.owners.load_full().values() {
                rooms.fill(&owner.policy).await;
            }
        });
    }

    async fn fill(&self, policy: &Policy) {
        let plugin = policy.plugin();
        for (image, count) in policy.warm() {
            let asked = AskedContainer { image: image.clone(), ..AskedContainer::default() };
            let wanted = match policy.approve_container(asked) {
                Ok(wanted) => wanted,
                Err(failure) => {
                    tracing::warn!(plugin, image, "none is made ahead: {:#}", told(failure));
                    continue;
                }
            };
            while self.ready_ones(&wanted) < count && !self.is_ending() {
                if let Err(failure) = self.make_ahead(&wanted).await {
                    tracing::warn!(plugin, image, "none is made ahead: {:#}", told(failure));
                    break;
                }
            }
        }
    }

    fn ready_ones(&self, wanted: &Approved<NewContainer>) -> usize {
        self.all().iter().filter(|entry| entry.record().serves(wanted)).count()
    }

    async fn make_ahead(&self, wanted: &Approved<NewContainer>) -> Result<()> {
        let mut record = Record::new(format!("c_{}", Uuid::new_v4()), wanted, now());
        record.warm = true;
        let entry = Entry::new(record);
        let _turn = entry.turn.lock().await;
        self.entries().insert(entry.id.clone(), entry.clone());
        let listener: super::make::Listener = Arc::new(|_| {});
        self.make(&entry, wanted, &listener).await
    }

    /// Looks from time to time whether those that were made ahead still answer, and replaces those that do not.
    pub async fn keep_warm(self: Arc<Self>) {
        loop {
            sleep(Duration::from_secs(self.config.warm_check_s)).await;
            for entry in self.all() {
                let phase = {
                    let record = entry.record();
                    record.warm.then_some(record.phase)
                };
                let fit = match phase {
                    Some(Phase::Running) => {
                        self.inside.ready(&entry.id, ANSWER).await.unwrap_or(false)
                    }
                    Some(Phase::Stopped) => false,
                    _ => true,
                };
                if !fit {
                    self.give_up(&entry).await;
                }
            }
            self.refill();
        }
    }

    /// Removes one that nobody has claimed meanwhile.
    async fn give_up(&self, entry: &Arc<Entry>) {
        let still_warm = {
            let mut record = entry.record();
            let warm = record.warm;
            if warm {
                record.phase = Phase::Removing { since: now(), workspace: true };
            }
            warm
        };
        if !still_warm {
            return;
        }
        let _turn = entry.turn.lock().await;
        let erased = match self.write(entry, |_| {}).await {
            Ok(()) => self.erase(entry, true).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = erased {
            tracing::warn!(container = entry.id, "it is not removed: {:#}", told(failure));
        }
    }
}

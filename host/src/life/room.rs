//! Whether a caller may have one more container, beside all that plugins have for it: ours by their records, the user's by what
//! is written on them.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::OwnedMutexGuard;

use super::{Entry, Phase, Rooms, make::Place};
use crate::{
    config::Bounded,
    error::Result,
    policy::{Approved, NewContainer, NewTheirs, Quota, Taken, caller_of},
};

/// Nobody else makes one for the same caller meanwhile.
pub(super) struct Taking {
    _turn: OwnedMutexGuard<()>,
    quota: Quota,
    theirs: Vec<Taken>,
}

impl Rooms {
    /// A place for a container of ours, if there is room for it. From then on it counts.
    pub(super) async fn place_with_room(&self, wanted: &Approved<NewContainer>) -> Result<Place> {
        let Some(taking) = self.taking(caller_of(wanted.owner())).await? else {
            return self.place(wanted, |_| Ok(()));
        };
        let Taking { _turn, quota, mut theirs } = taking;
        self.place(wanted, |ours| {
            theirs.extend(ours);
            let room = quota.check_container(&theirs, &wanted.request().takes());
            room.map_err(|over| self.quotas.refuse(over))
        })
    }

    /// Fails where there is no room for a container of the user's. It counts as soon as the engine has it: what is given is kept until then.
    pub(super) async fn room_for_theirs(
        &self,
        wanted: &Approved<NewTheirs>,
    ) -> Result<Option<Taking>> {
        let caller = caller_of(wanted.owner());
        let Some(mut taking) = self.taking(caller).await? else { return Ok(None) };
        taking.theirs.extend(taken_of(&self.entries(), caller));
        let room = taking.quota.check_container(&taking.theirs, &wanted.request().takes());
        room.map_err(|over| self.quotas.refuse(over))?;
        Ok(Some(taking))
    }

    /// None: this caller may have as many as it likes.
    async fn taking(&self, caller: &str) -> Result<Option<Taking>> {
        let quota = self.quotas.of(caller).await?;
        if !quota.bounds_containers() {
            return Ok(None);
        }
        let turn = self.quotas.take(Bounded::Containers, caller).await;
        let theirs = self.docker.taken_for(caller).await?;
        Ok(Some(Taking { _turn: turn, quota, theirs }))
    }
}

/// What there is of ours for a caller. What is made ahead is nobody's.
pub(super) fn taken_of(entries: &BTreeMap<String, Arc<Entry>>, caller: &str) -> Vec<Taken> {
    let records = entries.values().map(|entry| entry.record());
    let counts = records.filter(|record| {
        let gone = matches!(record.phase, Phase::Removing { .. });
        caller_of(&record.owner) == caller && !record.warm && !gone
    });
    counts.map(|record| record.takes()).collect()
}

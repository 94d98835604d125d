//! How much the workspaces of a caller hold, and whether there is room for more.
//!
//! What a container writes is not seen while it is written: it counts when the host next looks.

use std::{
    collections::{HashMap, HashSet},
    os::fd::AsFd,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use rustix::{fs::Stat, path::Arg};
use tokio::sync::OwnedMutexGuard;

use super::{
    known::Known,
    root::{is_directory, named, open_straight},
    walk::Walk,
};
use crate::{
    admission::Quotas,
    config::Bounded,
    error::Result,
    policy::{Quota, caller_of},
};

/// For how long a measure holds, with what the host itself has written since.
const HOLDS: Duration = Duration::from_secs(10);
/// What the kernel counts blocks in.
const BLOCK: u64 = 512;
/// What is counted of anything: something empty takes room as well.
pub(super) const LEAST: u64 = 4096;

/// What was measured last.
#[derive(Default)]
pub(super) struct Usage {
    /// Absent: nobody is bounded.
    pub(super) quotas: OnceLock<Quotas>,
    measured: Mutex<HashMap<String, Measured>>,
}

#[derive(Clone, Copy)]
struct Measured {
    bytes: u64,
    at: Instant,
}

/// What a caller has of its bound. Nobody else takes of it meanwhile.
pub(super) struct Room {
    known: Arc<Known>,
    quotas: Quotas,
    quota: Quota,
    workspaces: Vec<String>,
    _turn: OwnedMutexGuard<()>,
}

impl Known {
    /// None: the owner may fill the disk.
    pub(super) async fn room(self: &Arc<Self>, owner: &str) -> Result<Option<Room>> {
        let Some(quotas) = self.usage.quotas.get() else { return Ok(None) };
        let caller = caller_of(owner);
        let quota = quotas.of(caller).await?;
        if quota.get(Bounded::DiskMib).is_none() {
            return Ok(None);
        }
        let turn = quotas.take(Bounded::DiskMib, caller).await;
        let all = self.all().await?.into_iter();
        let workspaces = all.filter(|(_, owner)| caller_of(owner) == caller).map(|(id, _)| id);
        Ok(Some(Room {
            known: self.clone(),
            quotas: quotas.clone(),
            quota,
            workspaces: workspaces.collect(),
            _turn: turn,
        }))
    }
}

impl Room {
    /// Fails where a workspace that is about to be made is one too many.
    pub(super) fn check_one_more(&self) -> Result<()> {
        self.check(LEAST, self.used(HOLDS))
            .or_else(|_| self.check(LEAST, self.used(Duration::ZERO)))
    }

    /// Fails where a change was too much that is in place already: it is undone then.
    pub(super) fn settle(&self, workspace: &str, added: i64) -> Result<()> {
        let more = u64::try_from(added).unwrap_or_default();
        if more == 0 || self.check(more, self.used(HOLDS)).is_ok() {
            if let Some(measured) = self.known.usage.measured().get_mut(workspace) {
                measured.bytes = measured.bytes.saturating_add_signed(added);
            }
            return Ok(());
        }
        // What is measured anew has the change in it.
        let mut used = self.used(Duration::ZERO);
        for (_, bytes) in used.iter_mut().filter(|(id, _)| id == workspace) {
            *bytes = bytes.saturating_sub(more);
        }
        self.check(more, used).inspect_err(|_| self.known.usage.forget(workspace))
    }

    fn check(&self, more: u64, used: Vec<(String, u64)>) -> Result<()> {
        let used: Vec<_> = used.into_iter().map(|(id, bytes)| (id, mib(bytes))).collect();
        let room = self.quota.check_disk(&used, mib(more));
        room.map_err(|over| self.quotas.refuse(over))
    }

    /// What each workspace holds, measured no longer ago than that.
    fn used(&self, ago: Duration) -> Vec<(String, u64)> {
        let used = self.workspaces.iter().map(|id| {
            let known = self.known.usage.measured().get(id).copied();
            let young = known.filter(|it| it.at.elapsed() < ago);
            (id.clone(), young.map_or_else(|| self.measure(id), |it| it.bytes))
        });
        used.collect()
    }

    fn measure(&self, id: &str) -> u64 {
        let at = Instant::now();
        // One that has gone holds nothing.
        let bytes = self.known.folder_of_all().map_or(0, |folder| size_of(folder, id));
        self.known.usage.measured().insert(id.to_owned(), Measured { bytes, at });
        bytes
    }
}

impl Usage {
    pub(super) fn forget(&self, workspace: &str) {
        self.measured().remove(workspace);
    }

    fn measured(&self) -> MutexGuard<'_, HashMap<String, Measured>> {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What something takes of the disk, with all that is in it. What cannot be looked at is not counted.
pub(super) fn size_of(directory: impl AsFd, name: impl Arg + Copy) -> u64 {
    let Ok(stat) = named(directory.as_fd(), name) else { return 0 };
    let own = taken_by(&stat);
    if !is_directory(&stat) {
        return own;
    }
    let Ok(inside) = open_straight(directory, name) else { return own };
    let Ok(walk) = Walk::new(&inside, true) else { return own };
    let mut seen = HashSet::new();
    let members = walk.flatten().filter(|found| {
        let Stat { st_nlink, st_dev, st_ino, .. } = found.stat;
        // A file may have several names.
        is_directory(&found.stat) || st_nlink < 2 || seen.insert((st_dev, st_ino))
    });
    own + members.map(|found| taken_by(&found.stat)).sum::<u64>()
}

fn taken_by(stat: &Stat) -> u64 {
    (u64::try_from(stat.st_blocks).unwrap_or_default() * BLOCK).max(LEAST)
}

#[allow(clippy::cast_precision_loss, reason = "no disk is so large")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

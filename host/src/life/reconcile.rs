//! Comparing what is recorded with what the engine has, and mending both.

use std::{collections::BTreeMap, sync::Arc};

use super::{Entry, Phase, Record, Rooms};
use crate::{
    docker::{Found, label},
    error::{Failure, Result, told},
    policy::Beside,
    time::now,
};

/// How long a container that was given up may still come into being: the engine goes on with what it was asked
/// for, though the host that asked is gone.
const AFTERMATH_MS: u64 = 60_000;

/// What it came to.
#[derive(Debug, Default)]
pub struct Reconciled {
    pub discovered: u32,
    pub adopted: u32,
    pub missing: u32,
    pub orphaned: u32,
    pub errors: Vec<String>,
}

impl Rooms {
    /// Mends the records of one plugin's containers, or of all.
    pub async fn reconcile(self: &Arc<Self>, owner: Option<&str>) -> Result<Reconciled> {
        let _mending = self.mending.lock().await;
        // Before the engine is asked: what changes from here on is not in its answer.
        let before: Vec<_> = self.all().into_iter().map(|entry| (entry.current(), entry)).collect();
        let mut found = self.found(owner).await?;
        let mut sums = Reconciled {
            discovered: u32::try_from(found.len()).unwrap_or(u32::MAX),
            ..Default::default()
        };
        for (record, entry) in before {
            let there = found.remove(&entry.id);
            if owner.is_some_and(|owner| record.owner != owner) {
                continue;
            }
            // Somebody is making it, starting it or ending it, or has just done so, and knows better.
            let Ok(_turn) = entry.turn.clone().try_lock_owned() else { continue };
            if entry.current().phase != record.phase {
                continue;
            }
            let mended = self.mend(&entry, there, &mut sums).await;
            sums.note(&entry.id, mended);
        }
        for (id, found) in found {
            // It was made since.
            if self.entries().contains_key(&id) {
                continue;
            }
            let taken = self.take_over(&id, &found, &mut sums).await;
            sums.note(&id, taken);
        }
        Ok(sums)
    }

    async fn found(&self, owner: Option<&str>) -> Result<BTreeMap<String, Found>> {
        let mut found = BTreeMap::new();
        for it in self.docker.ours().await? {
            let is_theirs = owner.is_none_or(|owner| it.label(label::PLUGIN) == Some(owner));
            if is_theirs {
                found.insert(it.ours.id().to_owned(), it);
            }
        }
        Ok(found)
    }

    async fn mend(
        &self,
        entry: &Arc<Entry>,
        found: Option<Found>,
        sums: &mut Reconciled,
    ) -> Result<()> {
        let record = entry.current();
        match (record.phase, found) {
            (Phase::Making, _) => {
                sums.orphaned += 1;
                let phase = Phase::Removing { since: now(), workspace: true };
                self.write(entry, |record| record.phase = phase).await?;
                self.clear(entry, true).await
            }
            (Phase::Removing { since, workspace }, found) => {
                sums.orphaned += u32::from(found.is_some());
                if now() < since + AFTERMATH_MS {
                    return self.clear(entry, workspace).await;
                }
                self.erase(entry, workspace).await
            }
            (Phase::Running | Phase::Stopped, Some(Found { pid: Some(pid), .. })) => {
                self.inside.prepare(&record.owner, &record.id, record.way_out()?).await?;
                self.inside.trust(&record.id, pid);
                if record.phase == Phase::Running {
                    return Ok(());
                }
                self.write(entry, |record| record.phase = Phase::Running).await
            }
            (phase, found) => {
                sums.missing += u32::from(found.is_none());
                self.inside.distrust(&record.id).await;
                if phase == Phase::Stopped {
                    return Ok(());
                }
                self.write(entry, |record| record.phase = Phase::Stopped).await
            }
        }
    }

    /// A container with our labels and without a record: the records were lost. It is kept where its workspace is.
    async fn take_over(&self, id: &str, found: &Found, sums: &mut Reconciled) -> Result<()> {
        let workspace = found.label(label::WORKSPACE).unwrap_or_default();
        let owner = found.label(label::PLUGIN).unwrap_or_default();
        let known = self.disk.adopt(workspace, owner).await?;
        let Some(record) = Record::of_labels(id, found).filter(|_| known) else {
            sums.orphaned += 1;
            if let Some(ours) = self.docker.find(id).await? {
                self.docker.remove(&ours).await?;
            }
            return Ok(());
        };
        for it in &record.beside {
            self.disk.adopt(&it.workspace, owner).await?;
        }
        sums.adopted += 1;
        let entry = Entry::new(record);
        self.hold(&entry).await;
        self.entries().insert(id.to_owned(), entry.clone());
        self.write(&entry, |_| {}).await?;
        self.mend(&entry, Some(found.clone()), sums).await
    }
}

impl Reconciled {
    fn note(&mut self, id: &str, outcome: Result<(), Failure>) {
        if let Err(failure) = outcome {
            self.errors.push(format!("{id}: {:#}", told(failure)));
        }
    }
}

impl Record {
    /// As much of a container as its labels say.
    fn of_labels(id: &str, found: &Found) -> Option<Self> {
        let text = |name: &str| found.label(name).map(str::to_owned);
        let list = |name: &str, between| {
            let parts = found.label(name).into_iter().flat_map(|it| it.split(between));
            parts.map(str::to_owned).collect::<Vec<_>>()
        };
        let alias = text(label::ALIAS).filter(|alias| !alias.is_empty());
        Some(Self {
            id: id.to_owned(),
            owner: text(label::PLUGIN)?,
            alias,
            image: text(label::IMAGE)?,
            workspace: text(label::WORKSPACE)?,
            beside: list(label::BESIDE, ',').iter().filter_map(|it| beside(it)).collect(),
            own_workspace: found.label(label::OWN_WORKSPACE) == Some("true"),
            persistent: found.label(label::PERSISTENT) == Some("true"),
            ttl_s: None,
            key: None,
            powers: Vec::new(),
            // One whose label does not say so reaches nothing.
            offline: found.label(label::OFFLINE) != Some("false"),
            reach: reach(found.label(label::REACH)),
            yields: found.label(label::YIELDS) == Some("true"),
            mounts: list(label::MOUNTS, ':'),
            groups: list(label::GROUPS, ',').iter().filter_map(|it| it.parse().ok()).collect(),
            memory_mib: 0,
            cpus: 0.0,
            pids: 0,
            // Whether it runs is seen when it is mended.
            phase: Phase::Stopped,
            warm: false,
            engine_id: Some(found.ours.engine_id().to_owned()),
            created: now(),
            used: now(),
        })
    }
}

/// One workspace and its path, as a label has them.
fn beside(text: &str) -> Option<Beside> {
    let (workspace, path) = text.split_once(':')?;
    Some(Beside { workspace: workspace.to_owned(), path: path.to_owned() })
}

/// What a container reaches, as a label has it. Where that cannot be read it is nothing.
fn reach(label: Option<&str>) -> Option<Vec<String>> {
    let read = label.and_then(|text| serde_json::from_str(text).ok());
    read.unwrap_or_else(|| Some(Vec::new()))
}

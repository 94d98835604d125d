//! Ending a container: stopped, or removed with all that belongs to it.

use std::sync::Arc;

use super::{CONTAINERS, Entry, Phase, Rooms};
use crate::{
    capability::types::Code,
    error::{Failure, Result},
    time::now,
};

impl Rooms {
    /// Ends its processes and stops it. It starts again when it is used.
    pub async fn stop(&self, entry: &Arc<Entry>, grace_s: u32) -> Result<()> {
        let _turn = entry.turn.lock().await;
        if !entry.record().is_settled() || !self.entries().contains_key(&entry.id) {
            return Err(super::not_found(&entry.id));
        }
        if let Some(ours) = self.docker.find(&entry.id).await? {
            self.docker.stop(&ours, grace_s).await?;
        }
        self.inside.distrust(&entry.id).await;
        self.write(entry, |record| record.phase = Phase::Stopped).await
    }

    /// Removes it in a task of its own: a caller that goes away interrupts nothing half-way.
    pub async fn remove_aside(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        grace_s: u32,
        workspace: bool,
    ) -> Result<()> {
        let (rooms, entry) = (self.clone(), entry.clone());
        let removing = async move { rooms.remove(&entry, grace_s, workspace).await };
        self.inside.finish("removing it failed", removing).await
    }

    /// Removes it. What was begun is remembered, and finished later where the engine does not answer.
    pub async fn remove(&self, entry: &Arc<Entry>, grace_s: u32, workspace: bool) -> Result<()> {
        let _turn = entry.turn.lock().await;
        if !self.entries().contains_key(&entry.id) {
            return Ok(());
        }
        if let Phase::Removing { workspace, .. } = entry.current().phase {
            return self.clear(entry, workspace).await;
        }
        let phase = Phase::Removing { since: now(), workspace };
        self.write(entry, |record| record.phase = phase).await?;
        // Where it fails from here on, the next round goes on with it.
        self.tick.notify_one();
        if grace_s > 0
            && let Some(ours) = self.docker.find(&entry.id).await?
        {
            self.docker.stop(&ours, grace_s).await?;
        }
        self.erase(entry, workspace).await
    }

    /// Removes whatever there is of it, down to its record. Every step may have been done before.
    pub(super) async fn erase(&self, entry: &Arc<Entry>, workspace: bool) -> Result<()> {
        self.clear(entry, workspace).await?;
        self.database.forget(CONTAINERS, &entry.id).await?;
        self.entries().remove(&entry.id);
        Ok(())
    }

    /// Removes whatever there is of it but its record.
    pub(super) async fn clear(&self, entry: &Arc<Entry>, workspace: bool) -> Result<()> {
        if let Some(ours) = self.docker.find(&entry.id).await? {
            self.docker.remove(&ours).await?;
        }
        self.inside.remove(&entry.id).await?;
        let record = entry.current();
        for workspace in std::mem::take(&mut *entry.held()) {
            self.disk.release(&workspace, record.hold());
        }
        if workspace && record.own_workspace && !record.workspace.is_empty() {
            self.destroy_unless_used(&record.workspace).await?;
        }
        Ok(())
    }

    /// Removes a workspace. One that was never made, or is gone, is removed already; one that others use is theirs.
    async fn destroy_unless_used(&self, workspace: &str) -> Result<()> {
        match self.destroy(workspace).await {
            Err(Failure::Answer(error))
                if matches!(error.code, Code::NotFound | Code::Conflict) =>
            {
                Ok(())
            }
            other => other,
        }
    }
}

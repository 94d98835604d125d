//! The end of a workspace, and of the containers that give way to it.

use std::sync::Arc;

use futures_util::future::{BoxFuture, join_all};

use super::{CONTAINERS, Entry, Life, Phase, Record, Rooms};
use crate::{
    disk::Disk,
    error::Result,
    policy::{Approved, InWorkspace, WholeWorkspace},
};

impl Life {
    /// Removes a workspace with all that is in it, and the containers that yield to that.
    pub async fn end_workspace(
        &self,
        workspace: &Approved<InWorkspace<WholeWorkspace>>,
        disk: &Disk,
    ) -> Result<()> {
        let Some(lazy) = self.0.get() else { return disk.remove(workspace).await };
        let id = &workspace.request().workspace;
        match self.rooms().await {
            Ok(rooms) => rooms.destroy_aside(id).await,
            Err(failure) => {
                // What none of them uses needs no containers to end.
                let records: Vec<Record> = lazy.places.database.records(CONTAINERS).await?;
                if records.iter().any(|record| record.uses(id)) {
                    return Err(failure);
                }
                disk.remove(workspace).await
            }
        }
    }
}

impl Rooms {
    /// Does it in a task of its own: a caller that goes away interrupts nothing half-way.
    async fn destroy_aside(self: &Arc<Self>, workspace: &str) -> Result<()> {
        let (rooms, workspace) = (self.clone(), workspace.to_owned());
        let destroying = async move { rooms.destroy(&workspace).await };
        self.inside.finish("removing the workspace failed", destroying).await
    }

    /// Removes a workspace. Where it cannot go it can be used as before; of what has given way by then the records say that it goes.
    pub(super) fn destroy<'a>(&'a self, workspace: &'a str) -> BoxFuture<'a, Result<()>> {
        // In a box, since to remove a container may be to remove its workspace.
        Box::pin(async move {
            // From here on nothing new can use it, so what is found afterwards is all there is.
            self.disk.close(workspace).await?;
            let destroyed = match self.give_way(workspace).await {
                Ok(()) => self.disk.destroy(workspace).await,
                Err(failure) => Err(failure),
            };
            if destroyed.is_err() {
                self.disk.reopen(workspace);
            }
            destroyed
        })
    }

    /// Removes the containers that yield to the end of a workspace.
    async fn give_way(&self, workspace: &str) -> Result<()> {
        let mut yielding = self.all();
        yielding.retain(|entry| entry.yields_to(workspace));
        let removed = yielding.iter().map(|entry| {
            // One that only sees it beside its own takes that one with it.
            let own = entry.record().workspace != workspace;
            self.remove(entry, 0, own)
        });
        let removed = join_all(removed).await;
        removed.into_iter().collect()
    }
}

impl Entry {
    /// Whether it is in the way of a workspace's end, and goes when it is asked to.
    fn yields_to(&self, workspace: &str) -> bool {
        let record = self.record();
        // Who removes it already has let go of the workspace, and may be waiting for its end.
        let gone = matches!(record.phase, Phase::Removing { .. });
        let holds = self.held().iter().any(|it| it == workspace);
        record.yields && record.uses(workspace) && (holds || !gone)
    }
}

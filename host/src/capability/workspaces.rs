//! `workspaces`: directories that containers work in.

use wasmtime::component::Resource;

use super::{
    CallState,
    bindings::windlass::plugin::workspaces::{
        Archived, Done, Host, HostWorkspace, Page, Part, Removing, Selection, Stat, Step as Asked,
        Writing,
    },
};
use crate::{
    disk::Workspace,
    error::{Result, trap},
    policy::{PackPaths, Step, WorkspacePath},
};

/// The functions that change something.
pub(super) const WRITING: &[&str] = &[
    "[static]workspace.create",
    "[method]workspace.write",
    "[method]workspace.remove",
    "[method]workspace.batch",
    "[method]workspace.pack-into",
    "[method]workspace.unpack",
    "[method]workspace.unpack-from",
    "[method]workspace.copy-from",
    "[method]workspace.destroy",
];

type Handle = Resource<Workspace>;

impl Host for CallState {
    async fn list(&mut self) -> Result<Vec<String>> {
        let plugin = self.policy.approve_listing_workspaces()?;
        self.doors.disk.owned(&plugin).await
    }
}

impl HostWorkspace for CallState {
    async fn create(&mut self) -> Result<Handle> {
        let workspace = self.policy.approve_making_workspace()?;
        let id = self.doors.disk.create(&workspace).await?;
        self.effects.add(format!("workspace create {id}"));
        Ok(self.table.push(Workspace(id))?)
    }

    async fn open(&mut self, id: String) -> Result<Handle> {
        let workspace = self.policy.approve_opening_workspace(id)?;
        let workspace = self.doors.disk.open(&workspace).await?;
        Ok(self.table.push(workspace)?)
    }

    async fn id(&mut self, workspace: Handle) -> wasmtime::Result<String> {
        Ok(self.table.get(&workspace)?.0.clone())
    }

    async fn read(
        &mut self,
        workspace: Handle,
        path: String,
        offset: u64,
        most: Option<u32>,
    ) -> Result<Part> {
        let id = &self.table.get(&workspace)?.0;
        let part = self.policy.approve_read(id, path, offset, most)?;
        self.doors.disk.read(part).await
    }

    async fn write(&mut self, workspace: Handle, writing: Writing) -> Result<Stat> {
        let id = &self.table.get(&workspace)?.0;
        self.effects.add(format!("workspace write {id}"));
        let step = self.policy.approve_step(id, understand(Asked::Write(writing))?)?;
        match self.doors.disk.step(step).await? {
            Done::Written(stat) => Ok(stat),
            done => Err(trap(format!("a write came to {done:?}"))),
        }
    }

    async fn stat(&mut self, workspace: Handle, path: String) -> Result<Stat> {
        let id = &self.table.get(&workspace)?.0;
        let path = self.policy.approve_stat(id, path)?;
        self.doors.disk.stat(path).await
    }

    async fn list(
        &mut self,
        workspace: Handle,
        path: String,
        recursive: bool,
        after: String,
        limit: u32,
    ) -> Result<Page> {
        let id = &self.table.get(&workspace)?.0;
        let paths = self.policy.approve_list(id, path, recursive, after, limit)?;
        self.doors.disk.list(paths).await
    }

    async fn remove(&mut self, workspace: Handle, removing: Removing) -> Result<()> {
        let id = &self.table.get(&workspace)?.0;
        self.effects.add(format!("workspace remove in {id}"));
        let step = self.policy.approve_step(id, understand(Asked::Remove(removing))?)?;
        self.doors.disk.step(step).await.map(drop)
    }

    async fn batch(&mut self, workspace: Handle, steps: Vec<Asked>) -> Result<Vec<Done>> {
        let id = &self.table.get(&workspace)?.0;
        let understood = steps.into_iter().enumerate().map(|(before, step)| {
            understand(step).map_err(|failure| failure.with_detail("step", before + 1))
        });
        let steps = understood.collect::<Result<_>>()?;
        let steps = self.policy.approve_batch(id, steps)?;
        self.effects.add(format!("workspace batch in {id}"));
        self.doors.disk.batch(steps).await
    }

    async fn pack(
        &mut self,
        workspace: Handle,
        selection: Selection,
        gzip: bool,
        most: u32,
    ) -> Result<(Vec<u8>, Archived)> {
        let id = &self.table.get(&workspace)?.0;
        let paths = self.policy.approve_pack(id, select(selection, gzip)?)?;
        self.doors.disk.pack(paths, most).await
    }

    async fn pack_into(
        &mut self,
        workspace: Handle,
        selection: Selection,
        gzip: bool,
        target: String,
    ) -> Result<(Stat, Archived)> {
        let id = &self.table.get(&workspace)?.0;
        self.effects.add(format!("workspace pack in {id}"));
        let paths = self.policy.approve_pack_into(id, select(selection, gzip)?, target)?;
        self.doors.disk.pack_into(paths).await
    }

    async fn unpack(
        &mut self,
        workspace: Handle,
        archive: Vec<u8>,
        target: String,
    ) -> Result<Archived> {
        let id = &self.table.get(&workspace)?.0;
        self.effects.add(format!("workspace unpack in {id}"));
        let unpack = self.policy.approve_unpack(id, archive, target)?;
        self.doors.disk.unpack(unpack).await
    }

    async fn unpack_from(
        &mut self,
        workspace: Handle,
        path: String,
        target: String,
    ) -> Result<Archived> {
        let id = &self.table.get(&workspace)?.0;
        let archive = WorkspacePath::new(path)?;
        self.effects.add(format!("workspace unpack in {id}"));
        let unpack = self.policy.approve_unpack(id, archive, target)?;
        self.doors.disk.unpack_from(unpack).await
    }

    async fn copy_from(
        &mut self,
        workspace: Handle,
        origin: Handle,
        path: String,
        target: String,
    ) -> Result<Archived> {
        let id = &self.table.get(&workspace)?.0;
        let origin = &self.table.get(&origin)?.0;
        self.effects.add(format!("workspace copy from {origin} into {id}"));
        let copying = self.policy.approve_copying_from(id, origin, path, target)?;
        self.doors.disk.copy_from(copying).await
    }

    async fn destroy(&mut self, workspace: Handle) -> Result<()> {
        let id = &self.table.get(&workspace)?.0;
        let workspace = self.policy.approve_destroying(id)?;
        self.effects.add(format!("workspace destroy {id}"));
        self.doors.life.end_workspace(&workspace, &self.doors.disk).await
    }

    async fn drop(&mut self, workspace: Handle) -> wasmtime::Result<()> {
        self.table.delete(workspace)?;
        Ok(())
    }
}

fn understand(step: Asked) -> Result<Step> {
    let path = WorkspacePath::new;
    Ok(match step {
        Asked::Read(it) => Step::Read(path(it)?),
        Asked::Write(it) => {
            Step::Write { path: path(it.path)?, bytes: it.data, if_match: it.if_match }
        }
        Asked::Remove(it) => Step::Remove { path: path(it.path)?, if_match: it.if_match },
        Asked::Move(it) => {
            Step::Move { origin: path(it.origin)?, target: path(it.target)?, replace: it.replace }
        }
        Asked::Copy(it) => {
            Step::Copy { origin: path(it.origin)?, target: path(it.target)?, replace: it.replace }
        }
    })
}

fn select(selection: Selection, gzip: bool) -> Result<PackPaths> {
    let Selection { path, include, exclude } = selection;
    Ok(PackPaths { path: WorkspacePath::new(path)?, include, exclude, gzip })
}

//! The door to workspaces: directories that containers work in. Acts, and decides nothing: see `policy`.
//!
//! The kernel resolves every path beneath the root of its workspace. What is written is made in a folder
//! beside the workspaces, which no container sees, and put in place by a rename.

mod failure;
mod granted;
mod known;
mod root;
mod staging;
mod tags;
mod tree;
mod journal;
mod walk;
mod read;
mod change;
mod copy;
mod pack;
mod merge;
mod unpack;
mod usage;
mod transfer;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use known::Known;
use root::Root;

pub use known::Hold;

use crate::{
    admission::Quotas,
    capability::bindings::windlass::plugin::workspaces::{Archived, Done, Page, Part, Stat},
    database::Database,
    error::{Result, unavailable},
    policy::{
        self, Approved, CopyFrom, InWorkspace, ListPaths, NewWorkspace, OpenWorkspace, PackPaths,
        ReadPart, Step, Unpack, WholeWorkspace, WorkspacePath,
    },
};

/// A plugin's handle of a workspace that was opened for it.
pub struct Workspace(pub String);

/// All workspaces. Their folder is made with the first one.
#[derive(Clone)]
pub struct Disk(Arc<Known>);

impl Disk {
    pub fn at(folder: &Path, database: Database) -> Self {
        Self(Arc::new(Known::new(folder.to_owned(), database)))
    }

    /// Holds owners to how much they may have. Without it they may fill the disk.
    pub fn bound(&self, quotas: &Quotas) {
        // Twice is once: the first one holds.
        let _ = self.0.usage.quotas.set(quotas.clone());
    }

    /// For those who may not reach any.
    pub fn nowhere() -> Self {
        Self::at(Path::new("/dev/null/none"), Database::nowhere())
    }

    /// Makes an empty workspace and gives its id.
    pub async fn create(&self, workspace: &Approved<NewWorkspace>) -> Result<String> {
        self.make(workspace.owner()).await
    }

    /// The same for whoever is named.
    pub async fn make(&self, owner: &str) -> Result<String> {
        self.0.make(owner).await
    }

    /// A name for a workspace that is about to be made.
    pub fn new_id() -> String {
        known::new_id()
    }

    /// The same under a name that was written down before.
    pub async fn make_named(&self, id: &str, owner: &str) -> Result<()> {
        self.0.make_named(id, owner).await
    }

    /// Takes a workspace over whose record was lost. Says whether it is there.
    pub async fn adopt(&self, id: &str, owner: &str) -> Result<bool> {
        self.0.adopt(id, owner).await
    }

    /// Whether a workspace is there for the plugin.
    pub async fn open(&self, workspace: &Approved<OpenWorkspace>) -> Result<Workspace> {
        let OpenWorkspace { id, shared } = workspace.request();
        let owner = self.0.owner(id).await?;
        let is_own = if *shared {
            policy::caller_of(&owner) == policy::caller_of(workspace.owner())
        } else {
            *owner == *workspace.owner()
        };
        if !is_own {
            return Err(failure::no_workspace(id));
        }
        Ok(Workspace(id.clone()))
    }

    /// The plugin's own, oldest first.
    pub async fn owned(&self, owner: &Approved<WholeWorkspace>) -> Result<Vec<String>> {
        let all = self.workspaces().await?;
        let owned = all.into_iter().filter(|(_, it)| **it == *owner.owner());
        Ok(owned.map(|(id, _)| id).collect())
    }

    /// The ids of all, with their owners, oldest first.
    pub async fn workspaces(&self) -> Result<Vec<(String, Arc<str>)>> {
        self.0.all().await
    }

    /// The folder in which the folder of all workspaces lies, with the rest of what the host keeps.
    pub fn state(&self) -> &Path {
        self.0.folder.parent().unwrap_or(&self.0.folder)
    }

    /// What a container is to see at its `/workspace`.
    pub fn root(&self, id: &str) -> PathBuf {
        self.0.folder.join(id)
    }

    /// Keeps a workspace from being destroyed until it is released as often as it was held.
    pub async fn hold(&self, id: &str, hold: Hold) -> Result<PathBuf> {
        self.0.hold(id, hold).await?;
        Ok(self.root(id))
    }

    pub fn release(&self, id: &str, hold: Hold) {
        self.0.release(id, hold);
    }

    /// Whether a workspace is recorded, and its directory is where it was made.
    pub async fn is_there(&self, id: &str) -> Result<bool> {
        self.0.is_there(id).await
    }

    /// Lets nobody hold a workspace any more that is about to go. One that is held firmly, or closed, is a conflict.
    pub async fn close(&self, id: &str) -> Result<()> {
        self.0.close(id).await
    }

    /// It stays after all.
    pub fn reopen(&self, id: &str) {
        self.0.reopen(id);
    }

    /// Removes a workspace with all that is in it, unless it is held.
    pub async fn remove(&self, workspace: &Approved<InWorkspace<WholeWorkspace>>) -> Result<()> {
        self.destroy(&workspace.request().workspace).await
    }

    /// The same for the host's own ends.
    pub async fn destroy(&self, id: &str) -> Result<()> {
        self.0.destroy(id).await
    }

    /// Removes what earlier hosts left half done.
    pub async fn sweep(&self) -> Result<()> {
        self.0.sweep().await
    }

    pub async fn read(&self, part: Approved<InWorkspace<ReadPart>>) -> Result<Part> {
        self.look(part, read::read).await
    }

    pub async fn stat(&self, path: Approved<InWorkspace<WorkspacePath>>) -> Result<Stat> {
        self.look(path, read::stat).await
    }

    pub async fn list(&self, paths: Approved<InWorkspace<ListPaths>>) -> Result<Page> {
        self.look(paths, read::list).await
    }

    /// One change, or none.
    pub async fn step(&self, step: Approved<InWorkspace<Step>>) -> Result<Done> {
        self.change(step, change::once).await
    }

    /// All changes, or none.
    pub async fn batch(&self, steps: Approved<InWorkspace<Vec<Step>>>) -> Result<Vec<Done>> {
        self.change(steps, |root, steps| change::all(root, steps)).await
    }

    pub async fn pack(
        &self,
        paths: Approved<InWorkspace<PackPaths>>,
        most: u32,
    ) -> Result<(Vec<u8>, Archived)> {
        self.look(paths, move |root, paths| pack::pack(root, paths, most)).await
    }

    pub async fn pack_into(
        &self,
        paths: Approved<InWorkspace<(PackPaths, WorkspacePath)>>,
    ) -> Result<(Stat, Archived)> {
        self.change(paths, |root, (paths, target)| pack::pack_into(root, paths, target)).await
    }

    pub async fn unpack(
        &self,
        archive: Approved<InWorkspace<Unpack<Vec<u8>>>>,
    ) -> Result<Archived> {
        let unpack = |root: &_, it: &Unpack<Vec<u8>>| {
            unpack::unpack(root, it.archive.as_slice(), &it.target)
        };
        self.change(archive, unpack).await
    }

    pub async fn unpack_from(
        &self,
        archive: Approved<InWorkspace<Unpack<WorkspacePath>>>,
    ) -> Result<Archived> {
        let unpack = |root: &_, it: &Unpack<WorkspacePath>| {
            unpack::unpack_from(root, &it.archive, &it.target)
        };
        self.change(archive, unpack).await
    }

    /// Copies from another workspace, all of it, or nothing.
    pub async fn copy_from(&self, copying: Approved<InWorkspace<CopyFrom>>) -> Result<Archived> {
        let known = self.0.clone();
        let origin = known.root(&copying.request().act.origin).await?;
        let copy = move |root: &_, it: &CopyFrom| {
            let (copied, archived) = transfer::take(root, &origin, &it.path)?;
            // Of one that is being removed part may be gone already.
            known.check_open(&it.origin)?;
            transfer::put(root, copied, &it.target)?;
            Ok(archived)
        };
        self.change(copying, copy).await
    }

    async fn look<A: Send + Sync + 'static, T: Send + 'static>(
        &self,
        act: Approved<InWorkspace<A>>,
        work: impl FnOnce(&Root, &A) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let root = self.0.root(&act.request().workspace).await?;
        blocking(move || work(&root, &act.request().act)).await
    }

    /// One at a time in a workspace. Who waits for its turn holds no thread.
    async fn change<A: Send + Sync + 'static, T: Send + 'static>(
        &self,
        act: Approved<InWorkspace<A>>,
        work: impl FnOnce(&Root, &A) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let id = &act.request().workspace;
        let root = self.0.root(id).await?;
        let room = self.0.room(&self.0.owner(id).await?).await?;
        let turn = root.changing.clone().lock_owned().await;
        blocking(move || {
            let _turn = turn;
            let InWorkspace { workspace, act } = act.request();
            match room {
                Some(room) => work(&root.within(workspace, room)?, act),
                None => work(&root, act),
            }
        })
        .await
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Disk").field(&self.0.folder).finish()
    }
}

/// Runs on a thread that may wait for the disk. What has begun is finished, whoever still waits for it.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| unavailable(format!("the host's disk work failed: {error}")))?
}

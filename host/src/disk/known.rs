//! Which workspaces there are and whose they are: a record each, read once, and a directory.
//!
//! The record comes first and goes last but for the files, so that a directory without one is a leftover.

use std::{
    collections::BTreeMap,
    os::fd::OwnedFd,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use rustix::{
    fs::{CWD, Mode, OFlags, RenameFlags, openat, renameat_with},
    io::Errno,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    blocking,
    failure::{self, At as _},
    root::{Root, named},
    staging::{Staged, Staging, entries},
    tags::Tags,
    usage::{Room, Usage},
};
use crate::{
    database::{Database, Kind},
    error::{Failure, Result, conflict, unavailable},
    private,
};

const KIND: Kind = Kind("workspace");
/// What every id starts with.
const PREFIX: &str = "w_";
const STAGING: &str = ".staging";

/// A name that no workspace has.
pub(super) fn new_id() -> String {
    format!("{PREFIX}{}", Uuid::new_v4())
}

pub(super) struct Known {
    pub(super) folder: PathBuf,
    database: Database,
    ground: OnceLock<Arc<Ground>>,
    tags: Arc<Tags>,
    loaded: tokio::sync::OnceCell<()>,
    workspaces: Mutex<BTreeMap<String, Entry>>,
    pub(super) usage: Usage,
}

/// The folder of all workspaces, open.
struct Ground {
    folder: OwnedFd,
    staging: Arc<Staging>,
}

#[derive(Clone, Deserialize, Serialize)]
struct Record {
    id: String,
    owner: Arc<str>,
    /// Microseconds since 1970.
    created: u64,
}

struct Entry {
    record: Record,
    root: Option<Arc<Root>>,
    /// How many containers use it, and are in the way of its end.
    held: usize,
    /// How many use it, and are not.
    lent: usize,
    /// Whether it is about to go: nobody may use it any more.
    closed: bool,
}

/// How a container uses a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// While it does, the workspace stays.
    Firm,
    /// It gives way when the workspace is to go.
    Yielding,
}

impl Entry {
    fn new(record: Record) -> Self {
        Self { record, root: None, held: 0, lent: 0, closed: false }
    }

    fn count(&mut self, hold: Hold) -> &mut usize {
        match hold {
            Hold::Firm => &mut self.held,
            Hold::Yielding => &mut self.lent,
        }
    }

    fn check_free(&self, users: usize) -> Result<()> {
        if users == 0 {
            return Ok(());
        }
        let id = &self.record.id;
        Err(conflict(format!("`{id}` is used by {users} containers; remove them first")))
    }
}

impl Known {
    pub(super) fn new(folder: PathBuf, database: Database) -> Self {
        Self {
            folder,
            database,
            ground: OnceLock::new(),
            tags: Arc::default(),
            loaded: tokio::sync::OnceCell::new(),
            workspaces: Mutex::default(),
            usage: Usage::default(),
        }
    }

    pub(super) async fn make(self: &Arc<Self>, owner: &str) -> Result<String> {
        let id = new_id();
        self.make_named(&id, owner).await?;
        Ok(id)
    }

    pub(super) async fn make_named(self: &Arc<Self>, id: &str, owner: &str) -> Result<()> {
        self.load().await?;
        // Nobody else makes one for the same caller meanwhile.
        let room = self.room(owner).await?;
        let room = blocking(move || {
            room.as_ref().map_or(Ok(()), Room::check_one_more)?;
            Ok(room)
        });
        let _room = room.await?;
        let id = id.to_owned();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let created = u64::try_from(since.as_micros()).unwrap_or_default();
        let record = Record { id: id.clone(), owner: owner.into(), created };
        self.database.keep(KIND, &id, &record).await?;
        let (known, name) = (self.clone(), id.clone());
        let made = blocking(move || {
            let ground = known.ground()?;
            let (mut staged, _) = ground.staging.directory()?;
            let (from, to) = (&ground.staging.fd, &ground.folder);
            renameat_with(from, &staged.name, to, &name, RenameFlags::NOREPLACE)
                .on("a new workspace")?;
            staged.gone();
            Ok(())
        });
        if let Err(failure) = made.await {
            self.database.forget(KIND, &id).await?;
            return Err(failure);
        }
        self.workspaces().insert(id, Entry::new(record));
        Ok(())
    }

    /// Writes a record anew that was lost. Says whether the workspace is there.
    pub(super) async fn adopt(self: &Arc<Self>, id: &str, owner: &str) -> Result<bool> {
        self.load().await?;
        if self.workspaces().contains_key(id) {
            return Ok(true);
        }
        let (known, name) = (self.clone(), id.to_owned());
        let there = id.starts_with(PREFIX) && blocking(move || known.open(&name)).await.is_ok();
        if there {
            let record = Record { id: id.to_owned(), owner: owner.into(), created: 0 };
            self.database.keep(KIND, id, &record).await?;
            self.workspaces().insert(id.to_owned(), Entry::new(record));
        }
        Ok(there)
    }

    pub(super) async fn owner(&self, id: &str) -> Result<Arc<str>> {
        self.find(id, |entry| entry.record.owner.clone()).await
    }

    pub(super) async fn all(&self) -> Result<Vec<(String, Arc<str>)>> {
        self.load().await?;
        let workspaces = self.workspaces();
        let mut all: Vec<_> = workspaces.values().map(|entry| &entry.record).collect();
        all.sort_by_key(|record| record.created);
        Ok(all.into_iter().map(|record| (record.id.clone(), record.owner.clone())).collect())
    }

    pub(super) async fn hold(&self, id: &str, hold: Hold) -> Result<()> {
        let hold = |entry: &mut Entry| {
            if entry.closed {
                return Err(being_removed(id));
            }
            *entry.count(hold) += 1;
            Ok(())
        };
        self.find(id, hold).await?
    }

    pub(super) fn release(&self, id: &str, hold: Hold) {
        if let Some(entry) = self.workspaces().get_mut(id) {
            let count = entry.count(hold);
            *count = count.saturating_sub(1);
        }
    }

    /// Lets nobody use it any more, unless somebody stands against its end.
    pub(super) async fn close(&self, id: &str) -> Result<()> {
        let close = |entry: &mut Entry| {
            entry.check_free(entry.held)?;
            if std::mem::replace(&mut entry.closed, true) {
                return Err(being_removed(id));
            }
            Ok(())
        };
        self.find(id, close).await?
    }

    /// It stays after all.
    pub(super) fn reopen(&self, id: &str) {
        if let Some(entry) = self.workspaces().get_mut(id) {
            entry.closed = false;
        }
    }

    /// Fails where it has gone, or is about to.
    pub(super) fn check_open(&self, id: &str) -> Result<()> {
        match self.workspaces().get(id) {
            None => Err(failure::no_workspace(id)),
            Some(entry) if entry.closed => Err(being_removed(id)),
            Some(_) => Ok(()),
        }
    }

    /// Whether it is recorded, and its directory is where it was made.
    pub(super) async fn is_there(self: &Arc<Self>, id: &str) -> Result<bool> {
        self.load().await?;
        let (known, name) = (self.clone(), id.to_owned());
        let recorded = self.workspaces().contains_key(id);
        let there = move || Ok(recorded && named(&known.ground()?.folder, &name).is_ok());
        blocking(there).await
    }

    /// The root, which is opened once.
    pub(super) async fn root(self: &Arc<Self>, id: &str) -> Result<Arc<Root>> {
        if let Some(root) = self.find(id, |entry| entry.root.clone()).await? {
            return Ok(root);
        }
        let (known, name) = (self.clone(), id.to_owned());
        let root = blocking(move || known.open(&name)).await?;
        self.find(id, |entry| entry.root.get_or_insert(root).clone()).await
    }

    pub(super) async fn destroy(self: &Arc<Self>, id: &str) -> Result<()> {
        self.find(id, |_| ()).await?;
        let entry = {
            let mut workspaces = self.workspaces();
            match workspaces.get(id) {
                None => return Err(failure::no_workspace(id)),
                Some(entry) => entry.check_free(entry.held + entry.lent)?,
            }
            workspaces.remove(id)
        };
        let (known, name) = (self.clone(), id.to_owned());
        // First out of sight: a directory is never without a record, unless the records were lost.
        let put_aside = blocking(move || known.put_aside(&name)).await;
        let staged = match put_aside {
            Ok(staged) => staged,
            Err(failure) => {
                self.workspaces().extend(entry.map(|entry| (id.to_owned(), entry)));
                return Err(failure);
            }
        };
        self.usage.forget(id);
        self.database.forget(KIND, id).await?;
        blocking(move || staged.map_or(Ok(()), |staged| staged.delete().on("the workspace"))).await
    }

    /// Forgets records without directories, and deletes what was put aside. A directory without a record stays: whose
    /// records were lost still wants the work.
    pub(super) async fn sweep(self: &Arc<Self>) -> Result<()> {
        self.load().await?;
        let recorded: Vec<String> = self.workspaces().keys().cloned().collect();
        if !self.folder.exists() && recorded.is_empty() {
            return Ok(());
        }
        let known = self.clone();
        let lost = blocking(move || known.sweep_folder(recorded)).await?;
        for id in lost {
            tracing::warn!("the workspace `{id}` has no directory any more");
            self.workspaces().remove(&id);
            self.database.forget(KIND, &id).await?;
        }
        Ok(())
    }

    /// Gives the ids that have no directory.
    fn sweep_folder(&self, recorded: Vec<String>) -> Result<Vec<String>> {
        let ground = self.ground()?;
        ground.staging.sweep()?;
        for (name, _) in entries(&ground.folder).on("the folder of the workspaces")? {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
                continue;
            };
            if !recorded.iter().any(|id| id == name) {
                tracing::warn!("there is no record of the workspace `{name}`; it is kept");
            }
        }
        let gone = |id: &String| named(&ground.folder, id).is_err_and(|it| it == Errno::NOENT);
        Ok(recorded.into_iter().filter(gone).collect())
    }

    /// Moves a workspace to where no path leads. None: it is not there.
    fn put_aside(&self, id: &str) -> Result<Option<Staged>> {
        let ground = self.ground()?;
        let mut staged = ground.staging.name();
        let to = &ground.staging.fd;
        match renameat_with(&ground.folder, id, to, &staged.name, RenameFlags::NOREPLACE) {
            Ok(()) => staged.filled(),
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(failure::of_disk("the workspace", errno)),
        }
        Ok(Some(staged))
    }

    fn open(&self, id: &str) -> Result<Arc<Root>> {
        let ground = self.ground()?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(&ground.folder, id, flags, Mode::empty()) {
            Ok(fd) => Ok(Arc::new(Root::new(fd, ground.staging.clone(), self.tags.clone()))),
            Err(Errno::NOENT) => Err(failure::no_workspace(id)),
            Err(errno) => Err(failure::of_disk("the workspace", errno)),
        }
    }

    pub(super) fn folder_of_all(&self) -> Result<&OwnedFd> {
        self.ground().map(|ground| &ground.folder)
    }

    fn ground(&self) -> Result<&Arc<Ground>> {
        if let Some(ground) = self.ground.get() {
            return Ok(ground);
        }
        let open = || -> anyhow::Result<Ground> {
            private::make_folder(&self.folder)?;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let folder = openat(CWD, &self.folder, flags, Mode::empty())?;
            let staging = Arc::new(Staging::at(&self.folder.join(STAGING))?);
            Ok(Ground { folder, staging })
        };
        let ground = open().map_err(|error| unavailable(format!("{error:#}")))?;
        Ok(self.ground.get_or_init(|| Arc::new(ground)))
    }

    async fn find<T>(&self, id: &str, look: impl FnOnce(&mut Entry) -> T) -> Result<T> {
        self.load().await?;
        self.workspaces().get_mut(id).map(look).ok_or_else(|| failure::no_workspace(id))
    }

    async fn load(&self) -> Result<()> {
        let load = || async {
            let records: Vec<Record> = self.database.records(KIND).await?;
            let entry = |record: Record| (record.id.clone(), Entry::new(record));
            self.workspaces().extend(records.into_iter().map(entry));
            Ok(())
        };
        self.loaded.get_or_try_init(load).await.map(drop)
    }

    fn workspaces(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.workspaces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn being_removed(id: &str) -> Failure {
    conflict(format!("`{id}` is being removed"))
}

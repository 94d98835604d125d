//! `containers`: rooms in which programs run that nobody has to trust.

use std::{sync::Arc, time::Duration};

use wasmtime::component::Resource;

use super::{CallState, bindings::windlass::plugin::containers as wit};
use crate::{
    config::Power,
    error::Result,
    inside::Tunnel,
    life::{Entry, Phase, Record},
    policy::{AskedContainer, Beside},
};

/// The most that is read from a connection at once.
const LARGEST_READ: u32 = 1 << 20;

/// A container that belongs to the plugin: that was proven when the handle was made.
pub struct Container(pub(super) Arc<Entry>);

impl wit::Host for CallState {
    async fn list(&mut self) -> Result<Vec<wit::Info>> {
        let named = self.policy.approve_looking(String::new())?;
        let rooms = self.doors.life.rooms().await?;
        Ok(rooms.of_plugin(named.owner()).into_iter().map(info).collect())
    }

    async fn find_engine(&mut self) -> Result<Option<wit::Engine>> {
        self.policy.approve_looking(String::new())?;
        let rooms = self.doors.life.rooms().await?;
        let engine = rooms.docker().engine().await.ok();
        Ok(engine.map(|it| wit::Engine { kind: it.kind().to_owned(), version: it.version }))
    }

    async fn reconcile(&mut self) -> Result<wit::Reconciled> {
        let named = self.policy.approve_changing(String::new())?;
        let sums = self.doors.life.rooms().await?.reconcile(Some(named.owner())).await?;
        Ok(wit::Reconciled {
            discovered: sums.discovered,
            adopted: sums.adopted,
            missing: sums.missing,
            orphaned: sums.orphaned,
            errors: sums.errors,
        })
    }

    async fn collect(&mut self) -> Result<wit::Collected> {
        let named = self.policy.approve_changing(String::new())?;
        let sums = self.doors.life.rooms().await?.collect(Some(named.owner())).await?;
        let (containers, processes) = (sums.containers, sums.processes);
        Ok(wit::Collected { containers, processes, workspaces: sums.workspaces })
    }
}

impl wit::HostContainer for CallState {
    async fn create(&mut self, spec: wit::Spec) -> Result<Resource<Container>> {
        let beside = spec.beside.iter().map(|(workspace, _)| workspace);
        for workspace in spec.workspace.iter().chain(beside) {
            let opening = self.policy.approve_opening_workspace(workspace.clone())?;
            self.doors.disk.open(&opening).await?;
        }
        let wanted = self.policy.approve_container(asked(spec))?;
        let rooms = self.doors.life.rooms().await?;
        let observer = self.observer.clone();
        let listener = Arc::new(move |progress| observer.progress(progress));
        let image = wanted.request().image.clone();
        let entry = rooms.create(wanted, listener).await?;
        self.effects.add(format!("container create {} of {}", entry.id, image.name));
        Ok(self.table.push(Container(entry))?)
    }

    async fn open(&mut self, name: String) -> Result<Resource<Container>> {
        let named = self.policy.approve_looking(name)?;
        let entry = self.doors.life.rooms().await?.find(&named)?;
        Ok(self.table.push(Container(entry))?)
    }

    async fn info(&mut self, container: Resource<Container>) -> Result<wit::Info> {
        Ok(info(self.table.get(&container)?.0.current()))
    }

    async fn stop(&mut self, container: Resource<Container>, grace_s: u32) -> Result<()> {
        let entry = self.changing(&container)?;
        let rooms = self.doors.life.rooms().await?;
        self.effects.add(format!("container stop {}", entry.id));
        rooms.stop(&entry, grace_s).await
    }

    async fn remove(
        &mut self,
        container: Resource<Container>,
        removal: wit::Removal,
    ) -> Result<()> {
        let entry = self.changing(&container)?;
        let rooms = self.doors.life.rooms().await?;
        self.effects.add(format!("container remove {}", entry.id));
        rooms.remove_aside(&entry, removal.grace_s, removal.workspace).await
    }

    async fn connect(
        &mut self,
        container: Resource<Container>,
        port: u16,
    ) -> Result<Resource<Tunnel>> {
        let entry = self.changing(&container)?;
        let rooms = self.doors.life.rooms().await?;
        rooms.wake(&entry).await?;
        self.effects.add(format!("container connect {} port {port}", entry.id));
        let tunnel = rooms.inside().connect(&entry.id, port).await?;
        Ok(self.table.push(tunnel)?)
    }

    async fn drop(&mut self, container: Resource<Container>) -> wasmtime::Result<()> {
        self.table.delete(container)?;
        Ok(())
    }
}

impl wit::HostConnection for CallState {
    async fn patience(&mut self, connection: Resource<Tunnel>, ms: u32) -> wasmtime::Result<()> {
        self.table.get_mut(&connection)?.wait_at_most(Duration::from_millis(ms.into()));
        Ok(())
    }

    async fn read(&mut self, connection: Resource<Tunnel>, most: u32) -> Result<Option<Vec<u8>>> {
        self.table.get_mut(&connection)?.read_some(most.min(LARGEST_READ) as usize).await
    }

    async fn write(&mut self, connection: Resource<Tunnel>, bytes: Vec<u8>) -> Result<()> {
        self.table.get_mut(&connection)?.send(&bytes).await
    }

    async fn finish(&mut self, connection: Resource<Tunnel>) -> Result<()> {
        self.table.get_mut(&connection)?.finish().await
    }

    async fn drop(&mut self, connection: Resource<Tunnel>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

impl CallState {
    /// The container behind a handle, for a function that changes it.
    fn changing(&self, container: &Resource<Container>) -> Result<Arc<Entry>> {
        let entry = self.table.get(container)?.0.clone();
        self.policy.approve_changing(entry.id.clone())?;
        Ok(entry)
    }
}

fn asked(spec: wit::Spec) -> AskedContainer {
    let beside = spec.beside.into_iter();
    AskedContainer {
        image: spec.image,
        alias: spec.alias,
        workspace: spec.workspace,
        beside: beside.map(|(workspace, path)| Beside { workspace, path }).collect(),
        persistent: spec.persistent,
        ttl_s: spec.ttl_s,
        key: spec.key,
        env: spec.env,
        powers: spec.powers.into_iter().map(Power::from).collect(),
        offline: spec.offline,
        reach: spec.reach,
        yields: spec.yields,
        memory_mib: spec.memory_mib,
        cpus: spec.cpus,
        pids: spec.pids,
    }
}

fn info(record: Record) -> wit::Info {
    let state = match record.phase {
        Phase::Making => wit::State::Starting,
        Phase::Running => wit::State::Running,
        Phase::Stopped | Phase::Removing { .. } => wit::State::Stopped,
    };
    wit::Info {
        id: record.id,
        alias: record.alias,
        image: record.image,
        workspace: record.workspace,
        engine_id: record.engine_id,
        state,
        persistent: record.persistent,
        ttl_s: record.ttl_s,
        created: record.created,
        used: record.used,
    }
}

impl From<wit::Power> for Power {
    fn from(power: wit::Power) -> Self {
        match power {
            wit::Power::Root => Self::Root,
            wit::Power::ImageUser => Self::ImageUser,
            wit::Power::WritableRoot => Self::WritableRoot,
            wit::Power::Bridge => Self::Bridge,
        }
    }
}

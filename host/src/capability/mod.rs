//! The capabilities of `wit/`, one file per interface.
//!
//! A file here turns WIT into a question to `policy` and an act of a door.
//! [`link`] is the whole list of what a plugin can reach.

mod changes;
mod clock;
mod containers;
pub mod engine;
mod files;
mod http;
mod jobs;
mod log;
mod memory;
mod metrics;
pub mod images;
pub mod networks;
mod processes;
mod progress;
mod random;
mod store;
pub mod volumes;
mod workspaces;
mod wasi;

use std::sync::Arc;

use wasmtime::component::{HasSelf, Linker, ResourceTable};

use crate::{
    audit::{Audit, Effects},
    config::Grants,
    database::Database,
    disk::Disk,
    error::Failure,
    jobs::Jobs,
    life::Life,
    plugin::{Meter, Observer, Running},
    policy::Policy,
    web::Web,
};

pub mod bindings {
    //! Generated from `wit/`.
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "plugin",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "windlass:plugin/http.body": crate::web::Body,
            "windlass:plugin/containers.container": crate::capability::Container,
            "windlass:plugin/containers.connection": crate::inside::Tunnel,
            "windlass:plugin/processes.process": crate::capability::Process,
            "windlass:plugin/workspaces.workspace": crate::disk::Workspace,
        },
        trappable_error_type: { "windlass:plugin/types.error" => crate::error::Failure },
    });
}

pub use bindings::{
    exports::windlass::plugin::{prompts, resources, tools, work},
    windlass::plugin::{log::Level, types},
};
pub use containers::Container;
pub use memory::Memory;
pub use metrics::Counters;
pub use processes::Process;
pub use wasi::Wasi;

/// The version of the contract that this host speaks.
pub const CONTRACT: &str = "windlass:plugin@0.1.0";

/// All that one call can touch. Dropped, with every handle, when the call ends.
pub struct CallState {
    pub policy: Policy,
    pub doors: Doors,
    pub web: Web,
    pub counters: Counters,
    pub memory: Memory,
    pub table: ResourceTable,
    /// What the call has used of its allowances.
    pub meter: Meter,
    /// Who hears of the call's progress, log lines and changes.
    pub observer: Arc<dyn Observer>,
    /// The job whose run this is.
    pub job: Option<Arc<str>>,
    /// What the call does, for the record.
    pub effects: Effects,
    /// Keeps the clock going while the guest computes.
    pub running: Running,
    /// Only for components whose language needs it.
    pub wasi: Option<Box<Wasi>>,
}

/// The doors that all plugins share.
#[derive(Clone)]
pub struct Doors {
    pub database: Database,
    pub disk: Disk,
    pub life: Life,
    pub jobs: Jobs,
    pub audit: Audit,
}

impl Doors {
    /// For those who may not reach anything.
    pub fn nowhere() -> Self {
        let database = Database::nowhere();
        Self {
            database,
            disk: Disk::nowhere(),
            life: Life::default(),
            jobs: Jobs::default(),
            audit: Audit::none(),
        }
    }
}

/// Links the capabilities that the grants name, and no other.
pub fn link(linker: &mut Linker<CallState>, grants: &Grants, wasi: bool) -> wasmtime::Result<()> {
    use bindings::windlass::plugin::{
        changes, clock, containers, engine, files, http, images, jobs, log, memory, metrics,
        networks, processes, progress, random, store, volumes, workspaces,
    };

    types::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
    log::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
    clock::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
    random::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
    progress::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
    changes::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
    metrics::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
    memory::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
    if grants.store {
        store::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
    }
    if !grants.http.is_empty() {
        http::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
    }
    if grants.workspaces.is_some() {
        workspaces::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
    }
    if grants.containers.is_some() {
        containers::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
        processes::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
    }
    if grants.jobs {
        jobs::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
    }
    if grants.files.is_some() {
        files::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
    }
    if grants.engine.is_some() {
        engine::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
        images::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
        networks::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
        volumes::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
    }
    if wasi {
        wasmtime_wasi::p2::add_to_linker_async(linker)?;
    }
    Ok(())
}

/// The grant that links an interface of the contract, as it would stand in `windlass.toml`.
pub fn grant_for(interface: &str) -> Option<&'static str> {
    match interface {
        "store" => Some("store = true"),
        "workspaces" => Some("workspaces = \"own\""),
        "containers" | "processes" => Some("containers = {}"),
        "jobs" => Some("jobs = true"),
        "files" => Some("files = [\"/…\"]"),
        "engine" | "images" | "networks" | "volumes" => Some("engine = { names = [\"…\"] }"),
        "http" => Some("http = [\"https://…\"]"),
        _ => None,
    }
}

/// Whether a function of the contract changes something that lasts.
pub fn writes(interface: &str, function: &str) -> bool {
    match interface {
        "store" => matches!(function, "put" | "swap" | "delete"),
        "containers" => matches!(
            function,
            "reconcile"
                | "collect"
                | "[static]container.create"
                | "[method]container.stop"
                | "[method]container.remove"
                | "[method]container.connect"
        ),
        "processes" => matches!(
            function,
            "[static]process.start" | "[method]process.signal" | "[method]process.cancel"
        ),
        "jobs" => matches!(function, "submit" | "cancel"),
        "engine" => matches!(function, "create" | "each" | "exec"),
        "images" => matches!(function, "pull" | "remove"),
        "networks" => matches!(function, "create" | "remove" | "connect" | "disconnect"),
        "volumes" => matches!(function, "create" | "remove"),
        "workspaces" => workspaces::WRITING.contains(&function),
        _ => false,
    }
}

/// Every failed capability passes here on its way back to the plugin.
impl types::Host for CallState {
    fn convert_error(&mut self, failure: Failure) -> wasmtime::Result<types::Error> {
        match failure {
            Failure::Answer(error) => Ok(error),
            Failure::Trap(error) => Err(error),
        }
    }
}

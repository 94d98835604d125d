//! The capabilities of `wit/`, one file per interface.
//!
//! A file here turns WIT into a question to `policy` and an act of a door.
//! [`link`] is the whole list of what a plugin can reach.

mod changes;
mod clock;
mod http;
mod log;
mod progress;
mod random;
mod store;
mod workspaces;
mod wasi;

use std::sync::Arc;

use wasmtime::component::{HasSelf, Linker, ResourceTable};

use crate::{
    config::Grants,
    database::Database,
    disk::Disk,
    error::Failure,
    plugin::{Meter, Observer},
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
            "windlass:plugin/workspaces.workspace": crate::disk::Workspace,
        },
        trappable_error_type: { "windlass:plugin/types.error" => crate::error::Failure },
    });
}

pub use bindings::{
    exports::windlass::plugin::{prompts, resources, tools},
    windlass::plugin::{log::Level, types},
};
pub use wasi::Wasi;

/// The version of the contract that this host speaks.
pub const CONTRACT: &str = "windlass:plugin@0.1.0";

/// All that one call can touch. Dropped, with every handle, when the call ends.
pub struct CallState {
    pub policy: Policy,
    pub database: Database,
    pub disk: Disk,
    pub web: Web,
    pub table: ResourceTable,
    /// What the call has used of its allowances.
    pub meter: Meter,
    /// Who hears of the call's progress, log lines and changes.
    pub observer: Arc<dyn Observer>,
    /// Only for components whose language needs it.
    pub wasi: Option<Box<Wasi>>,
}

/// Links the capabilities that the grants name, and no other.
pub fn link(linker: &mut Linker<CallState>, grants: &Grants, wasi: bool) -> wasmtime::Result<()> {
    use bindings::windlass::plugin::{
        changes, clock, http, log, progress, random, store, workspaces,
    };

    types::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
    log::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
    clock::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
    random::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
    progress::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
    changes::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
    if grants.store {
        store::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
    }
    if !grants.http.is_empty() {
        http::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
    }
    if grants.workspaces.is_some() {
        workspaces::add_to_linker::<_, HasSelf<_>>(linker, |call| call)?;
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
        "http" => Some("http = [\"https://…\"]"),
        "workspaces" => Some("workspaces = \"own\""),
        _ => None,
    }
}

/// Whether a function of the contract changes something that lasts.
pub fn writes(interface: &str, function: &str) -> bool {
    match interface {
        "store" => matches!(function, "put" | "swap" | "delete"),
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

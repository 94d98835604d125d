//! One loaded plugin. Each call gets a fresh instance in a fresh store, and is gone at its end.
//!
//! What a plugin is offered and how its names are checked is the `registry`'s; what it may do is `policy`'s.

mod call;
mod compiled;
mod digest;
mod engine;
mod entry;
mod imports;
mod lane;
mod load;
mod meter;
mod quarantine;

use std::sync::{Arc, atomic::AtomicBool};

use wasmtime::component::{Component, InstancePre};

use crate::{
    audit::Effects,
    capability::{CallState, Counters, Doors, Level, Memory, prompts, resources, tools, work},
    config::Limits,
    inside::Owner,
    policy::Policy,
    web::Web,
};

pub use compiled::{Cache, Code, compile, compile_for_bundle, hex};
pub use digest::Digest;
pub use engine::{Engine, Running};
pub use entry::{
    CompletePrompt, CompleteResource, Entry, ListResources, ReadResource, Run, Stopped,
};
pub use imports::{Imports, Missing};
pub use load::{Prepared, Settings, prepare};
pub use meter::{LogAllowance, Meter};

/// A plugin, ready to be called.
pub struct Plugin {
    pub description: Description,
    pub settings: Settings,
    pub imports: Imports,
    pub digest: Digest,
    engine: Engine,
    component: Component,
    instance: InstancePre<CallState>,
    exports: Exports,
    policy: Policy,
    doors: Doors,
    counters: Counters,
    memory: Memory,
    web: Web,
    quarantine: quarantine::Quarantine,
}

/// What a plugin says of itself.
#[derive(Clone)]
pub struct Description {
    pub plugin: tools::Plugin,
    pub prompts: Vec<prompts::Prompt>,
    pub resources: Option<resources::Description>,
}

/// Where a component's functions are to be found.
pub struct Exports {
    tools: tools::GuestIndices,
    prompts: Option<prompts::GuestIndices>,
    resources: Option<resources::GuestIndices>,
    work: Option<work::GuestIndices>,
}

/// Who hears what happens in a call before its end.
pub trait Observer: Send + Sync {
    fn progress(&self, progress: Progress);
    fn log(&self, level: Level, message: String);
    fn changed(&self, change: Change);
}

/// How far a call is.
#[derive(Clone, Debug)]
pub struct Progress {
    pub done: f64,
    pub total: Option<f64>,
    pub message: String,
}

impl Progress {
    /// Bytes that are there, of those that are known of.
    #[allow(clippy::cast_precision_loss, reason = "it is for people to look at")]
    pub fn of_bytes(done: u64, total: u64, message: &str) -> Self {
        let total = (total > 0).then_some(total as f64);
        Self { done: done as f64, total, message: message.to_owned() }
    }
}

/// What a plugin says has changed.
#[derive(Clone, Debug)]
pub enum Change {
    /// This plugin's tools, prompts or templates.
    Offers(String),
    /// The list of resources.
    Resources,
    /// What this URI holds for this caller.
    ResourceOf(Arc<str>, String),
}

/// Hears nothing.
pub struct Nobody;

impl Observer for Nobody {
    fn progress(&self, _: Progress) {}
    fn log(&self, _: Level, _: String) {}
    fn changed(&self, _: Change) {}
}

/// For whom a guest is entered, and what for.
#[derive(Clone, Copy, Default)]
pub struct Occasion<'a> {
    /// Absent: whoever started the host.
    pub caller: Option<&'a Arc<str>>,
    /// The tool that the call is for, which is held to what it says of itself.
    pub promise: Option<(&'a Arc<str>, tools::Hints)>,
    /// The job whose run it is.
    pub job: Option<&'a str>,
    /// Where it is noted what the guest does.
    pub effects: Option<&'a Effects>,
    /// It is only found out whether the tool changes anything: then this is set.
    pub trial: Option<&'a Arc<AtomicBool>>,
}

impl<'a> Occasion<'a> {
    /// A call that is no tool's.
    pub fn call(caller: &'a Arc<str>) -> Self {
        Self { caller: Some(caller), ..Self::default() }
    }

    pub fn tool(caller: &'a Arc<str>, name: &'a Arc<str>, hints: tools::Hints) -> Self {
        Self { promise: Some((name, hints)), ..Self::call(caller) }
    }

    pub fn job(caller: &'a Arc<str>, id: &'a str) -> Self {
        Self { job: Some(id), ..Self::call(caller) }
    }

    #[must_use]
    pub fn noting(self, effects: &'a Effects) -> Self {
        Self { effects: Some(effects), ..self }
    }
}

impl Plugin {
    pub fn name(&self) -> &str {
        self.policy.plugin()
    }

    /// What it has counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What counts for its containers.
    pub fn as_owner(&self) -> Owner {
        Owner { policy: self.policy.clone(), secrets: self.settings.secrets.clone() }
    }

    pub fn limits(&self) -> Limits {
        self.settings.limits
    }
}

//! Loading: compile, look at what it wants, let it describe itself, link what is granted.

use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use wasmtime::component::{Component, Instance, InstancePre, Linker, ResourceTable};

use super::{
    Cache, Code, Description, Digest, Engine, Exports, Imports, Meter, Nobody, Plugin, call,
    quarantine::Quarantine,
};
use crate::{
    audit::Effects,
    capability::{self, CallState, Counters, Doors, Memory, prompts, resources, tools, work},
    config::{Grants, Limits},
    figures::Names,
    policy::Policy,
    secrets::Secrets,
    web::Web,
};

/// How the operator wants a plugin to run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name of its table in `windlass.toml`.
    pub name: String,
    pub prefix: String,
    pub limits: Limits,
    pub grants: Grants,
    pub secrets: Secrets,
    /// A JSON object.
    pub config: Arc<str>,
    /// Other names of figures that are the plugin's.
    pub names: Names,
}

/// A compiled component that has described itself and is not linked to anything yet.
pub struct Prepared {
    pub name: String,
    pub description: Description,
    pub imports: Imports,
    pub digest: Digest,
    component: Component,
    engine: Engine,
}

/// Compiles a component and asks what it is. Nothing is granted for that.
pub async fn prepare(
    engine: &Engine,
    cache: &Cache,
    code: Code<'_>,
    settings: &Settings,
) -> anyhow::Result<Prepared> {
    let (component, digest) = (cache.component(engine.inner(), code)?, code.digest());
    let imports = Imports::of(&component)?;
    let description = describe(engine, &component, &imports, settings.limits)
        .await
        .context("it does not describe itself")?;
    Ok(Prepared {
        name: settings.name.clone(),
        description,
        imports,
        digest,
        component,
        engine: engine.clone(),
    })
}

impl Prepared {
    /// Whether what it says of its tools fits what it imports.
    pub fn check_promises(&self) -> anyhow::Result<()> {
        check_promises(&self.description, &self.imports)
    }

    /// Links what is granted. Fails where the component imports more, and says what would grant it.
    pub fn link(self, settings: Settings, doors: &Doors) -> anyhow::Result<Plugin> {
        let Self { name, description, imports, digest, component, engine } = self;
        let missing = imports.missing(&settings.grants);
        if !missing.is_empty() {
            let grants: Vec<_> = missing
                .iter()
                .map(|it| {
                    format!("`{}` (needs `plugins.{name}.grants.{}`)", it.interface, it.grant)
                })
                .collect();
            bail!("it imports more than its grants allow: {}", grants.join(", "));
        }
        check_promises(&description, &imports)?;
        let mut linker = Linker::new(engine.inner());
        capability::link(&mut linker, &settings.grants, imports.wasi)?;
        let instance = linker.instantiate_pre(&component)?;
        let policy = Policy::new(&name, settings.grants.clone()).map_err(anyhow::Error::msg)?;
        Ok(Plugin {
            exports: exports(&instance)?,
            component,
            imports,
            digest,
            web: Web::new(settings.secrets.clone()),
            description,
            settings,
            engine,
            instance,
            policy,
            doors: doors.clone(),
            counters: Counters::default(),
            memory: Memory::default(),
            quarantine: Quarantine::default(),
        })
    }
}

impl Plugin {
    /// The same plugin with what it says of itself at this moment.
    pub async fn describe_again(&self) -> anyhow::Result<Self> {
        let limits = self.limits();
        let description = describe(&self.engine, &self.component, &self.imports, limits).await?;
        check_promises(&description, &self.imports)?;
        Ok(Self {
            description,
            settings: self.settings.clone(),
            engine: self.engine.clone(),
            component: self.component.clone(),
            imports: self.imports.clone(),
            digest: self.digest.clone(),
            exports: exports(&self.instance)?,
            instance: self.instance.clone(),
            policy: self.policy.clone(),
            doors: self.doors.clone(),
            counters: self.counters.clone(),
            memory: self.memory.clone(),
            web: self.web.clone(),
            quarantine: Quarantine::default(),
        })
    }
}

/// A plugin all of whose tools say that they change nothing has no use for what changes something.
fn check_promises(description: &Description, imports: &Imports) -> anyhow::Result<()> {
    let tools = &description.plugin.tools;
    let only_reads = tools.iter().all(|tool| tool.hints.contains(tools::Hints::READ_ONLY));
    let writing = imports.writing();
    ensure!(
        tools.is_empty() || !only_reads || writing.is_empty(),
        "all its tools say they are read-only, but it imports `{}`, which writes",
        writing.join("`, `")
    );
    Ok(())
}

async fn describe(
    engine: &Engine,
    component: &Component,
    imports: &Imports,
    limits: Limits,
) -> anyhow::Result<Description> {
    let mut linker = Linker::new(engine.inner());
    // Every function is there, and the policy below, which grants nothing, refuses each.
    capability::link(&mut linker, &Grants::of_everything(), imports.wasi)?;
    let pre = linker.instantiate_pre(component)?;
    let exports = exports(&pre)?;
    let state = CallState {
        policy: Policy::new("", Grants::default()).map_err(anyhow::Error::msg)?,
        doors: Doors::nowhere(),
        web: Web::new(Secrets::default()),
        counters: Counters::default(),
        memory: Memory::default(),
        table: ResourceTable::new(),
        meter: Meter::new(limits),
        observer: Arc::new(Nobody),
        job: None,
        trace: None,
        effects: Effects::default(),
        running: engine.start_call(),
        wasi: None,
    };
    let mut store = call::store(engine.inner(), state, limits.slice_ms);
    let described = async {
        let instance = pre.instantiate_async(&mut store).await?;
        ask(&mut store, &instance, &exports).await
    };
    tokio::time::timeout(limits.deadline(), described).await.context("out of time")?
}

async fn ask(
    store: &mut wasmtime::Store<CallState>,
    instance: &Instance,
    exports: &Exports,
) -> anyhow::Result<Description> {
    let plugin = exports.tools.load(&mut *store, instance)?.call_describe(&mut *store).await?;
    let prompts = match &exports.prompts {
        Some(prompts) => prompts.load(&mut *store, instance)?.call_describe(&mut *store).await?,
        None => Vec::new(),
    };
    let resources = match &exports.resources {
        Some(resources) => {
            Some(resources.load(&mut *store, instance)?.call_describe(&mut *store).await?)
        }
        None => None,
    };
    let resources = resources.filter(|resources| !resources.schemes.is_empty());
    Ok(Description { plugin, prompts, resources })
}

fn exports(instance: &InstancePre<CallState>) -> anyhow::Result<Exports> {
    Ok(Exports {
        tools: tools::GuestIndices::new(instance)?,
        prompts: prompts::GuestIndices::new(instance).ok(),
        resources: resources::GuestIndices::new(instance).ok(),
        work: work::GuestIndices::new(instance).ok(),
    })
}

//! What a component imports and exports, read from its type before anything of it runs.

use anyhow::{bail, ensure};
use wasmtime::component::{
    Component,
    types::{ComponentInstance, ComponentItem},
};

use crate::capability::{self, CONTRACT};
use crate::config::Grants;

/// The part of [`CONTRACT`] before the version.
const PACKAGE: &str = "windlass:plugin/";

/// What a component can reach, function by function.
#[derive(Clone, Debug, Default)]
pub struct Imports {
    /// Interfaces of the contract, each with the functions that are imported of it.
    pub interfaces: Vec<(String, Vec<String>)>,
    pub wasi: bool,
}

/// An interface that is imported and not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    pub interface: String,
    /// What would grant it.
    pub grant: &'static str,
}

impl Missing {
    /// The key of the grant: several interfaces can hang on one.
    pub fn key(&self) -> &str {
        self.grant.split(' ').next().unwrap_or_default()
    }
}

impl Imports {
    /// Reads a component's type. Fails where it is none that this host can run, and says why.
    pub fn of(component: &Component) -> anyhow::Result<Self> {
        let engine = component.engine();
        let kind = component.component_type();
        let mut imports = Self::default();
        for (name, external) in kind.imports(engine) {
            match (name.strip_prefix(PACKAGE), &external.ty) {
                (Some(rest), ComponentItem::ComponentInstance(instance)) => {
                    let interface = check_version(rest)?;
                    imports.interfaces.push((interface.to_owned(), functions(engine, instance)));
                }
                _ if name.starts_with("wasi:") => imports.wasi = true,
                _ => bail!("it imports `{name}`, which is not part of `{CONTRACT}`"),
            }
        }
        let mut exports_tools = false;
        for (name, _) in kind.exports(engine) {
            if let Some(rest) = name.strip_prefix(PACKAGE) {
                exports_tools |= check_version(rest)? == "tools";
            }
        }
        ensure!(exports_tools, "it does not export `windlass:plugin/tools`, so it is no plugin");
        Ok(imports)
    }

    /// What is imported and not granted.
    pub fn missing(&self, grants: &Grants) -> Vec<Missing> {
        let granted = |interface: &str| match interface {
            "store" => grants.store,
            "jobs" => grants.jobs,
            "http" => !grants.http.is_empty(),
            "workspaces" => grants.workspaces.is_some(),
            "containers" | "processes" => grants.containers.is_some(),
            "files" => grants.files.is_some(),
            "engine" | "images" | "networks" | "volumes" => grants.engine.is_some(),
            _ => true,
        };
        let ungranted = self.interfaces.iter().filter(|(interface, _)| !granted(interface));
        let missing = ungranted.filter_map(|(interface, _)| {
            let grant = capability::grant_for(interface)?;
            Some(Missing { interface: interface.clone(), grant })
        });
        missing.collect()
    }

    /// The functions that change what lasts, as `store.put`.
    pub fn writing(&self) -> Vec<String> {
        let mut writing = Vec::new();
        for (interface, functions) in &self.interfaces {
            let writes = functions.iter().filter(|name| capability::writes(interface, name));
            writing.extend(writes.map(|name| format!("{interface}.{name}")));
        }
        writing
    }
}

fn functions(engine: &wasmtime::Engine, instance: &ComponentInstance) -> Vec<String> {
    let function = |(name, external): (&str, wasmtime::component::types::ComponentExtern)| {
        matches!(external.ty, ComponentItem::ComponentFunc(_)).then(|| name.to_owned())
    };
    instance.exports(engine).filter_map(function).collect()
}

/// The interface of `log@0.1.0`, where the version is ours.
fn check_version(interface: &str) -> anyhow::Result<&str> {
    let ours = CONTRACT.split_once('@').map_or("", |(_, version)| version);
    let (interface, version) = interface.split_once('@').unwrap_or((interface, "none"));
    ensure!(
        version == ours,
        "it was built against `windlass:plugin@{version}`, and this host speaks `{CONTRACT}`: build it against that version, or use the host that speaks its own"
    );
    Ok(interface)
}

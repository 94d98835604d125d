//! Following `windlass.toml`: a changed grant counts from the moment the file is written.
//!
//! A file that cannot be read leaves all as it was. What the host itself was started with (places, limits of all
//! calls together, HTTP) stays until it is started again.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use super::Registry;
use crate::config::Config;

/// How long the file has to be quiet: editors write it in several steps.
const QUIET: Duration = Duration::from_millis(50);

/// How the configuration is read, and what is wanted besides.
pub struct Reading {
    pub config: Box<dyn Fn() -> anyhow::Result<Config> + Send + Sync>,
    /// The bundled plugins that the command line names.
    pub chosen: Option<Vec<String>>,
    /// Where the plugins are that are not bundled.
    pub files: Box<dyn Fn() -> anyhow::Result<Vec<PathBuf>> + Send + Sync>,
}

/// Follows the file until the host ends.
pub fn follow_config(registry: Arc<Registry>, file: &Path, reading: Reading) -> anyhow::Result<()> {
    // Editors put another file in its place, so it is the folder that tells.
    let file = std::path::absolute(file)?;
    let folder = file.parent().context("it lies in no folder")?.to_owned();
    let (send, mut receive) = mpsc::channel::<()>(1);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access() && event.paths.contains(&file)) {
            // One piece of news is waiting already.
            let _ = send.try_send(());
        }
    })?;
    watcher.watch(&folder, RecursiveMode::NonRecursive)?;
    tokio::spawn(async move {
        let _watcher: RecommendedWatcher = watcher;
        while receive.recv().await.is_some() {
            tokio::time::sleep(QUIET).await;
            let error = reload(&registry, &reading).await.err().map(|it| format!("{it:#}"));
            if let Some(error) = &error {
                tracing::error!("the changed configuration is not taken over: {error}");
            }
            registry.note_admin("configuration read", Vec::new(), error);
        }
    });
    Ok(())
}

async fn reload(registry: &Arc<Registry>, reading: &Reading) -> anyhow::Result<()> {
    let config = Arc::new((reading.config)()?);
    let before = registry.config.swap(config.clone());
    let wanted = registry.wanted(reading.chosen.as_deref(), &(reading.files)()?);
    let wanted = wanted.inspect_err(|_| registry.config.store(before.clone()))?;
    let general = before.limits != config.limits || before.server != config.server;
    for name in registry.catalog().plugins.keys().filter(|name| !wanted.contains_key(*name)) {
        match registry.remove(name) {
            Ok(()) => tracing::info!(plugin = name, "unloaded"),
            Err(error) => tracing::error!(plugin = name, "it is not unloaded: {error:#}"),
        }
    }
    for (name, source) in &wanted {
        let changed = before.plugins.get(name) != config.plugins.get(name);
        let known = registry.catalog().plugins.contains_key(name);
        if !(general || changed || !known) {
            continue;
        }
        match registry.add(name, source).await {
            Ok(()) => tracing::info!(plugin = name, "loaded with the changed configuration"),
            // What it was allowed before does not count any more.
            Err(_) => registry.give_up(name),
        }
    }
    Ok(())
}

//! The folder of third parties' plugins: what is dropped in is loaded, what is taken out is gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use super::{Registry, Source, load::name_of};
use crate::private;

/// How long a folder has to be quiet: who copies a file writes it in many steps.
const QUIET: Duration = Duration::from_millis(200);

/// The components of a folder, with the time of their last change.
type Found = BTreeMap<PathBuf, Option<SystemTime>>;

/// The components that lie in a folder. One that is not there is empty, and one that others can write is
/// not looked into: what lies there gets the grants that were meant for somebody else's.
pub fn components(folder: &Path) -> Vec<PathBuf> {
    if fs::metadata(folder).is_ok_and(|metadata| !private::is_ours(&metadata)) {
        tracing::error!("others can write `{}`, so no plugin there is loaded", folder.display());
        return Vec::new();
    }
    found(folder).into_keys().collect()
}

/// Follows a folder until the host ends.
pub fn follow(registry: Arc<Registry>, folder: &Path) -> anyhow::Result<()> {
    private::make_folder(folder)?;
    let (send, mut receive) = mpsc::channel::<()>(1);
    let mut watcher = notify::recommended_watcher(move |_| {
        // One piece of news is waiting already.
        let _ = send.try_send(());
    })?;
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    let folder = folder.to_owned();
    let mut known = found(&folder);
    let taken = names_elsewhere(&registry, &known);
    tokio::spawn(async move {
        let _watcher: RecommendedWatcher = watcher;
        while receive.recv().await.is_some() {
            tokio::time::sleep(QUIET).await;
            let mut current = found(&folder);
            current.retain(|file, _| is_free(&taken, file));
            follow_changes(&registry, &known, &current).await;
            known = current;
        }
    });
    Ok(())
}

/// The names of plugins that come from somewhere else. No file takes one over, or away.
fn names_elsewhere(registry: &Registry, here: &Found) -> BTreeSet<String> {
    let mut names: BTreeSet<_> = registry.catalog().plugins.keys().cloned().collect();
    names.extend(registry.failures().into_keys());
    for name in here.keys().filter_map(|file| name_of(file).ok()) {
        names.remove(&name);
    }
    names
}

fn is_free(taken: &BTreeSet<String>, file: &Path) -> bool {
    let Some(name) = name_of(file).ok().filter(|name| taken.contains(name)) else { return true };
    tracing::error!("two plugins are called `{name}`; rename `{}`", file.display());
    false
}

async fn follow_changes(registry: &Registry, known: &Found, current: &Found) {
    for file in known.keys().filter(|file| !current.contains_key(*file)) {
        let Ok(name) = name_of(file) else { continue };
        match registry.remove(&name) {
            Ok(()) => tracing::info!(plugin = name, "unloaded"),
            Err(error) => tracing::error!(plugin = name, "it is not unloaded: {error:#}"),
        }
    }
    for (file, changed) in current {
        if known.get(file) == Some(changed) {
            continue;
        }
        match name_of(file) {
            Ok(name) => {
                if registry.add(&name, &Source::File(file.clone())).await.is_ok() {
                    tracing::info!(plugin = name, "loaded");
                }
            }
            Err(error) => tracing::error!("a plugin is left out: {error:#}"),
        }
    }
}

fn found(folder: &Path) -> Found {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.map(|entry| entry.path());
    let components = files.filter(|file| file.extension().is_some_and(|it| it == "wasm"));
    components
        .map(|file| {
            let changed = fs::metadata(&file).and_then(|metadata| metadata.modified()).ok();
            (file, changed)
        })
        .collect()
}

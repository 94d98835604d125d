//! How plugins come into the registry, and out of it.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, bail};
use toml::Table;

use super::{Catalog, Plugins, Registry, Schema, Visible, check, grants, mounts, pins};
use crate::{
    bundled::{Bundled, Defaults, Inherited},
    config::PluginConfig,
    plugin::{self, Code, Description, Plugin, Prepared, Settings},
    secrets::{self, Secrets},
};

/// Where a plugin's code is.
#[derive(Clone)]
pub enum Source {
    Bundled(&'static Bundled),
    File(PathBuf),
}

impl Source {
    /// The component's bytes, read once: what is looked at is what is run.
    fn read(&self) -> anyhow::Result<Cow<'static, [u8]>> {
        match self {
            Self::Bundled(bundled) => Ok(Cow::Borrowed(bundled.wasm)),
            Self::File(file) => fs::read(file)
                .map(Cow::Owned)
                .with_context(|| format!("cannot read `{}`", file.display())),
        }
    }
}

impl Registry {
    /// The plugins that the configuration, the command line and the environment ask for, by name.
    pub fn wanted(
        &self,
        chosen: Option<&[String]>,
        files: &[PathBuf],
    ) -> anyhow::Result<BTreeMap<String, Source>> {
        let config = self.config();
        mounts::check(&config, &self.doors.disk)?;
        let mut wanted = BTreeMap::new();
        for bundled in self.bundled {
            let named = match chosen {
                Some(chosen) => chosen.iter().any(|name| name == bundled.name),
                None => {
                    config.plugins.contains_key(bundled.name) || bundled.defaults()?.apply_unasked()
                }
            };
            if named {
                wanted.insert(bundled.name.to_owned(), Source::Bundled(bundled));
            }
        }
        for name in chosen.into_iter().flatten().filter(|name| !name.is_empty()) {
            if !wanted.contains_key(name) {
                let known: Vec<_> = self.bundled.iter().map(|it| it.name).collect();
                bail!("no bundled plugin is called `{name}`; there are: {}", known.join(", "));
            }
        }
        for (name, plugin) in &config.plugins {
            match &plugin.component {
                Some(file) => drop(wanted.insert(name.clone(), Source::File(file.clone()))),
                None => self.check_table(name, files)?,
            }
        }
        for file in files {
            let name = name_of(file)?;
            if wanted.insert(name.clone(), Source::File(file.clone())).is_some() {
                bail!("two plugins are called `{name}`; rename `{}`", file.display());
            }
        }
        Ok(wanted)
    }

    /// A table for a plugin that is nowhere is a mistake in its name.
    fn check_table(&self, name: &str, files: &[PathBuf]) -> anyhow::Result<()> {
        let bundled = self.bundled.iter().any(|it| it.name == name);
        let file = files.iter().any(|file| name_of(file).is_ok_and(|it| it == name));
        if !bundled && !file {
            tracing::warn!(
                "`plugins.{name}` has no `component`, and no bundled plugin is called so"
            );
        }
        Ok(())
    }

    /// Loads these plugins. One that does not load leaves the others alone; a clash of names is an error.
    pub async fn load_all(&self, wanted: &BTreeMap<String, Source>) -> anyhow::Result<()> {
        for (name, source) in wanted {
            match self.load(name, source).await {
                Ok(plugin) => drop(self.plugins().loaded.insert(name.clone(), Arc::new(plugin))),
                Err(error) => self.note_failure(name, &error),
            }
        }
        let catalog = self.catalog_of(&self.plugins().loaded)?;
        self.publish(catalog);
        Ok(())
    }

    /// Takes in a plugin while clients are served. Where it does not fit, all stays as it was.
    pub async fn add(&self, name: &str, source: &Source) -> anyhow::Result<()> {
        let added = match self.load(name, source).await {
            Ok(plugin) => {
                let digest = plugin.digest.text().to_owned();
                self.change(|plugins| {
                    plugins.failed.remove(name);
                    plugins.loaded.insert(name.to_owned(), Arc::new(plugin));
                })
                .map(|()| digest)
            }
            Err(error) => Err(error),
        };
        let error = added.as_ref().err().map(|error| format!("{error:#}"));
        let digest = added.as_deref().unwrap_or("nothing");
        self.note_admin("plugin load", vec![format!("plugin {name} {digest}")], error);
        let added = added.map(drop);
        added.inspect_err(|error| self.note_failure(name, error))
    }

    /// Takes out a plugin. Calls that it is running end as they would have.
    pub fn remove(&self, name: &str) -> anyhow::Result<()> {
        self.note_admin("plugin remove", vec![format!("plugin {name}")], None);
        self.change(|plugins| {
            plugins.failed.remove(name);
            plugins.loaded.remove(name);
        })
    }

    /// Takes out a plugin that does not load any more; why is known already.
    pub(super) fn give_up(&self, name: &str) {
        if let Err(error) = self.change(|plugins| drop(plugins.loaded.remove(name))) {
            tracing::error!(plugin = name, "it is not unloaded: {error:#}");
        }
    }

    /// Lets a plugin say anew what it offers.
    pub(super) async fn describe_again(&self, name: &str) {
        let Some(plugin) = self.catalog().plugins.get(name).cloned() else { return };
        let described = match plugin.describe_again().await {
            Ok(plugin) => self.change(|plugins| {
                plugins.loaded.insert(name.to_owned(), Arc::new(plugin));
            }),
            Err(error) => Err(error),
        };
        if let Err(error) = described {
            tracing::error!(plugin = name, "its change is not taken over: {error:#}");
        }
    }

    /// Compiles a plugin and asks what it is, without linking it.
    pub async fn prepare(
        &self,
        name: &str,
        source: &Source,
    ) -> anyhow::Result<(Prepared, Settings)> {
        let settings = self.settings(name, source)?;
        let wasm = source.read()?;
        pins::check(&self.config(), name, source, &wasm)?;
        Ok((self.describe_wasm(source, &wasm, &settings).await?, settings))
    }

    /// The same for settings that may lack what the plugin needs.
    pub async fn describe(&self, source: &Source, settings: &Settings) -> anyhow::Result<Prepared> {
        self.describe_wasm(source, &source.read()?, settings).await
    }

    async fn describe_wasm(
        &self,
        source: &Source,
        wasm: &[u8],
        settings: &Settings,
    ) -> anyhow::Result<Prepared> {
        match source {
            Source::Bundled(bundled) => {
                let code = Code::Bundled { wasm: bundled.wasm, compiled: bundled.compiled };
                plugin::prepare(&self.engine, &self.cache, code, settings).await
            }
            Source::File(file) => {
                plugin::prepare(&self.engine, &self.cache, Code::Wasm(wasm), settings)
                    .await
                    .with_context(|| format!("`{}`", file.display()))
            }
        }
    }

    /// Links a prepared plugin and checks what it offers.
    pub fn finish(&self, prepared: Prepared, settings: Settings) -> anyhow::Result<Plugin> {
        super::check::check_text("instructions", &prepared.description.plugin.instructions)?;
        check_config(&prepared, &settings)?;
        let plugin = prepared.link(settings, &self.doors)?;
        let alone = Arc::new(plugin);
        let only = BTreeMap::from([(alone.name().to_owned(), alone.clone())]);
        drop(self.catalog_of(&only)?);
        drop(only);
        Arc::into_inner(alone).context("the plugin is in use already")
    }

    async fn load(&self, name: &str, source: &Source) -> anyhow::Result<Plugin> {
        let (prepared, settings) = self.prepare(name, source).await?;
        self.finish(prepared, settings)
    }

    /// The operator's table for the plugin, on top of what ships beside it.
    pub fn settings(&self, name: &str, source: &Source) -> anyhow::Result<Settings> {
        let nothing = PluginConfig::default();
        let general = self.config();
        let table = general.plugins.get(name).unwrap_or(&nothing);
        let defaults = match source {
            Source::Bundled(bundled) => bundled.defaults()?,
            Source::File(_) => Defaults::default(),
        };
        let inherited = defaults.inherited(variables());
        let mut grants = table.grants.clone().unwrap_or(defaults.grants);
        let mut config = configure(name, defaults.config, &table.config)?;
        let mut references = defaults.secrets;
        for Inherited { secrets, config: key } in inherited {
            grants::add_secrets(&mut grants, secrets.keys());
            list_names(&mut config, &key, secrets.keys());
            references.extend(secrets);
        }
        references.extend(table.secrets.clone());
        let config =
            serde_json::to_string(&config).with_context(|| format!("plugins.{name}.config"))?;
        let grants = grants::expand(name, grants)?;
        mounts::check_granted(name, &grants, &self.doors.disk)?;
        Ok(Settings {
            name: name.to_owned(),
            prefix: table.prefix.clone(),
            limits: general.limits.with(table.limits),
            grants,
            secrets: Secrets::fetch(name, &references)?.after(&self.secrets_of(name)),
            config: config.into(),
        })
    }

    fn secrets_of(&self, name: &str) -> Secrets {
        self.owners.load().get(name).map(|owner| owner.secrets.clone()).unwrap_or_default()
    }

    fn change(&self, change: impl FnOnce(&mut Plugins)) -> anyhow::Result<()> {
        let mut plugins = self.plugins();
        let before = plugins.loaded.clone();
        change(&mut plugins);
        match self.catalog_of(&plugins.loaded) {
            Ok(catalog) => self.publish(catalog),
            Err(error) => {
                plugins.loaded = before;
                return Err(error);
            }
        }
        drop(plugins);
        self.tell_offers();
        Ok(())
    }

    /// From here on calls find these plugins, and containers their policies.
    fn publish(&self, catalog: Catalog) {
        let owner = |(name, plugin): (&String, &Arc<Plugin>)| (name.clone(), plugin.as_owner());
        self.owners.store(Arc::new(catalog.plugins.iter().map(owner).collect()));
        self.catalog.store(Arc::new(catalog));
        if let Some(board) = self.doors.jobs.opened() {
            board.wake();
        }
        if let Some(rooms) = self.doors.life.opened() {
            self.owners.load().keys().for_each(|name| rooms.inside().refresh(name));
        }
    }

    fn catalog_of(&self, plugins: &BTreeMap<String, Arc<Plugin>>) -> anyhow::Result<Catalog> {
        Catalog::of(plugins, &Visible::new(&self.config()))
    }

    fn note_failure(&self, name: &str, error: &anyhow::Error) {
        tracing::error!(plugin = name, "it does not load: {error:#}");
        self.plugins().failed.insert(name.to_owned(), format!("{error:#}"));
    }
}

/// All that is wrong with what a plugin says of itself. Every schema is compiled for it.
pub fn problems(description: &Description, prefix: &str) -> Vec<String> {
    let Description { plugin, prompts, .. } = description;
    let mut problems = Vec::new();
    let mut note =
        |outcome: anyhow::Result<()>| problems.extend(outcome.err().map(|it| format!("{it:#}")));
    let compiled = |what: String, schema: Result<Schema, String>| {
        schema.and_then(|it| it.compile()).map_err(|error| anyhow::anyhow!("{what}: {error}"))
    };
    note(check::check_text("instructions", &plugin.instructions));
    if let Some(schema) = &plugin.config_schema {
        note(compiled("its configuration's schema".to_owned(), Schema::new(schema)));
    }
    let mut names = BTreeSet::new();
    for tool in &plugin.tools {
        let name = format!("{prefix}{}", tool.name);
        note(check::tool(&name, tool));
        let input = Schema::of_arguments(&tool.input_schema);
        note(compiled(format!("tool `{name}`, input schema"), input));
        if let Some(schema) = &tool.output_schema {
            note(compiled(format!("tool `{name}`, output schema"), Schema::new(schema)));
        }
        if !names.insert(&tool.name) {
            note(Err(anyhow::anyhow!("two of its tools are called `{name}`")));
        }
    }
    for prompt in prompts {
        note(check::prompt(&format!("{prefix}{}", prompt.name), prompt));
    }
    problems
}

/// A plugin in a file is called as the file is.
pub fn name_of(file: &Path) -> anyhow::Result<String> {
    let stem = file.file_stem().and_then(|stem| stem.to_str());
    let name = stem.with_context(|| format!("`{}` names no file", file.display()))?;
    super::check::check_name("plugin", name)?;
    Ok(name.to_owned())
}

/// What ships beside the plugin, with the operator's values on top. Variables count only where they said nothing.
fn configure(name: &str, mut config: Table, operators: &Table) -> anyhow::Result<Table> {
    config.retain(|key, _| !operators.contains_key(key));
    for (key, value) in &mut config {
        if let toml::Value::String(text) = value {
            *text =
                secrets::expand(text).with_context(|| format!("plugins.{name}.config.{key}"))?;
        }
    }
    config.extend(operators.clone());
    Ok(config)
}

/// The environment, as far as it is text.
fn variables() -> impl Iterator<Item = (String, String)> + Clone {
    let text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let all: Vec<_> = env::vars_os().filter_map(text).collect();
    all.into_iter()
}

/// Adds names to a list of the configuration. What is no list is left to the plugin's schema.
fn list_names<'a>(config: &mut Table, key: &str, names: impl Iterator<Item = &'a String>) {
    let list = config.entry(key).or_insert_with(|| toml::Value::Array(Vec::new()));
    let Some(list) = list.as_array_mut() else { return };
    for name in names {
        if !list.iter().any(|it| it.as_str() == Some(name)) {
            list.push(name.clone().into());
        }
    }
}

fn check_config(prepared: &Prepared, settings: &Settings) -> anyhow::Result<()> {
    let name = &prepared.name;
    let config = serde_json::from_str(&settings.config)?;
    let Some(schema) = &prepared.description.plugin.config_schema else {
        if config != serde_json::json!({}) {
            bail!("plugins.{name}.config: the plugin takes no configuration");
        }
        return Ok(());
    };
    let schema = super::schema::Schema::new(schema)
        .map_err(|error| anyhow::anyhow!("its configuration's schema: {error}"))?;
    schema.check(&config).map_err(|error| anyhow::anyhow!("plugins.{name}.config: {error}"))
}

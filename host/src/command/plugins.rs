//! `windlass plugins`: looks at plugins, checks them, adds and removes them.
//!
//! A host that serves follows the folder of added plugins: nothing here talks to it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    Opening, State,
    explain::{Asked, snippet},
    look::{look, sections},
    output,
};
use crate::{
    bundled::Bundled,
    config::Grants,
    plugin::{self, Engine, Prepared, Settings},
    private,
    registry::{self, Registry, Source},
};

#[derive(Args)]
pub(super) struct Plugins {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Lists the plugins there are, and whether each is loaded.
    List(List),
    /// Prints what a component is, imports and offers.
    Inspect(Inspect),
    /// Checks whether components would load.
    Check(Check),
    /// Takes a component in. A host that is running loads it at once.
    Add(Add),
    /// Takes an added component out.
    Remove(Remove),
    /// Compiles components for a bundle.
    #[command(hide = true)]
    Compile(Compile),
}

#[derive(Args)]
struct List {
    #[command(flatten)]
    opening: Opening,
    /// JSON, for programs.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Inspect {
    /// The name of a plugin, or a component's file.
    plugin: String,
    #[command(flatten)]
    opening: Opening,
    /// JSON, for programs.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Check {
    #[arg(required = true, value_name = "FILE")]
    components: Vec<PathBuf>,
    #[command(flatten)]
    opening: Opening,
    /// A grant that is missing is a failure too.
    #[arg(long)]
    strict: bool,
}

#[derive(Args)]
struct Add {
    #[arg(value_name = "FILE")]
    component: PathBuf,
    #[command(flatten)]
    opening: Opening,
    /// Replaces the one of that name.
    #[arg(long)]
    replace: bool,
}

#[derive(Args)]
struct Remove {
    name: String,
    #[command(flatten)]
    state: State,
}

#[derive(Args)]
struct Compile {
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[arg(required = true, value_name = "FILE")]
    components: Vec<PathBuf>,
}

/// What a look at a component found.
#[derive(Default)]
struct Findings {
    /// What keeps it from working.
    problems: Vec<String>,
    /// The grants that it lacks, as lines of its table.
    needs: Vec<String>,
}

impl Plugins {
    pub(super) async fn run(self, bundled: &'static [Bundled]) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::List(list) => list.run(bundled).await,
            Command::Inspect(inspect) => inspect.run(bundled).await,
            Command::Check(check) => check.run(bundled).await,
            Command::Add(add) => add.run(bundled).await,
            Command::Remove(remove) => remove.run(bundled),
            Command::Compile(compile) => compile.run(),
        }
    }
}

impl List {
    async fn run(self, bundled: &'static [Bundled]) -> anyhow::Result<ExitCode> {
        let registry = self.opening.empty(bundled)?;
        let wanted = registry.wanted(self.opening.chosen(), &self.opening.files()?)?;
        registry.load_all(&wanted).await.context("the plugins do not fit together")?;
        let (catalog, failures) = (registry.catalog(), registry.failures());
        let mut rows = Vec::new();
        for (name, source) in everything(&registry, &self.opening, bundled)? {
            let (mut version, mut tools, mut state) = (None, None, "not selected".to_owned());
            if let Some(plugin) = catalog.plugins.get(&name) {
                let description = &plugin.description.plugin;
                (version, tools) =
                    (Some(description.version.clone()), Some(description.tools.len()));
                state = "loaded".to_owned();
            } else if let Some(failure) = failures.get(&name) {
                state = format!("not loaded: {failure}");
            }
            rows.push((name, version, place(&source), state, tools));
        }
        if self.json {
            let row = |(name, version, from, state, tools)| json!({"name": name, "version": version, "from": from, "state": state, "tools": tools});
            output::print_json(&rows.into_iter().map(row).collect::<Vec<_>>())?;
        } else {
            let row = |(name, version, from, state, tools): (_, Option<_>, _, _, Option<usize>)| {
                let tools = tools.map(|it| it.to_string());
                [name, version.unwrap_or_default(), from, tools.unwrap_or_default(), state]
            };
            let rows = rows.into_iter().map(row).collect();
            output::print(&output::table(["NAME", "VERSION", "FROM", "TOOLS", "STATE"], rows));
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Inspect {
    async fn run(self, bundled: &'static [Bundled]) -> anyhow::Result<ExitCode> {
        let registry = self.opening.empty(bundled)?;
        let (name, source) = locate(&registry, &self.opening, bundled, &self.plugin)?;
        let wasm = match &source {
            Source::Bundled(bundled) => bundled.wasm.to_vec(),
            Source::File(file) => read(file)?,
        };
        let prepared = registry.describe(&source, &bare(&registry, &name)).await?;
        let value = look(&prepared, &place(&source), &wasm);
        if self.json {
            output::print_json(&value)?;
        } else {
            output::print(sections(&value).trim_end());
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Check {
    async fn run(self, bundled: &'static [Bundled]) -> anyhow::Result<ExitCode> {
        let registry = self.opening.empty(bundled)?;
        let mut failed = false;
        for file in &self.components {
            let findings = check(&registry, file).await;
            let shown = file.display();
            for problem in &findings.problems {
                output::print(&format!("{shown}: {problem}"));
            }
            if findings.problems.is_empty() {
                output::print(&format!("{shown}: ok"));
            }
            for line in &findings.needs {
                output::print(&format!("{shown}: needs the grant `{line}`"));
            }
            failed |= !findings.problems.is_empty() || self.strict && !findings.needs.is_empty();
        }
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

impl Add {
    async fn run(self, bundled: &'static [Bundled]) -> anyhow::Result<ExitCode> {
        let name = registry::name_of(&self.component)?;
        ensure!(
            bundled.iter().all(|it| it.name != name),
            "a bundled plugin is called `{name}`; rename the file"
        );
        let registry = self.opening.empty(bundled)?;
        if registry.config().plugins.get(&name).is_some_and(|it| it.component.is_some()) {
            bail!(
                "`plugins.{name}.component` names another file; remove that line, or rename this file"
            );
        }
        let findings = check(&registry, &self.component).await;
        ensure!(
            findings.problems.is_empty(),
            "it is not added:\n  {}",
            findings.problems.join("\n  ")
        );
        self.opening.state.make()?;
        let folder = self.opening.state.plugins()?;
        private::make_folder(&folder)?;
        let target = folder.join(format!("{name}.wasm"));
        ensure!(
            self.replace || !target.exists(),
            "a plugin `{name}` is there already; `--replace` replaces it"
        );
        private::write_whole(&target, &read(&self.component)?)?;
        output::print(&format!("added `{name}`: {}", target.display()));
        if !findings.needs.is_empty() {
            let table = snippet(&name, &findings.needs);
            output::print(&format!("it loads once windlass.toml grants what it needs:\n\n{table}"));
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Remove {
    fn run(self, bundled: &'static [Bundled]) -> anyhow::Result<ExitCode> {
        let Self { name, state } = self;
        let folder = state.plugins()?;
        let files = registry::components(&folder);
        let file = files.iter().find(|file| registry::name_of(file).is_ok_and(|it| it == name));
        let Some(file) = file else {
            if bundled.iter().any(|it| it.name == name) {
                bail!("`{name}` is bundled; leave it out with `--plugins`");
            }
            bail!("no plugin `{name}` was added to `{}`", folder.display());
        };
        fs::remove_file(file).with_context(|| format!("cannot remove `{}`", file.display()))?;
        output::print(&format!("removed `{name}`"));
        Ok(ExitCode::SUCCESS)
    }
}

impl Compile {
    fn run(self) -> anyhow::Result<ExitCode> {
        let engine = Engine::portable()?;
        fs::create_dir_all(&self.out)
            .with_context(|| format!("cannot make `{}`", self.out.display()))?;
        for file in &self.components {
            let stem =
                file.file_stem().with_context(|| format!("`{}` names no file", file.display()))?;
            let compiled = plugin::compile_for_bundle(&engine, &read(file)?)
                .with_context(|| format!("`{}`", file.display()))?;
            private::write_whole(&self.out.join(stem).with_extension("cwasm"), &compiled)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The plugin of that name, or in that file.
pub(super) fn locate(
    registry: &Registry,
    opening: &Opening,
    bundled: &'static [Bundled],
    named: &str,
) -> anyhow::Result<(String, Source)> {
    let mut all = everything(registry, opening, bundled)?;
    if let Some(source) = all.remove(named) {
        return Ok((named.to_owned(), source));
    }
    let file = PathBuf::from(named);
    if file.is_file() {
        return Ok((registry::name_of(&file)?, Source::File(file)));
    }
    let names: Vec<_> = all.into_keys().collect();
    bail!("there is no plugin and no file `{named}`; there are: {}", names.join(", "))
}

/// Where a plugin comes from, in words.
pub(super) fn place(source: &Source) -> String {
    match source {
        Source::Bundled(_) => "bundled".to_owned(),
        Source::File(file) => file.display().to_string(),
    }
}

/// Every plugin that is bundled, configured or added, whether it is wanted or not.
fn everything(
    registry: &Registry,
    opening: &Opening,
    bundled: &'static [Bundled],
) -> anyhow::Result<BTreeMap<String, Source>> {
    let mut all: BTreeMap<_, _> =
        bundled.iter().map(|it| (it.name.to_owned(), Source::Bundled(it))).collect();
    for (name, plugin) in &registry.config().plugins {
        if let Some(file) = &plugin.component {
            all.insert(name.clone(), Source::File(file.clone()));
        }
    }
    for file in opening.files()? {
        all.insert(registry::name_of(&file)?, Source::File(file));
    }
    Ok(all)
}

/// Settings for a look: all that is not about the plugin itself is left out.
fn bare(registry: &Registry, name: &str) -> Settings {
    let config = registry.config();
    let plugin = config.plugins.get(name);
    Settings {
        name: name.to_owned(),
        prefix: plugin.map(|it| it.prefix.clone()).unwrap_or_default(),
        limits: config.limits.with(plugin.and_then(|it| it.limits)),
        grants: plugin.and_then(|it| it.grants.clone()).unwrap_or_default(),
        secrets: crate::secrets::Secrets::default(),
        config: "{}".into(),
        names: crate::figures::Names::default(),
    }
}

async fn check(registry: &Registry, file: &Path) -> Findings {
    try_check(registry, file).await.unwrap_or_else(|error| Findings {
        problems: vec![format!("{error:#}")],
        needs: Vec::new(),
    })
}

/// All that is wrong with a component, but for what the operator has not granted.
async fn try_check(registry: &Registry, file: &Path) -> anyhow::Result<Findings> {
    let name = registry::name_of(file)?;
    let settings = bare(registry, &name);
    let prepared = registry.describe(&Source::File(file.to_owned()), &settings).await?;
    let asks = &prepared.description.plugin.asks;
    let mut problems = registry::problems(&prepared.description, &settings.prefix);
    problems.extend(prepared.check_promises().err().map(|error| format!("{error:#}")));
    let asked = Asked::read(asks);
    problems.extend(asked.as_ref().err().map(|error| format!("{error:#}")));
    let asked = asked.unwrap_or_default().lines();
    let mut needs = Vec::new();
    for missing in prepared.imports.missing(&settings.grants) {
        let of_it = |line: &&String| line.split([' ', '.']).next() == Some(missing.key());
        if needs.iter().any(|line| of_it(&line)) {
            continue;
        }
        needs.extend(asked.iter().filter(of_it).cloned());
        if !needs.iter().any(|line| of_it(&line)) {
            needs.push(missing.grant.to_owned());
        }
    }
    if problems.is_empty() {
        let everything = Settings { grants: Grants::of_everything(), ..settings };
        problems.extend(link(registry, prepared, everything));
    }
    Ok(Findings { problems, needs })
}

/// Why it would not link even if all were granted.
fn link(registry: &Registry, prepared: Prepared, settings: Settings) -> Option<String> {
    prepared.link(settings, registry.doors()).err().map(|error| format!("{error:#}"))
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read `{}`", file.display()))
}

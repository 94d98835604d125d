//! `windlass explain`: what a plugin asks for, what it is granted, and what each refusal would need.
//!
//! What is allowed is decided by `policy`, which is asked as it is asked in a call.

mod refused;
mod caller;
mod containers;
mod lines;
mod within;

use std::{
    collections::{BTreeMap, BTreeSet},
    process::ExitCode,
};

use clap::Args;
use serde::Serialize;

use super::{Opening, output};
use crate::{
    bundled::{Bundled, Defaults},
    config::{Grants, Limits, PluginConfig},
    plugin::{Imports, Settings},
    registry::{self, Registry, Source},
    secrets::{Reference, Secrets},
};

use caller::Judged;
use lines::{grant_lines, lines};
pub(super) use lines::{imports_of, section, snippet};
pub(super) use refused::Asked;
use refused::{Refusal, refusals};

#[derive(Args)]
pub(super) struct Explain {
    /// The name of a plugin, or a component's file.
    plugin: String,
    /// One of its tools, with `--as`.
    #[arg(requires = "caller")]
    tool: Option<String>,
    /// What this caller may do with its tools: the name of a token, `local`, or a role.
    #[arg(long = "as", value_name = "CALLER")]
    caller: Option<String>,
    #[command(flatten)]
    opening: Opening,
    /// JSON, for programs.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Explanation {
    name: String,
    from: String,
    loads: bool,
    /// Why it does not.
    reason: Option<String>,
    imports: Vec<String>,
    asks: Vec<String>,
    granted: Vec<String>,
    granted_by: String,
    refused: Vec<Refusal>,
    /// All that was asked for, as it would stand in `windlass.toml`.
    would_allow: Option<String>,
    secrets: Vec<Secret>,
    limits: Vec<Limit>,
}

#[derive(Serialize)]
struct Secret {
    name: String,
    reference: Option<String>,
    /// What is wrong with it.
    problem: Option<String>,
    may_go_to: Vec<String>,
}

#[derive(Serialize)]
struct Limit {
    name: &'static str,
    value: u64,
    set_by: String,
}

/// What the operator wrote, whether the plugin can run with it or not.
struct Terms {
    written: Grants,
    /// The same with the values of variables, where they have some.
    shown: Grants,
    written_by: String,
    secrets: BTreeMap<String, Reference>,
    settings: Settings,
}

impl Explain {
    pub(super) async fn run(self, bundled: &'static [Bundled]) -> anyhow::Result<ExitCode> {
        let registry = self.opening.empty(bundled)?;
        let (name, source) =
            super::plugins::locate(&registry, &self.opening, bundled, &self.plugin)?;
        if let Some(caller) = &self.caller {
            return self.judge(&registry, &name, &source, caller).await;
        }
        let explanation = self.explain(&registry, &name, &source).await?;
        if self.json {
            output::print_json(&explanation)?;
        } else {
            output::print(explanation.text().trim_end());
        }
        Ok(if explanation.loads { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    async fn judge(
        &self,
        registry: &Registry,
        name: &str,
        source: &Source,
        caller: &str,
    ) -> anyhow::Result<ExitCode> {
        let settings = registry.settings(name, source)?;
        let prepared = registry.describe(source, &settings).await?;
        let access = &registry.config().access;
        let there = self.opening.state.database()?.exists();
        let database = there.then(|| registry.database());
        let roles = caller::roles(access, database, caller).await?;
        let judged = Judged::new(
            access,
            (caller, roles),
            (name, &settings.prefix),
            &prepared.description.plugin.tools,
            self.tool.as_deref(),
        )?;
        if self.json {
            output::print_json(&judged)?;
        } else {
            output::print(judged.text().trim_end());
        }
        let allowed = self.tool.is_none() || judged.is_allowed();
        Ok(if allowed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    async fn explain(
        &self,
        registry: &Registry,
        name: &str,
        source: &Source,
    ) -> anyhow::Result<Explanation> {
        let file = self.opening.config_file();
        let file = file.map_or("windlass.toml".to_owned(), |it| it.display().to_string());
        let terms = Terms::of(registry, name, source, &file)?;
        let (mut imports, mut asks) = (Imports::default(), String::new());
        let outcome = match registry.describe(source, &terms.settings).await {
            Ok(prepared) => {
                imports = prepared.imports.clone();
                asks.clone_from(&prepared.description.plugin.asks);
                registry
                    .settings(name, source)
                    .and_then(|settings| registry.finish(prepared, settings))
            }
            Err(error) => Err(error),
        };
        let reason = outcome.err().map(|error| format!("{error:#}"));
        let (asked, asks) = match Asked::read(&asks) {
            Ok(asked) => {
                let lines = asked.lines();
                (asked, lines)
            }
            Err(error) => (Asked::default(), vec![format!("what cannot be read: {error}")]),
        };
        let granted = &terms.settings.grants;
        let (refused, merged) = refusals(&imports, &asked, &terms.written, granted)?;
        Ok(Explanation {
            name: name.to_owned(),
            from: super::plugins::place(source),
            loads: reason.is_none(),
            reason,
            imports: imports_of(&imports),
            asks,
            granted: grant_lines(&terms.shown)?,
            granted_by: terms.written_by.clone(),
            would_allow: (!refused.is_empty()).then(|| snippet(name, &lines(&merged))),
            refused,
            secrets: terms.explain_secrets(&asked.grants),
            limits: limits(registry, name, terms.settings.limits, &file),
        })
    }
}

impl Terms {
    fn of(registry: &Registry, name: &str, source: &Source, file: &str) -> anyhow::Result<Self> {
        let nothing = PluginConfig::default();
        let config = registry.config();
        let plugin = config.plugins.get(name).unwrap_or(&nothing);
        let (defaults, otherwise) = match source {
            Source::Bundled(bundled) => {
                (bundled.defaults()?, "the default that ships beside the plugin")
            }
            Source::File(_) => (Defaults::default(), "nobody"),
        };
        let (written, written_by) = match &plugin.grants {
            Some(grants) => (grants.clone(), format!("`plugins.{name}.grants` in {file}")),
            None => (defaults.grants, otherwise.to_owned()),
        };
        let mut secrets = defaults.secrets;
        secrets.extend(plugin.secrets.clone());
        let mut grants = written.clone();
        grants.http.retain_mut(|grant| registry::place(&grant.to).map(|to| grant.to = to).is_ok());
        grants.containers = grants.containers.map(|it| registry::containers_of(&it).unwrap_or(it));
        let mut shown = written.clone();
        for grant in &mut shown.http {
            grant.to = registry::place(&grant.to).unwrap_or_else(|_| grant.to.clone());
        }
        shown.containers.clone_from(&grants.containers);
        let settings = Settings {
            name: name.to_owned(),
            prefix: plugin.prefix.clone(),
            limits: config.limits.with(plugin.limits),
            grants,
            secrets: Secrets::default(),
            config: serde_json::to_string(&plugin.config)?.into(),
        };
        Ok(Self { written, shown, written_by, secrets, settings })
    }

    /// Every secret that has a reference, may travel, or wants to.
    fn explain_secrets(&self, asked: &Grants) -> Vec<Secret> {
        let mut names: BTreeSet<&String> = self.secrets.keys().collect();
        for grants in [&self.written, asked] {
            names.extend(grants.http.iter().flat_map(|grant| &grant.secrets));
            names.extend(grants.containers.iter().flat_map(|grant| &grant.secrets));
            names.extend(grants.engine.iter().flat_map(|grant| &grant.secrets));
        }
        let plugin = &self.settings.name;
        let explain = |name: &String| {
            let reference = self.secrets.get(name);
            let problem = match reference {
                Some(reference) => {
                    let alone = BTreeMap::from([(name.clone(), reference.clone())]);
                    Secrets::fetch(plugin, &alone).err().map(|error| format!("{error:#}"))
                }
                None => Some(format!(
                    "it has no reference; add `{name} = \"${{NAME}}\"` or `\"file:/path\"` to `[plugins.{plugin}.secrets]`"
                )),
            };
            let places = self.written.http.iter().filter(|grant| grant.secrets.contains(name));
            let inside = self.written.containers.iter().filter(|it| it.secrets.contains(name));
            let theirs = self.written.engine.iter().filter(|it| it.secrets.contains(name));
            let inside =
                inside.map(|_| "its containers").chain(theirs.map(|_| "the user's containers"));
            let places = places.map(|grant| grant.to.clone());
            Secret {
                name: name.clone(),
                reference: reference.map(Reference::to_string),
                problem,
                may_go_to: places.chain(inside.map(str::to_owned)).collect(),
            }
        };
        names.into_iter().map(explain).collect()
    }
}

impl Explanation {
    fn text(&self) -> String {
        let mut text = format!("{} ({})\n", self.name, self.from);
        match &self.reason {
            None => text += "It would load.\n",
            Some(reason) => text += &format!("It would not load: {reason}\n"),
        }
        text += "\nIT ASKS FOR\n";
        text += &section("imports", &self.imports);
        text += &section("grants", &self.asks);
        text += &format!("\nIT IS GRANTED, by {}\n", self.granted_by);
        text += &section("grants", &self.granted);
        text += &section("secrets", &self.secrets.iter().map(Secret::text).collect::<Vec<_>>());
        text += &section("limits", &self.limits.iter().map(Limit::text).collect::<Vec<_>>());
        text += "\nIT IS REFUSED\n";
        text += &section("", &self.refused.iter().map(Refusal::text).collect::<Vec<_>>());
        if let Some(snippet) = &self.would_allow {
            let note = if self.granted.is_empty() { "" } else { ", in place of the grants above" };
            text += &format!("\nThis in windlass.toml would allow all of it{note}:\n\n{snippet}");
        }
        text
    }
}

impl Secret {
    fn text(&self) -> String {
        let reference = self.reference.as_deref().unwrap_or("?");
        let places = if self.may_go_to.is_empty() {
            "may go nowhere".to_owned()
        } else {
            format!("may go to {}", self.may_go_to.join(", "))
        };
        let problem = self.problem.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
        format!("{} = {reference}, {places}{problem}", self.name)
    }
}

impl Limit {
    fn text(&self) -> String {
        format!("{} = {}, by {}", self.name, self.value, self.set_by)
    }
}

fn limits(registry: &Registry, name: &str, effective: Limits, file: &str) -> Vec<Limit> {
    let general = named(registry.config().limits);
    let all = named(effective).into_iter().zip(general).zip(named(Limits::default()));
    let explain = |(((name_of_limit, value), (_, general)), (_, default))| {
        let set_by = if value != general {
            format!("`plugins.{name}.limits` in {file}")
        } else if value != default {
            format!("`limits` in {file}")
        } else {
            "default".to_owned()
        };
        Limit { name: name_of_limit, value, set_by }
    };
    all.map(explain).collect()
}

fn named(limits: Limits) -> [(&'static str, u64); 9] {
    [
        ("memory_mib", limits.memory_mib as u64),
        ("slice_ms", limits.slice_ms),
        ("deadline_seconds", limits.deadline_seconds),
        ("output_mib", limits.output_mib as u64),
        ("log_kib", limits.log_kib as u64),
        ("host_calls", limits.host_calls),
        ("concurrent_calls", limits.concurrent_calls as u64),
        ("crashes", limits.crashes.into()),
        ("quarantine_seconds", limits.quarantine_seconds),
    ]
}

//! What clients can see at one moment.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::bail;

use super::{
    check,
    own::{HOST, OwnTool},
    schema::Schema,
};
use crate::{
    capability::{
        prompts, resources,
        tools::{self, Hints},
        types::{Code, Content, Error},
    },
    config::{Config, ServerConfig},
    plugin::Plugin,
};

#[derive(Default)]
pub struct Catalog {
    pub plugins: BTreeMap<String, Arc<Plugin>>,
    pub tools: BTreeMap<String, Arc<OfferedTool>>,
    pub prompts: BTreeMap<String, OfferedPrompt>,
    schemes: BTreeMap<String, Arc<Plugin>>,
}

/// A tool under the name that clients know.
pub struct OfferedTool {
    pub name: String,
    pub by: By,
    pub title: Option<String>,
    pub description: String,
    pub hints: Hints,
    pub input: Schema,
    pub output: Option<Schema>,
}

/// Who does what a tool is for.
pub enum By {
    Plugin {
        plugin: Arc<Plugin>,
        /// The name that the plugin knows.
        own_name: Arc<str>,
    },
    Host(OwnTool),
}

/// A prompt under the name that clients know.
pub struct OfferedPrompt {
    pub prompt: prompts::Prompt,
    /// The name that the plugin knows.
    pub own_name: String,
    pub plugin: Arc<Plugin>,
}

/// Which tools the operator lets clients see.
pub struct Visible<'a> {
    server: &'a ServerConfig,
    /// Those of the host's own that are only there where the operator wants them.
    own: Vec<OwnTool>,
}

impl<'a> Visible<'a> {
    pub fn new(config: &'a Config) -> Self {
        let own = config.audit.tool.then_some(OwnTool::AuditLogs);
        Self { server: &config.server, own: own.into_iter().collect() }
    }

    fn shows(&self, name: &str, hints: Hints) -> bool {
        let config = self.server;
        let named = |names: &[String]| names.iter().any(|it| it == name);
        let asked_for = config.tools.is_empty() || named(&config.tools);
        let harmless = !config.read_only || hints.contains(Hints::READ_ONLY);
        asked_for && harmless && !named(&config.exclude_tools)
    }
}

impl Catalog {
    /// Everything that these plugins offer. A name that two of them claim is an error.
    pub(super) fn of(
        plugins: &BTreeMap<String, Arc<Plugin>>,
        visible: &Visible<'_>,
    ) -> anyhow::Result<Self> {
        let mut catalog = Self { plugins: plugins.clone(), ..Self::default() };
        catalog.add_own(visible)?;
        for plugin in plugins.values() {
            catalog.add(plugin, visible)?;
        }
        catalog.flag_mentions();
        Ok(catalog)
    }

    /// The host's own tools, where they are of any use.
    fn add_own(&mut self, visible: &Visible<'_>) -> anyhow::Result<()> {
        let of_jobs = self.has_jobs().then_some(OwnTool::OF_JOBS);
        let own = of_jobs.into_iter().flatten().chain(visible.own.iter().copied());
        for own in own.filter(|own| visible.shows(own.name(), own.hints())) {
            let offered = own.offered().map_err(anyhow::Error::msg)?;
            self.tools.insert(offered.name.clone(), Arc::new(offered));
        }
        Ok(())
    }

    /// Whether some plugin may have jobs.
    pub fn has_jobs(&self) -> bool {
        self.plugins.values().any(|plugin| plugin.settings.grants.jobs)
    }

    /// A description that speaks of another plugin's tool may mean to change how a model uses that.
    fn flag_mentions(&self) {
        for tool in self.tools.values() {
            let is_other = |it: &&Arc<OfferedTool>| {
                matches!(it.by, By::Plugin { .. }) && it.owner() != tool.owner()
            };
            let others = self.tools.values().filter(is_other);
            if let Some(other) =
                others.into_iter().find(|it| check::mentions(&tool.description, &it.name))
            {
                tracing::warn!(
                    plugin = tool.owner(),
                    "the description of `{}` speaks of `{}`, a tool of plugin `{}`",
                    tool.name,
                    other.name,
                    other.owner()
                );
            }
        }
    }

    fn add(&mut self, plugin: &Arc<Plugin>, visible: &Visible<'_>) -> anyhow::Result<()> {
        for tool in &plugin.description.plugin.tools {
            let offered = OfferedTool::new(plugin, tool)?;
            if let Some(other) = self.tools.get(&offered.name) {
                bail!(clash("tool", &offered.name, other.owner(), plugin.name()));
            }
            self.tools.insert(offered.name.clone(), Arc::new(offered));
        }
        self.tools.retain(|name, tool| visible.shows(name, tool.hints));
        for prompt in &plugin.description.prompts {
            let offered = OfferedPrompt::new(plugin, prompt)?;
            let name = offered.prompt.name.clone();
            if let Some(other) = self.prompts.get(&name) {
                bail!(clash("prompt", &name, other.plugin.name(), plugin.name()));
            }
            self.prompts.insert(name, offered);
        }
        plugin
            .description
            .resources
            .iter()
            .flat_map(|it| &it.templates)
            .try_for_each(check::template)?;
        for scheme in plugin.description.resources.iter().flat_map(|it| &it.schemes) {
            let own = [super::workspaces::SCHEME, super::jobs::SCHEME];
            if own.iter().any(|own| scheme.eq_ignore_ascii_case(own)) {
                bail!(
                    "plugin `{}` has resources under `{scheme}:`, where the host's own are; it needs another scheme",
                    plugin.name()
                );
            }
            if let Some(other) = self.schemes.insert(scheme.clone(), plugin.clone()) {
                bail!(
                    "the plugins `{}` and `{}` both have resources under `{scheme}:`; leave one of them out",
                    other.name(),
                    plugin.name()
                );
            }
        }
        Ok(())
    }

    /// The plugin to which a URI belongs.
    pub fn plugin_for(&self, uri: &str) -> Option<&Arc<Plugin>> {
        let (scheme, _) = uri.split_once(':')?;
        self.schemes.get(scheme)
    }

    /// The plugins that have resources.
    pub fn plugins_with_resources(&self) -> impl Iterator<Item = &Arc<Plugin>> {
        self.plugins.values().filter(|plugin| plugin.description.resources.is_some())
    }

    /// The families of resources, and the plugin of each.
    pub fn templates(&self) -> impl Iterator<Item = (&resources::Template, &Arc<Plugin>)> {
        self.plugins_with_resources().flat_map(|plugin| {
            let templates = plugin.description.resources.iter().flat_map(|it| &it.templates);
            templates.map(move |template| (template, plugin))
        })
    }
}

impl OfferedTool {
    fn new(plugin: &Arc<Plugin>, tool: &tools::Tool) -> anyhow::Result<Self> {
        let name = format!("{}{}", plugin.settings.prefix, tool.name);
        check::tool(&name, tool)?;
        Ok(Self {
            input: Schema::of_arguments(&tool.input_schema)
                .map_err(|error| anyhow::anyhow!("tool `{name}`, input schema: {error}"))?,
            output: match &tool.output_schema {
                Some(schema) => {
                    Some(Schema::new(schema).map_err(|error| {
                        anyhow::anyhow!("tool `{name}`, output schema: {error}")
                    })?)
                }
                None => None,
            },
            name,
            by: By::Plugin { plugin: plugin.clone(), own_name: tool.name.as_str().into() },
            title: tool.title.clone(),
            description: tool.description.clone(),
            hints: tool.hints,
        })
    }

    /// The plugin that offers it, or the host.
    pub fn owner(&self) -> &str {
        match &self.by {
            By::Plugin { plugin, .. } => plugin.name(),
            By::Host(_) => HOST,
        }
    }

    /// The result of a job as the tool's own.
    pub fn output_of(&self, result: String) -> Result<tools::Output, Error> {
        let output = output_of(result);
        self.check_output(&output)?;
        Ok(output)
    }

    /// Holds a call to what the tool says of itself.
    pub(super) fn check_outcome(&self, outcome: &tools::Outcome) -> Result<(), Error> {
        match outcome {
            tools::Outcome::Done(output) => self.check_output(output),
            tools::Outcome::Job(_) if !self.hints.contains(Hints::JOB) => {
                Err(self.broken("it came to a job, and does not say that it may"))
            }
            tools::Outcome::Ask(_) | tools::Outcome::Job(_) => Ok(()),
        }
    }

    fn broken(&self, what: &str) -> Error {
        let (tool, plugin) = (&self.name, self.owner());
        let message = format!("tool `{tool}` of plugin `{plugin}` broke its word: {what}");
        Error::new(Code::Other, message)
    }

    /// A structured result has to be JSON, and to fit the schema that the tool itself gave.
    fn check_output(&self, output: &tools::Output) -> Result<(), Error> {
        let Some(text) = &output.structured else {
            return match &self.output {
                Some(_) => Err(self.broken("it gave no structured result")),
                None => Ok(()),
            };
        };
        let value = serde_json::from_str(text)
            .map_err(|error| self.broken(&format!("its structured result is no JSON: {error}")))?;
        let Some(schema) = &self.output else { return Ok(()) };
        schema
            .check(&value)
            .map_err(|error| self.broken(&format!("its result does not fit its schema: {error}")))
    }
}

/// The result of a job as that of a tool: an object is structured, anything else text.
pub fn output_of(result: String) -> tools::Output {
    let text = |text| tools::Output { content: vec![Content::Text(text)], structured: None };
    match serde_json::from_str(&result) {
        Ok(serde_json::Value::String(string)) => text(string),
        Ok(serde_json::Value::Object(_)) => {
            tools::Output { content: Vec::new(), structured: Some(result) }
        }
        _ => text(result),
    }
}

impl OfferedPrompt {
    fn new(plugin: &Arc<Plugin>, prompt: &prompts::Prompt) -> anyhow::Result<Self> {
        let name = format!("{}{}", plugin.settings.prefix, prompt.name);
        check::prompt(&name, prompt)?;
        Ok(Self {
            own_name: prompt.name.clone(),
            prompt: prompts::Prompt { name, ..prompt.clone() },
            plugin: plugin.clone(),
        })
    }
}

fn clash(what: &str, name: &str, one: &str, other: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "the plugins `{one}` and `{other}` both offer the {what} `{name}`; set `plugins.{other}.prefix = \"{other}_\"`, or leave one of them out"
    )
}

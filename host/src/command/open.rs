//! Opening the registry as the command line, the environment and `windlass.toml` say.

use std::{
    env,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::{State, inherited, log, output};
use crate::{
    bundled::Bundled,
    config::Config,
    life,
    registry::{self, Places, Reading, Registry},
};

/// What to open.
#[derive(Args, Clone)]
pub struct Opening {
    /// The configuration [default: ~/.config/windlass/windlass.toml, if it is there].
    #[arg(long, env = "WINDLASS_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    pub state: State,
    /// Only these of the bundled plugins; nothing: none of them.
    #[arg(long, env = "WINDLASS_PLUGINS", value_delimiter = ',', value_name = "NAMES")]
    plugins: Option<Vec<String>>,
    /// One more plugin: a WebAssembly component. May be repeated.
    #[arg(long = "plugin", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only tools that change nothing.
    #[arg(long, env = "WINDLASS_READ_ONLY")]
    read_only: bool,
    /// Only these tools.
    #[arg(long, env = "WINDLASS_TOOLS", value_delimiter = ',', value_name = "NAMES")]
    tools: Vec<String>,
    /// None of these tools, whatever else is said.
    #[arg(long, env = "WINDLASS_EXCLUDE_TOOLS", value_delimiter = ',', value_name = "NAMES")]
    exclude_tools: Vec<String>,
    /// Offers three constant tools that find, describe and call all others.
    #[arg(long, env = "WINDLASS_META_TOOLS")]
    meta_tools: bool,
}

/// What commands take that look at what the host keeps.
#[derive(Args)]
pub(super) struct Common {
    #[command(flatten)]
    pub(super) opening: Opening,
    /// JSON, for programs.
    #[arg(long)]
    pub(super) json: bool,
}

impl Common {
    pub(super) fn print(
        &self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        if self.json {
            return output::print_json(value);
        }
        output::print(&text());
        Ok(())
    }
}

impl Opening {
    /// The configuration, with what the command line says on top of it.
    pub fn config(&self) -> anyhow::Result<Config> {
        let mut config = match self.config_file() {
            Some(file) => Config::read(&file)?,
            None => Config::default(),
        };
        let server = &mut config.server;
        server.read_only |= self.read_only;
        server.meta_tools |= self.meta_tools;
        if !self.tools.is_empty() {
            server.tools.clone_from(&self.tools);
        }
        server.exclude_tools.extend(self.exclude_tools.clone());
        inherited::apply(&mut config, &inherited::variable)?;
        Ok(config)
    }

    /// The file that is read: the one that was named, or the user's own.
    pub fn config_file(&self) -> Option<PathBuf> {
        if self.config.is_some() {
            return self.config.clone();
        }
        let base = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|it| it.is_absolute());
        let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".config"));
        let file = base.or_else(home)?.join("windlass/windlass.toml");
        file.is_file().then_some(file)
    }

    /// A registry in which nothing is loaded yet.
    pub fn empty(&self, bundled: &'static [Bundled]) -> anyhow::Result<Arc<Registry>> {
        let config = self.config()?;
        let places = Places {
            cache: self.state.cache()?,
            database: self.state.database()?,
            workspaces: self.state.workspaces()?,
            audit: config.audit.enabled.then(|| self.state.record()).transpose()?,
        };
        log::prefer(config.logs.format);
        Registry::new(config, &places, bundled)
    }

    /// Where the plugins are that are not bundled.
    pub fn files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let mut files = self.files.clone();
        files.extend(registry::components(&self.state.plugins()?));
        Ok(files)
    }

    /// A registry with all plugins that are wanted.
    pub async fn open(&self, bundled: &'static [Bundled]) -> anyhow::Result<Arc<Registry>> {
        let registry = self.empty(bundled)?;
        let wanted = registry.wanted(self.plugins.as_deref(), &self.files()?)?;
        registry.load_all(&wanted).await.context("the plugins do not fit together")?;
        Ok(registry)
    }

    /// Lets the plugins have containers and jobs, if nobody else has the state directory.
    pub fn begin_life(
        &self,
        registry: &Arc<Registry>,
        at_once: bool,
        claim: impl Fn() -> anyhow::Result<()> + Send + Sync + 'static,
    ) -> anyhow::Result<()> {
        let claim: Arc<dyn Fn() -> anyhow::Result<()> + Send + Sync> = Arc::new(claim);
        let doors = registry.doors();
        let folder = self.state.directory()?.join("jobs");
        registry.begin_jobs(folder, !at_once, claim.clone());
        doors.life.begin(life::Places {
            state: self.state.directory()?,
            database: doors.database.clone(),
            disk: doors.disk.clone(),
            owners: registry.owners().clone(),
            figures: registry.figures().clone(),
            config: registry.config().containers.clone(),
            quotas: registry.quotas().clone(),
            at_once,
            claim: Box::new(move || claim()),
        });
        Ok(())
    }

    /// The same for a command that ends soon: it has them as long as it lasts.
    pub fn begin_short_life(&self, registry: &Arc<Registry>) -> anyhow::Result<()> {
        let state = self.state.clone();
        let claimed = Mutex::new(None);
        self.begin_life(registry, true, move || {
            let mut claimed = claimed.lock().unwrap_or_else(PoisonError::into_inner);
            if claimed.is_none() {
                *claimed = Some(state.claim()?);
            }
            Ok(())
        })
    }

    /// How the configuration is read again when it has changed.
    pub fn reading(&self) -> Reading {
        let (first, second) = (self.clone(), self.clone());
        Reading {
            config: Box::new(move || first.config()),
            chosen: self.plugins.clone(),
            files: Box::new(move || second.files()),
        }
    }

    pub fn chosen(&self) -> Option<&[String]> {
        self.plugins.as_deref()
    }
}

//! Every tool, prompt and resource by name, and the plugins they come from.
//!
//! The registry changes while clients are served: a plugin comes, goes, or describes itself anew. Who
//! reads takes a [`Catalog`], which never changes.

mod callers;
mod admit;
mod catalog;
mod check;
mod events;
mod load;
mod grants;
mod mounts;
mod pins;
mod schema;
mod reload;
mod watch;
mod workspaces;
mod jobs;
mod own;
mod record;
mod status;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
};

use arc_swap::ArcSwap;
use serde_json::{Map, Value};
use tokio::sync::broadcast;

use crate::{
    admission::{Queue, Quotas},
    audit::{self, Audit},
    bundled::Bundled,
    capability::{
        Doors, tools,
        types::{Abilities, Answers, Error},
    },
    config::Config,
    database::Database,
    disk::Disk,
    jobs::Jobs,
    life::{Life, Owners},
    plugin::{Cache, Change, Engine, Observer, Occasion, Plugin},
};

pub use crate::policy::LOCAL;
pub use catalog::{By, Catalog, OfferedPrompt, OfferedTool, Visible, output_of};
pub use grants::{containers_of, place};
pub use jobs::JobsOfCaller;
pub use load::{Source, name_of, problems};
pub use own::{LONGEST_WAIT, progress_to};
pub use record::Entry;
pub use reload::{Reading, follow_config};
pub use schema::Schema;
pub use watch::{components, follow};

/// How many pieces of news a slow listener may fall behind before it misses some.
const NEWS: usize = 256;

pub struct Registry {
    config: Arc<ArcSwap<Config>>,
    bundled: &'static [Bundled],
    engine: Engine,
    cache: Cache,
    doors: Doors,
    owners: Owners,
    catalog: ArcSwap<Catalog>,
    plugins: Mutex<Plugins>,
    news: broadcast::Sender<News>,
    /// Which configuration it is, for the record.
    revision: Mutex<Option<(Arc<Config>, String)>>,
    queue: Arc<Queue>,
    quotas: Quotas,
}

/// What there is, whether it loaded or not.
#[derive(Default)]
struct Plugins {
    loaded: BTreeMap<String, Arc<Plugin>>,
    failed: BTreeMap<String, String>,
}

/// What listening clients are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    Tools,
    Prompts,
    Resources,
    /// What a URI holds for this caller.
    ResourceOf(Arc<str>, String),
}

/// Where the registry's things are.
pub struct Places {
    pub cache: PathBuf,
    pub database: PathBuf,
    pub workspaces: PathBuf,
    /// None: nothing is recorded.
    pub audit: Option<audit::Place>,
}

impl Registry {
    /// A registry without plugins.
    pub fn new(
        config: Config,
        places: &Places,
        bundled: &'static [Bundled],
    ) -> anyhow::Result<Arc<Self>> {
        // A job that is being ended takes a second place for a moment.
        let guests = config.server.concurrent_calls + 2 * config.jobs.concurrent;
        let engine = Engine::new(guests, config.largest_memory())?;
        let database = Database::at(&places.database);
        let audit = places.audit.clone().map_or_else(Audit::none, Audit::at);
        let disk = Disk::at(&places.workspaces, database.clone());
        let queue = Queue::new(&config.server);
        let config = Arc::new(ArcSwap::from_pointee(config));
        let quotas = Quotas::new(config.clone(), database.clone());
        disk.bound(&quotas);
        let registry = Arc::new(Self {
            config,
            bundled,
            engine,
            cache: Cache::in_directory(&places.cache),
            doors: Doors { database, disk, life: Life::default(), jobs: Jobs::default(), audit },
            owners: Owners::default(),
            catalog: ArcSwap::default(),
            plugins: Mutex::default(),
            news: broadcast::Sender::new(NEWS),
            queue,
            quotas,
            revision: Mutex::default(),
        });
        let known = Arc::downgrade(&registry);
        let secret = move || known.upgrade().map(|it| it.secrets()).unwrap_or_default();
        registry.doors.audit.keep_out(Arc::new(secret));
        Ok(registry)
    }

    /// What there is at this moment.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.load_full()
    }

    /// What the operator wants at this moment.
    pub fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// Lets the plugins have jobs.
    pub fn begin_jobs(
        self: &Arc<Self>,
        folder: PathBuf,
        take_up: bool,
        claim: Arc<dyn Fn() -> anyhow::Result<()> + Send + Sync>,
    ) {
        // The jobs are in the registry themselves: they must not keep it.
        let (finding, hearing) = (Arc::downgrade(self), Arc::downgrade(self));
        self.doors.jobs.begin(crate::jobs::Places {
            folder,
            database: self.doors.database.clone(),
            config: self.config().jobs.clone(),
            quotas: self.quotas.clone(),
            plugins: Arc::new(move |name| finding.upgrade()?.catalog().plugins.get(name).cloned()),
            hear: Arc::new(move |change| {
                if let Some(registry) = hearing.upgrade() {
                    registry.hear(change);
                }
            }),
            audit: self.doors.audit.clone(),
            take_up,
            runtime: tokio::runtime::Handle::current(),
            claim,
        });
    }

    pub fn database(&self) -> &Database {
        &self.doors.database
    }

    pub fn doors(&self) -> &Doors {
        &self.doors
    }

    /// What counts for each plugin at each moment.
    pub fn owners(&self) -> &Owners {
        &self.owners
    }

    pub fn disk(&self) -> &Disk {
        &self.doors.disk
    }

    pub fn listen(&self) -> broadcast::Receiver<News> {
        self.news.subscribe()
    }

    /// Plugins that did not load, and why.
    pub fn failures(&self) -> BTreeMap<String, String> {
        self.plugins().failed.clone()
    }

    /// Runs a tool whose arguments fit its schema.
    pub async fn call(&self, tool: &OfferedTool, call: Call<'_>) -> Result<tools::Outcome, Error> {
        let outcome = match &tool.by {
            By::Plugin { plugin, own_name } => {
                let Call { caller, arguments, client, answers, observer, entry, trial } = call;
                let request = tools::Request {
                    tool: own_name.to_string(),
                    arguments: arguments.to_owned(),
                    config: plugin.settings.config.to_string(),
                    client,
                    answers,
                };
                if trial.is_none() {
                    entry.begin(tool.hints).await?;
                }
                let effects = Some(&entry.effects);
                let occasion = Occasion::tool(caller, own_name, tool.hints);
                let occasion = Occasion { effects, trial, ..occasion };
                plugin.enter(request, occasion, observer).await?
            }
            By::Host(own) => {
                // Boxed, so that a plugin's call is no larger for it.
                Box::pin(self.call_own(*own, call)).await?
            }
        };
        tool.check_outcome(&outcome)?;
        Ok(outcome)
    }

    /// Passes on what a plugin says has changed.
    pub fn hear(self: &Arc<Self>, change: Change) {
        match change {
            Change::Resources => self.tell(News::Resources),
            Change::ResourceOf(caller, uri) => self.tell(News::ResourceOf(caller, uri)),
            Change::Offers(plugin) => {
                let registry = self.clone();
                tokio::spawn(async move { registry.describe_again(&plugin).await });
            }
        }
    }

    fn tell(&self, news: News) {
        // Nobody may be listening.
        let _ = self.news.send(news);
    }

    fn tell_offers(&self) {
        self.tell(News::Tools);
        self.tell(News::Prompts);
        self.tell(News::Resources);
    }

    fn plugins(&self) -> std::sync::MutexGuard<'_, Plugins> {
        self.plugins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call of a tool.
pub struct Call<'a> {
    pub caller: &'a Arc<str>,
    /// A JSON object.
    pub arguments: &'a str,
    pub client: Abilities,
    pub answers: Option<Answers>,
    pub observer: Arc<dyn Observer>,
    pub entry: &'a Entry,
    /// The user was not asked yet: nothing is changed, and this is set where something would have been.
    pub trial: Option<&'a Arc<AtomicBool>>,
}

/// A JSON object.
pub type Object = Map<String, Value>;

//! Work that outlives a call: written down before its id is answered, run in the background, found again after a crash.
//!
//! One record has several faces: the contract's `jobs`, the host's tools, the protocol's tasks, and resources. Whether
//! a plugin may submit one is `policy`'s to say; what a run does is the plugin's.

mod record;
mod question;
mod queue;
mod log;
mod active;
mod board;
mod look;
mod run;
mod end;

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use tokio::{runtime::Handle, sync::OnceCell};

use crate::{
    admission::Quotas,
    audit::Audit,
    config::JobsConfig,
    database::Database,
    error::{Result, unavailable},
    plugin::{Change, Plugin},
};

pub use board::Board;
pub use look::JobFilter;
pub use record::{Failed, Record, State};

/// The plugin of this name, if it is loaded at this moment.
pub type FindPlugin = Arc<dyn Fn(&str) -> Option<Arc<Plugin>> + Send + Sync>;
/// Who hears what changes.
pub type Hear = Arc<dyn Fn(Change) + Send + Sync>;

/// The handle that every call has. Nothing is opened before it is needed.
#[derive(Clone, Default)]
pub struct Jobs(Arc<OnceLock<Lazy>>);

struct Lazy {
    places: Places,
    open: OnceCell<Arc<Board>>,
}

/// What the board is opened from.
pub struct Places {
    /// Where the logs are.
    pub folder: PathBuf,
    pub database: Database,
    pub config: JobsConfig,
    pub plugins: FindPlugin,
    pub hear: Hear,
    pub audit: Audit,
    pub quotas: Quotas,
    /// Whether what an earlier host left goes on. Without it, only what is submitted or waited for runs here.
    pub take_up: bool,
    /// Where jobs run: one that a guest submits outlives its call.
    pub runtime: Handle,
    /// Fails where another host has the state directory.
    pub claim: Arc<dyn Fn() -> anyhow::Result<()> + Send + Sync>,
}

impl Jobs {
    /// Says from what it is opened. A process that does not say so has no jobs.
    pub fn begin(&self, places: Places) {
        // Twice is once: the first places hold.
        let _ = self.0.set(Lazy { places, open: OnceCell::new() });
    }

    /// The board, opened at first need.
    pub async fn board(&self) -> Result<Arc<Board>> {
        let Some(lazy) = self.0.get() else {
            return Err(unavailable(
                "this command has no jobs: use `windlass serve` or `windlass call`",
            ));
        };
        let board = lazy.open.get_or_try_init(|| Board::open(&lazy.places)).await;
        board.cloned().map_err(|error| unavailable(format!("there are no jobs: {error:#}")))
    }

    /// The board, if anybody has needed it.
    pub fn opened(&self) -> Option<Arc<Board>> {
        self.0.get()?.open.get().cloned()
    }
}

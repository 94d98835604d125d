//! The documents of all plugins, in one SQLite file. Decides nothing: see `policy`.

mod records;
mod jobs;
mod trail;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::{
    error::{Failure, Result, unavailable},
    policy::{Approved, Document, Page},
    private,
};

pub use jobs::{JobQuery, JobRow};
pub use records::Kind;
pub use trail::{Link, Mark, Trail, TrailQuery, TrailReader, TrailRow, Walked};

/// Each step takes the file from one version to the next.
const MIGRATIONS: &[&str] =
    &[include_str!("schema.sql"), include_str!("records.sql"), include_str!("jobs.sql")];

/// How long one process waits while another one writes.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opened at first use: most calls need no database.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    path: PathBuf,
    connection: OnceLock<Result<Mutex<Connection>, String>>,
}

impl Database {
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    pub fn at(path: &Path) -> Self {
        Self(Arc::new(Inner { path: path.to_owned(), connection: OnceLock::new() }))
    }

    /// For those who may not reach any.
    pub fn nowhere() -> Self {
        Self::at(Path::new("/dev/null/none"))
    }

    /// Opens the file, so that what is wrong with it is told at start.
    pub fn check(&self) -> anyhow::Result<()> {
        self.open().map(drop).map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// Whether it can be read.
    pub async fn answers(&self) -> Result<()> {
        self.run(|connection| {
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        })
        .await
    }

    pub async fn get(&self, document: Approved<Document>) -> Result<Option<String>> {
        let sql =
            "SELECT document FROM documents WHERE plugin = ?1 AND collection = ?2 AND key = ?3";
        self.run(move |connection| {
            let Document { collection, key } = document.request();
            let mut statement = connection.prepare_cached(sql)?;
            let values = params![document.owner(), collection, key];
            statement.query_row(values, |row| row.get(0)).optional()
        })
        .await
    }

    pub async fn put(&self, document: Approved<Document>, text: String) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO documents VALUES (?1, ?2, ?3, ?4)";
        self.run(move |connection| {
            let Document { collection, key } = document.request();
            let values = params![document.owner(), collection, key, text];
            connection.prepare_cached(sql)?.execute(values).map(drop)
        })
        .await
    }

    /// Writes where the document still is `expected`, and says whether it was.
    pub async fn swap(
        &self,
        document: Approved<Document>,
        expected: Option<String>,
        text: String,
    ) -> Result<bool> {
        let replace = "UPDATE documents SET document = ?4
                       WHERE plugin = ?1 AND collection = ?2 AND key = ?3 AND document = ?5";
        let add = "INSERT OR IGNORE INTO documents VALUES (?1, ?2, ?3, ?4)";
        self.run(move |connection| {
            let owner = document.owner();
            let Document { collection, key } = document.request();
            let changed = match expected {
                Some(expected) => {
                    connection.execute(replace, params![owner, collection, key, text, expected])?
                }
                None => connection.execute(add, params![owner, collection, key, text])?,
            };
            Ok(changed == 1)
        })
        .await
    }

    pub async fn delete(&self, document: Approved<Document>) -> Result<()> {
        let sql = "DELETE FROM documents WHERE plugin = ?1 AND collection = ?2 AND key = ?3";
        self.run(move |connection| {
            let Document { collection, key } = document.request();
            connection.execute(sql, params![document.owner(), collection, key]).map(drop)
        })
        .await
    }

    pub async fn list(&self, page: Approved<Page>) -> Result<Vec<(String, String)>> {
        let sql = "SELECT key, document FROM documents
                   WHERE plugin = ?1 AND collection = ?2 AND key > ?3 ORDER BY key LIMIT ?4";
        self.run(move |connection| {
            let Page { collection, after, limit } = page.request();
            let mut statement = connection.prepare_cached(sql)?;
            let values = params![page.owner(), collection, after, limit];
            let rows = statement.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })
        .await
    }

    /// Like [`Self::run`], for what has to survive the end of the host but not that of the machine: it does not wait for the disk.
    async fn run_lightly<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        self.run(move |connection| {
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            let done = work(connection);
            connection.pragma_update(None, "synchronous", "FULL")?;
            done
        })
        .await
    }

    /// Runs on a thread that may wait for the disk. What has begun is finished, whoever still waits for it.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let database = self.clone();
        let working = tokio::task::spawn_blocking(move || {
            let connection = database.open().map_err(|error| unavailable(error.to_owned()))?;
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(work(&connection)?)
        });
        working
            .await
            .map_err(|error| unavailable(format!("the host's database failed: {error}")))?
    }

    fn open(&self) -> Result<&Mutex<Connection>, &str> {
        let open = || match open(&self.0.path) {
            Ok(connection) => Ok(Mutex::new(connection)),
            Err(error) => Err(format!("{error:#}")),
        };
        self.0.connection.get_or_init(open).as_ref().map_err(String::as_str)
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Database").field(&self.0.path).finish()
    }
}

/// A change is on disk before it is answered: WAL with `synchronous = FULL`.
fn open(path: &Path) -> anyhow::Result<Connection> {
    let opening = || format!("cannot open the database `{}`", path.display());
    private::make_file(path).with_context(opening)?;
    let mut connection = Connection::open(path).with_context(opening)?;
    connection.busy_timeout(PATIENCE)?;
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
        .with_context(opening)?;
    migrate(&mut connection).with_context(opening)?;
    Ok(connection)
}

/// Takes the file to this program's version. Most times it is there, and nothing is written.
fn migrate(connection: &mut Connection) -> anyhow::Result<()> {
    if version(connection)? == MIGRATIONS.len() {
        return Ok(());
    }
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let version = version(&transaction)?;
    ensure!(
        version <= MIGRATIONS.len(),
        "it was written by a newer version of windlass (schema {version}, known {}); use that one, or another --state-dir",
        MIGRATIONS.len()
    );
    for step in MIGRATIONS.iter().skip(version) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", u32::try_from(MIGRATIONS.len())?)?;
    Ok(transaction.commit()?)
}

fn version(connection: &Connection) -> anyhow::Result<usize> {
    let version: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    Ok(usize::try_from(version)?)
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        unavailable(format!("the host's database did not do it: {error}"))
    }
}

//! The record of all that happened: a file of its own, in which rows are only added.
//!
//! Whoever adds waits for nobody who reads: readers have connections of their own. Several processes may add.

mod read;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::private;

pub use read::{TrailReader, Walked};

const SCHEMA: &str = include_str!("trail.sql");

/// What a row is found by.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Mark {
    pub kind: String,
    pub caller: String,
    pub tool: String,
    pub status: String,
}

/// A row that is added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailRow {
    pub seq: i64,
    pub time: i64,
    pub mark: Mark,
    /// JSON.
    pub body: String,
    pub hash: Vec<u8>,
}

/// The end of the chain, or what came before its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub seq: i64,
    pub hash: Vec<u8>,
}

/// Which rows are wanted. What is none fits all.
#[derive(Clone, Debug, Default)]
pub struct TrailQuery {
    pub kind: Option<String>,
    pub caller: Option<String>,
    pub tool: Option<String>,
    pub status: Option<String>,
    /// From this time on, and before that one. Milliseconds since 1970.
    pub since: Option<i64>,
    pub until: Option<i64>,
    /// Only those before this row.
    pub before: Option<i64>,
    pub limit: u32,
}

/// The file, open to be written.
pub struct Trail {
    path: PathBuf,
    connection: Connection,
    marks: HashMap<Mark, i64>,
}

/// What adding came to.
pub struct Added {
    pub start: Link,
    pub end: Link,
}

impl Trail {
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let opening = || format!("cannot open the record `{}`", path.display());
        private::make_file(path).with_context(opening)?;
        let mut connection = Connection::open(path).with_context(opening)?;
        connection.busy_timeout(super::PATIENCE)?;
        connection.execute_batch("PRAGMA journal_mode = WAL").with_context(opening)?;
        let making = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let made: bool = making.query_row(
            "SELECT count(*) > 0 FROM sqlite_master WHERE name = 'rows'",
            [],
            |row| row.get(0),
        )?;
        if !made {
            making.execute_batch(SCHEMA).with_context(opening)?;
        }
        making.commit()?;
        Ok(Self { path: path.to_owned(), connection, marks: HashMap::new() })
    }

    /// Adds the rows that `make` makes of the row before and its time, all or none. `surely`: when this answers they are on disk,
    /// whatever happens to the machine; else, whatever happens to this process.
    pub fn add(
        &mut self,
        surely: bool,
        make: impl FnOnce(&Link, i64) -> Vec<TrailRow>,
    ) -> anyhow::Result<Added> {
        let level = if surely { "FULL" } else { "NORMAL" };
        self.connection.execute_batch(&format!("PRAGMA synchronous = {level}"))?;
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (start, before) = (read::start(&transaction)?, read::end(&transaction)?);
        let time = read::last_time(&transaction)?;
        let rows = make(&before, time);
        let mut added = Vec::new();
        for row in &rows {
            let mark = match self.marks.get(&row.mark) {
                Some(mark) => *mark,
                None => {
                    let mark = mark(&transaction, &row.mark)?;
                    added.push((row.mark.clone(), mark));
                    mark
                }
            };
            let mut statement =
                transaction.prepare_cached("INSERT INTO rows VALUES (?1, ?2, ?3, ?4, ?5)")?;
            statement.execute(params![row.seq, row.time, mark, row.body, row.hash])?;
        }
        transaction.commit()?;
        self.marks.extend(added);
        let end = rows.last().map_or(before, |row| Link { seq: row.seq, hash: row.hash.clone() });
        Ok(Added { start, end })
    }

    /// Takes away all rows up to this one, which the rest then goes on from.
    pub fn cut(&mut self, last: &Link) -> anyhow::Result<usize> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction
            .execute("UPDATE start SET seq = ?1, hash = ?2", params![last.seq, last.hash])?;
        let gone = transaction.execute("DELETE FROM rows WHERE seq <= ?1", params![last.seq])?;
        transaction.commit()?;
        Ok(gone)
    }

    pub fn reader(&self) -> anyhow::Result<TrailReader> {
        TrailReader::open(&self.path)
    }
}

/// The number of a mark, which is added where it is not there.
fn mark(transaction: &Transaction<'_>, mark: &Mark) -> anyhow::Result<i64> {
    let Mark { kind, caller, tool, status } = mark;
    let all = params![kind, caller, tool, status];
    transaction
        .prepare_cached("INSERT OR IGNORE INTO marks VALUES (NULL, ?1, ?2, ?3, ?4)")?
        .execute(all)?;
    let find = "SELECT id FROM marks WHERE kind = ?1 AND caller = ?2 AND tool = ?3 AND status = ?4";
    Ok(transaction.prepare_cached(find)?.query_row(all, |row| row.get(0))?)
}

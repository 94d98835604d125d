//! The record of all that happened: a file of its own, in which rows are only added.
//!
//! Whoever adds waits for nobody who reads: readers have connections of their own.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use anyhow::Context as _;
use rusqlite::{
    Connection, OpenFlags, OptionalExtension as _, params, params_from_iter, types::Value,
};

use crate::private;

const SCHEMA: &str = include_str!("audit.sql");
/// A row that is added, with what stands in columns of its own so that it is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailRow {
    pub seq: i64,
    pub time: i64,
    pub kind: String,
    pub caller: String,
    pub tool: String,
    pub status: String,
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
    connection: Mutex<Connection>,
}

impl Trail {
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let opening = || format!("cannot open the record `{}`", path.display());
        private::make_file(path).with_context(opening)?;
        let connection = Connection::open(path).with_context(opening)?;
        connection.busy_timeout(super::PATIENCE)?;
        connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
            .with_context(opening)?;
        let made: bool = connection.query_row(
            "SELECT count(*) > 0 FROM sqlite_master WHERE name = 'rows'",
            [],
            |row| row.get(0),
        )?;
        if !made {
            connection.execute_batch(&format!("BEGIN; {SCHEMA} COMMIT;")).with_context(opening)?;
        }
        Ok(Self { path: path.to_owned(), connection: Mutex::new(connection) })
    }

    /// Adds rows, all or none. When this answers they are on disk.
    pub fn add(&self, rows: &[TrailRow]) -> anyhow::Result<()> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.unchecked_transaction()?;
        let sql = "INSERT INTO rows VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        for row in rows {
            let TrailRow { seq, time, kind, caller, tool, status, body, hash } = row;
            let mut statement = transaction.prepare_cached(sql)?;
            statement.execute(params![seq, time, kind, caller, tool, status, body, hash])?;
        }
        Ok(transaction.commit()?)
    }

    /// Takes away all rows up to this one, which the rest then goes on from.
    pub fn cut(&self, last: &Link) -> anyhow::Result<usize> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.unchecked_transaction()?;
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

/// The file, open to be read.
pub struct TrailReader(Connection);

impl TrailReader {
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)
            .with_context(|| format!("cannot read the record `{}`", path.display()))?;
        connection.busy_timeout(super::PATIENCE)?;
        Ok(Self(connection))
    }

    /// What the oldest row goes on from.
    pub fn start(&self) -> anyhow::Result<Link> {
        let read = |row: &rusqlite::Row<'_>| Ok(Link { seq: row.get(0)?, hash: row.get(1)? });
        Ok(self.0.query_row("SELECT seq, hash FROM start", [], read)?)
    }

    /// The latest row, or where the first one will go on from.
    pub fn end(&self) -> anyhow::Result<Link> {
        let read = |row: &rusqlite::Row<'_>| Ok(Link { seq: row.get(0)?, hash: row.get(1)? });
        let sql = "SELECT seq, hash FROM rows ORDER BY seq DESC LIMIT 1";
        match self.0.query_row(sql, [], read).optional()? {
            Some(link) => Ok(link),
            None => self.start(),
        }
    }

    /// Rows from the oldest on, until `each` says no.
    pub fn walk(
        &self,
        mut each: impl FnMut(TrailRow) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let mut statement = self.0.prepare("SELECT * FROM rows ORDER BY seq")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if !each(read(row)?)? {
                break;
            }
        }
        Ok(())
    }

    /// The latest first.
    pub fn list(&self, query: &TrailQuery) -> anyhow::Result<Vec<TrailRow>> {
        let mut conditions = vec!["1".to_owned()];
        let mut values: Vec<Value> = Vec::new();
        let texts = [
            ("kind", &query.kind),
            ("caller", &query.caller),
            ("tool", &query.tool),
            ("status", &query.status),
        ];
        for (column, text) in texts {
            let Some(text) = text else { continue };
            values.push(text.clone().into());
            conditions.push(format!("{column} = ?{}", values.len()));
        }
        let numbers = [("time >=", query.since), ("time <", query.until), ("seq <", query.before)];
        for (column, number) in numbers {
            let Some(number) = number else { continue };
            values.push(number.into());
            conditions.push(format!("{column} ?{}", values.len()));
        }
        values.push(i64::from(query.limit).into());
        let sql = format!(
            "SELECT * FROM rows WHERE {} ORDER BY seq DESC LIMIT ?{}",
            conditions.join(" AND "),
            values.len()
        );
        let mut statement = self.0.prepare(&sql)?;
        let rows = statement.query_map(params_from_iter(values), read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<TrailRow> {
    Ok(TrailRow {
        seq: row.get(0)?,
        time: row.get(1)?,
        kind: row.get(2)?,
        caller: row.get(3)?,
        tool: row.get(4)?,
        status: row.get(5)?,
        body: row.get(6)?,
        hash: row.get(7)?,
    })
}

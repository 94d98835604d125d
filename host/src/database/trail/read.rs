//! Reading the record: whole and in order, or the latest rows of a kind among millions.

use std::{
    collections::{BinaryHeap, HashMap},
    path::Path,
};

use anyhow::Context as _;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, params};

use super::{Link, Mark, TrailQuery, TrailRow};

/// So many of the latest rows are looked at one by one, before marks are followed one by one.
const LOOKED_AT: usize = 20_000;

/// The file, open to be read.
pub struct TrailReader(Connection);

impl TrailReader {
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)
            .with_context(|| format!("cannot read the record `{}`", path.display()))?;
        connection.busy_timeout(super::super::PATIENCE)?;
        Ok(Self(connection))
    }

    /// What is read from here on is as of one moment.
    pub fn hold(&self) -> anyhow::Result<()> {
        Ok(self.0.execute_batch("BEGIN")?)
    }

    /// What the oldest row goes on from.
    pub fn start(&self) -> anyhow::Result<Link> {
        start(&self.0)
    }

    /// The latest row, or where the first one will go on from.
    pub fn end(&self) -> anyhow::Result<Link> {
        end(&self.0)
    }

    /// A row, as what the next one goes on from.
    pub fn at(&self, seq: i64) -> anyhow::Result<Option<Link>> {
        let read = |row: &Row<'_>| Ok(Link { seq: row.get(0)?, hash: row.get(1)? });
        let sql = "SELECT seq, hash FROM rows WHERE seq = ?1";
        Ok(self.0.query_row(sql, [seq], read).optional()?)
    }

    /// Rows from the oldest on, until `each` says no.
    pub fn walk(
        &self,
        mut each: impl FnMut(Walked<'_>) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let marks = self.marks()?;
        let mut statement =
            self.0.prepare("SELECT seq, time, mark, body, hash FROM rows ORDER BY seq")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (seq, mark) = (row.get(0)?, row.get(2)?);
            let mark = marks
                .get(&mark)
                .with_context(|| format!("row {seq} has a mark that is not there"))?;
            let text = |at| row.get_ref(at)?.as_str().map_err(anyhow::Error::from);
            let body = text(3).with_context(|| format!("the body of row {seq} is no text"))?;
            let hash = row.get_ref(4)?.as_blob()?;
            if !each(Walked { seq, time: row.get(1)?, mark, body, hash })? {
                break;
            }
        }
        Ok(())
    }

    /// The latest first.
    pub fn list(&self, query: &TrailQuery) -> anyhow::Result<Vec<TrailRow>> {
        self.hold()?;
        let listed = self.listed(query);
        self.0.execute_batch("COMMIT")?;
        listed
    }

    fn listed(&self, query: &TrailQuery) -> anyhow::Result<Vec<TrailRow>> {
        let mut marks = self.marks()?;
        marks.retain(|_, mark| fits(query, mark));
        let end = self.end()?.seq;
        let before = query.before.unwrap_or(i64::MAX).min(end.saturating_add(1));
        let until = query.until.map_or(Ok(before), |time| self.first_from(time))?;
        let since = query.since.map_or(Ok(0), |time| self.first_from(time))?;
        let within = Within { since, before: before.min(until), limit: query.limit as usize };
        let found = match self.look(&marks, &within)? {
            Some(found) => found,
            None => self.follow(&marks, &within)?,
        };
        let mut statement =
            self.0.prepare("SELECT seq, time, mark, body, hash FROM rows WHERE seq = ?1")?;
        let whole = |seq| Ok(statement.query_row([seq], |row| read(row, &marks))?);
        found.into_iter().map(whole).collect()
    }

    /// The first row that is of this time or later.
    fn first_from(&self, time: i64) -> anyhow::Result<i64> {
        // Times never go back, so halving finds it.
        let mut statement =
            self.0.prepare("SELECT seq, time FROM rows WHERE seq >= ?1 ORDER BY seq LIMIT 1")?;
        let (mut low, mut high) = (self.start()?.seq + 1, self.end()?.seq + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            let at = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
            match statement.query_row([middle], at).optional()? {
                Some((seq, found)) if found < time => low = seq + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// Looks at the latest rows. None: there are more, and too few of them are wanted.
    fn look(
        &self,
        marks: &HashMap<i64, Mark>,
        within: &Within,
    ) -> anyhow::Result<Option<Vec<i64>>> {
        let mut statement = self
            .0
            .prepare("SELECT seq, mark FROM rows WHERE seq >= ?1 AND seq < ?2 ORDER BY seq DESC")?;
        let mut rows = statement.query([within.since, within.before])?;
        let (mut found, mut looked) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            if found.len() >= within.limit {
                break;
            }
            if looked == LOOKED_AT {
                return Ok(None);
            }
            looked += 1;
            if marks.contains_key(&row.get(1)?) {
                found.push(row.get(0)?);
            }
        }
        Ok(Some(found))
    }

    /// The latest rows of each mark, of which the latest are taken.
    fn follow(&self, marks: &HashMap<i64, Mark>, within: &Within) -> anyhow::Result<Vec<i64>> {
        let mut statement = self.0.prepare(
            "SELECT seq FROM rows WHERE mark = ?1 AND seq >= ?2 AND seq < ?3 ORDER BY seq DESC",
        )?;
        // The oldest of those that are kept is on top, so that a later one takes its place.
        let mut kept = BinaryHeap::new();
        for mark in marks.keys() {
            let mut rows = statement.query(params![mark, within.since, within.before])?;
            while let Some(row) = rows.next()? {
                let seq = std::cmp::Reverse(row.get::<_, i64>(0)?);
                if kept.len() < within.limit {
                    kept.push(seq);
                } else if kept.peek().is_some_and(|oldest| seq < *oldest) {
                    kept.pop();
                    kept.push(seq);
                } else {
                    break;
                }
            }
        }
        Ok(kept.into_sorted_vec().into_iter().map(|std::cmp::Reverse(seq)| seq).collect())
    }

    fn marks(&self) -> anyhow::Result<HashMap<i64, Mark>> {
        let mut statement = self.0.prepare("SELECT id, kind, caller, tool, status FROM marks")?;
        let read = |row: &Row<'_>| {
            let mark = Mark {
                kind: row.get(1)?,
                caller: row.get(2)?,
                tool: row.get(3)?,
                status: row.get(4)?,
            };
            Ok((row.get(0)?, mark))
        };
        Ok(statement.query_map([], read)?.collect::<rusqlite::Result<_>>()?)
    }
}

/// A row that is gone by the next one.
#[derive(Clone, Copy)]
pub struct Walked<'a> {
    pub seq: i64,
    pub time: i64,
    pub mark: &'a Mark,
    pub body: &'a str,
    pub hash: &'a [u8],
}

/// Between which rows, and how many.
struct Within {
    since: i64,
    before: i64,
    limit: usize,
}

fn fits(query: &TrailQuery, mark: &Mark) -> bool {
    let same = |wanted: &Option<String>, text: &str| wanted.as_deref().is_none_or(|it| it == text);
    same(&query.kind, &mark.kind)
        && same(&query.caller, &mark.caller)
        && same(&query.tool, &mark.tool)
        && same(&query.status, &mark.status)
}

pub(super) fn start(connection: &Connection) -> anyhow::Result<Link> {
    let read = |row: &Row<'_>| Ok(Link { seq: row.get(0)?, hash: row.get(1)? });
    let mut statement = connection.prepare_cached("SELECT seq, hash FROM start")?;
    Ok(statement.query_row([], read)?)
}

pub(super) fn end(connection: &Connection) -> anyhow::Result<Link> {
    let read = |row: &Row<'_>| Ok(Link { seq: row.get(0)?, hash: row.get(1)? });
    let sql = "SELECT seq, hash FROM rows ORDER BY seq DESC LIMIT 1";
    match connection.prepare_cached(sql)?.query_row([], read).optional()? {
        Some(link) => Ok(link),
        None => start(connection),
    }
}

pub(super) fn last_time(connection: &Connection) -> anyhow::Result<i64> {
    let sql = "SELECT time FROM rows ORDER BY seq DESC LIMIT 1";
    let time = connection.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
    Ok(time.unwrap_or_default())
}

fn read(row: &Row<'_>, marks: &HashMap<i64, Mark>) -> rusqlite::Result<TrailRow> {
    let mark = marks.get(&row.get(2)?).cloned().unwrap_or_default();
    Ok(TrailRow { seq: row.get(0)?, time: row.get(1)?, mark, body: row.get(3)?, hash: row.get(4)? })
}

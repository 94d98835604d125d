//! The rows of jobs. What a row means is the business of `jobs`.

use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params, params_from_iter};

use super::Database;
use crate::error::Result;

/// One job: what is asked for, and beside it a record of all else.
#[derive(Clone, Debug)]
pub struct JobRow {
    pub id: String,
    pub plugin: String,
    pub caller: String,
    pub kind: String,
    pub lane: Option<String>,
    pub key: Option<String>,
    pub state: String,
    /// Milliseconds since 1970.
    pub created: i64,
    pub ended: Option<i64>,
    /// JSON.
    pub record: String,
}

/// Which rows are listed. Absent: any.
#[derive(Clone, Debug, Default)]
pub struct JobQuery {
    pub caller: String,
    pub plugin: Option<String>,
    pub kind: Option<String>,
    pub lane: Option<String>,
    pub states: Vec<&'static str>,
    /// Only older ones than this.
    pub after: Option<String>,
    pub limit: u32,
}

const COLUMNS: &str = "id, plugin, caller, kind, lane, key, state, created, ended, record";

impl Database {
    /// Adds a job, unless one with its key was added since then: that one's record is given.
    pub async fn add_job(&self, row: JobRow, input: String, since: i64) -> Result<Option<String>> {
        self.run(move |connection| {
            let transaction = connection.unchecked_transaction()?;
            if let Some(same) = with_key(&transaction, &row, since)? {
                return Ok(Some(same));
            }
            let sql = format!(
                "INSERT INTO jobs ({COLUMNS}, input) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
            );
            let JobRow { id, plugin, caller, kind, lane, key, state, created, ended, record } = row;
            let values = params![
                id, plugin, caller, kind, lane, key, state, created, ended, record, input
            ];
            transaction.prepare_cached(&sql)?.execute(values)?;
            transaction.commit()?;
            Ok(None)
        })
        .await
    }

    /// Writes a job's state and record. It is on disk when this answers.
    pub async fn keep_job(&self, row: JobRow) -> Result<()> {
        self.run(writing(row, None)).await
    }

    /// The same, for what comes often: it survives the end of the host, and not a loss of power.
    pub async fn keep_job_lightly(&self, row: JobRow) -> Result<()> {
        self.run_lightly(writing(row, None)).await
    }

    /// Writes a job's end, and what it came to.
    pub async fn end_job(&self, row: JobRow, result: Option<String>) -> Result<()> {
        self.run(writing(row, result)).await
    }

    /// Jobs that have not ended, in the order in which they were added.
    pub async fn unfinished_jobs(&self) -> Result<Vec<JobRow>> {
        self.run(|connection| {
            let sql = format!("SELECT {COLUMNS} FROM jobs WHERE ended IS NULL ORDER BY number");
            connection.prepare(&sql)?.query_map([], row)?.collect()
        })
        .await
    }

    /// How many there are in each state.
    pub async fn count_jobs(&self) -> Result<Vec<(String, u64)>> {
        self.run(|connection| {
            let sql = "SELECT state, count(*) FROM jobs GROUP BY state";
            let row = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, u32>(1)?.into()));
            connection.prepare_cached(sql)?.query_map([], row)?.collect()
        })
        .await
    }

    pub async fn job(&self, id: &str) -> Result<Option<JobRow>> {
        let id = id.to_owned();
        self.run(move |connection| {
            let sql = format!("SELECT {COLUMNS} FROM jobs WHERE id = ?1");
            connection.prepare_cached(&sql)?.query_row([id], row).optional()
        })
        .await
    }

    /// What a job was given, and what it came to, if it has ended well.
    pub async fn job_texts(&self, id: &str) -> Result<Option<(String, Option<String>)>> {
        let id = id.to_owned();
        self.run(move |connection| {
            let sql = "SELECT input, result FROM jobs WHERE id = ?1";
            let both = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
            connection.prepare_cached(sql)?.query_row([id], both).optional()
        })
        .await
    }

    /// The latest first.
    pub async fn jobs(&self, query: JobQuery) -> Result<Vec<JobRow>> {
        self.run(move |connection| {
            let (sql, values) = selection(&query);
            let mut statement = connection.prepare_cached(&sql)?;
            statement.query_map(params_from_iter(values.iter()), row)?.collect()
        })
        .await
    }

    /// Deletes jobs that ended before a time, and of the others all but the latest. Gives their ids.
    pub async fn forget_jobs(&self, before: i64, keep: u32) -> Result<Vec<String>> {
        self.run(move |connection| {
            let sql = "DELETE FROM jobs WHERE ended < ?1 OR number IN (
                           SELECT number FROM jobs WHERE ended IS NOT NULL ORDER BY ended DESC LIMIT -1 OFFSET ?2
                       ) RETURNING id";
            connection.prepare(sql)?.query_map(params![before, keep], |row| row.get(0))?.collect()
        })
        .await
    }
}

fn with_key(connection: &Connection, row: &JobRow, since: i64) -> rusqlite::Result<Option<String>> {
    let Some(key) = &row.key else { return Ok(None) };
    let sql = "SELECT id FROM jobs WHERE plugin = ?1 AND caller = ?2 AND key = ?3 AND created >= ?4
               ORDER BY number DESC LIMIT 1";
    let values = params![row.plugin, row.caller, key, since];
    connection.prepare_cached(sql)?.query_row(values, |row| row.get(0)).optional()
}

fn writing(
    row: JobRow,
    result: Option<String>,
) -> impl FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static {
    move |connection| {
        let sql = "UPDATE jobs SET state = ?2, ended = ?3, record = ?4, result = ?5 WHERE id = ?1";
        let values = params![row.id, row.state, row.ended, row.record, result];
        connection.prepare_cached(sql)?.execute(values).map(drop)
    }
}

/// One statement for each set of what is asked for, so that each is prepared once.
fn selection(query: &JobQuery) -> (String, Vec<Box<dyn ToSql>>) {
    let mut sql = format!("SELECT {COLUMNS} FROM jobs WHERE caller = ?");
    let mut values: Vec<Box<dyn ToSql>> = vec![Box::new(query.caller.clone())];
    let parts = [("plugin", &query.plugin), ("kind", &query.kind), ("lane", &query.lane)];
    for (column, value) in parts {
        if let Some(value) = value {
            sql += &format!(" AND {column} = ?");
            values.push(Box::new(value.clone()));
        }
    }
    if !query.states.is_empty() {
        sql += &format!(" AND state IN ({})", vec!["?"; query.states.len()].join(", "));
        values.extend(query.states.iter().map(|&it| Box::new(it) as Box<dyn ToSql>));
    }
    if let Some(after) = &query.after {
        sql += " AND number < (SELECT number FROM jobs WHERE id = ?)";
        values.push(Box::new(after.clone()));
    }
    sql += " ORDER BY number DESC LIMIT ?";
    values.push(Box::new(query.limit));
    (sql, values)
}

fn row(row: &Row<'_>) -> rusqlite::Result<JobRow> {
    Ok(JobRow {
        id: row.get(0)?,
        plugin: row.get(1)?,
        caller: row.get(2)?,
        kind: row.get(3)?,
        lane: row.get(4)?,
        key: row.get(5)?,
        state: row.get(6)?,
        created: row.get(7)?,
        ended: row.get(8)?,
        record: row.get(9)?,
    })
}

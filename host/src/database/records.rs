//! What the host itself remembers: containers, processes, workspaces. Read once at the start, written through after.

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Serialize, de::DeserializeOwned};

use super::Database;
use crate::error::{Result, unavailable};

/// A kind of record.
#[derive(Clone, Copy, Debug)]
pub struct Kind(pub &'static str);

impl Database {
    /// Writes a record, whatever was there.
    pub async fn keep(&self, kind: Kind, id: &str, record: &impl Serialize) -> Result<()> {
        self.run(writing(kind, id, record)?).await
    }

    /// The same, for many that come and go: it survives the end of the host, and not a loss of power.
    pub async fn keep_lightly(&self, kind: Kind, id: &str, record: &impl Serialize) -> Result<()> {
        self.run_lightly(writing(kind, id, record)?).await
    }

    /// Deletes records, and does not wait for the disk either.
    pub async fn forget_lightly(&self, kind: Kind, ids: Vec<String>) -> Result<()> {
        let Kind(kind) = kind;
        self.run_lightly(move |connection| {
            let transaction = connection.unchecked_transaction()?;
            let sql = "DELETE FROM records WHERE kind = ?1 AND id = ?2";
            for id in ids {
                transaction.prepare_cached(sql)?.execute(params![kind, id])?;
            }
            transaction.commit()
        })
        .await
    }

    /// Deletes a record. Deleting what is gone already succeeds.
    pub async fn forget(&self, kind: Kind, id: &str) -> Result<()> {
        let (Kind(kind), id) = (kind, id.to_owned());
        self.run(move |connection| {
            let sql = "DELETE FROM records WHERE kind = ?1 AND id = ?2";
            connection.prepare_cached(sql)?.execute(params![kind, id]).map(drop)
        })
        .await
    }

    /// One record, if it is there.
    pub async fn record<T: DeserializeOwned>(&self, kind: Kind, id: &str) -> Result<Option<T>> {
        let (Kind(kind), id) = (kind, id.to_owned());
        let text: Option<String> = self
            .run(move |connection| {
                let sql = "SELECT record FROM records WHERE kind = ?1 AND id = ?2";
                let mut statement = connection.prepare_cached(sql)?;
                statement.query_row(params![kind, id], |row| row.get(0)).optional()
            })
            .await?;
        text.map(|text| read(kind, &text)).transpose()
    }

    /// All records of a kind, in order of their ids.
    pub async fn records<T: DeserializeOwned>(&self, kind: Kind) -> Result<Vec<T>> {
        let Kind(kind) = kind;
        let texts: Vec<String> = self
            .run(move |connection| {
                let sql = "SELECT record FROM records WHERE kind = ?1 ORDER BY id";
                let mut statement = connection.prepare(sql)?;
                statement.query_map(params![kind], |row| row.get(0))?.collect()
            })
            .await?;
        texts.iter().map(|text| read(kind, text)).collect()
    }
}

fn read<T: DeserializeOwned>(kind: &str, text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|error| unavailable(format!("a record of `{kind}` cannot be read: {error}")))
}

fn writing(
    Kind(kind): Kind,
    id: &str,
    record: &impl Serialize,
) -> Result<impl FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static> {
    let text = serde_json::to_string(record)
        .map_err(|error| unavailable(format!("the record `{id}` cannot be written: {error}")))?;
    let id = id.to_owned();
    Ok(move |connection: &Connection| {
        let sql = "INSERT OR REPLACE INTO records VALUES (?1, ?2, ?3)";
        connection.prepare_cached(sql)?.execute(params![kind, id, text]).map(drop)
    })
}

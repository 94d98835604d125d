//! Tokens that were looked up before: a request does not wait for the database.
//!
//! Another process may end one. It says so by a file beside the database, which is looked at with each request.

use std::{
    collections::HashMap,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::tokens::{Token, hash};
use crate::{database::Database, error::Result, private, time::now};

/// More than anybody has callers.
const MOST: usize = 10_000;

#[derive(Default)]
pub(super) struct Known(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    /// As of which change.
    stamp: Option<Stamp>,
    tokens: HashMap<String, Token>,
}

/// Which file it is, and since when.
type Stamp = (u64, i64, i64);

impl Known {
    /// The token that was given, good or not. What is looked up is its hash: how long that takes tells nobody anything.
    pub(super) async fn find(&self, database: &Database, given: &str) -> Result<Option<Token>> {
        // Before the look: what changes after it is looked up again.
        let (stamp, hash) = (stamp(database), hash(given));
        {
            let mut seen = self.seen();
            if seen.stamp != stamp {
                *seen = Seen { stamp, tokens: HashMap::new() };
            }
            if let Some(token) = seen.tokens.get(&hash) {
                return Ok(Some(token.clone()));
            }
        }
        let found = Token::of_hash(database, &hash).await?;
        if let Some(token) = &found {
            let mut seen = self.seen();
            if seen.stamp == stamp && seen.tokens.len() < MOST {
                seen.tokens.insert(hash, token.clone());
            }
        }
        Ok(found)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says to other processes that a token is not what it was.
pub(super) fn say_changed(database: &Database) -> anyhow::Result<()> {
    private::write_whole(&file(database), now().to_string().as_bytes())
}

fn stamp(database: &Database) -> Option<Stamp> {
    // Each change is another file.
    let file = std::fs::metadata(file(database)).ok()?;
    Some((file.ino(), file.ctime(), file.ctime_nsec()))
}

fn file(database: &Database) -> PathBuf {
    database.path().with_extension("tokens")
}

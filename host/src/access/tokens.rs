//! Tokens with a name. What is kept of one is its hash: 256 random bits need no slow one.

use anyhow::{Context as _, bail, ensure};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::known;
use crate::{
    database::{Database, Kind},
    error::{Result, told},
    plugin::hex,
    time::now,
};

const KIND: Kind = Kind("token");
/// So that people and scanners of secrets know one when they see it.
const PREFIX: &str = "wl_";
const BYTES: usize = 32;
const LONGEST_NAME: usize = 64;

/// A token, as it is kept.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Token {
    pub name: String,
    pub roles: Vec<String>,
    /// Milliseconds since 1970.
    pub created: u64,
    /// None: it does not end by itself.
    pub expires: Option<u64>,
    pub revoked: Option<u64>,
    /// SHA-256 of it, in hexadecimal digits.
    pub(super) hash: String,
}

/// A token that was just made. Nobody can be told of it again.
pub struct Given {
    pub token: Token,
    pub secret: String,
}

impl Token {
    /// Makes one. A name is taken as long as a token of it is good.
    pub async fn make(
        database: &Database,
        name: &str,
        roles: Vec<String>,
        expires: Option<u64>,
    ) -> anyhow::Result<Given> {
        check_name(name)?;
        let good = |it: &Self| it.name == name && it.is_good(now());
        if Self::all(database).await?.iter().any(good) {
            bail!("there is a token `{name}` already; revoke it, or choose another name");
        }
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
        let secret = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes));
        let hash = hash(&secret);
        let (name, created) = (name.to_owned(), now());
        let token = Self { name, roles, created, expires, revoked: None, hash };
        database.keep(KIND, &token.hash, &token).await.map_err(told)?;
        Ok(Given { token, secret })
    }

    /// All that were ever made, the latest first.
    pub async fn all(database: &Database) -> anyhow::Result<Vec<Self>> {
        let mut all: Vec<Self> = database.records(KIND).await.map_err(told)?;
        all.sort_by_key(|it| std::cmp::Reverse(it.created));
        Ok(all)
    }

    /// Ends the good token of this name. From the next request on it lets nobody in.
    pub async fn revoke(database: &Database, name: &str) -> anyhow::Result<Self> {
        let all = Self::all(database).await?;
        let found = all.into_iter().find(|it| it.name == name && it.revoked.is_none());
        let mut token = found.with_context(|| {
            format!("there is no token `{name}`; `windlass token list` names those there are")
        })?;
        token.revoked = Some(now());
        database.keep(KIND, &token.hash, &token).await.map_err(told)?;
        known::say_changed(database).context("a host that runs does not know of it")?;
        Ok(token)
    }

    /// Whether somebody sends what can be one.
    pub(super) fn has_form(given: &str) -> bool {
        given.starts_with(PREFIX)
    }

    pub(super) async fn of_hash(database: &Database, hash: &str) -> Result<Option<Self>> {
        database.record(KIND, hash).await
    }

    /// The good token of this name.
    pub(super) async fn of(database: &Database, name: &str) -> Result<Option<Self>> {
        let all: Vec<Self> = database.records(KIND).await?;
        Ok(all.into_iter().find(|it| it.name == name && it.is_good(now())))
    }

    pub fn is_good(&self, now: u64) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|it| now < it)
    }
}

pub(super) fn hash(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

/// It stands in records and in the names of what its owner makes.
fn check_name(name: &str) -> anyhow::Result<()> {
    let fits = |it: char| it.is_ascii_alphanumeric() || "._-".contains(it);
    ensure!(
        !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(fits),
        "`{}` is no name of a token: it has letters, digits, `.`, `_` and `-`, at most {LONGEST_NAME}",
        name.escape_debug()
    );
    ensure!(
        name != crate::policy::LOCAL,
        "`{name}` is whoever started the host; choose another name"
    );
    Ok(())
}

//! Who calls over HTTP: tokens that are named, bound to roles, and end.
//!
//! Nobody learns which half of what they sent was wrong, and who guesses too often is not looked at for a while.

mod attempts;
mod tokens;

use std::{net::IpAddr, sync::Arc, time::Duration};

use subtle::ConstantTimeEq as _;

use crate::{database::Database, error::Result, policy::LOCAL, time::now};

use attempts::Attempts;

pub use tokens::{Given, Token};

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub name: Arc<str>,
    /// Whose things they find, and whose those are that they make.
    pub space: Arc<str>,
    /// None: those of whoever started the host.
    pub roles: Option<Arc<[String]>>,
}

/// Why somebody does not come in.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// Nothing was sent that lets anybody in.
    Unknown,
    /// They guess too often: not before so many seconds.
    TooOften(u64),
    /// It could not be looked up.
    Unavailable,
}

/// Who is let in.
pub struct Access {
    /// The token of the state directory. None: everybody who reaches the address is let in.
    own: Option<String>,
    shared: bool,
    database: Database,
    attempts: Attempts,
}

impl Caller {
    /// Whoever started the host, or has the token of its state directory.
    pub fn local() -> Self {
        Self { name: LOCAL.into(), space: LOCAL.into(), roles: None }
    }

    /// Somebody with a name and roles of their own. `shared`: they find what all others make.
    pub fn named(name: &str, roles: Vec<String>, shared: bool) -> Self {
        let space = if shared { LOCAL } else { name };
        Self { name: name.into(), space: space.into(), roles: Some(roles.into()) }
    }
}

impl Access {
    pub fn new(own: Option<String>, shared: bool, database: Database) -> Self {
        Self { own, shared, database, attempts: Attempts::default() }
    }

    /// Whether nobody is asked who they are.
    pub fn is_open(&self) -> bool {
        self.own.is_none()
    }

    /// Who sent this, by the value of the header `Authorization`.
    pub async fn caller(&self, header: Option<&str>, from: IpAddr) -> Result<Caller, Refused> {
        let Some(own) = &self.own else { return Ok(Caller::local()) };
        if let Some(wait) = self.attempts.closed_for(from, now()) {
            return Err(Refused::TooOften(wait));
        }
        let bearer = header.and_then(|it| it.split_once(' '));
        let given = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let Some(given) = given.map(|(_, given)| given.trim()) else {
            // Who sends nothing guesses nothing.
            return Err(Refused::Unknown);
        };
        if bool::from(given.as_bytes().ct_eq(own.as_bytes())) {
            return Ok(Caller::local());
        }
        match self.named(given).await? {
            Some(caller) => Ok(caller),
            None => {
                self.attempts.count(from, now());
                Err(Refused::Unknown)
            }
        }
    }

    async fn named(&self, given: &str) -> Result<Option<Caller>, Refused> {
        let token = Token::find(&self.database, given).await.map_err(|_| Refused::Unavailable)?;
        let holds = token.filter(|it| it.is_good(now()));
        Ok(holds.map(|it| Caller::named(&it.name, it.roles, self.shared)))
    }
}

impl Refused {
    /// How long to wait, for who guesses too often.
    pub fn wait(&self) -> Option<Duration> {
        match self {
            Self::TooOften(seconds) => Some(Duration::from_secs(*seconds)),
            _ => None,
        }
    }
}

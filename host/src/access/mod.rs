//! Who calls: by a token of the host's own, one of an issuer, or a certificate.
//!
//! Nobody learns which half of what they sent was wrong, and who guesses too often is not looked at for a while.

mod attempts;
mod known;
mod tokens;
mod hour;
mod oauth;
mod issuer;
mod signature;
mod certificates;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use serde_json::Value;
use subtle::ConstantTimeEq as _;

use crate::{
    audit::{Audit, Event, Kind},
    config::AccessConfig,
    database::Database,
    policy::LOCAL,
    time::now,
};

use attempts::{Counted, Guesses, MOST};
use hour::{Claimed, Hour};
use known::Known;
use oauth::OAuth;

pub use attempts::{ATTEMPTS, Attempts, Origin};
pub use certificates::Vouched;
pub use oauth::METADATA;
pub use tokens::{Given, Token};

/// Longer than any token is.
const LONGEST: usize = 16 << 10;
/// The longest name of a caller, without what stands before it.
const LONGEST_NAME: usize = 128;

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
    /// Nothing was sent that could let anybody in.
    Missing,
    /// What was sent lets nobody in.
    Wrong,
    /// They are known, and may do nothing here.
    NoRole,
    /// They guess too often: not before so many seconds.
    TooOften(u64),
    /// It could not be looked up.
    Unavailable,
}

/// Who is let in.
pub struct Access {
    /// The token of the state directory. None: everybody who reaches the host is let in.
    own: Option<String>,
    config: AccessConfig,
    database: Database,
    known: Known,
    guesses: Guesses,
    hour: Option<Hour>,
    oauth: Option<OAuth>,
    audit: Audit,
}

/// A token of an hour that was just made.
pub struct Granted {
    pub token: String,
    /// Milliseconds since 1970.
    pub expires: u64,
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
    /// An access that asks nobody who they are, and believes those who say it.
    pub fn open(config: &AccessConfig, database: Database, audit: Audit) -> anyhow::Result<Self> {
        let hour = config.authenticate.then(|| Hour::new(config.authenticate_secret.as_ref()));
        Ok(Self {
            own: None,
            config: config.clone(),
            database,
            known: Known::default(),
            guesses: Guesses::default(),
            hour: hour.transpose().context("access.authenticate_secret")?,
            oauth: config.oauth.as_ref().map(|it| OAuth::new(it, config)),
            audit,
        })
    }

    /// The same for those alone who are known, or have this token.
    #[must_use]
    pub fn with_token(self, own: String) -> Self {
        Self { own: Some(own), ..self }
    }

    /// Whether nobody is asked who they are.
    pub fn is_open(&self) -> bool {
        self.own.is_none()
    }

    /// Whether a token of an hour is to be had.
    pub fn authenticates(&self) -> bool {
        self.hour.is_some()
    }

    /// Who sent this, by the value of the header `Authorization`, or else by a certificate.
    pub async fn caller(
        &self,
        header: Option<&str>,
        vouched: Option<&Vouched>,
        from: Origin,
    ) -> Result<Caller, Refused> {
        let believes = !self.is_open() || self.authenticates() || self.oauth.is_some();
        if let Some(given) = header.and_then(bearer).filter(|_| believes) {
            return self.bearer(given, from).await;
        }
        let vouched = vouched.filter(|it| header.is_none() && now() < it.until);
        match vouched {
            Some(vouched) => Ok(vouched.caller.clone()),
            None if self.is_open() => Ok(Caller::local()),
            // Who sends nothing guesses nothing.
            None => Err(Refused::Missing),
        }
    }

    /// Who has this token, with or without `Bearer ` before it.
    pub async fn said(&self, given: &str, from: Origin) -> Result<Caller, Refused> {
        self.bearer(bearer(given).unwrap_or(given), from).await
    }

    /// A token of an hour for who has the secret of this named one.
    pub async fn authenticate(
        &self,
        name: &str,
        secret: &str,
        from: Origin,
    ) -> Result<Granted, Refused> {
        let Some(hour) = &self.hour else { return Err(Refused::Missing) };
        self.look(from)?;
        let found =
            self.known.find(&self.database, secret).await.map_err(|_| Refused::Unavailable)?;
        let is_named = |it: &Token| bool::from(it.name.as_bytes().ct_eq(name.as_bytes()));
        let Some(token) = found.filter(|it| is_named(it) & it.is_good(now())) else {
            return Err(self.refuse(from));
        };
        Attempts::one(&ATTEMPTS.success);
        let seconds = now() / 1000;
        let expires = (seconds + hour::LIFE) * 1000;
        self.audit.note(event(&token.name, from, None));
        Ok(Granted { token: hour.make(&token.name, &token.hash, seconds), expires })
    }

    /// Records that a session begins: of its requests, that is the first.
    pub fn came(&self, caller: &Caller, from: Origin) {
        self.audit.note(event(&caller.name, from, None));
    }

    /// Who has this certificate, where TLS has looked at it.
    pub fn vouched(&self, certificate: &[u8]) -> Option<Vouched> {
        certificates::caller(&self.config, certificate)
    }

    /// What clients may know of this host, and where it lies.
    pub fn metadata(&self) -> Option<(String, Value)> {
        let oauth = self.oauth.as_ref()?;
        Some((oauth.metadata_url()?.path().to_owned(), oauth.metadata()))
    }

    /// What the header `WWW-Authenticate` says to who is refused.
    pub fn challenge(&self, refused: &Refused) -> String {
        let mut challenge = "Bearer realm=\"windlass\"".to_owned();
        match refused {
            Refused::Wrong => challenge += ", error=\"invalid_token\"",
            Refused::NoRole => challenge += ", error=\"insufficient_scope\"",
            _ => {}
        }
        let Some(oauth) = &self.oauth else { return challenge };
        if let Some(url) = oauth.metadata_url() {
            challenge += &format!(", resource_metadata=\"{url}\"");
        }
        let scopes = oauth.scopes();
        if !scopes.is_empty() {
            challenge += &format!(", scope=\"{scopes}\"");
        }
        challenge
    }

    async fn bearer(&self, given: &str, from: Origin) -> Result<Caller, Refused> {
        self.look(from)?;
        match self.judge(given.trim()).await {
            Ok(Some(caller)) => {
                Attempts::one(&ATTEMPTS.success);
                Ok(caller)
            }
            Ok(None) => Err(self.refuse(from)),
            Err(refused) => {
                Attempts::one(&ATTEMPTS.failed);
                Err(refused)
            }
        }
    }

    async fn judge(&self, given: &str) -> Result<Option<Caller>, Refused> {
        if given.len() > LONGEST {
            return Ok(None);
        }
        if let Some(own) = &self.own
            && bool::from(given.as_bytes().ct_eq(own.as_bytes()))
        {
            return Ok(Some(Caller::local()));
        }
        if Token::has_form(given) {
            let token = self.known.find(&self.database, given).await;
            let token = token.map_err(|_| Refused::Unavailable)?.filter(|it| it.is_good(now()));
            return Ok(token.map(|it| self.caller_of(it)));
        }
        if let (Some(hour), Some(claimed)) = (&self.hour, Claimed::read(given)) {
            return self.of_hour(hour, &claimed).await;
        }
        match &self.oauth {
            Some(oauth) => oauth.judge(given).await,
            None => Ok(None),
        }
    }

    async fn of_hour(&self, hour: &Hour, claimed: &Claimed<'_>) -> Result<Option<Caller>, Refused> {
        let token = Token::of(&self.database, claimed.name).await;
        let token = token.map_err(|_| Refused::Unavailable)?;
        // Whether there is such a name must not be told by how long it takes.
        let hash = token.as_ref().map_or("", |it| &it.hash);
        let is_good = hour.is_good(claimed, hash, now() / 1000);
        Ok(token.filter(|_| is_good).map(|it| self.caller_of(it)))
    }

    fn caller_of(&self, token: Token) -> Caller {
        Caller::named(&token.name, token.roles, self.config.shared)
    }

    /// Fails where nothing is looked at that comes from there.
    fn look(&self, from: Origin) -> Result<(), Refused> {
        let Some(wait) = self.guesses.closed_for(from, now()) else { return Ok(()) };
        Attempts::one(&ATTEMPTS.limited);
        Err(Refused::TooOften(wait))
    }

    /// Counts an attempt that failed. In the record there are no more of them than are looked at.
    fn refuse(&self, from: Origin) -> Refused {
        Attempts::one(&ATTEMPTS.failed);
        let Counted { closes, unseen } = self.guesses.count(from, now());
        if unseen > 0 {
            let why = format!("{unseen} more attempts were not looked at");
            self.audit.note(event("", from, Some(why)));
        }
        let mut why = "what was sent lets nobody in".to_owned();
        if closes {
            why +=
                &format!("; it was the {MOST}th within a minute, and the next are not looked at");
        }
        self.audit.note(event("", from, Some(why)));
        Refused::Wrong
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

    /// What is said to who is refused: the same to all who sent something wrong.
    pub fn told(&self) -> &'static str {
        match self {
            Self::Missing | Self::Wrong => {
                "a bearer token is needed; the host printed where one lies, and `windlass token` makes others"
            }
            Self::NoRole => "this token gives no role here; ask for one with another scope",
            Self::TooOften(_) => "too many attempts; try again later",
            Self::Unavailable => "tokens cannot be looked up at the moment",
        }
    }
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, given) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(given)
}

fn event(caller: &str, from: Origin, error: Option<String>) -> Event {
    let client = from.map(|it| it.to_string()).unwrap_or_default();
    Event { client, error, ..Event::new(Kind::Authentication, caller, "") }
}

/// The name of a caller whom somebody else vouches for: none that a token of ours can have, and safe wherever names stand.
fn name(prefix: &str, written: &str) -> Option<String> {
    if written.is_empty() || written.chars().any(char::is_control) {
        return None;
    }
    let mut name = String::new();
    for byte in written.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => name.push(byte.into()),
            _ => name += &format!("%{byte:02X}"),
        }
    }
    (name.len() <= LONGEST_NAME).then(|| format!("{prefix}:{name}"))
}

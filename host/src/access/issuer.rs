//! The keys of an issuer: found by its documents, kept, and asked for again when a token names one that is not known.
//!
//! Whoever sends tokens can make up names of keys, so how often the issuer is asked is bounded. Where it cannot be
//! reached, the keys that are known go on to count.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use arc_swap::ArcSwapOption;
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey,
    jwk::{Jwk, KeyAlgorithm, PublicKeyUse},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::{sync::Mutex, time::Instant};
use url::Url;

use crate::{config::is_loopback, error::told, secrets::Secrets, web::Web};

/// How long one document may take.
const PATIENCE: Duration = Duration::from_secs(5);
const LARGEST_DOCUMENT: usize = 256 << 10;
/// More keys than any issuer has.
const MOST_KEYS: usize = 100;
/// Keys that are older are asked for again, while they go on to count.
const FRESH: Duration = Duration::from_secs(600);
/// So often the issuer may be asked at once; and once more after each pause.
const AT_ONCE: u32 = 5;
const PAUSE: Duration = Duration::from_secs(12);

/// Where its keys come from. Cheap to clone.
#[derive(Clone)]
pub(super) struct Issuer(Arc<Inner>);

struct Inner {
    url: String,
    web: Web,
    keys: ArcSwapOption<Keys>,
    turn: Mutex<Turn>,
    /// How often it was asked, whatever it said.
    asked: AtomicU64,
    is_renewing: AtomicBool,
}

/// Who has it is the only one that asks.
struct Turn {
    left: u32,
    since: Instant,
    /// Whether it could be reached the last time.
    reached: bool,
}

/// All keys of one moment.
struct Keys {
    all: Vec<Key>,
    since: Instant,
}

struct Key {
    id: Option<String>,
    /// The only algorithm that it is for.
    only: Option<KeyAlgorithm>,
    key: DecodingKey,
}

/// The issuer cannot be reached.
#[derive(Debug)]
pub(super) struct Unreachable;

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: Url,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

impl Issuer {
    pub(super) fn new(url: &str) -> Self {
        let turn = Turn { left: AT_ONCE, since: Instant::now(), reached: true };
        Self(Arc::new(Inner {
            url: url.to_owned(),
            web: Web::new(Secrets::default()),
            keys: ArcSwapOption::empty(),
            turn: Mutex::new(turn),
            asked: AtomicU64::new(0),
            is_renewing: AtomicBool::new(false),
        }))
    }

    /// The key that a token names, if the issuer has it.
    pub(super) async fn key(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Option<DecodingKey>, Unreachable> {
        let asked = self.0.asked.load(Ordering::Acquire);
        if let Some(keys) = self.0.keys.load_full() {
            let found = keys.find(id, algorithm);
            if keys.since.elapsed() > FRESH {
                self.renew();
            }
            // A token that names no key has none that could have come meanwhile.
            if found.is_some() || id.is_none() {
                return Ok(found);
            }
        }
        self.ask(asked).await?;
        Ok(self.0.keys.load().as_ref().and_then(|keys| keys.find(id, algorithm)))
    }

    /// Asks for the keys again, while others go on with those that are known.
    fn renew(&self) {
        if self.0.is_renewing.swap(true, Ordering::AcqRel) {
            return;
        }
        let issuer = self.clone();
        tokio::spawn(async move {
            let asked = issuer.0.asked.load(Ordering::Acquire);
            // That it cannot be reached was told where it was asked.
            let _ = issuer.ask(asked).await;
            issuer.0.is_renewing.store(false, Ordering::Release);
        });
    }

    /// Asks for the keys, unless somebody else has since it had been asked so often.
    async fn ask(&self, asked: u64) -> Result<(), Unreachable> {
        let mut turn = self.0.turn.lock().await;
        let is_first = self.0.asked.load(Ordering::Acquire) == asked;
        if is_first && turn.take(Instant::now()) {
            let fetched = self.fetch().await;
            turn.reached = fetched.is_ok();
            match fetched {
                Ok(keys) => self.0.keys.store(Some(Arc::new(keys))),
                Err(error) => tracing::warn!(
                    "the keys of the issuer `{}` cannot be fetched: {error:#}",
                    self.0.url
                ),
            }
            self.0.asked.fetch_add(1, Ordering::AcqRel);
        }
        if turn.reached { Ok(()) } else { Err(Unreachable) }
    }

    async fn fetch(&self) -> anyhow::Result<Keys> {
        let place = self.find().await?;
        let here = Url::parse(&self.0.url).is_ok_and(|it| is_loopback(&it));
        ensure!(
            place.scheme() == "https" || here && place.scheme() == "http" && is_loopback(&place),
            "its keys lie at `{place}`, which is not reached by https"
        );
        let set: Set = self.document(&place).await?;
        let keys = set.keys.into_iter().take(MOST_KEYS);
        let all: Vec<_> = keys.filter_map(|it| Key::of(serde_json::from_value(it).ok()?)).collect();
        ensure!(!all.is_empty(), "it has no key that tokens can be checked with");
        Ok(Keys { all, since: Instant::now() })
    }

    /// Where it says that its keys lie.
    async fn find(&self) -> anyhow::Result<Url> {
        let mut failed = None;
        for place in places(&self.0.url)? {
            match self.document::<Metadata>(&place).await {
                Ok(found) if found.issuer == self.0.url => return Ok(found.jwks_uri),
                Ok(found) => {
                    failed = Some(anyhow::anyhow!("`{place}` speaks of `{}`", found.issuer));
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        match failed {
            Some(error) => Err(error),
            None => bail!("it has no document"),
        }
    }

    async fn document<T: DeserializeOwned>(&self, place: &Url) -> anyhow::Result<T> {
        let document =
            self.0.web.document(place, LARGEST_DOCUMENT, PATIENCE).await.map_err(told)?;
        serde_json::from_slice(&document).with_context(|| format!("`{place}` is none of its kind"))
    }
}

/// Where the documents of an issuer may lie, by RFC 8414 and by OpenID.
fn places(issuer: &str) -> anyhow::Result<Vec<Url>> {
    let url = Url::parse(issuer)?;
    let path = url.path().trim_end_matches('/').to_owned();
    let mut places = Vec::new();
    for written in [
        format!("/.well-known/oauth-authorization-server{path}"),
        format!("{path}/.well-known/openid-configuration"),
        format!("/.well-known/openid-configuration{path}"),
    ] {
        let mut place = url.clone();
        place.set_path(&written);
        if !places.contains(&place) {
            places.push(place);
        }
    }
    Ok(places)
}

impl Turn {
    /// Whether the issuer may be asked once more.
    fn take(&mut self, now: Instant) -> bool {
        let pauses = now.saturating_duration_since(self.since).as_secs() / PAUSE.as_secs();
        let more = u32::try_from(pauses).unwrap_or(AT_ONCE);
        if more > 0 {
            self.left = self.left.saturating_add(more).min(AT_ONCE);
            self.since = now;
        }
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }
}

impl Keys {
    /// Of several keys, a token has to name its own.
    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let key = match id {
            Some(id) => self.all.iter().find(|it| it.id.as_deref() == Some(id) && it.is(algorithm)),
            None if self.all.len() == 1 => self.all.first().filter(|it| it.is(algorithm)),
            None => None,
        };
        key.map(|it| it.key.clone())
    }
}

impl Key {
    /// A key that signs. A shared one would let whoever reads it sign as well.
    fn of(jwk: Jwk) -> Option<Self> {
        let signs =
            jwk.common.public_key_use.as_ref().is_none_or(|it| *it == PublicKeyUse::Signature);
        let only = jwk.common.key_algorithm;
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        let is_public = key.family() != AlgorithmFamily::Hmac;
        (signs && is_public).then_some(Self { id: jwk.common.key_id, only, key })
    }

    fn is(&self, algorithm: Algorithm) -> bool {
        self.key.family() == algorithm.family() && self.only.is_none_or(|it| it == algorithm.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn keys(written: &[Value]) -> Keys {
        let all = written.iter().filter_map(|it| Key::of(serde_json::from_value(it.clone()).ok()?));
        Keys { all: all.collect(), since: Instant::now() }
    }

    #[test]
    fn a_key_is_found_by_its_name_and_for_what_it_is() {
        let rsa = json!({"kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB"});
        let only = json!({"kty": "RSA", "kid": "o", "n": "AQAB", "e": "AQAB", "alg": "PS256"});
        let locks = json!({"kty": "RSA", "kid": "e", "n": "AQAB", "e": "AQAB", "use": "enc", "alg": "RS256"});
        let shared = json!({"kty": "oct", "kid": "s", "k": "AQAB"});
        let strange = json!({"kty": "XYZ", "kid": "x"});
        let several = keys(&[rsa.clone(), only, locks, shared.clone(), strange]);
        let has = |id, algorithm| several.find(id, algorithm).is_some();
        assert!(has(Some("r"), Algorithm::RS256));
        assert!(!has(Some("r"), Algorithm::ES256));
        assert!(!has(Some("r"), Algorithm::HS256));
        assert!(has(Some("o"), Algorithm::PS256));
        assert!(!has(Some("o"), Algorithm::RS256));
        assert!(!has(Some("e"), Algorithm::RS256));
        assert!(!has(Some("s"), Algorithm::HS256));
        assert!(!has(None, Algorithm::RS256));
        assert!(keys(&[rsa, shared]).find(None, Algorithm::RS256).is_some());
    }

    #[test]
    fn nobody_makes_the_issuer_be_asked_without_end() {
        let begin = Instant::now();
        let mut turn = Turn { left: AT_ONCE, since: begin, reached: true };
        let mut asked = |now| (0..100).filter(|_| turn.take(now)).count();
        assert_eq!(asked(begin), 5);
        assert_eq!(asked(begin + PAUSE), 1);
        assert_eq!(asked(begin + PAUSE * 100), 5);
    }

    #[test]
    fn documents_lie_where_either_rule_says() {
        let of = |issuer| places(issuer).unwrap().iter().map(Url::to_string).collect::<Vec<_>>();
        assert_eq!(
            of("https://id.example"),
            [
                "https://id.example/.well-known/oauth-authorization-server",
                "https://id.example/.well-known/openid-configuration"
            ]
        );
        assert_eq!(
            of("https://id.example/realms/a/"),
            [
                "https://id.example/.well-known/oauth-authorization-server/realms/a",
                "https://id.example/realms/a/.well-known/openid-configuration",
                "https://id.example/.well-known/openid-configuration/realms/a"
            ]
        );
    }
}

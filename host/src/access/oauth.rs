//! Tokens that an issuer signed: which of them let somebody in, as whom, and with which roles.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{
    Caller, Refused,
    issuer::{Issuer, Unreachable},
    name, signature,
};
use crate::{
    config::{AccessConfig, OAuthConfig, Signing},
    time::now,
};

/// How far the issuer's clock may be from ours, in seconds.
const LEEWAY: u64 = 30;
/// How many tokens are remembered as good: to check a signature costs more than all else.
const MOST_REMEMBERED: usize = 4096;
/// For how long at most, in milliseconds: a key that its issuer takes back is not to count much longer.
const REMEMBERED: u64 = 60_000;
const PREFIX: &str = "oauth";
/// Where this host tells clients whom to ask for a token.
pub const METADATA: &str = "/.well-known/oauth-protected-resource";

/// The issuer, and what its tokens mean here.
pub(super) struct OAuth {
    config: OAuthConfig,
    access: AccessConfig,
    issuer: Issuer,
    validation: Validation,
    remembered: Mutex<HashMap<[u8; 32], (Caller, u64)>>,
}

type Claims = Map<String, Value>;

impl OAuth {
    pub(super) fn new(config: &OAuthConfig, access: &AccessConfig) -> Self {
        signature::install();
        let mut validation =
            Validation { leeway: LEEWAY, validate_nbf: true, ..Validation::default() };
        validation.set_issuer(&[&config.issuer]);
        validation.set_audience(&[&config.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        Self {
            config: config.clone(),
            access: access.clone(),
            issuer: Issuer::new(&config.issuer),
            validation,
            remembered: Mutex::default(),
        }
    }

    /// Who has this token. None: it is not good.
    pub(super) async fn judge(&self, given: &str) -> Result<Option<Caller>, Refused> {
        let digest: [u8; 32] = Sha256::digest(given.as_bytes()).into();
        if let Some(caller) = self.remembered(&digest) {
            return Ok(Some(caller));
        }
        let Ok(header) = decode_header(given) else { return Ok(None) };
        if !self.config.algorithms.iter().any(|it| algorithm(*it) == header.alg) {
            return Ok(None);
        }
        let key = match self.issuer.key(header.kid.as_deref(), header.alg).await {
            Ok(Some(key)) => key,
            Ok(None) => return Ok(None),
            Err(Unreachable) => return Err(Refused::Unavailable),
        };
        let Some(claims) = self.check(given, &key, header.alg) else { return Ok(None) };
        let Some(caller) = self.caller(&claims) else { return Ok(None) };
        if caller.roles.as_ref().is_none_or(|it| it.is_empty()) {
            return Err(Refused::NoRole);
        }
        self.remember(digest, &caller, &claims);
        Ok(Some(caller))
    }

    fn check(&self, given: &str, key: &DecodingKey, algorithm: Algorithm) -> Option<Claims> {
        let validation = Validation { algorithms: vec![algorithm], ..self.validation.clone() };
        decode(given, key, &validation).ok().map(|it| it.claims)
    }

    fn caller(&self, claims: &Claims) -> Option<Caller> {
        let principal = claims.get(&self.config.principal)?.as_str()?;
        let name = name(PREFIX, principal)?;
        Some(Caller::named(&name, self.roles(claims), self.access.shared))
    }

    /// The roles of all scopes, and those that the token names itself.
    fn roles(&self, claims: &Claims) -> Vec<String> {
        let scopes = ["scope", "scp"].iter().filter_map(|it| claims.get(*it)).flat_map(words);
        let of_scopes = scopes.filter_map(|it| self.config.scopes.get(it)).flatten();
        let path = self.config.roles_claim.as_deref();
        let named = path.and_then(|it| inside(claims, it)).into_iter().flat_map(words);
        let named = named.filter(|it| self.access.role(it).is_some());
        let all: BTreeSet<&str> = of_scopes.map(String::as_str).chain(named).collect();
        all.into_iter().map(str::to_owned).collect()
    }

    fn remembered(&self, digest: &[u8; 32]) -> Option<Caller> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let (caller, until) = remembered.get(digest)?;
        (now() < *until).then(|| caller.clone())
    }

    fn remember(&self, digest: [u8; 32], caller: &Caller, claims: &Claims) {
        let now = now();
        let ends = claims.get("exp").and_then(Value::as_f64).unwrap_or_default();
        // A time that is no number was refused above.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
        let ends = (ends * 1000.0) as u64;
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MOST_REMEMBERED {
            remembered.retain(|_, (_, until)| now < *until);
        }
        if remembered.len() < MOST_REMEMBERED {
            remembered.insert(digest, (caller.clone(), ends.min(now + REMEMBERED)));
        }
    }

    /// What RFC 9728 lets clients know of this host.
    pub(super) fn metadata(&self) -> Value {
        json!({
            "resource": self.config.audience,
            "authorization_servers": [self.config.issuer],
            "scopes_supported": self.config.scopes.keys().collect::<Vec<_>>(),
            "bearer_methods_supported": ["header"],
            "resource_name": "Windlass",
        })
    }

    /// Where that lies, as clients reach this host.
    pub(super) fn metadata_url(&self) -> Option<Url> {
        let mut url = Url::parse(&self.config.audience).ok()?;
        let path = format!("{METADATA}{}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url.set_query(None);
        Some(url)
    }

    pub(super) fn scopes(&self) -> String {
        self.config.scopes.keys().cloned().collect::<Vec<_>>().join(" ")
    }
}

/// Words of a text, or of a list of texts.
fn words(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => text.split(' ').filter(|it| !it.is_empty()).collect(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// A claim by its name, or else one inside others. Names of claims can have dots themselves.
fn inside<'a>(claims: &'a Claims, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once('.')?;
    inside(claims.get(first)?.as_object()?, rest)
}

fn algorithm(signing: Signing) -> Algorithm {
    match signing {
        Signing::RS256 => Algorithm::RS256,
        Signing::RS384 => Algorithm::RS384,
        Signing::RS512 => Algorithm::RS512,
        Signing::PS256 => Algorithm::PS256,
        Signing::PS384 => Algorithm::PS384,
        Signing::PS512 => Algorithm::PS512,
        Signing::ES256 => Algorithm::ES256,
        Signing::ES384 => Algorithm::ES384,
        Signing::EdDSA => Algorithm::EdDSA,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn oauth(more: &str) -> OAuth {
        let needed = "issuer = 'https://id.example'\naudience = 'https://w.example/mcp'";
        let access: AccessConfig = parse(&format!("[oauth]\n{needed}\n{more}")).unwrap();
        OAuth::new(access.oauth.as_ref().unwrap(), &access)
    }

    #[track_caller]
    fn check(oauth: &OAuth, claims: &Value, expected: Option<(&str, &[&str])>) {
        let caller = oauth.caller(claims.as_object().unwrap());
        let told = caller.as_ref().map(|it| (&*it.name, it.roles.as_deref().unwrap().to_vec()));
        let expected =
            expected.map(|(name, roles)| (name, roles.iter().map(|it| (*it).to_owned()).collect()));
        assert_eq!(told, expected, "{claims}");
    }

    #[test]
    fn claims_say_who_and_with_which_roles() {
        let plain = oauth("scopes = { 'mcp:read' = ['user'], 'mcp:all' = ['admin', 'user'] }");
        check(&plain, &json!({"sub": "ann"}), Some(("oauth:ann", &[])));
        check(
            &plain,
            &json!({"sub": "ann", "scope": "x mcp:read"}),
            Some(("oauth:ann", &["user"])),
        );
        let both = json!({"sub": "a|b@c", "scp": ["mcp:all", "mcp:read"]});
        check(&plain, &both, Some(("oauth:a%7Cb%40c", &["admin", "user"])));
        check(&plain, &json!({"sub": "ann", "roles": ["admin"]}), Some(("oauth:ann", &[])));
        check(&plain, &json!({"sub": ""}), None);
        check(&plain, &json!({"sub": 5}), None);
        check(&plain, &json!({}), None);
        check(&plain, &json!({"sub": "a\nb"}), None);
        check(&plain, &json!({"sub": "a".repeat(1000)}), None);
        let realm = oauth("principal = 'email'\nroles_claim = 'realm.roles'");
        let claims = json!({"email": "ann", "realm": {"roles": ["admin", "emperor"]}});
        check(&realm, &claims, Some(("oauth:ann", &["admin"])));
        check(
            &realm,
            &json!({"email": "ann", "realm.roles": "user"}),
            Some(("oauth:ann", &["user"])),
        );
    }

    #[test]
    fn clients_are_told_whom_to_ask() {
        let oauth = oauth("scopes = { 'mcp:read' = ['user'] }");
        let url = oauth.metadata_url().unwrap();
        assert_eq!(url.as_str(), "https://w.example/.well-known/oauth-protected-resource/mcp");
        assert_eq!(oauth.metadata()["authorization_servers"], json!(["https://id.example"]));
    }
}

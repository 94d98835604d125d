//! An OpenID provider: documents, keys, and tokens signed with keys that are made when it starts and whenever it is told.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    process::Command,
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
        RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use serde_json::{Value, json};

use super::served::{self, Asked, Reply};

/// What tokens say that they are for.
pub(crate) const AUDIENCE: &str = "https://windlass.example/mcp";

pub(crate) struct Provider {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    issuer: String,
    keys: Vec<Arc<Key>>,
    made: usize,
    hits: BTreeMap<String, usize>,
    is_down: bool,
    /// What stands in the documents as the issuer, in place of it.
    lies: Option<String>,
}

/// A key pair under its name.
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) algorithm: &'static str,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Provider {
    /// One on a free port of loopback, with a key of each kind.
    pub(crate) fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        let address = served::serve(move |asked| shared.lock().unwrap().answer(&asked));
        let provider = Self { address, state };
        provider.state.lock().unwrap().issuer = provider.issuer();
        for algorithm in ["RS256", "ES256", "EdDSA"] {
            provider.add_key(algorithm);
        }
        provider
    }

    pub(crate) fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `[access.oauth]` for a host that believes it, with a scope for each role.
    pub(crate) fn config(&self) -> String {
        let issuer = self.issuer();
        format!(
            "[access.oauth]\nissuer = '{issuer}'\naudience = '{AUDIENCE}'\nroles_claim = 'groups'\n\
             scopes = {{ 'mcp:read' = ['reader'], 'mcp:all' = ['admin'] }}\n\
             [access.roles.reader]\nallow = [{{ read_only = true }}]\n"
        )
    }

    pub(crate) fn add_key(&self, algorithm: &'static str) -> Arc<Key> {
        let mut state = self.state.lock().unwrap();
        state.made += 1;
        let key = Arc::new(Key::make(format!("key-{}", state.made), algorithm));
        state.keys.push(key.clone());
        key
    }

    /// Takes a key back, so that it is in no document any more.
    pub(crate) fn remove_key(&self, id: &str) {
        self.state.lock().unwrap().keys.retain(|it| it.id != id);
    }

    pub(crate) fn key(&self, algorithm: &str) -> Arc<Key> {
        let state = self.state.lock().unwrap();
        state.keys.iter().rfind(|it| it.algorithm == algorithm).unwrap().clone()
    }

    /// How often a path was asked for.
    pub(crate) fn hits(&self, path: &str) -> usize {
        self.state.lock().unwrap().hits.get(path).copied().unwrap_or_default()
    }

    pub(crate) fn go_down(&self, is_down: bool) {
        self.state.lock().unwrap().is_down = is_down;
    }

    /// From here on its documents speak of another issuer.
    pub(crate) fn lie(&self, issuer: &str) {
        self.state.lock().unwrap().lies = Some(issuer.to_owned());
    }

    /// A token as the endpoint gives it.
    pub(crate) fn token(&self, subject: &str, scope: &str) -> String {
        let place = self.address.to_string();
        let body = format!("grant_type=client_credentials&client_id={subject}&scope={scope}");
        let answer = super::http::post(&place, "/token", &body);
        answer.message()["access_token"].as_str().unwrap().to_owned()
    }

    /// Claims of a good token, for tests that change some.
    pub(crate) fn claims(&self, subject: &str, scope: &str) -> Value {
        claims(&self.issuer(), subject, scope)
    }
}

fn claims(issuer: &str, subject: &str, scope: &str) -> Value {
    let now = seconds();
    json!({"iss": issuer, "aud": AUDIENCE, "sub": subject, "scope": scope,
           "iat": now, "nbf": now, "exp": now + 600})
}

pub(crate) fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl State {
    fn answer(&mut self, asked: &Asked) -> Reply {
        let (path, _) = asked.path_and_query();
        *self.hits.entry(path.to_owned()).or_default() += 1;
        if self.is_down {
            return Reply::new(503, "text/plain", "down");
        }
        let issuer = &self.issuer;
        let body = match path {
            "/.well-known/openid-configuration" => json!({
                "issuer": self.lies.as_ref().unwrap_or(issuer),
                "jwks_uri": format!("{issuer}/keys"),
                "token_endpoint": format!("{issuer}/token"),
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256", "ES256", "EdDSA"],
            }),
            "/keys" => json!({"keys": self.keys.iter().map(|it| it.public()).collect::<Vec<_>>()}),
            "/token" if asked.method == "POST" => self.grant(&asked.body),
            _ => return Reply::new(404, "text/plain", "nothing"),
        };
        Reply::new(200, "application/json", body.to_string())
    }

    fn grant(&self, form: &[u8]) -> Value {
        let form = String::from_utf8_lossy(form).into_owned();
        let fields: BTreeMap<_, _> = form.split('&').filter_map(|it| it.split_once('=')).collect();
        let (subject, scope) = (fields["client_id"], fields["scope"].replace('+', " "));
        let claims = claims(&self.issuer, subject, &scope);
        let token = self.keys.last().unwrap().sign(&claims);
        json!({"access_token": token, "token_type": "Bearer", "expires_in": 600, "scope": scope})
    }
}

impl Key {
    fn make(id: String, algorithm: &'static str) -> Self {
        let random = SystemRandom::new();
        let pair = match algorithm {
            "RS256" => Pair::Rsa(rsa()),
            "ES256" => {
                let how = &ECDSA_P256_SHA256_FIXED_SIGNING;
                let made = EcdsaKeyPair::generate_pkcs8(how, &random).unwrap();
                Pair::P256(EcdsaKeyPair::from_pkcs8(how, made.as_ref(), &random).unwrap())
            }
            _ => {
                let made = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
                Pair::Ed25519(Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap())
            }
        };
        Self { id, algorithm, pair }
    }

    /// The public half, as it stands among the provider's keys.
    pub(crate) fn public(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let PublicKeyComponents { n, e } =
                    PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({"kty": "RSA", "n": encode(n), "e": encode(e)})
            }
            Pair::P256(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..])})
            }
            Pair::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref())})
            }
        };
        jwk["kid"] = self.id.as_str().into();
        jwk["use"] = "sig".into();
        jwk["alg"] = self.algorithm.into();
        jwk
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_with(&json!({"typ": "at+jwt", "alg": self.algorithm, "kid": self.id}), claims)
    }

    /// A token with whatever header, signed as this key can.
    pub(crate) fn sign_with(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                let bytes = message.as_bytes();
                pair.sign(&RSA_PKCS1_SHA256, &random, bytes, &mut signature).unwrap();
                signature
            }
            Pair::P256(pair) => pair.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message.as_bytes()).as_ref().to_vec(),
        };
        format!("{message}.{}", encode(&signature))
    }
}

/// What is signed of a token.
pub(crate) fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", encode(header.to_string()), encode(claims.to_string()))
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// A key of RSA, which nothing else here can make. Some versions wrap it, others do not.
fn rsa() -> RsaKeyPair {
    let arguments = "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -outform DER";
    let made = Command::new("openssl").args(arguments.split(' ')).output();
    let made = made.expect("`openssl` makes the keys of RSA");
    assert!(made.status.success(), "{made:?}");
    let pair = RsaKeyPair::from_pkcs8(&made.stdout);
    pair.or_else(|_| RsaKeyPair::from_der(&made.stdout)).unwrap()
}

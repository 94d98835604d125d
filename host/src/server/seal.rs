//! The state of a call that waits for answers, sealed so that its client can neither read, change nor move it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, bail, ensure};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::access::Caller;

/// How long a client may take for its answers.
const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// How many used states are remembered. More than that in one lifetime is an attack: the oldest may be forgotten.
const MOST_USED: usize = 100_000;

const NONCE: usize = 24;

/// The key of this process. A state does not outlive it.
pub struct Seal {
    cipher: XChaCha20Poly1305,
    /// When the states that were used already would have expired.
    used: Mutex<BTreeMap<(u64, [u8; NONCE]), ()>>,
}

/// What a call left behind when it asked.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Pending {
    /// What the guest wants to remember.
    pub(super) state: String,
    /// What was asked, by name.
    pub(super) asked: BTreeMap<String, Asked>,
    expires: u64,
}

/// The kind of a question, and for a form what its answer must be like.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) enum Asked {
    Form(String),
    Sample,
    Roots,
}

/// What a state is bound to: it opens only for the same caller, method, name and arguments.
pub(super) struct Binding<'a> {
    pub(super) caller: &'a Caller,
    pub(super) method: &'static str,
    pub(super) name: &'a str,
    pub(super) arguments: &'a Value,
}

impl Seal {
    pub fn new() -> anyhow::Result<Self> {
        let mut key = [0; 32];
        random(&mut key)?;
        Ok(Self { cipher: XChaCha20Poly1305::new(&key.into()), used: Mutex::default() })
    }

    pub(super) fn close(
        &self,
        state: String,
        asked: BTreeMap<String, Asked>,
        binding: &Binding<'_>,
    ) -> anyhow::Result<String> {
        let pending = Pending { state, asked, expires: now() + LIFETIME.as_secs() };
        let mut nonce = [0; NONCE];
        random(&mut nonce)?;
        let message = serde_json::to_vec(&pending)?;
        let aad = binding.bytes();
        let payload = Payload { msg: &message, aad: &aad };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.ok().context("the state cannot be sealed")?;
        Ok(BASE64_URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens a state, once.
    pub(super) fn open(&self, sealed: &str, binding: &Binding<'_>) -> anyhow::Result<Pending> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(sealed)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>().context("it is too short")?;
        let payload = Payload { msg: sealed, aad: &binding.bytes() };
        let Ok(message) = self.cipher.decrypt(&XNonce::from(*nonce), payload) else {
            bail!("it was changed, or belongs to another call");
        };
        let pending: Pending = serde_json::from_slice(&message)?;
        ensure!(pending.expires > now(), "it has expired");
        ensure!(self.use_up(pending.expires, *nonce), "it was used already");
        Ok(pending)
    }

    fn use_up(&self, expires: u64, nonce: [u8; NONCE]) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used = used.split_off(&(now(), [0; NONCE]));
        if used.len() >= MOST_USED {
            used.pop_first();
        }
        used.insert((expires, nonce), ()).is_none()
    }
}

impl Binding<'_> {
    /// One text that no other binding has: JSON keeps the parts apart, and its objects are sorted.
    fn bytes(&self) -> Vec<u8> {
        let Self { caller, method, name, arguments } = self;
        Value::from(vec![
            Value::from(&*caller.space),
            Value::from(*method),
            Value::from(*name),
            (*arguments).clone(),
        ])
        .to_string()
        .into_bytes()
    }
}

fn random(bytes: &mut [u8]) -> anyhow::Result<()> {
    getrandom::fill(bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn open(seal: &Seal, sealed: &str, caller: &str, name: &str, arguments: &Value) -> bool {
        let caller = Caller::named(caller, Vec::new(), false);
        let binding = Binding { caller: &caller, method: "tools/call", name, arguments };
        seal.open(sealed, &binding).is_ok()
    }

    #[test]
    fn a_state_opens_once_and_only_where_it_belongs() {
        let (seal, other) = (Seal::new().unwrap(), Seal::new().unwrap());
        let caller = Caller::named("ann", Vec::new(), false);
        let arguments = json!({"path": "/a"});
        let binding =
            Binding { caller: &caller, method: "tools/call", name: "wipe", arguments: &arguments };
        let sealed = seal.close("state".to_owned(), BTreeMap::new(), &binding).unwrap();

        assert!(!open(&seal, &sealed, "bob", "wipe", &arguments), "another caller");
        assert!(!open(&seal, &sealed, "ann", "keep", &arguments), "another tool");
        assert!(!open(&seal, &sealed, "ann", "wipe", &json!({"path": "/"})), "other arguments");
        assert!(!open(&other, &sealed, "ann", "wipe", &arguments), "another key");
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        for place in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[place] ^= 1;
            let flipped = BASE64_URL_SAFE_NO_PAD.encode(flipped);
            assert!(!open(&seal, &flipped, "ann", "wipe", &arguments), "byte {place} flipped");
        }
        assert!(open(&seal, &sealed, "ann", "wipe", &arguments), "its own call");
        assert!(!open(&seal, &sealed, "ann", "wipe", &arguments), "a second time");
    }

    #[test]
    fn an_expired_state_does_not_open() {
        let seal = Seal::new().unwrap();
        let caller = Caller::named("ann", Vec::new(), false);
        let binding =
            Binding { caller: &caller, method: "tools/call", name: "wipe", arguments: &json!({}) };
        let pending = Pending { state: String::new(), asked: BTreeMap::new(), expires: now() };
        let message = serde_json::to_vec(&pending).unwrap();
        let aad = binding.bytes();
        let payload = Payload { msg: &message, aad: &aad };
        let sealed = seal.cipher.encrypt(&XNonce::from([7; NONCE]), payload).unwrap();
        let sealed = BASE64_URL_SAFE_NO_PAD.encode([[7; NONCE].as_slice(), &sealed].concat());
        let error = seal.open(&sealed, &binding).unwrap_err();
        assert_eq!(error.to_string(), "it has expired");
    }
}

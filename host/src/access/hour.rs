//! Tokens of an hour, `name:seconds:hmac`, for who has the secret of a named one.
//!
//! What is signed is bound to that very token: where it ends, or another one takes its name, these end with it.

use anyhow::ensure;
use ring::hmac::{HMAC_SHA256, Key, sign};
use subtle::ConstantTimeEq as _;

use crate::secrets::Reference;

/// How long one is good, in seconds.
pub(super) const LIFE: u64 = 3600;
/// How far ahead another clock may be that shares the secret, in seconds.
const LEEWAY: u64 = 30;
const KEY: usize = 32;

/// What signs them.
pub(super) struct Hour(Key);

/// One as it came. Nothing of it is believed yet.
pub(super) struct Claimed<'a> {
    pub(super) name: &'a str,
    seconds: u64,
    mac: &'a str,
}

impl Hour {
    pub(super) fn new(secret: Option<&Reference>) -> anyhow::Result<Self> {
        let Some(secret) = secret else {
            let mut key = [0; KEY];
            getrandom::fill(&mut key).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
            return Ok(Self(Key::new(HMAC_SHA256, &key)));
        };
        let key = secret.fetch()?;
        ensure!(
            key.len() >= KEY,
            "`{secret}` has fewer than {KEY} characters; `openssl rand -hex 32` makes some"
        );
        Ok(Self(Key::new(HMAC_SHA256, key.as_bytes())))
    }

    /// One that begins at this second. `hash` says which token it comes from.
    pub(super) fn make(&self, name: &str, hash: &str, seconds: u64) -> String {
        format!("{name}:{seconds}:{}", self.mac(name, hash, seconds))
    }

    /// Whether it was made here, from the token with this hash, within the hour.
    pub(super) fn is_good(&self, claimed: &Claimed<'_>, hash: &str, now: u64) -> bool {
        let expected = self.mac(claimed.name, hash, claimed.seconds);
        let is_signed = bool::from(expected.as_bytes().ct_eq(claimed.mac.as_bytes()));
        let begins = claimed.seconds.saturating_sub(LEEWAY);
        let holds = (begins..claimed.seconds.saturating_add(LIFE)).contains(&now);
        is_signed & holds
    }

    fn mac(&self, name: &str, hash: &str, seconds: u64) -> String {
        let tag = sign(&self.0, format!("{name}\n{seconds}\n{hash}").as_bytes());
        tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl<'a> Claimed<'a> {
    pub(super) fn read(given: &'a str) -> Option<Self> {
        let (name, rest) = given.split_once(':')?;
        let (seconds, mac) = rest.split_once(':')?;
        let is_hex = mac.len() == 2 * KEY && mac.bytes().all(|it| it.is_ascii_hexdigit());
        is_hex.then_some(Self { name, seconds: seconds.parse().ok()?, mac })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_good_for_an_hour_and_for_what_it_says() {
        let hour = Hour::new(None).unwrap();
        let made = hour.make("ann", "hash", 10_000);
        let check = |given: &str, hash: &str, now| {
            Claimed::read(given).is_some_and(|it| hour.is_good(&it, hash, now))
        };
        assert!(check(&made, "hash", 10_000));
        assert!(check(&made, "hash", 13_599));
        assert!(!check(&made, "hash", 13_600));
        assert!(!check(&made, "hash", 9_000));
        assert!(!check(&made, "another", 10_000));
        assert!(!check(&made.replace("ann", "bob"), "hash", 10_000));
        assert!(!check(&made.replace("10000", "10001"), "hash", 10_001));
        assert!(!check(&made.to_uppercase().replace("ANN", "ann"), "hash", 10_000));
        for end in 0..made.len() {
            assert!(!check(&made[..end], "hash", 10_000), "{end}");
        }
        let other = Hour::new(None).unwrap();
        assert!(!other.is_good(&Claimed::read(&made).unwrap(), "hash", 10_000));
    }
}

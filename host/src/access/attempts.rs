//! Attempts to come in: how many there were, and those that failed by where they come from.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// So many within [`WINDOW_MS`] are a mistake; more are a search.
pub(super) const MOST: u32 = 20;
pub(super) const WINDOW_MS: u64 = 60_000;
/// More places than this are not told apart.
const MOST_PLACES: usize = 10_000;
/// Who has one address of the sixth version has all that begin with the same 64 bits.
const NETWORK: u128 = !0 << 64;

/// Where somebody calls from. None: the standard streams.
pub type Origin = Option<IpAddr>;

/// All attempts of this process.
pub static ATTEMPTS: Attempts =
    Attempts { success: AtomicU64::new(0), failed: AtomicU64::new(0), limited: AtomicU64::new(0) };

/// How many attempts there were, by what came of them.
pub struct Attempts {
    pub success: AtomicU64,
    pub failed: AtomicU64,
    /// Those that were not looked at.
    pub limited: AtomicU64,
}

/// Attempts that failed of late.
#[derive(Default)]
pub(super) struct Guesses(Mutex<HashMap<Origin, Window>>);

#[derive(Clone, Copy, Default)]
struct Window {
    since: u64,
    failed: u32,
    unseen: u64,
}

/// What is to be said of an attempt that failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Counted {
    /// Whether the next ones are not looked at.
    pub(super) closes: bool,
    /// How many were not looked at in the minute before.
    pub(super) unseen: u64,
}

impl Attempts {
    pub(super) fn one(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl Guesses {
    /// For how many seconds nothing is looked at that comes from there.
    pub(super) fn closed_for(&self, from: Origin, now: u64) -> Option<u64> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.get_mut(&place(from)).filter(|it| it.failed >= MOST)?;
        let left = (window.since + WINDOW_MS).saturating_sub(now);
        if left == 0 {
            return None;
        }
        window.unseen += 1;
        Some(left.div_ceil(1000))
    }

    pub(super) fn count(&self, from: Origin, now: u64) -> Counted {
        let place = place(from);
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= MOST_PLACES {
            windows.retain(|_, it| it.since + WINDOW_MS > now);
        }
        if windows.len() >= MOST_PLACES && !windows.contains_key(&place) {
            return Counted { closes: false, unseen: 0 };
        }
        let window = windows.entry(place).or_default();
        let mut unseen = 0;
        if window.since + WINDOW_MS <= now {
            unseen = window.unseen;
            *window = Window { since: now, ..Window::default() };
        }
        window.failed = window.failed.saturating_add(1);
        Counted { closes: window.failed == MOST, unseen }
    }
}

fn place(from: Origin) -> Origin {
    match from?.to_canonical() {
        IpAddr::V6(address) => Some(Ipv6Addr::from_bits(address.to_bits() & NETWORK).into()),
        address => Some(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> Origin {
        Some(address.parse().unwrap())
    }

    #[test]
    fn who_guesses_too_often_waits() {
        let guesses = Guesses::default();
        let (one, other) = (at("10.0.0.1"), at("10.0.0.2"));
        for number in 1..=MOST {
            assert_eq!(guesses.closed_for(one, 61_000), None);
            let counted = guesses.count(one, 61_000);
            assert_eq!(counted, Counted { closes: number == MOST, unseen: 0 });
        }
        assert_eq!(guesses.closed_for(one, 61_000), Some(60));
        assert_eq!(guesses.closed_for(one, 120_500), Some(1));
        assert_eq!(guesses.closed_for(other, 61_000), None);
        assert_eq!(guesses.closed_for(None, 61_000), None);
        assert_eq!(guesses.closed_for(one, 121_000), None);
        assert_eq!(guesses.count(one, 121_000), Counted { closes: false, unseen: 2 });
        assert_eq!(guesses.closed_for(one, 121_000), None);
    }

    #[test]
    fn who_has_many_addresses_has_one_place() {
        assert_eq!(place(at("2001:db8::1")), place(at("2001:db8::ffff:1")));
        assert_ne!(place(at("2001:db8::1")), place(at("2001:db8:0:1::1")));
        assert_eq!(place(at("::ffff:10.0.0.1")), at("10.0.0.1"));
    }
}

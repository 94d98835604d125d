//! Attempts that failed, by where they come from.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

/// So many within [`WINDOW_MS`] are a mistake; more are a search.
const MOST: u32 = 20;
const WINDOW_MS: u64 = 60_000;
/// More addresses than this are not told apart.
const MOST_ADDRESSES: usize = 10_000;

#[derive(Default)]
pub(super) struct Attempts(Mutex<HashMap<IpAddr, Window>>);

struct Window {
    since: u64,
    failed: u32,
}

impl Attempts {
    /// For how many seconds nothing is looked at that comes from there.
    pub(super) fn closed_for(&self, from: IpAddr, now: u64) -> Option<u64> {
        let windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.get(&from).filter(|it| it.failed >= MOST)?;
        let left = (window.since + WINDOW_MS).saturating_sub(now);
        (left > 0).then(|| left.div_ceil(1000))
    }

    pub(super) fn count(&self, from: IpAddr, now: u64) {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= MOST_ADDRESSES {
            windows.retain(|_, it| it.since + WINDOW_MS > now);
        }
        if windows.len() >= MOST_ADDRESSES && !windows.contains_key(&from) {
            return;
        }
        let window = windows.entry(from).or_insert(Window { since: now, failed: 0 });
        if window.since + WINDOW_MS <= now {
            *window = Window { since: now, failed: 0 };
        }
        window.failed = window.failed.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn who_guesses_too_often_waits() {
        let attempts = Attempts::default();
        let [one, other] = [1, 2].map(|it| IpAddr::from(Ipv4Addr::new(10, 0, 0, it)));
        for _ in 0..MOST {
            assert_eq!(attempts.closed_for(one, 1000), None);
            attempts.count(one, 1000);
        }
        assert_eq!(attempts.closed_for(one, 1000), Some(60));
        assert_eq!(attempts.closed_for(one, 60_500), Some(1));
        assert_eq!(attempts.closed_for(other, 1000), None);
        assert_eq!(attempts.closed_for(one, 61_000), None);
        attempts.count(one, 61_000);
        assert_eq!(attempts.closed_for(one, 61_000), None);
    }
}

//! How often somebody called within the last minute. Pure: the time is told, and is one that nobody sets.

use std::collections::{HashMap, VecDeque};

/// The second at hand and the sixty before it: no minute lies outside of them.
const SECONDS: u64 = 61;
/// Of how many names those that called long ago are kept before they are looked for.
const FEW: usize = 64;

/// Of all callers.
#[derive(Default)]
pub(super) struct Minutes {
    of: HashMap<String, Minute>,
    /// How many names there may be before it is looked which of them still count.
    many: usize,
}

/// How many calls came in which second, of those that count.
#[derive(Default)]
struct Minute {
    seconds: VecDeque<(u64, usize)>,
    calls: usize,
}

impl Minutes {
    /// Counts a call of somebody who may make so many a minute. One too many is not counted: gives after how many seconds to try again.
    pub(super) fn count(&mut self, name: &str, most: usize, second: u64) -> Result<(), u64> {
        if let Some(minute) = self.of.get_mut(name) {
            return minute.count(most, second);
        }
        if self.of.len() >= self.many.max(FEW) {
            self.of.retain(|_, minute| minute.is_at(second));
            self.many = 2 * self.of.len();
        }
        self.of.entry(name.to_owned()).or_default().count(most, second)
    }
}

impl Minute {
    fn count(&mut self, most: usize, second: u64) -> Result<(), u64> {
        self.is_at(second);
        if self.calls >= most {
            let first = self.seconds.front().map_or(second, |(first, _)| *first);
            return Err((first + SECONDS).saturating_sub(second).max(1));
        }
        self.calls += 1;
        match self.seconds.back_mut() {
            Some((last, calls)) if *last >= second => *calls += 1,
            _ => self.seconds.push_back((second, 1)),
        }
        Ok(())
    }

    /// Forgets what is longer ago. Says whether anything is left.
    fn is_at(&mut self, second: u64) -> bool {
        while let Some((first, calls)) = self.seconds.front().copied() {
            if first + SECONDS > second {
                break;
            }
            self.calls -= calls;
            self.seconds.pop_front();
        }
        !self.seconds.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_minute_has_more_than_it_may() {
        let mut minutes = Minutes::default();
        for second in [0, 0, 30] {
            assert_eq!(minutes.count("a", 3, second), Ok(()));
        }
        assert_eq!(minutes.count("a", 3, 30), Err(31));
        assert_eq!(minutes.count("a", 3, 59), Err(2));
        assert_eq!(minutes.count("b", 3, 59), Ok(()), "each for themselves");
        assert_eq!(minutes.count("a", 3, 60), Err(1), "who is refused does not pay for it");
        assert_eq!(minutes.count("a", 3, 61), Ok(()));
        assert_eq!(minutes.count("a", 3, 61), Ok(()));
        assert_eq!(minutes.count("a", 3, 61), Err(30));
        assert_eq!(minutes.count("a", 5, 61), Ok(()), "a bound that was raised counts at once");
        assert_eq!(minutes.count("a", 2, 61), Err(30), "and one that was lowered");
    }

    #[test]
    fn at_every_moment_the_minute_before_has_no_more_than_it_may() {
        let mut minutes = Minutes::default();
        let mut came = Vec::new();
        // Somebody who tries all the time, in thousandths of a second.
        for time in (0..300_000_u64).step_by(7) {
            if minutes.count("a", 100, time / 1000).is_ok() {
                came.push(time);
            }
        }
        for (index, time) in came.iter().enumerate().skip(100) {
            let earlier = came.get(index - 100).copied().unwrap_or_default();
            assert!(time - earlier > 60_000, "{earlier} {time}");
        }
        assert!(came.len() >= 400, "{}", came.len());
    }

    #[test]
    fn who_called_long_ago_takes_no_memory() {
        let mut minutes = Minutes::default();
        for second in 0..10_000 {
            assert_eq!(minutes.count(&format!("caller {second}"), 1, second), Ok(()));
        }
        assert!(minutes.of.len() <= 2 * FEW + 2, "{}", minutes.of.len());
    }
}

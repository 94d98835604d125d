//! What a call did outside of its guest, with the ids of what it was done to.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// More lines than these are only counted.
const MOST: usize = 100;
/// Longer ones are cut.
const LONGEST: usize = 300;

/// Clones are of the same call.
#[derive(Clone, Default)]
pub struct Effects(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    lines: Vec<String>,
    more: u64,
}

impl Effects {
    /// Notes one down. The same one twice is one.
    pub fn add(&self, line: impl Into<String>) {
        let mut line = line.into();
        if line.len() > LONGEST {
            line.truncate(line.floor_char_boundary(LONGEST));
            line.push('…');
        }
        let mut known = self.lock();
        if known.lines.contains(&line) {
            return;
        }
        if known.lines.len() < MOST {
            known.lines.push(line);
        } else {
            known.more += 1;
        }
    }

    /// All of them, which are then forgotten.
    pub fn take(&self) -> Vec<String> {
        let Lines { mut lines, more } = std::mem::take(&mut *self.lock());
        if more > 0 {
            lines.push(format!("and {more} more"));
        }
        lines
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_is_kept_as_anybody_reads() {
        let effects = Effects::default();
        for number in 0..200 {
            effects.add(format!("http GET host{number}"));
            effects.add("http GET host0");
        }
        effects.add("ü".repeat(LONGEST));
        let lines = effects.take();
        assert_eq!(lines.len(), MOST + 1);
        assert_eq!(lines[1], "http GET host1");
        assert_eq!(lines[MOST], "and 101 more");
        assert!(effects.take().is_empty());
    }
}

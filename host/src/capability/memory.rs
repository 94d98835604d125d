//! `memory`: what a plugin can find out again.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{CallState, bindings::windlass::plugin::memory::Host};

/// A plugin that needs more of them needs a store.
const MOST_TEXTS: usize = 256;
/// Longer keys are a mistake.
const LONGEST_KEY: usize = 512;
/// Longer texts belong into a store.
const LONGEST_TEXT: usize = 16 << 10;
/// Nothing is worth remembering for longer.
const LONGEST_MS: u64 = 7 * 24 * 3_600_000;

/// What one plugin remembers, as long as the host runs.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<HashMap<String, Text>>>);

struct Text {
    text: String,
    until: Instant,
}

impl Host for CallState {
    async fn recall(&mut self, key: String) -> wasmtime::Result<Option<String>> {
        Ok(self.memory.recall(&of_caller(self.policy.caller(), &key)))
    }

    async fn remember(&mut self, key: String, text: String, for_ms: u64) -> wasmtime::Result<()> {
        let key = of_caller(self.policy.caller(), &key);
        self.memory.remember(key, text, Duration::from_millis(for_ms.min(LONGEST_MS)));
        Ok(())
    }
}

/// What is remembered for one caller is nothing to another one.
fn of_caller(caller: &str, key: &str) -> String {
    format!("{caller}\n{key}")
}

impl Memory {
    fn recall(&self, key: &str) -> Option<String> {
        let texts = self.texts();
        texts.get(key).filter(|it| it.until > Instant::now()).map(|it| it.text.clone())
    }

    fn remember(&self, key: String, text: String, long: Duration) {
        if key.len() > LONGEST_KEY || text.len() > LONGEST_TEXT {
            return;
        }
        let mut texts = self.texts();
        texts.insert(key, Text { text, until: Instant::now() + long });
        if texts.len() > MOST_TEXTS {
            let shortest = texts.iter().min_by_key(|(_, text)| text.until);
            if let Some(key) = shortest.map(|(key, _)| key.clone()) {
                texts.remove(&key);
            }
        }
    }

    fn texts(&self) -> MutexGuard<'_, HashMap<String, Text>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn what_is_remembered_is_forgotten_in_time() {
        let memory = Memory::default();
        memory.remember("a".into(), "1".into(), LONG);
        memory.remember("a".into(), "2".into(), LONG);
        assert_eq!(memory.recall("a").as_deref(), Some("2"));
        memory.remember("a".into(), "3".into(), Duration::ZERO);
        assert_eq!(memory.recall("a"), None);
    }

    #[test]
    fn there_is_never_more_of_it_than_may_be() {
        let memory = Memory::default();
        memory.remember("first".into(), "1".into(), LONG / 2);
        for number in 0..2 * MOST_TEXTS {
            memory.remember(number.to_string(), "x".repeat(LONGEST_TEXT), LONG);
        }
        memory.remember("long".into(), "x".repeat(LONGEST_TEXT + 1), LONG);
        memory.remember("x".repeat(LONGEST_KEY + 1), "x".into(), LONG);
        assert_eq!(memory.texts().len(), MOST_TEXTS);
        assert_eq!((memory.recall("first"), memory.recall("long")), (None, None));
    }
}

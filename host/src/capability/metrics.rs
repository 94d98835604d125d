//! `metrics`: counters for those who watch over the host.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    CallState,
    bindings::windlass::plugin::metrics::{Counter, Host},
};

/// As many as anybody looks at. Labels with too many values must not fill the memory.
const MOST_COUNTERS: usize = 1000;
/// More labels are a mistake.
const MOST_LABELS: usize = 16;
/// Longer names and values are a mistake.
const LONGEST_TEXT: usize = 256;

/// A counter's name and labels.
type Key = (String, Vec<(String, String)>);

/// The counters of one plugin, as long as the host runs.
#[derive(Clone, Default)]
pub struct Counters(Arc<Mutex<BTreeMap<Key, u64>>>);

impl Host for CallState {
    async fn count(
        &mut self,
        name: String,
        labels: Vec<(String, String)>,
        by: u64,
    ) -> wasmtime::Result<()> {
        self.counters.add((name, labels), by);
        Ok(())
    }

    async fn read(&mut self) -> wasmtime::Result<Vec<Counter>> {
        Ok(self.counters.all())
    }
}

impl Counters {
    fn add(&self, key: Key, by: u64) {
        let fits = |text: &String| text.len() <= LONGEST_TEXT;
        if key.1.len() > MOST_LABELS
            || !fits(&key.0)
            || !key.1.iter().all(|(name, value)| fits(name) && fits(value))
        {
            return;
        }
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = counters.get_mut(&key) {
            *value = value.saturating_add(by);
        } else if counters.len() < MOST_COUNTERS {
            counters.insert(key, by);
        }
    }

    fn all(&self) -> Vec<Counter> {
        let counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = |((name, labels), value): (&Key, &u64)| Counter {
            name: name.clone(),
            labels: labels.clone(),
            value: *value,
        };
        counters.iter().map(counter).collect()
    }
}

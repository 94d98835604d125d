//! `metrics`: what plugins count for those who watch over the host.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{CallState, bindings::windlass::plugin::metrics::Host};
use crate::figures::{Kind, Page};

/// As many as anybody looks at. Labels with too many values must not fill the memory.
const MOST_FIGURES: usize = 1000;
/// More labels are a mistake.
const MOST_LABELS: usize = 16;
/// Longer names and values are a mistake.
const LONGEST_TEXT: usize = 256;
/// The label that says whose a figure is.
const PLUGIN: &str = "plugin";
/// How the names of the host's own figures begin.
const HOSTS: [&str; 2] = ["windlass_", "process_"];

/// A figure's name and labels.
type Key = (String, Vec<(String, String)>);

/// What one plugin has counted since the host began.
#[derive(Clone, Default)]
pub struct Counters(Arc<Mutex<Counted>>);

#[derive(Default)]
struct Counted {
    counters: BTreeMap<Key, u64>,
    /// By what is counted, and for whom.
    gauges: BTreeMap<(Key, String), u64>,
}

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

    async fn set(
        &mut self,
        name: String,
        labels: Vec<(String, String)>,
        value: u64,
    ) -> wasmtime::Result<()> {
        self.counters.set((name, labels), self.policy.caller(), value);
        Ok(())
    }
}

impl Counters {
    fn add(&self, key: Key, by: u64) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = counted.counters.get_mut(&key) {
            *value = value.saturating_add(by);
        } else if fits(&key) && counted.has_room() {
            counted.counters.insert(key, by);
        }
    }

    fn set(&self, key: Key, caller: &str, value: u64) {
        let key = (key, caller.to_owned());
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = counted.gauges.get_mut(&key) {
            *known = value;
        } else if fits(&key.0) && counted.has_room() {
            counted.gauges.insert(key, value);
        }
    }

    /// Adds all of them to a page. A name that is on it already is somebody else's.
    pub fn add_to(&self, page: &mut Page, plugin: &str, taken: &impl Fn(&str) -> bool) {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut gauges: BTreeMap<&Key, u64> = BTreeMap::new();
        for ((key, _), value) in &counted.gauges {
            let sum = gauges.entry(key).or_default();
            *sum = sum.saturating_add(*value);
        }
        let counters = counted.counters.iter().map(|(key, value)| (Kind::Counter, key, *value));
        let gauges = gauges.into_iter().map(|(key, value)| (Kind::Gauge, key, value));
        for (kind, (name, labels), value) in counters.chain(gauges).filter(|it| !taken(&it.1.0)) {
            let own = labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let labels: Vec<_> = std::iter::once((PLUGIN, plugin)).chain(own).collect();
            #[allow(clippy::cast_precision_loss, reason = "Prometheus has no other numbers")]
            page.push(kind, name, "Counted by a plugin", &labels, value as f64);
        }
    }
}

impl Counted {
    fn has_room(&self) -> bool {
        self.counters.len() + self.gauges.len() < MOST_FIGURES
    }
}

/// Whether Prometheus would read it, and take it for the plugin's.
fn fits((name, labels): &Key) -> bool {
    let word = |text: &str, also: &str| {
        let letter = |it: char| it.is_ascii_alphabetic() || it == '_' || also.contains(it);
        text.starts_with(letter) && text.chars().all(|it| letter(it) || it.is_ascii_digit())
    };
    let label = |(place, (name, value)): (usize, &(String, String))| {
        let twice = labels.iter().take(place).any(|(other, _)| other == name);
        let reserved = [PLUGIN, "le", "quantile"].contains(&name.as_str());
        let short = name.len() <= LONGEST_TEXT && value.len() <= LONGEST_TEXT;
        short && word(name, "") && !name.starts_with("__") && !reserved && !twice
    };
    name.len() <= LONGEST_TEXT
        && word(name, ":")
        && !HOSTS.iter().any(|it| name.starts_with(it))
        && labels.len() <= MOST_LABELS
        && labels.iter().enumerate().all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, labels: &[(&str, &str)]) -> Key {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        (name.to_owned(), labels.iter().map(owned).collect())
    }

    fn text(counters: &Counters) -> String {
        let mut page = Page::default();
        counters.add_to(&mut page, "p", &|name| name == "taken");
        page.text()
    }

    #[test]
    fn counters_grow_and_gauges_are_added_up_over_callers() {
        let counters = Counters::default();
        counters.add(key("a_total", &[("kind", "x\ny")]), 2);
        counters.add(key("a_total", &[("kind", "x\ny")]), 3);
        for (caller, value) in [("p@ann", 9), ("p@bob", 1), ("p@ann", 4)] {
            counters.set(key("b", &[]), caller, value);
        }
        counters.add(key("taken", &[]), 1);
        let expected = "# HELP a_total Counted by a plugin\n# TYPE a_total counter\na_total{plugin=\"p\",kind=\"x\\ny\"} 5\n\
                        # HELP b Counted by a plugin\n# TYPE b gauge\nb{plugin=\"p\"} 5\n";
        assert_eq!(text(&counters), expected);
    }

    /// Any of these would let a plugin write lines of its own, or speak for another.
    #[test]
    fn what_prometheus_would_not_read_is_not_counted() {
        let counters = Counters::default();
        for name in ["", "1a", "a b", "a\nb 1\nc", "windlass_calls_total", "process_x", "ä"] {
            counters.add(key(name, &[]), 1);
        }
        for label in ["", "a b", "__name__", "le", "plugin", "a=\"1\",b"] {
            counters.add(key("a", &[(label, "1")]), 1);
        }
        counters.add(key("a", &[("b", "1"), ("b", "2")]), 1);
        counters.add(key("a", &[("b", &"x".repeat(LONGEST_TEXT + 1))]), 1);
        counters.add(key("a", &[("b", "1"); MOST_LABELS + 1]), 1);
        assert_eq!(text(&counters), "");
    }

    #[test]
    fn a_plugin_has_so_many_figures_and_no_more() {
        let counters = Counters::default();
        for number in 0..2 * MOST_FIGURES {
            counters.add(key("a", &[("n", &number.to_string())]), 1);
            counters.set(key("b", &[]), &number.to_string(), 1);
        }
        let counted = counters.0.lock().unwrap();
        assert_eq!(counted.counters.len() + counted.gauges.len(), MOST_FIGURES);
    }
}

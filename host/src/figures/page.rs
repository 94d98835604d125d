//! A page of figures, as Prometheus reads it.

use std::collections::{BTreeMap, BTreeSet};

use prometheus::{
    TextEncoder,
    proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType},
};

/// The figures of one moment, by name.
#[derive(Default)]
pub struct Page(BTreeMap<String, MetricFamily>);

/// How a figure moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    Gauge,
}

impl Page {
    /// The media type of its text.
    pub const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    /// Adds figures under a name that is free. What has it already stays as it is.
    pub fn add(&mut self, family: MetricFamily) {
        self.0.entry(family.name().to_owned()).or_insert(family);
    }

    pub fn gauge(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        self.push(Kind::Gauge, name, help, labels, value);
    }

    /// Adds one figure. Where another plugin has the name for another kind of figure, it is left out.
    pub fn push(
        &mut self,
        kind: Kind,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
        value: f64,
    ) {
        let family = self.0.entry(name.to_owned()).or_insert_with(|| {
            let mut family = MetricFamily::default();
            family.set_name(name.to_owned());
            family.set_help(help.to_owned());
            family.set_field_type(kind.of_prometheus());
            family
        });
        if family.get_field_type() == kind.of_prometheus() {
            family.mut_metric().push(metric(kind, pairs(labels), value));
        }
    }

    pub(super) fn family(&self, name: &str) -> Option<&MetricFamily> {
        self.0.get(name)
    }

    /// The names of all figures so far.
    pub fn names(&self) -> BTreeSet<String> {
        self.0.keys().cloned().collect()
    }

    pub fn text(self) -> String {
        let families: Vec<_> =
            self.0.into_values().filter(|family| !family.get_metric().is_empty()).collect();
        TextEncoder::new().encode_to_string(&families).unwrap_or_else(|error| {
            tracing::error!(%error, "the figures cannot be written");
            String::new()
        })
    }
}

impl Kind {
    pub(super) fn of_prometheus(self) -> MetricType {
        match self {
            Self::Counter => MetricType::COUNTER,
            Self::Gauge => MetricType::GAUGE,
        }
    }
}

pub(super) fn pairs(labels: &[(&str, &str)]) -> Vec<LabelPair> {
    let pair = |(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    labels.iter().map(pair).collect()
}

fn metric(kind: Kind, labels: Vec<LabelPair>, value: f64) -> Metric {
    let mut metric = Metric::from_label(labels);
    match kind {
        Kind::Counter => {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        }
        Kind::Gauge => {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
    }
    metric
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_the_text_that_prometheus_reads() {
        let mut page = Page::default();
        page.push(Kind::Counter, "b_total", "Of b", &[("image", "a\"b\\c\n")], 2.0);
        page.push(Kind::Gauge, "b_total", "Of b", &[], 9.0);
        page.gauge("a", "Of a", &[], 0.5);
        let expected = "# HELP a Of a\n# TYPE a gauge\na 0.5\n# HELP b_total Of b\n# TYPE b_total counter\n\
                        b_total{image=\"a\\\"b\\\\c\\n\"} 2\n";
        assert_eq!(page.text(), expected);
    }
}

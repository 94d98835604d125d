//! Other names of the host's figures: those under which users of an earlier server know them.
//!
//! What stands beside a bundled plugin says which, so that the host knows no plugin.

use std::collections::BTreeMap;

use prometheus::proto::{Bucket, Counter, Gauge, Histogram, Metric, MetricFamily, MetricType};
use serde::Deserialize;

use super::{Page, page::pairs};

/// The figures of the host that have other names too, and which.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(try_from = "BTreeMap<String, String>")]
pub struct Names(BTreeMap<String, String>);

/// A figure that can have another name.
struct Known {
    /// What a plugin's `defaults.toml` calls it.
    key: &'static str,
    figure: &'static str,
    /// Whether only what is the plugin's own counts.
    own: bool,
    /// Only what has this label.
    only: Option<(&'static str, &'static str)>,
    /// The labels that stay, and what they are called then. All with the same ones are one.
    labels: &'static [(&'static str, &'static str)],
}

impl Known {
    const fn of_host(
        key: &'static str,
        figure: &'static str,
        labels: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self { key, figure, own: false, only: None, labels }
    }

    const fn of_plugin(
        key: &'static str,
        figure: &'static str,
        labels: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self { key, figure, own: true, only: None, labels }
    }
}

const KNOWN: [Known; 12] = [
    Known::of_host("info", "windlass_info", &[("version", "version")]),
    Known::of_host(
        "authentication",
        "windlass_authentication_attempts_total",
        &[("status", "status")],
    ),
    Known::of_plugin(
        "calls",
        "windlass_calls_total",
        &[("tool", "tool_name"), ("status", "status")],
    ),
    Known::of_plugin("call_seconds", "windlass_call_duration_seconds", &[("tool", "tool_name")]),
    Known::of_plugin("engine_containers", "windlass_engine_containers", &[("state", "status")]),
    Known::of_plugin("engine_networks", "windlass_engine_networks", &[]),
    Known::of_plugin("engine_stacks", "windlass_engine_stacks", &[]),
    Known {
        only: Some(("state", "running")),
        ..Known::of_plugin("containers", "windlass_containers", &[])
    },
    Known::of_plugin(
        "container_memory",
        "windlass_container_memory_bytes",
        &[("container_id", "container_id")],
    ),
    Known::of_plugin("processes", "windlass_processes", &[]),
    Known::of_plugin("process_seconds", "windlass_process_duration_seconds", &[]),
    Known::of_plugin("process_bytes", "windlass_process_output_bytes", &[]),
];

impl TryFrom<BTreeMap<String, String>> for Names {
    type Error = String;

    fn try_from(names: BTreeMap<String, String>) -> Result<Self, String> {
        match names.keys().find(|key| !KNOWN.iter().any(|known| known.key == key.as_str())) {
            Some(key) => Err(format!("`{key}` is no figure that can have another name")),
            None => Ok(Self(names)),
        }
    }
}

impl Names {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the plugin's figures under their other names.
    pub fn add_to(&self, page: &mut Page, plugin: &str) {
        for known in &KNOWN {
            let Some(name) = self.0.get(known.key) else { continue };
            let Some(family) = page.family(known.figure) else { continue };
            let renamed = known.renamed(family, name, plugin);
            page.add(renamed);
        }
    }
}

impl Known {
    fn renamed(&self, family: &MetricFamily, name: &str, plugin: &str) -> MetricFamily {
        let kind = family.get_field_type();
        let mut sums: BTreeMap<Vec<&str>, Vec<&Metric>> = BTreeMap::new();
        let counted = family.get_metric().iter().filter(|metric| {
            let is = |name: &str, value: &str| label(metric, name) == value;
            (!self.own || is("plugin", plugin)) && self.only.is_none_or(|(name, it)| is(name, it))
        });
        for metric in counted {
            let labels = self.labels.iter().map(|(from, _)| label(metric, from)).collect();
            sums.entry(labels).or_default().push(metric);
        }
        let sum = |(values, metrics): (Vec<&str>, Vec<&Metric>)| {
            let names = self.labels.iter().map(|(_, to)| *to);
            let labels: Vec<_> = names.zip(values).collect();
            let mut sum = Metric::from_label(pairs(&labels));
            add_up(&mut sum, kind, &metrics);
            sum
        };
        let mut renamed = MetricFamily::default();
        renamed.set_name(name.to_owned());
        renamed.set_help(family.help().to_owned());
        renamed.set_field_type(kind);
        renamed.set_metric(sums.into_iter().map(sum).collect());
        renamed
    }
}

fn label<'a>(metric: &'a Metric, name: &str) -> &'a str {
    let found = metric.get_label().iter().find(|it| it.name() == name);
    found.map_or("", |it| it.value())
}

fn add_up(sum: &mut Metric, kind: MetricType, metrics: &[&Metric]) {
    match kind {
        MetricType::COUNTER => {
            let mut counter = Counter::default();
            counter.set_value(metrics.iter().map(|it| it.get_counter().get_value()).sum());
            sum.set_counter(counter);
        }
        MetricType::HISTOGRAM => {
            let each: Vec<_> = metrics.iter().map(|it| it.get_histogram()).collect();
            sum.set_histogram(histogram(&each));
        }
        _ => {
            let mut gauge = Gauge::default();
            gauge.set_value(metrics.iter().map(|it| it.get_gauge().get_value()).sum());
            sum.set_gauge(gauge);
        }
    }
}

/// All have the same buckets: they are one figure's.
fn histogram(each: &[&Histogram]) -> Histogram {
    let mut sum = Histogram::default();
    sum.set_sample_count(each.iter().map(|it| it.get_sample_count()).sum());
    sum.set_sample_sum(each.iter().map(|it| it.get_sample_sum()).sum());
    let bounds = each.first().map(|it| it.get_bucket()).unwrap_or_default();
    let bucket = |(place, bound): (usize, &Bucket)| {
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(bound.upper_bound());
        let counts = each.iter().filter_map(|it| it.get_bucket().get(place));
        bucket.set_cumulative_count(counts.map(Bucket::cumulative_count).sum());
        bucket
    };
    sum.set_bucket(bounds.iter().enumerate().map(bucket).collect());
    sum
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::figures::{Ended, Figures};

    fn names(pairs: &[(&str, &str)]) -> Result<Names, String> {
        let owned = pairs.iter().map(|(key, name)| ((*key).to_owned(), (*name).to_owned()));
        Names::try_from(owned.collect::<BTreeMap<_, _>>())
    }

    #[test]
    fn a_plugin_s_figures_have_their_other_names_too() {
        let figures = Figures::new().unwrap();
        figures.of_tool("docker", "list").note(Ended::Success, Duration::from_millis(3));
        figures.of_tool("docker", "list").note(Ended::Error, Duration::from_millis(3));
        figures.of_tool("other", "list").note(Ended::Error, Duration::from_millis(3));
        let mut page = figures.page();
        page.gauge("windlass_containers", "", &[("plugin", "docker"), ("state", "running")], 2.0);
        page.gauge("windlass_containers", "", &[("plugin", "docker"), ("state", "stopped")], 4.0);
        let names = [("calls", "a_total"), ("call_seconds", "b"), ("containers", "c")];
        names_add(&mut page, &names);
        let text = page.text();
        for line in [
            "a_total{tool_name=\"list\",status=\"success\"} 1",
            "a_total{tool_name=\"list\",status=\"error\"} 1",
            "b_count{tool_name=\"list\"} 2",
            "b_bucket{tool_name=\"list\",le=\"0.005\"} 2",
            "b_bucket{tool_name=\"list\",le=\"0.0025\"} 0",
            "c 2",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}: {text}");
        }
    }

    fn names_add(page: &mut Page, pairs: &[(&str, &str)]) {
        names(pairs).unwrap().add_to(page, "docker");
    }

    #[test]
    fn a_figure_that_is_none_has_no_other_name() {
        assert_eq!(
            names(&[("weather", "x")]).unwrap_err(),
            "`weather` is no figure that can have another name"
        );
    }
}

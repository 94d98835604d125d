//! The figures of the host: what is counted and timed, for those who watch over it.
//!
//! Counting takes no lock that another call could hold. Labels are bounded: plugins and tools are those that were loaded, and
//! callers, arguments and images are none. What there is at a moment is looked up when somebody asks, by the `registry`.

mod names;
mod page;
mod tool;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, core::Collector,
};

use crate::traces;

pub use names::Names;
pub use page::{Kind, Page};
pub use tool::{Ended, ToolFigures};

/// From a call that only answers to one that waits for an engine, in seconds.
const SECONDS: [f64; 16] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0,
    5.0, 30.0, 300.0,
];
/// What a program may take, in seconds.
const LONG_SECONDS: [f64; 10] = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0, 3600.0];
/// What a program may print.
const BYTES: [f64; 8] =
    [256.0, 4096.0, 65_536.0, 524_288.0, 4_194_304.0, 33_554_432.0, 268_435_456.0, 2_147_483_648.0];
/// How many tools have figures of their own. A plugin may rename its tools as often as it likes.
const MOST_TOOLS: usize = 500;
/// The label of all others.
const OTHER: &str = "other";

/// Counts for the whole host. Cheap to clone; the default one counts nothing.
#[derive(Clone, Default)]
pub struct Figures(Option<Arc<Counted>>);

struct Counted {
    registry: Registry,
    calls: IntCounterVec,
    call_seconds: HistogramVec,
    stages: [Histogram; Stage::ALL.len()],
    refusals: IntCounterVec,
    spans: IntCounterVec,
    process_seconds: HistogramVec,
    process_bytes: HistogramVec,
    tools: Mutex<BTreeSet<(String, String)>>,
}

/// A part of a call that takes its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Waiting for its turn.
    Queue,
    /// In the plugin, with all that it asks of the host.
    Guest,
    /// One request to the container engine.
    Engine,
    /// Waiting until the record of it is on disk.
    Audit,
}

impl Stage {
    pub const ALL: [Self; 4] = [Self::Queue, Self::Guest, Self::Engine, Self::Audit];

    pub fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Guest => "guest",
            Self::Engine => "engine",
            Self::Audit => "audit",
        }
    }
}

impl Figures {
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(Some(Arc::new(Counted::new().context("the figures do not fit together")?))))
    }

    /// What is counted of a tool. It is looked up once, when the tool is offered.
    pub fn of_tool(&self, plugin: &str, tool: &str) -> ToolFigures {
        let Some(counted) = &self.0 else { return ToolFigures::default() };
        let pair = (plugin.to_owned(), tool.to_owned());
        let mut tools = counted.tools.lock().unwrap_or_else(PoisonError::into_inner);
        let known = tools.contains(&pair) || tools.len() < MOST_TOOLS;
        let tool = if known { tool } else { OTHER };
        if known {
            tools.insert(pair);
        }
        ToolFigures::new(&counted.calls, &counted.call_seconds, plugin, tool)
    }

    /// Times a part of a call.
    pub async fn time<T>(&self, stage: Stage, work: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let done = work.await;
        let took = begun.elapsed();
        self.took(stage, took);
        if let Some(trace) = traces::current() {
            trace.tell_part(stage.name(), took);
        }
        done
    }

    pub fn took(&self, stage: Stage, time: Duration) {
        let Some(counted) = &self.0 else { return };
        let place = Stage::ALL.iter().position(|it| *it == stage);
        if let Some(histogram) = place.and_then(|place| counted.stages.get(place)) {
            histogram.observe(time.as_secs_f64());
        }
    }

    /// A call failed or was refused, with this code.
    pub fn count_refusal(&self, code: &'static str) {
        if let Some(counted) = &self.0 {
            counted.refusals.with_label_values(&[code]).inc();
        }
    }

    /// So many spans were `sent`, `failed` to be, or were `dropped` since too many waited.
    pub fn count_spans(&self, outcome: &'static str, spans: u64) {
        if let Some(counted) = &self.0 {
            counted.spans.with_label_values(&[outcome]).inc_by(spans);
        }
    }

    /// A program ended that a plugin had started in a container.
    pub fn count_process(&self, plugin: &str, time: Duration, bytes: u64) {
        let Some(counted) = &self.0 else { return };
        counted.process_seconds.with_label_values(&[plugin]).observe(time.as_secs_f64());
        #[allow(clippy::cast_precision_loss, reason = "it is sorted into buckets")]
        counted.process_bytes.with_label_values(&[plugin]).observe(bytes as f64);
    }

    /// All that has been counted so far.
    pub fn page(&self) -> Page {
        let mut page = Page::default();
        let Some(counted) = &self.0 else { return page };
        counted.registry.gather().into_iter().for_each(|family| page.add(family));
        page
    }
}

impl Counted {
    fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        // Those that alerts are about are there before anything has happened.
        let from_zero = |counters: IntCounterVec, values: &[&str]| {
            values.iter().for_each(|value| counters.with_label_values(&[*value]).reset());
            counters
        };
        let counters = |name: &str, help: &str, labels: &[&str]| {
            kept(&registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let histograms = |name: &str, help: &str, labels: &[&str], buckets: &[f64]| {
            let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
            kept(&registry, HistogramVec::new(options, labels)?)
        };
        let stages = histograms(
            "windlass_call_stage_seconds",
            "How long the parts of a call take",
            &["stage"],
            &SECONDS,
        )?;
        let of = ["plugin", "tool", "status"];
        let refusals = counters(
            "windlass_refusals_total",
            "Calls that failed or were refused, by their error's code",
            &["code"],
        )?;
        let spans = counters("windlass_spans_total", "Spans of traces", &["outcome"])?;
        Ok(Self {
            calls: counters("windlass_calls_total", "Calls of tools that have ended", &of)?,
            call_seconds: histograms(
                "windlass_call_duration_seconds",
                "How long calls of tools take",
                &of,
                &SECONDS,
            )?,
            stages: Stage::ALL.map(|stage| stages.with_label_values(&[stage.name()])),
            refusals: from_zero(refusals, &["DENIED", "LIMIT"]),
            spans: from_zero(spans, &["sent", "failed", "dropped"]),
            process_seconds: histograms(
                "windlass_process_duration_seconds",
                "How long programs in containers ran",
                &["plugin"],
                &LONG_SECONDS,
            )?,
            process_bytes: histograms(
                "windlass_process_output_bytes",
                "How much programs in containers printed",
                &["plugin"],
                &BYTES,
            )?,
            tools: Mutex::default(),
            registry,
        })
    }
}

fn kept<T: Collector + Clone + 'static>(registry: &Registry, figure: T) -> prometheus::Result<T> {
    registry.register(Box::new(figure.clone()))?;
    Ok(figure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_often_a_plugin_renames_its_tools_the_text_stays_bounded() {
        let figures = Figures::new().unwrap();
        for number in 0..3 * MOST_TOOLS {
            let tool = figures.of_tool("evil", &format!("t{number}"));
            tool.note(Ended::Success, Duration::from_millis(1));
        }
        let text = figures.page().text();
        let calls = text.lines().filter(|it| it.starts_with("windlass_calls_total{"));
        assert_eq!(calls.count(), MOST_TOOLS + 1);
        let others = format!(r#"plugin="evil",status="success",tool="other"}} {}"#, 2 * MOST_TOOLS);
        assert!(text.contains(&others), "{text}");
        figures.of_tool("evil", "t7").note(Ended::Success, Duration::ZERO);
        assert!(figures.page().text().contains(r#"status="success",tool="t7"} 2"#));
    }

    #[tokio::test]
    async fn stages_are_timed_and_nothing_is_counted_by_default() {
        let figures = Figures::new().unwrap();
        assert_eq!(figures.time(Stage::Guest, async { 7 }).await, 7);
        let text = figures.page().text();
        assert!(text.contains("windlass_call_stage_seconds_count{stage=\"guest\"} 1"), "{text}");
        assert!(text.contains("windlass_call_stage_seconds_count{stage=\"audit\"} 0"), "{text}");
        let none = Figures::default();
        none.of_tool("a", "b").note(Ended::Error, Duration::ZERO);
        none.count_refusal("DENIED");
        assert_eq!(none.page().text(), "");
    }
}

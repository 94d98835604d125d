//! What is counted of one tool.

use std::{sync::OnceLock, time::Duration};

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec};

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Success,
    Error,
    /// It asks the client something; the answer comes with another call.
    Asked,
    /// Whoever called has given it up.
    Cancelled,
}

/// The figures of one tool, found once so that a call looks nothing up. The default ones count nothing.
#[derive(Default)]
pub struct ToolFigures(Option<Of>);

struct Of {
    calls: IntCounterVec,
    seconds: HistogramVec,
    plugin: String,
    tool: String,
    /// Made when a call first ends so: a tool that nobody calls takes no room in the text.
    ended: [OnceLock<(IntCounter, Histogram)>; Ended::ALL.len()],
}

impl Ended {
    pub const ALL: [Self; 4] = [Self::Success, Self::Error, Self::Asked, Self::Cancelled];

    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Asked => "asked",
            Self::Cancelled => "cancelled",
        }
    }
}

impl ToolFigures {
    pub(super) fn new(
        calls: &IntCounterVec,
        seconds: &HistogramVec,
        plugin: &str,
        tool: &str,
    ) -> Self {
        let ended = Ended::ALL.map(|_| OnceLock::new());
        let (plugin, tool) = (plugin.to_owned(), tool.to_owned());
        Self(Some(Of { calls: calls.clone(), seconds: seconds.clone(), plugin, tool, ended }))
    }

    /// A call has ended.
    pub fn note(&self, ended: Ended, time: Duration) {
        let Some(of) = &self.0 else { return };
        let place = Ended::ALL.iter().position(|it| *it == ended);
        let Some(kept) = place.and_then(|place| of.ended.get(place)) else { return };
        let (calls, seconds) = kept.get_or_init(|| {
            let labels = [of.plugin.as_str(), of.tool.as_str(), ended.name()];
            (of.calls.with_label_values(&labels), of.seconds.with_label_values(&labels))
        });
        calls.inc();
        seconds.observe(time.as_secs_f64());
    }
}

//! Traces: which parts a call had and how long each took, told to a collector of OpenTelemetry.
//!
//! A client may say to which trace a call belongs; that goes on to what the call starts, whether anybody collects or not. A
//! call never waits for the collector: what it cannot take in time is dropped, and counted.

mod context;
mod export;

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use crate::{config::TracesConfig, figures::Figures};

pub use context::Context;

use context::Id;
use export::{Exporter, Span};

/// The variable in which programs look for it.
pub const TRACEPARENT: &str = "TRACEPARENT";

tokio::task_local! {
    /// The trace of the call that is under way.
    static CURRENT: Option<Trace>;
}

/// Where traces go. Cheap to clone.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<Collected>>);

struct Collected {
    config: TracesConfig,
    figures: Figures,
    /// Made by the first call that is traced.
    exporter: OnceLock<Option<Exporter>>,
}

/// The trace that a call belongs to. What it starts is below it.
#[derive(Clone)]
pub struct Trace {
    context: Arc<Context>,
    /// Absent: nobody collects it.
    exporter: Option<Exporter>,
}

/// A call that is traced, until it has ended.
pub struct Call {
    trace: Trace,
    parent: Option<Id<8>>,
    begun: SystemTime,
}

/// What is told of a call.
pub struct Told<'a> {
    pub name: String,
    pub attributes: &'a [(&'static str, &'a str)],
    pub failed: bool,
}

impl Traces {
    pub fn new(config: &TracesConfig, figures: &Figures) -> Self {
        let collected = config.endpoint.is_some().then(|| {
            let (config, figures) = (config.clone(), figures.clone());
            Arc::new(Collected { config, figures, exporter: OnceLock::new() })
        });
        Self(collected)
    }

    /// A call begins that belongs to this trace, or to none yet.
    pub fn begin(&self, parent: Option<Context>) -> Option<Call> {
        let exporter = self.0.as_ref().and_then(|it| it.exporter());
        let begun = SystemTime::now();
        let Some(exporter) = exporter else {
            let trace = Trace { context: Arc::new(parent?), exporter: None };
            return Some(Call { trace, parent: None, begun });
        };
        let sampled = match &parent {
            Some(parent) => parent.sampled,
            None => self.0.as_ref().is_some_and(|it| context::chosen(it.config.sample)),
        };
        if parent.is_none() && !sampled {
            return None;
        }
        let above = parent.as_ref().map(|it| it.span);
        let context = Arc::new(Context::below(parent));
        let trace = Trace { context, exporter: sampled.then_some(exporter) };
        Some(Call { trace, parent: above, begun })
    }

    /// Waits until all that was traced so far is told, but not for long.
    pub async fn flush(&self, patience: Duration) {
        let made = self.0.as_ref().and_then(|it| it.exporter.get());
        if let Some(exporter) = made.and_then(Option::as_ref) {
            exporter.flush(patience).await;
        }
    }
}

impl Collected {
    fn exporter(&self) -> Option<Exporter> {
        let make = || Some(Exporter::to(self.config.endpoint.as_ref()?, self.figures.clone()));
        self.exporter.get_or_init(make).clone()
    }
}

impl Call {
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    pub fn end(self, told: Told<'_>) {
        let Some(exporter) = &self.trace.exporter else { return };
        let context = &self.trace.context;
        let attributes = told.attributes.iter().map(|(name, value)| (*name, (*value).to_owned()));
        exporter.tell(Span {
            trace: context.trace,
            id: context.span,
            parent: self.parent,
            state: context.state.clone(),
            name: told.name,
            is_call: true,
            begun: self.begun,
            ended: SystemTime::now(),
            attributes: attributes.collect(),
            failed: told.failed,
        });
    }
}

impl Trace {
    /// One that was begun elsewhere, as it was written down.
    pub fn resumed(parent: &str) -> Option<Self> {
        Some(Self { context: Arc::new(Context::read(parent, None)?), exporter: None })
    }

    /// As the header `traceparent` has it.
    pub fn parent(&self) -> String {
        self.context.to_string()
    }

    pub fn id(&self) -> String {
        self.context.trace.to_string()
    }

    /// A part of it has just ended.
    pub fn tell_part(&self, name: &'static str, took: Duration) {
        let Some(exporter) = &self.exporter else { return };
        let ended = SystemTime::now();
        exporter.tell(Span {
            trace: self.context.trace,
            id: Id::random(),
            parent: Some(self.context.span),
            state: self.context.state.clone(),
            name: name.to_owned(),
            is_call: false,
            begun: ended.checked_sub(took).unwrap_or(ended),
            ended,
            attributes: Vec::new(),
            failed: false,
        });
    }
}

/// The trace of the call that is under way here.
pub fn current() -> Option<Trace> {
    CURRENT.try_with(Clone::clone).ok().flatten()
}

/// Does something as a part of a trace, on whichever thread it goes on.
pub async fn within<T>(trace: Option<Trace>, work: impl Future<Output = T>) -> T {
    CURRENT.scope(trace, work).await
}

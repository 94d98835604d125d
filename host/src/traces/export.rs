//! Telling a collector, in the background: OTLP over HTTP, as JSON.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use url::Url;

use super::context::Id;
use crate::{figures::Figures, web::Reports};

/// How many may wait for a collector. More are dropped.
const MOST_WAITING: usize = 4096;
/// How many are sent at once.
const MOST_TOGETHER: usize = 512;
/// How long the first one waits for others.
const TOGETHER: Duration = Duration::from_millis(500);
/// A collector that takes longer has not got them.
const PATIENCE: Duration = Duration::from_secs(5);

/// Something that took its time.
pub(super) struct Span {
    pub(super) trace: Id<16>,
    pub(super) id: Id<8>,
    pub(super) parent: Option<Id<8>>,
    /// What others have to say of the trace.
    pub(super) state: Option<String>,
    pub(super) name: String,
    /// A client's call, and not a part of one.
    pub(super) is_call: bool,
    pub(super) begun: SystemTime,
    pub(super) ended: SystemTime,
    pub(super) attributes: Vec<(&'static str, String)>,
    pub(super) failed: bool,
}

enum Wanted {
    Tell(Box<Span>),
    /// Answer when all before it is told.
    Flush(oneshot::Sender<()>),
}

#[derive(Clone)]
pub(super) struct Exporter {
    sender: mpsc::Sender<Wanted>,
    figures: Figures,
}

impl Exporter {
    pub(super) fn to(endpoint: &Url, figures: Figures) -> Self {
        let (sender, receiver) = mpsc::channel(MOST_WAITING);
        tokio::spawn(run(receiver, traces_at(endpoint), figures.clone()));
        Self { sender, figures }
    }

    pub(super) fn tell(&self, span: Span) {
        if self.sender.try_send(Wanted::Tell(Box::new(span))).is_err() {
            self.figures.count_spans("dropped", 1);
        }
    }

    pub(super) async fn flush(&self, patience: Duration) {
        let (sender, flushed) = oneshot::channel();
        let flush = async {
            if self.sender.send(Wanted::Flush(sender)).await.is_ok() {
                // Answered or ended: there is nothing more to wait for.
                let _ = flushed.await;
            }
        };
        // What a collector does not take by then is lost.
        let _ = timeout(patience, flush).await;
    }
}

/// Where a collector takes traces.
fn traces_at(endpoint: &Url) -> Url {
    let mut url = endpoint.clone();
    let path = url.path().trim_end_matches('/').to_owned();
    if !path.ends_with("/v1/traces") {
        url.set_path(&format!("{path}/v1/traces"));
    }
    url
}

async fn run(mut receiver: mpsc::Receiver<Wanted>, url: Url, figures: Figures) {
    let reports = Reports::to(url);
    let mut told = false;
    while let Some(first) = receiver.recv().await {
        let (spans, flushed) = gather(first, &mut receiver).await;
        if !spans.is_empty() {
            let count = spans.len() as u64;
            let sent = match timeout(PATIENCE, reports.post(body(&spans).to_string())).await {
                Ok(sent) => sent,
                Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
            };
            figures.count_spans(if sent.is_ok() { "sent" } else { "failed" }, count);
            // Once for each time that it goes away.
            match sent {
                Ok(()) => told = false,
                Err(why) if !told => {
                    told = true;
                    tracing::warn!("traces are not collected: {why}");
                }
                Err(_) => {}
            }
        }
        if let Some(flushed) = flushed {
            // Whoever waited may have gone.
            let _ = flushed.send(());
        }
    }
}

/// What comes soon after the first one, up to a flush.
async fn gather(
    first: Wanted,
    receiver: &mut mpsc::Receiver<Wanted>,
) -> (Vec<Span>, Option<oneshot::Sender<()>>) {
    let mut spans = Vec::new();
    let mut next = Some(first);
    let until = tokio::time::Instant::now() + TOGETHER;
    while let Some(wanted) = next {
        match wanted {
            Wanted::Flush(flushed) => return (spans, Some(flushed)),
            Wanted::Tell(span) => spans.push(*span),
        }
        if spans.len() >= MOST_TOGETHER {
            break;
        }
        next = tokio::time::timeout_at(until, receiver.recv()).await.ok().flatten();
    }
    (spans, None)
}

fn body(spans: &[Span]) -> Value {
    let version = env!("CARGO_PKG_VERSION");
    json!({"resourceSpans": [{
        "resource": {"attributes": [
            attribute("service.name", "windlass"),
            attribute("service.version", version),
        ]},
        "scopeSpans": [{
            "scope": {"name": "windlass", "version": version},
            "spans": spans.iter().map(written).collect::<Vec<_>>(),
        }],
    }]})
}

fn written(span: &Span) -> Value {
    // What OTLP's numbers mean.
    let (internal, server, ok, error) = (1, 2, 1, 2);
    let attributes = span.attributes.iter().map(|(name, value)| attribute(name, value));
    json!({
        "traceId": span.trace.to_string(),
        "spanId": span.id.to_string(),
        "parentSpanId": span.parent.map(|it| it.to_string()).unwrap_or_default(),
        "traceState": span.state.as_deref().unwrap_or_default(),
        "name": span.name,
        "kind": if span.is_call { server } else { internal },
        "startTimeUnixNano": nanoseconds(span.begun),
        "endTimeUnixNano": nanoseconds(span.ended),
        "attributes": attributes.collect::<Vec<_>>(),
        "status": {"code": if span.failed { error } else { ok }},
    })
}

fn attribute(name: &str, value: &str) -> Value {
    json!({"key": name, "value": {"stringValue": value}})
}

/// JSON has no numbers as large as these.
fn nanoseconds(time: SystemTime) -> String {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_go_where_collectors_take_them() {
        for (endpoint, taken) in [
            ("http://c:4318", "http://c:4318/v1/traces"),
            ("http://c:4318/otlp/", "http://c:4318/otlp/v1/traces"),
            ("https://c/v1/traces", "https://c/v1/traces"),
        ] {
            assert_eq!(traces_at(&Url::parse(endpoint).unwrap()).as_str(), taken);
        }
    }

    /// Nobody listens there, and nobody waits.
    #[tokio::test]
    async fn what_a_collector_does_not_take_is_dropped_and_counted() {
        let figures = Figures::new().unwrap();
        let exporter = Exporter::to(&Url::parse("http://127.0.0.1:9").unwrap(), figures.clone());
        for _ in 0..MOST_WAITING + 100 {
            exporter.tell(Span {
                trace: Id::random(),
                id: Id::random(),
                parent: None,
                state: None,
                name: "x".to_owned(),
                is_call: true,
                begun: SystemTime::now(),
                ended: SystemTime::now(),
                attributes: Vec::new(),
                failed: false,
            });
        }
        let text = figures.page().text();
        assert!(text.contains("windlass_spans_total{outcome=\"dropped\"} 100"), "{text}");
    }
}

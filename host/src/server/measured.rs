//! A call of a tool as it is counted, timed and traced.

use std::{sync::Arc, time::Instant};

use rmcp::model::CallToolResponse;

use super::{Context, questions::Refusal};
use crate::{
    figures::{Ended, Figures},
    registry::{OfferedTool, Registry},
    traces::{self, Call, Told, Trace},
};

/// What is refused before the guest or the host's own rules are asked has no code of theirs.
const PROTOCOL: &str = "PROTOCOL";
/// The same for a tool that is not there.
const UNKNOWN: &str = "UNKNOWN_TOOL";

/// A call that is under way. One that nobody waits for any more counts as cancelled.
pub(super) struct Measured {
    tool: Arc<OfferedTool>,
    figures: Figures,
    begun: Instant,
    call: Option<Call>,
    ended: Ended,
}

impl Measured {
    pub(super) fn begin(registry: &Registry, tool: &Arc<OfferedTool>, context: &Context) -> Self {
        Self {
            tool: tool.clone(),
            figures: registry.figures().clone(),
            begun: Instant::now(),
            call: registry.traces().begin(parent(context)),
            ended: Ended::Cancelled,
        }
    }

    pub(super) fn trace(&self) -> Option<Trace> {
        self.call.as_ref().map(|call| call.trace().clone())
    }

    pub(super) fn end(mut self, replied: &Result<CallToolResponse, Refusal>) {
        self.ended = match replied {
            Ok(CallToolResponse::InputRequired(_)) => Ended::Asked,
            Ok(_) => Ended::Success,
            Err(refusal) => {
                self.figures.count_refusal(match refusal {
                    Refusal::Failed(error) => error.code.name(),
                    Refusal::Protocol(_) => PROTOCOL,
                });
                Ended::Error
            }
        };
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        self.tool.figures.note(self.ended, self.begun.elapsed());
        let Some(call) = self.call.take() else { return };
        call.end(Told {
            name: format!("tools/call {}", self.tool.name),
            attributes: &[
                ("mcp.method.name", "tools/call"),
                ("gen_ai.tool.name", &self.tool.name),
                ("windlass.plugin", self.tool.owner()),
                ("windlass.outcome", self.ended.name()),
            ],
            failed: self.ended == Ended::Error,
        });
    }
}

/// A tool was called that is not there for the caller.
pub(super) fn count_unknown(registry: &Registry) {
    registry.figures().count_refusal(UNKNOWN);
}

/// The trace to which the client says that its request belongs: what the request says itself counts more than its header.
fn parent(context: &Context) -> Option<traces::Context> {
    let meta = |name: &str| context.meta.get(name).and_then(|it| it.as_str());
    if let Some(parent) = meta("traceparent") {
        return traces::Context::read(parent, meta("tracestate"));
    }
    let parts = context.extensions.get::<::http::request::Parts>()?;
    let header = |name: &str| parts.headers.get(name).and_then(|it| it.to_str().ok());
    traces::Context::read(header("traceparent")?, header("tracestate"))
}

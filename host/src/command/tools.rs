//! `windlass tools`: the tools that clients see, and what they cost a model.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{Opening, output};
use crate::{bundled::Bundled, capability::tools::Hints, registry::OfferedTool};

/// About how many bytes of JSON make one token.
const BYTES_PER_TOKEN: usize = 4;

#[derive(Args)]
pub(super) struct Tools {
    #[command(flatten)]
    opening: Opening,
    /// JSON, for programs.
    #[arg(long)]
    json: bool,
}

impl Tools {
    pub(super) async fn run(self, bundled: &'static [Bundled]) -> anyhow::Result<ExitCode> {
        let registry = self.opening.open(bundled).await?;
        let catalog = registry.catalog();
        if self.json {
            let tools: Vec<_> = catalog.tools.values().map(|tool| as_json(tool)).collect();
            output::print_json(&tools)?;
        } else {
            let rows = catalog.tools.values().map(|tool| row(tool)).collect();
            output::print(&output::table(
                ["TOOL", "PLUGIN", "HINTS", "TOKENS", "WHAT IT DOES"],
                rows,
            ));
            let total: usize = catalog.tools.values().map(|tool| tokens(tool)).sum();
            output::print(&format!("{} tools, about {total} tokens", catalog.tools.len()));
        }
        let failures = registry.failures();
        for (name, failure) in &failures {
            output::to_stderr(&format!("plugin `{name}` does not load: {failure}"));
        }
        Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn row(tool: &OfferedTool) -> [String; 5] {
    let summary = tool.description.lines().next().unwrap_or_default();
    [
        tool.name.clone(),
        tool.owner().to_owned(),
        hints(tool.hints).join(" "),
        tokens(tool).to_string(),
        summary.to_owned(),
    ]
}

fn as_json(tool: &OfferedTool) -> serde_json::Value {
    json!({
        "name": tool.name,
        "plugin": tool.owner(),
        "description": tool.description,
        "hints": hints(tool.hints),
        "tokens": tokens(tool),
        "inputSchema": tool.input.value(),
        "outputSchema": tool.output.as_ref().map(|it| it.value()),
    })
}

pub(super) fn hints(hints: Hints) -> Vec<&'static str> {
    let all = [
        (Hints::READ_ONLY, "read-only"),
        (Hints::DESTRUCTIVE, "destructive"),
        (Hints::IDEMPOTENT, "idempotent"),
        (Hints::OPEN_WORLD, "open-world"),
        (Hints::JOB, "job"),
        (Hints::NEEDS_TASKS, "needs-tasks"),
    ];
    all.into_iter().filter(|(hint, _)| hints.contains(*hint)).map(|(_, name)| name).collect()
}

/// About what the tool costs a model that reads its name, description and schema.
fn tokens(tool: &OfferedTool) -> usize {
    let schema = serde_json::to_string(tool.input.value()).map_or(0, |text| text.len());
    (tool.name.len() + tool.description.len() + schema) / BYTES_PER_TOKEN
}

//! `metrics`.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Hints, Result, Tool,
    metrics::{Counter, read},
};

use crate::{
    counters::{EXECS, FILES, SPAWNS},
    error::About,
    health::Active,
};

/// The counters, each with what it counts.
const COUNTED: [(&str, &str); 3] = [
    (SPAWNS, "Calls of spawn that succeeded"),
    (EXECS, "Calls of exec_start and exec_cancel, by what came of them"),
    (FILES, "File operations that succeeded"),
];

/// Answers counters and gauges in the text format of Prometheus. The counters start at 0 with the host.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Metrics {}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Text {
    metrics: String,
}

impl Tool for Metrics {
    const NAME: &'static str = "metrics";
    const TITLE: Option<&'static str> = Some("Show metrics");
    const HINTS: Hints = Hints::READ_ONLY.union(Hints::IDEMPOTENT);
    type Output = Text;

    fn run(self, _: &Call) -> Result<Text> {
        let active = Active::count().map_err(|error| About::Host.of(error))?;
        Ok(Text { metrics: text(&read(), &active) })
    }
}

fn text(counters: &[Counter], active: &Active) -> String {
    let mut text = String::new();
    for (name, help) in COUNTED {
        head(&mut text, name, help, "counter");
        for counter in counters.iter().filter(|counter| counter.name == name) {
            let _ = writeln!(text, "{name}{} {}", labels(&counter.labels), counter.value);
        }
    }
    for (name, help, value) in [
        ("mcp_devbench_active_containers", "Containers that run", active.containers),
        ("mcp_devbench_active_attachments", "Clients that are attached", active.attachments),
        ("mcp_devbench_active_execs", "Programs that have not ended", active.execs),
    ] {
        head(&mut text, name, help, "gauge");
        let _ = writeln!(text, "{name} {value}");
    }
    text
}

fn head(text: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn labels(labels: &[(String, String)]) -> String {
    let label = |(name, value): &(String, String)| {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        format!("{name}=\"{value}\"")
    };
    let labels: Vec<_> = labels.iter().map(label).collect();
    if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(name: &str, labels: &[(&str, &str)], value: u64) -> Counter {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        Counter { name: name.to_owned(), labels: labels.iter().map(owned).collect(), value }
    }

    #[test]
    fn metrics_are_the_text_that_prometheus_reads() {
        let counters = [
            counter(SPAWNS, &[("image", "a\"b\\c\n")], 2),
            counter(FILES, &[("op_type", "read")], 40),
            counter("another", &[], 1),
        ];
        let active = Active { containers: 3, attachments: 1, execs: 0 };
        let expected = r#"# HELP mcp_devbench_container_spawns_total Calls of spawn that succeeded
# TYPE mcp_devbench_container_spawns_total counter
mcp_devbench_container_spawns_total{image="a\"b\\c\n"} 2
# HELP mcp_devbench_exec_total Calls of exec_start and exec_cancel, by what came of them
# TYPE mcp_devbench_exec_total counter
# HELP mcp_devbench_fs_operations_total File operations that succeeded
# TYPE mcp_devbench_fs_operations_total counter
mcp_devbench_fs_operations_total{op_type="read"} 40
# HELP mcp_devbench_active_containers Containers that run
# TYPE mcp_devbench_active_containers gauge
mcp_devbench_active_containers 3
# HELP mcp_devbench_active_attachments Clients that are attached
# TYPE mcp_devbench_active_attachments gauge
mcp_devbench_active_attachments 1
# HELP mcp_devbench_active_execs Programs that have not ended
# TYPE mcp_devbench_active_execs gauge
mcp_devbench_active_execs 0
"#;
        assert_eq!(text(&counters, &active), expected);
    }
}

//! What is counted of calls, and by which names.

use serde_json::json;

use super::{LOOKOUT, echo, get, lookout, names, text, values};
use crate::support::{Setup, inside::inside, until};

#[test]
fn calls_are_counted_by_tool_and_how_they_ended() {
    let mut host = echo().config(LOOKOUT).modern();
    host.call("echo", json!({"message": "hi"}));
    host.call("echo", json!({"message": "hi"}));
    host.call("echo", json!({"no": "such argument"}));
    for number in 0..50 {
        let unknown = json!({"name": format!("made_up_{number}"), "arguments": {}});
        host.request("tools/call", unknown);
    }
    until("the host tells where its figures are", || lookout(&host.errors()).is_some());
    let page = text(&get(&lookout(&host.errors()).unwrap(), "/metrics", &[]));
    let counted = values(&page);
    let calls = |status: &str| {
        counted
            [&format!("windlass_calls_total{{plugin=\"echo\",status=\"{status}\",tool=\"echo\"}}")]
    };
    assert_eq!((calls("success"), calls("error")), (2.0, 1.0));
    assert_eq!(counted["windlass_refusals_total{code=\"INVALID\"}"], 1.0);
    assert_eq!(counted["windlass_refusals_total{code=\"UNKNOWN_TOOL\"}"], 50.0);
    assert_eq!(counted["windlass_call_stage_seconds_count{stage=\"guest\"}"], 2.0);
    assert_eq!(counted["windlass_call_stage_seconds_count{stage=\"queue\"}"], 3.0);
    assert!(!page.contains("made_up"), "a client makes labels: {page}");
    assert!(counted["process_resident_memory_bytes"] > 1e6, "{page}");
}

#[test]
fn the_tool_and_the_page_are_the_same() {
    if inside("devbench").is_none() {
        return;
    }
    let mut host = Setup::new()
        .arguments(&["--plugins", "devbench,docker"])
        .environment("DOCKER_HOST", "unix:///nowhere/docker.sock")
        .config(LOOKOUT)
        .modern();
    let failed = host.call("list-containers", json!({}));
    assert_eq!(failed["isError"], true, "there is no engine: {failed}");
    until("the host tells where its figures are", || lookout(&host.errors()).is_some());
    let origin = lookout(&host.errors()).unwrap();
    let errors = "docker_mcp_tool_executions_total{tool_name=\"list-containers\",status=\"error\"}";
    until("it is known that there is no engine", || {
        values(&text(&get(&origin, "/metrics", &[]))).contains_key("windlass_engine_up")
    });
    let told = host.call("metrics", json!({}))["structuredContent"]["metrics"].clone();
    let told = told.as_str().unwrap();
    assert_eq!(values(told)[errors], 1.0, "{told}");
    assert_eq!(values(told)["windlass_engine_up"], 0.0, "{told}");
    let page = text(&get(&origin, "/prometheus", &[]));
    assert_eq!(names(told), names(&page));
}

//! What clients see of the plugin.

use expect_test::expect_file;
use serde_json::json;

use crate::support::{Setup, inside::inside};

#[test]
fn its_tools_are_those_of_the_surface_file() {
    let Some(()) = inside("opencode") else { return };
    let mut host = Setup::new().arguments(&["--plugins", "opencode"]).modern();
    let answer = host.request("tools/list", json!({}));
    let mut tools = answer["result"]["tools"].as_array().unwrap().clone();
    tools.retain(|tool| !tool["name"].as_str().unwrap().starts_with("job_"));
    let shown = serde_json::to_string_pretty(&tools).unwrap();
    expect_file!["../surface/opencode.json"].assert_eq(&format!("{shown}\n"));
}

#[test]
fn a_runtime_that_is_no_container_is_refused_at_load() {
    let Some(()) = inside("opencode") else { return };
    let setup = Setup::new().arguments(&["--plugins", "opencode"]);
    let ended = setup.environment("MCP_RUNTIME_MODE", "local").run(&["serve"]);
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(told.contains("`runtime_mode`: \"local\" is not one of \"docker\""), "{told}");
}

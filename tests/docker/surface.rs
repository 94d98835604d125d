//! What clients see of the plugin.

use expect_test::expect_file;
use serde_json::json;

use crate::support::{Setup, inside::inside};

#[test]
fn its_tools_are_those_of_the_surface_file() {
    let Some(()) = inside("docker") else { return };
    let mut host = Setup::new().arguments(&["--plugins", "docker"]).modern();
    let answer = host.request("tools/list", json!({}));
    let mut tools = answer["result"]["tools"].as_array().unwrap().clone();
    // The host's own are the same for all plugins.
    let own = |name: &str| name.starts_with("job_") || name == "metrics";
    tools.retain(|tool| !own(tool["name"].as_str().unwrap()));
    let shown = serde_json::to_string_pretty(&tools).unwrap();
    expect_file!["../surface/docker.json"].assert_eq(&format!("{shown}\n"));
}

//! Many at once.

use serde_json::{Value, json};

use super::desk::{Desk, WAIT, names};
use crate::support::engine::IMAGE;

const COUNT: usize = 20;

/// Calls a tool for each of these at once; gives the results in their order.
fn at_once(desk: &mut Desk, tool: &str, arguments: Vec<Value>) -> Vec<Value> {
    let call = |arguments| json!({"name": tool, "arguments": arguments});
    let begun: Vec<_> =
        arguments.into_iter().map(|it| desk.host().begin("tools/call", call(it))).collect();
    begun.into_iter().map(|id| desk.host().answer(id)["result"].clone()).collect()
}

#[test]
fn twenty_are_made_and_removed_at_once() {
    let Some(mut desk) = Desk::new() else { return };
    let network = desk.name("front");
    let all: Vec<_> = (0..COUNT).map(|at| desk.name(&format!("web{at:02}"))).collect();
    let make = |name: &String| json!({"image": IMAGE, "name": name, "command": ["sh", "-c", WAIT], "networks": [network]});
    let made = at_once(&mut desk, "create-container", all.iter().map(make).collect());
    for result in &made {
        assert_ne!(result["isError"], true, "{result}");
    }
    let makers =
        made.iter().filter(|it| it["structuredContent"]["networks_created"] == json!([network]));
    assert_eq!(makers.count(), 1, "one of them makes the network");
    let rows = desk.call("network-inspect", json!({"name": network}));
    assert_eq!(names(&rows["containers"]), all);
    let remove = |name: &String| json!({"container_name": name, "force": true});
    for result in at_once(&mut desk, "remove-container", all.iter().map(remove).collect()) {
        assert_ne!(result["isError"], true, "{result}");
    }
    assert_eq!(desk.call("list-containers", json!({}))["containers"], json!([]));
}

#[test]
fn of_twenty_with_one_name_one_is_made() {
    let Some(mut desk) = Desk::new() else { return };
    let name = desk.name("web");
    let wanted = json!({"image": IMAGE, "name": name, "command": ["sh", "-c", WAIT]});
    let results = at_once(&mut desk, "create-container", vec![wanted; COUNT]);
    let (failed, made): (Vec<_>, Vec<_>) = results.iter().partition(|it| it["isError"] == true);
    assert_eq!(made.len(), 1);
    assert!(
        failed.iter().all(|it| it["structuredContent"]["error_code"] == "CONFLICT"),
        "{failed:?}"
    );
    let listed = desk.call("list-containers", json!({}));
    assert_eq!(listed["containers"][0]["id"], made[0]["structuredContent"]["container_id"]);
}

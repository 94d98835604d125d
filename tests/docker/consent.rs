//! What is lost for good is asked for where the client can ask.

use serde_json::{Value, json};

use super::desk::{Desk, Wish};
use crate::support::failure;

fn asking() -> Option<Desk> {
    let capabilities = json!({"elicitation": {"form": {}}});
    Desk::with(&Wish { capabilities, ..Wish::default() })
}

/// Calls a tool that must ask; gives its question, and what came of the answer.
#[track_caller]
fn answered(desk: &mut Desk, tool: &str, arguments: &Value, action: &str) -> (String, Value) {
    let mut call = json!({"name": tool, "arguments": arguments});
    let asked = desk.host().request("tools/call", call.clone())["result"].clone();
    let question = asked["inputRequests"]["confirm"]["params"]["message"].as_str();
    let question = question.unwrap_or_else(|| panic!("`{tool}` does not ask: {asked}")).to_owned();
    call["inputResponses"] = json!({"confirm": {"action": action, "content": {}}});
    call["requestState"] = asked["requestState"].clone();
    (question, desk.host().request("tools/call", call)["result"].clone())
}

#[test]
fn nothing_is_removed_without_a_yes() {
    let Some(mut desk) = asking() else { return };
    let container = desk.container("web");
    let (network, volume) = (desk.name("front"), desk.name("data"));
    desk.call("network-create", json!({"name": network}));
    desk.call("create-volume", json!({"name": volume}));
    let removals = [
        (
            "remove-container",
            "containers",
            json!({"container_name": container, "force": true}),
            &container,
        ),
        ("network-remove", "networks", json!({"name": network}), &network),
        ("remove-volume", "volumes", json!({"name": volume}), &volume),
    ];
    for (tool, kind, arguments, name) in removals {
        let (question, result) = answered(&mut desk, tool, &arguments, "decline");
        assert!(question.starts_with("Remove the ") && question.contains(name), "{question}");
        assert_eq!(failure(&result), "DENIED: the user said no", "{tool}");
        assert!(desk.seen(kind, name).is_some(), "{tool} removed it");
        let (_, result) = answered(&mut desk, tool, &arguments, "accept");
        assert_ne!(result["isError"], true, "{result}");
        assert!(desk.seen(kind, name).is_none(), "{tool} did not remove it");
    }
}

#[test]
fn what_cannot_be_done_is_not_asked_for() {
    let Some(mut desk) = asking() else { return };
    let name = desk.container("web");
    let failed = desk.fails("remove-container", json!({"container_name": name}));
    assert!(failed.starts_with("CONFLICT: "), "{failed}");
}

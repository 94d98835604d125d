//! `prune`: nothing goes unless it is said, and then only what is left over.

use serde_json::{Value, json};

use super::desk::{Desk, Wish, names};

/// A stopped container, one that runs, a network that nobody is in and one that somebody is in, and two volumes.
fn left_over(desk: &mut Desk) {
    let labels = json!({"wlt": desk.mark});
    let (used, unused) = (desk.name("used"), desk.name("unused"));
    for name in [&used, &unused] {
        desk.call("network-create", json!({"name": name, "labels": labels}));
        desk.call("create-volume", json!({"name": name, "labels": labels}));
    }
    desk.container_with(
        "running",
        json!({"labels": labels, "networks": [used], "volumes": {used.clone(): "/data"}}),
    );
    desk.container_with("idle", json!({"labels": labels, "start": false}));
}

fn items(rows: &Value, kind: &str) -> Vec<String> {
    let all = rows["items"].as_array().unwrap().iter();
    names(&all.filter(|it| it["kind"] == kind).cloned().collect())
}

#[test]
fn dk_19_a_dry_run_shows_what_would_go_and_takes_nothing() {
    let Some(mut desk) = Desk::new() else { return };
    left_over(&mut desk);
    let (text, rows) = desk.told("prune", json!({}));
    assert!(
        text.starts_with("Left over, and nothing of it removed: give `dry_run: false`"),
        "{text}"
    );
    let (idle, unused) = (desk.name("idle"), desk.name("unused"));
    assert_eq!(rows["dry_run"], true);
    assert_eq!(items(&rows, "container"), [idle.as_str()]);
    assert_eq!(items(&rows, "network"), [unused.as_str()]);
    assert!(items(&rows, "volume").is_empty(), "{rows}");
    assert!(desk.seen("containers", &idle).is_some() && desk.seen("networks", &unused).is_some());
    let rows = desk.call("prune", json!({"what": "volumes"}));
    assert_eq!((items(&rows, "volume"), items(&rows, "container")), (vec![unused], vec![]));
    let none = desk.told("prune", json!({"labels": ["wlt=other"]})).0;
    assert_eq!(none, "Nothing is left over");
}

#[test]
fn dk_19_only_what_is_left_over_goes() {
    let Some(mut desk) = Desk::new() else { return };
    left_over(&mut desk);
    let (idle, unused) = (desk.name("idle"), desk.name("unused"));
    let (text, rows) = desk.told("prune", json!({"dry_run": false}));
    assert!(text.starts_with("Pruned:\n"), "{text}");
    assert!(rows["items"].as_array().unwrap().iter().all(|it| it["removed"] == true), "{rows}");
    assert!(desk.seen("containers", &idle).is_none() && desk.seen("networks", &unused).is_none());
    assert!(desk.seen("volumes", &unused).is_some(), "a volume went unasked");
    desk.call("prune", json!({"what": "volumes", "dry_run": false}));
    assert!(desk.seen("volumes", &unused).is_none());
    for kind in ["networks", "volumes"] {
        assert!(desk.seen(kind, &desk.name("used")).is_some(), "{kind} in use went");
    }
    assert!(desk.seen("containers", &desk.name("running")).is_some());
}

#[test]
fn a_yes_counts_for_what_was_shown() {
    let capabilities = json!({"elicitation": {"form": {}}});
    let Some(mut desk) = Desk::with(&Wish { capabilities, ..Wish::default() }) else { return };
    let first = desk.container_with("first", json!({"start": false}));
    let call = json!({"name": "prune", "arguments": {"what": "containers", "dry_run": false}});
    let asked = desk.host().request("tools/call", call.clone())["result"].clone();
    let question = &asked["inputRequests"]["confirm"]["params"]["message"];
    assert_eq!(question, &json!(format!("Remove what is left over: container `{first}`?")));
    let second = desk.container_with("second", json!({"start": false}));
    let mut again = call;
    again["inputResponses"] = json!({"confirm": {"action": "accept", "content": {}}});
    again["requestState"] = asked["requestState"].clone();
    let done = desk.host().request("tools/call", again)["result"]["structuredContent"].clone();
    assert_eq!(items(&done, "container"), [first.as_str()]);
    assert!(
        desk.seen("containers", &first).is_none() && desk.seen("containers", &second).is_some()
    );
}

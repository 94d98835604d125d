//! Networks: made, listed, looked at, joined, left, removed.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::desk::{Desk, names};

/// Addresses that hardly anybody else has: an engine refuses those of another network.
fn range() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
    format!("10.{}.{}", 192 + now % 64, now / 64 % 256)
}

/// A container that is in a network already: an engine without a bridge of its own would give it none.
fn member(desk: &mut Desk, end: &str) -> String {
    let home = desk.name("home");
    desk.container_with(end, json!({"networks": [home]}))
}

#[test]
fn dk_08_09_10_13_networks_come_and_go() {
    let Some(mut desk) = Desk::new() else { return };
    let name = desk.name("back");
    let wanted = json!({"name": name, "internal": true, "labels": {"a": 1}});
    let (text, made) = desk.told("network-create", wanted.clone());
    assert_eq!(text, format!("Network '{name}' created successfully"));
    let seen = desk.seen("networks", &name).unwrap();
    assert_eq!((&seen["Internal"], &seen["Labels"]["a"]), (&json!(true), &json!("1")));
    assert_eq!((&seen["Driver"], &seen["Id"]), (&json!("bridge"), &made["id"]));
    let again = desk.fails("network-create", wanted);
    assert!(again.starts_with(&format!("CONFLICT: Error creating network '{name}': ")), "{again}");

    let (text, rows) = desk.told("network-list", json!({}));
    assert!(text.starts_with("Docker Networks:\nNETWORK ID "), "{text}");
    let own = names(&rows["networks"]).into_iter().filter(|it| it.starts_with(&desk.mark));
    assert_eq!(own.collect::<Vec<_>>(), [name.as_str()]);
    let (text, rows) = desk.told("network-inspect", json!({"name": name}));
    assert!(text.starts_with(&format!("Network '{name}' details:\n{{")), "{text}");
    assert_eq!((&rows["network"]["internal"], &rows["containers"]), (&json!(true), &json!([])));
    assert_eq!(rows["details"]["Name"], name);

    let (text, _) = desk.told("network-remove", json!({"name": name}));
    assert_eq!(text, format!("Network '{name}' removed successfully"));
    assert!(desk.seen("networks", &name).is_none());
    for tool in ["network-remove", "network-inspect"] {
        let failed = desk.fails(tool, json!({"name": name}));
        assert!(
            failed.starts_with(&format!("NETWORK_NOT_FOUND: there is no network `{name}`")),
            "{failed}"
        );
    }
}

#[test]
fn dk_11_12_containers_join_and_leave() {
    let Some(mut desk) = Desk::new() else { return };
    let network = desk.name("front");
    let (one, other) = (member(&mut desk, "one"), member(&mut desk, "two"));
    desk.call("network-create", json!({"name": network}));
    for (container, aliases) in [(&one, json!(["db"])), (&other, json!([]))] {
        let wanted = json!({"network": network, "container": container, "aliases": aliases});
        let (text, rows) = desk.told("network-connect", wanted);
        assert_eq!(
            text,
            format!("Container '{container}' connected to network '{network}' successfully")
        );
        assert_eq!(rows["connected"], true);
    }
    let rows = desk.call("network-inspect", json!({"name": network}));
    assert_eq!(names(&rows["containers"]), [one.clone(), other.clone()]);
    let ping = json!({"container_name": other, "command": ["ping", "-c", "1", "db"]});
    let ran = desk.call("exec-in-container", ping);
    assert_eq!(ran["exit_code"], 0, "{ran}");

    let failed = desk.fails("network-remove", json!({"name": network}));
    assert!(failed.starts_with("CONFLICT: ") && failed.contains(&one), "{failed}");
    for container in [&one, &other] {
        let wanted = json!({"network": network, "container": container});
        let (text, _) = desk.told("network-disconnect", wanted);
        assert_eq!(
            text,
            format!("Container '{container}' disconnected from network '{network}' successfully")
        );
    }
    desk.call("network-remove", json!({"name": network}));
}

#[test]
fn who_joins_what_is_not_there_hears_which() {
    let Some(mut desk) = Desk::new() else { return };
    let (network, container) = (desk.name("front"), member(&mut desk, "web"));
    let nowhere = json!({"network": network, "container": container});
    let failed = desk.fails("network-connect", nowhere);
    assert!(failed.starts_with("NETWORK_NOT_FOUND: "), "{failed}");
    desk.call("network-create", json!({"name": network}));
    let nobody = json!({"network": network, "container": desk.name("nobody")});
    for tool in ["network-connect", "network-disconnect"] {
        let failed = desk.fails(tool, nobody.clone());
        assert!(failed.starts_with("CONTAINER_NOT_FOUND: "), "{failed}");
    }
}

#[test]
fn an_address_is_given_where_one_is_wanted() {
    let Some(mut desk) = Desk::new() else { return };
    let (network, container) = (desk.name("front"), member(&mut desk, "web"));
    let range = range();
    let made =
        desk.told("network-create", json!({"name": network, "subnet": format!("{range}.0/24")})).1;
    assert!(made["id"].is_string());
    let wanted = json!({"network": network, "container": container, "ipv4": format!("{range}.9")});
    desk.call("network-connect", wanted);
    let rows = desk.call("network-inspect", json!({"name": network}));
    assert!(
        rows["containers"][0]["ipv4"].as_str().unwrap().starts_with(&format!("{range}.9")),
        "{rows}"
    );
    assert_eq!(rows["network"]["subnets"], json!([format!("{range}.0/24")]));
}

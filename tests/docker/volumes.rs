//! Volumes: made, listed, removed; and what is in them outlives the container.

use serde_json::json;

use super::desk::{Desk, names};

#[test]
fn dk_18_volumes_come_and_go() {
    let Some(mut desk) = Desk::new() else { return };
    let name = desk.name("data");
    let wanted = json!({"name": name, "labels": {"a": "b"}});
    let (text, rows) = desk.told("create-volume", wanted.clone());
    assert_eq!(
        (text, &rows["existed"]),
        (format!("Volume '{name}' created successfully"), &json!(false))
    );
    let (text, rows) = desk.told("create-volume", wanted);
    assert_eq!(
        (text, &rows["existed"]),
        (format!("Volume '{name}' is there already"), &json!(true))
    );
    assert_eq!(desk.seen("volumes", &name).unwrap()["Labels"]["a"], "b");

    let container = desk.container_with("web", json!({"volumes": {name.clone(): "/data"}}));
    let write = json!({"container_name": container, "command": "echo kept > /data/file"});
    assert_eq!(desk.call("exec-in-container", write)["exit_code"], 0);
    let (text, rows) = desk.told("list-volumes", json!({}));
    assert!(text.starts_with("Docker Volumes:\nDRIVER "), "{text}");
    assert_eq!(names(&rows["volumes"]), [name.as_str()]);
    assert_eq!(rows["volumes"][0]["in_use"], true);
    let failed = desk.fails("remove-volume", json!({"name": name, "force": true}));
    assert!(failed.starts_with("CONFLICT: "), "{failed}");

    desk.call(
        "remove-container",
        json!({"container_name": container, "force": true, "volumes": true}),
    );
    let container = desk.container_with("again", json!({"volumes": {name.clone(): "/data:ro"}}));
    let read = json!({"container_name": container, "command": ["cat", "/data/file"]});
    assert_eq!(desk.call("exec-in-container", read)["stdout"], "kept\n");
    desk.call("remove-container", json!({"container_name": container, "force": true}));

    let (text, _) = desk.told("remove-volume", json!({"name": name}));
    assert_eq!(text, format!("Volume '{name}' removed successfully"));
    assert!(desk.seen("volumes", &name).is_none());
    let failed = desk.fails("remove-volume", json!({"name": name}));
    assert!(failed.starts_with("VOLUME_NOT_FOUND: "), "{failed}");
    desk.call("remove-volume", json!({"name": name, "force": true}));
}

//! `create-container`: all that it can be told arrives at the engine, and what fails leaves nothing.

use serde_json::{Value, json};

use super::desk::{Desk, WAIT, Wish};
use crate::support::{engine::IMAGE, until};

/// A free port of loopback, as the engine said.
fn port(desk: &Desk, name: &str, target: &str) -> Value {
    desk.seen("containers", name).unwrap()["NetworkSettings"]["Ports"][target][0].clone()
}

#[test]
fn dk_01_a_container_is_as_it_was_wanted() {
    let Some(mut desk) = Desk::new() else { return };
    let (name, network, volume) = (desk.name("web"), desk.name("front"), desk.name("data"));
    let (text, rows) = desk.told(
        "create-container",
        json!({
            "image": IMAGE, "name": name, "command": ["sh", "-c", WAIT],
            "ports": {"0": "80", "127.0.0.1:0/udp": 53},
            "environment": {"GREETING": "hello", "COUNT": 3},
            "volumes": {volume.clone(): "/data:ro"},
            "networks": [network],
            "health_check": {"cmd": "true", "interval": "1s", "retries": 2, "timeout": "5s", "start_period": "500ms"},
            "resources": {"cpu": "0.5", "memory": "64m"},
            "restart_policy": "on-failure:3",
            "labels": {"wlt": "yes"}, "user": "1000", "working_dir": "/tmp", "hostname": "web", "read_only": true,
        }),
    );
    let id = rows["container_id"].as_str().unwrap();
    assert!(
        text.starts_with(&format!("Created container '{name}' (ID: {id})\n\nContainer details:\n")),
        "{text}"
    );
    assert!(text.contains("CONTAINER ID") && text.contains(IMAGE), "{text}");
    assert_eq!((&rows["started"], &rows["pulled"]), (&json!(true), &json!(false)));
    assert_eq!(rows["networks_created"], json!([network]));
    assert_eq!(
        (&rows["container"]["state"], &rows["container"]["name"]),
        (&json!("running"), &json!(name))
    );

    let seen = desk.seen("containers", &name).unwrap();
    let (config, machine) = (&seen["Config"], &seen["HostConfig"]);
    let env = config["Env"].to_string();
    assert!(env.contains("GREETING=hello") && env.contains("COUNT=3"), "{env}");
    assert_eq!(config["Healthcheck"]["Test"], json!(["CMD-SHELL", "true"]));
    assert_eq!(config["Healthcheck"]["Interval"], 1_000_000_000);
    assert_eq!(config["Healthcheck"]["StartPeriod"], 500_000_000);
    assert_eq!(config["Labels"]["wlt"], "yes");
    assert_eq!((&config["User"], &config["WorkingDir"]), (&json!("1000"), &json!("/tmp")));
    assert_eq!(machine["NanoCpus"], 500_000_000);
    assert_eq!(machine["Memory"], 64 << 20);
    assert_eq!(machine["ReadonlyRootfs"], true);
    assert_eq!(machine["RestartPolicy"], json!({"Name": "on-failure", "MaximumRetryCount": 3}));
    assert!(seen["NetworkSettings"]["Networks"][&network].is_object(), "{seen}");
    assert_eq!(
        (&seen["Mounts"][0]["Name"], &seen["Mounts"][0]["RW"]),
        (&json!(volume), &json!(false))
    );
    assert_eq!(port(&desk, &name, "80/tcp")["HostIp"], "127.0.0.1");
    assert_eq!(port(&desk, &name, "53/udp")["HostIp"], "127.0.0.1");
    until("it is well", || {
        desk.call("inspect-container", json!({"container_name": name}))["health"] == "healthy"
    });
}

#[test]
fn a_container_without_a_name_gets_one_of_its_image() {
    let grant = "names = ['busybox-*']\nnetworks = ['bridge']\nregistries = ['docker.io']";
    let Some(mut desk) = Desk::with(&Wish { grant, ..Wish::default() }) else { return };
    let made =
        desk.call("create-container", json!({"image": IMAGE, "command": "true", "start": false}));
    let (name, id) =
        (made["container_name"].as_str().unwrap(), made["container_id"].as_str().unwrap());
    assert!(name.starts_with("busybox-") && name.len() == "busybox-".len() + 8, "{name}");
    assert_eq!(made["container"]["state"], "created");
    desk.engine.delete(&format!("/containers/{id}?force=1")).unwrap();
}

#[test]
fn what_fails_leaves_nothing() {
    let Some(mut desk) = Desk::new() else { return };
    let (name, network, volume) = (desk.name("web"), desk.name("front"), desk.name("data"));
    let wanted = json!({
        "image": IMAGE, "name": name, "command": ["/no/such/program"],
        "networks": [network], "volumes": {volume.clone(): "/data"},
    });
    let failed = desk.fails("create-container", wanted);
    assert!(
        failed.contains(&format!(": Error creating container '{name}': cannot start container")),
        "{failed}"
    );
    assert!(desk.seen("containers", &name).is_none(), "the container stays");
    assert!(desk.seen("networks", &network).is_none(), "the network stays");
    assert!(desk.seen("volumes", &volume).is_none(), "the volume stays");
}

#[test]
fn what_was_there_before_stays_where_it_fails() {
    let Some(mut desk) = Desk::new() else { return };
    let (name, network, volume) = (desk.name("web"), desk.name("front"), desk.name("data"));
    desk.call("network-create", json!({"name": network}));
    desk.call("create-volume", json!({"name": volume}));
    let wanted = json!({
        "image": IMAGE, "name": name, "command": ["/no/such/program"],
        "networks": [network], "volumes": {volume.clone(): "/data"},
    });
    desk.fails("create-container", wanted);
    assert!(desk.seen("networks", &network).is_some() && desk.seen("volumes", &volume).is_some());
}

#[test]
fn a_name_that_is_taken_is_a_conflict_and_its_container_stays() {
    let Some(mut desk) = Desk::new() else { return };
    let name = desk.container("web");
    let id = desk.seen("containers", &name).unwrap()["Id"].clone();
    let network = desk.name("front");
    let again = json!({"image": IMAGE, "name": name, "command": "true", "networks": [network]});
    let failed = desk.fails("create-container", again);
    assert!(failed.starts_with("CONFLICT: "), "{failed}");
    assert_eq!(desk.seen("containers", &name).unwrap()["Id"], id);
    assert!(desk.seen("networks", &network).is_none(), "its network stays");
}

#[test]
fn an_image_that_is_not_there_and_not_pulled_is_missing() {
    let Some(mut desk) = Desk::new() else { return };
    let wanted =
        json!({"image": "windlass-test/nothing:1", "name": desk.name("web"), "pull": "never"});
    let failed = desk.fails("create-container", wanted);
    assert!(
        failed.starts_with("IMAGE_NOT_FOUND: there is no image `windlass-test/nothing:1`"),
        "{failed}"
    );
}

#[test]
fn a_secret_reaches_the_container_and_nobody_else() {
    let wish = Wish {
        grant: "names = ['{mark}-*']\nnetworks = ['bridge']\nregistries = ['docker.io']\nsecrets = ['token']",
        secrets: "token = 'file:/etc/hostname'",
        ..Wish::default()
    };
    let Some(mut desk) = Desk::with(&wish) else { return };
    let value = std::fs::read_to_string("/etc/hostname").unwrap().trim().to_owned();
    let name = desk.container_with(
        "web",
        json!({"secrets": {"API_TOKEN": "token"}, "environment": {"DB_PASSWORD": "hunter22"}}),
    );
    let env = desk.seen("containers", &name).unwrap()["Config"]["Env"].to_string();
    assert!(env.contains(&format!("API_TOKEN={value}")), "{env}");
    let (text, rows) = desk.told("inspect-container", json!({"container_name": name}));
    for shown in [text, rows.to_string()] {
        assert!(shown.contains("DB_PASSWORD") && !shown.contains("hunter22"), "{shown}");
        assert!(!shown.contains(&format!("API_TOKEN={value}")), "{shown}");
    }
}

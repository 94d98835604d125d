//! Networks, and what services are to each other.

use serde_json::json;

use super::{Desk, Element, hold};

pub(super) const ELEMENTS: &[Element] = &[
    ("version name", "version: '3.8'\nname: other\nx-ignored: [1]\nservices: {web: {image: windlass-test/busybox:latest, command: sleep 100, stop_signal: KILL, network_mode: none, x-too: 1}}", &[
        ("/Config/Labels/com.docker.compose.project", "\"{p}\""),
    ]),
    (
        "networks.*.driver networks.*.driver_opts networks.*.internal networks.*.attachable networks.*.labels networks.*.name networks.*.ipam.driver networks.*.ipam.config[].subnet networks.*.ipam.config[].gateway networks.*.ipam.config[].ip_range",
        "services: {web: {image: windlass-test/busybox:latest, command: sleep 100, stop_signal: KILL, networks: [front, back]}}
         networks:
           front: {driver: bridge, driver_opts: {com.docker.network.bridge.enable_icc: 'false'}, internal: true, attachable: true, labels: {a: b}}
           back: {name: '{p}-own', ipam: {driver: default, config: [{subnet: 10.213.7.0/24, gateway: 10.213.7.1, ip_range: 10.213.7.128/25}]}}",
        &[
            ("networks/{p}_front#/Internal", "true"),
            ("networks/{p}_front#/Attachable", "true"),
            ("networks/{p}_front#/Driver", "\"bridge\""),
            ("networks/{p}_front#/Options", r#"{"com.docker.network.bridge.enable_icc": "false"}"#),
            ("~networks/{p}_front#/Labels", r#"{"a": "b", "com.docker.compose.network": "front", "com.docker.compose.project": "{p}"}"#),
            ("networks/{p}-own#/IPAM/Config", r#"[{"Subnet": "10.213.7.0/24", "Gateway": "10.213.7.1", "IPRange": "10.213.7.128/25"}]"#),
            ("~/NetworkSettings/Networks", r#"{"{p}_front": {}, "{p}-own": {}}"#),
        ],
    ),
    (
        "networks.*.aliases networks.*.ipv4_address",
        "services: {web: {image: windlass-test/busybox:latest, command: sleep 100, stop_signal: KILL, networks: {front: {aliases: [other], ipv4_address: 10.213.8.9}}}}
         networks: {front: {ipam: {config: [{subnet: 10.213.8.0/24}]}}}",
        &[
            ("~/NetworkSettings/Networks/{p}_front/Aliases", r#"["web", "other"]"#),
            ("/NetworkSettings/Networks/{p}_front/IPAMConfig/IPv4Address", "\"10.213.8.9\""),
        ],
    ),
    (
        "networks.*.ipv6_address networks.*.enable_ipv6",
        "services: {web: {image: windlass-test/busybox:latest, command: sleep 100, stop_signal: KILL, networks: {front: {ipv6_address: 'fd00:213::9'}}}}
         networks: {front: {enable_ipv6: true, ipam: {config: [{subnet: 'fd00:213::/64'}]}}}",
        &[
            ("networks/{p}_front#/EnableIPv6", "true"),
            ("/NetworkSettings/Networks/{p}_front/IPAMConfig/IPv6Address", "\"fd00:213::9\""),
        ],
    ),
    (
        "network_mode pid ipc",
        "services:
           db: {image: windlass-test/busybox:latest, command: sleep 100, stop_signal: KILL, ipc: shareable, network_mode: none}
           web: {image: windlass-test/busybox:latest, command: sleep 100, stop_signal: KILL, network_mode: 'service:db', pid: 'service:db', ipc: 'service:db'}",
        &[("containers/{p}-web-1#/State/Running", "true")],
    ),
    (
        "depends_on.*.condition depends_on.*.required depends_on.*.restart",
        "services:
           once: {image: windlass-test/busybox:latest, command: 'true', network_mode: none}
           db: {image: windlass-test/busybox:latest, command: sleep 100, stop_signal: KILL, network_mode: none, healthcheck: {test: 'true', interval: 100ms}}
           web: {image: windlass-test/busybox:latest, command: sleep 100, stop_signal: KILL, network_mode: none, depends_on: {
             once: {condition: service_completed_successfully}, db: {condition: service_healthy, restart: true}, none: {condition: service_started, required: false}}}",
        &[
            ("/Config/Labels/com.docker.compose.depends_on", "\"db:service_healthy:true,once:service_completed_successfully:false\""),
            ("containers/{p}-db-1#/State/Health/Status", "\"healthy\""),
            ("containers/{p}-once-1#/State/Status", "\"exited\""),
        ],
    ),
    (
        "links",
        "services:
           db: {image: windlass-test/busybox:latest, command: sleep 100, stop_signal: KILL, network_mode: none}
           web: {image: windlass-test/busybox:latest, command: sleep 100, stop_signal: KILL, network_mode: none, links: [db]}",
        &[("/Config/Labels/com.docker.compose.depends_on", "\"db:service_started:false\"")],
    ),
    (
        "profiles",
        "services:
           db: {image: windlass-test/busybox:latest, command: sleep 100, stop_signal: KILL, network_mode: none, profiles: [debug]}
           web: {image: windlass-test/busybox:latest, command: sleep 100, stop_signal: KILL, network_mode: none}",
        &[("containers/{p}-db-1#", "null"), ("/State/Running", "true")],
    ),
    (
        "extends.service extends.file",
        "services: {web: {extends: {file: '{folder}/base.yaml', service: base}, command: sleep 100, stop_signal: KILL, network_mode: none, environment: {ONE: own}}}",
        &[("~/Config/Env", r#"["ONE=own", "TWO=two words"]"#), ("/Config/User", "\"7\"")],
    ),
    (
        "extends.service",
        "services:
           base: {image: windlass-test/busybox:latest, command: sleep 100, stop_signal: KILL, network_mode: none, labels: [a=b]}
           web: {extends: base, labels: {c: d}}",
        &[("~/Config/Labels", r#"{"a": "b", "c": "d"}"#)],
    ),
    (
        "anchors",
        "x-base: &base {image: windlass-test/busybox:latest, command: sleep 100, stop_signal: KILL, network_mode: none}
         services: {web: {<<: *base, user: '9'}}",
        &[("/Config/User", "\"9\"")],
    ),
];

#[test]
fn what_services_are_to_each_other_is_what_the_file_says() {
    hold(ELEMENTS);
}

/// Networks and volumes that are there before, and stay.
#[test]
fn what_is_external_is_used_and_stays() {
    let Some(mut desk) = Desk::new() else { return };
    let (project, network, volume) = (desk.name("shop"), desk.name("net"), desk.name("data"));
    let yaml = format!(
        "services: {{web: {{image: windlass-test/busybox:latest, command: sleep 100, stop_signal: KILL, networks: [front], volumes: ['data:/data']}}}}\n\
         networks: {{front: {{external: true, name: {network}}}}}\nvolumes: {{data: {{external: {{name: {volume}}}}}}}"
    );
    let failed = desk.deploy_fails(&project, &yaml);
    assert!(failed.starts_with("NETWORK_NOT_FOUND: "), "{failed}");
    desk.call("network-create", json!({"name": network}));
    let failed = desk.deploy_fails(&project, &yaml);
    assert!(failed.starts_with("VOLUME_NOT_FOUND: "), "{failed}");
    desk.call("create-volume", json!({"name": volume}));
    let told = desk.deploy(&project, &yaml);
    assert_eq!((&told["networks_created"], &told["volumes_created"]), (&json!([]), &json!([])));
    desk.call("compose-down", json!({"project_name": project, "remove_volumes": true}));
    assert!(desk.seen("networks", &network).is_some() && desk.seen("volumes", &volume).is_some());
}

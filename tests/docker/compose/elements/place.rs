//! What a container hears and is called, and how thick its walls are.

use serde_json::json;

use super::{super::stack, Desk, Element, hold, wish};
use crate::support::failure;

pub(super) const ELEMENTS: &[Element] = &[
    ("hostname", "hostname: there", &[("/Config/Hostname", "\"there\"")]),
    ("domainname", "domainname: example.org", &[("/Config/Domainname", "\"example.org\"")]),
    (
        "container_name",
        "container_name: '{p}-mine'",
        &[("containers/{p}-mine#/State/Running", "true")],
    ),
    (
        "ports",
        "networks: [default]\nports: ['80', '127.0.0.1::81/udp']",
        &[
            ("/HostConfig/PortBindings/81~1udp/0/HostIp", "\"127.0.0.1\""),
            ("~/Config/ExposedPorts", r#"{"80/tcp": {}, "81/udp": {}}"#),
        ],
    ),
    (
        "ports",
        "networks: [default]\nports: ['21090-21091:90-91']",
        &[
            ("/HostConfig/PortBindings/90~1tcp/0/HostPort", "\"21090\""),
            ("/HostConfig/PortBindings/91~1tcp/0/HostPort", "\"21091\""),
        ],
    ),
    (
        "ports[].target ports[].published ports[].host_ip ports[].protocol",
        "networks: [default]\nports: [{target: 53, published: '21053', host_ip: 127.0.0.1, protocol: udp}]",
        &[(
            "/HostConfig/PortBindings/53~1udp",
            r#"[{"HostIp": "127.0.0.1", "HostPort": "21053"}]"#,
        )],
    ),
    (
        "expose",
        "expose: [90, '91-92/udp']",
        &[("~/Config/ExposedPorts", r#"{"90/tcp": {}, "91/udp": {}, "92/udp": {}}"#)],
    ),
    (
        "dns dns_search dns_opt",
        "dns: 1.1.1.1\ndns_search: [a.example, b.example]\ndns_opt: ['ndots:2']",
        &[
            ("/HostConfig/Dns", r#"["1.1.1.1"]"#),
            ("/HostConfig/DnsSearch", r#"["a.example", "b.example"]"#),
            ("/HostConfig/DnsOptions", r#"["ndots:2"]"#),
        ],
    ),
    (
        "extra_hosts",
        "networks: [default]\nextra_hosts: ['a:10.0.0.1', 'b=10.0.0.2', 'c:[::1]', 'd:host-gateway']",
        &[("/HostConfig/ExtraHosts", r#"["a:10.0.0.1", "b:10.0.0.2", "c:::1", "d:host-gateway"]"#)],
    ),
    (
        "extra_hosts",
        "networks: [default]\nextra_hosts: {a: 10.0.0.1}",
        &[("/HostConfig/ExtraHosts", r#"["a:10.0.0.1"]"#)],
    ),
    ("network_mode", "network_mode: none", &[("/HostConfig/NetworkMode", "\"none\"")]),
    ("network_mode", "network_mode: host", &[("/HostConfig/NetworkMode", "\"host\"")]),
    (
        "network_mode",
        "network_mode: bridge",
        &[("~/NetworkSettings/Networks", r#"{"bridge": {}}"#)],
    ),
    ("read_only", "read_only: true", &[("/HostConfig/ReadonlyRootfs", "true")]),
    (
        "cap_add cap_drop",
        "cap_add: [NET_ADMIN]\ncap_drop: [ALL]",
        &[("/HostConfig/CapAdd/0", "\"NET_ADMIN\""), ("/HostConfig/CapDrop/0", "\"ALL\"")],
    ),
    (
        "security_opt",
        "security_opt: ['no-new-privileges:true', 'seccomp=unconfined']",
        &[("~/HostConfig/SecurityOpt", r#"["seccomp=unconfined"]"#)],
    ),
    (
        "devices",
        "devices: ['/dev/null:/dev/nothing:rw', /dev/zero]",
        &[(
            "/HostConfig/Devices",
            r#"[{"PathOnHost": "/dev/null", "PathInContainer": "/dev/nothing", "CgroupPermissions": "rw"},
            {"PathOnHost": "/dev/zero", "PathInContainer": "/dev/zero", "CgroupPermissions": "rwm"}]"#,
        )],
    ),
    (
        "devices[].source devices[].target devices[].permissions",
        "devices: [{source: /dev/null, target: /dev/nothing, permissions: r}]",
        &[(
            "/HostConfig/Devices/0",
            r#"{"PathOnHost": "/dev/null", "PathInContainer": "/dev/nothing", "CgroupPermissions": "r"}"#,
        )],
    ),
    (
        "sysctls",
        "sysctls: {net.ipv4.ip_unprivileged_port_start: 0}",
        &[("/HostConfig/Sysctls/net.ipv4.ip_unprivileged_port_start", "\"0\"")],
    ),
    (
        "sysctls",
        "sysctls: [net.ipv4.ip_unprivileged_port_start=0]",
        &[("/HostConfig/Sysctls/net.ipv4.ip_unprivileged_port_start", "\"0\"")],
    ),
    ("pid", "pid: host", &[("/HostConfig/PidMode", "\"host\"")]),
    ("ipc", "ipc: shareable", &[("/HostConfig/IpcMode", "\"shareable\"")]),
];

/// An engine that is in a container itself may not be able to: then it is the engine that says so.
#[test]
fn a_privileged_container_is_asked_for_as_one() {
    let Some(mut desk) = Desk::with(&wish()) else { return };
    let project = desk.name("shop");
    let yaml = stack(&[("web", "network_mode: none\nprivileged: true")]);
    let result =
        desk.host().call("deploy-compose", json!({"project_name": project, "compose_yaml": yaml}));
    if result["isError"] == true {
        let failed = failure(&result);
        assert!(failed.contains("unable to apply caps"), "{failed}");
    } else {
        assert_eq!(desk.inspect(&format!("{project}-web-1"))["HostConfig"]["Privileged"], true);
    }
}

#[test]
fn where_a_container_is_is_what_the_file_says() {
    hold(ELEMENTS);
}

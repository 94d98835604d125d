//! Where a container's files come from.

use super::{Element, hold};

pub(super) const ELEMENTS: &[Element] = &[
    ("volumes", "volumes: ['{folder}:/data:ro']", &[("~/Mounts", r#"[{"Type": "bind", "Source": "{folder}", "Destination": "/data", "RW": false}]"#)]),
    ("volumes", "volumes: ['{folder}/made:/data']", &[("~/Mounts", r#"[{"Type": "bind", "Source": "{folder}/made", "Destination": "/data"}]"#)]),
    ("volumes", "volumes: [/anonymous]", &[("~/Mounts", r#"[{"Type": "volume", "Destination": "/anonymous"}]"#)]),
    (
        "volumes[].type volumes[].source volumes[].target volumes[].read_only volumes[].bind.create_host_path volumes[].bind.propagation",
        "volumes: [{type: bind, source: '{folder}', target: /data, read_only: true, bind: {create_host_path: false, propagation: rprivate}}]",
        &[("~/Mounts", r#"[{"Type": "bind", "Source": "{folder}", "Destination": "/data", "RW": false, "Propagation": "rprivate"}]"#)],
    ),
    (
        "volumes[].tmpfs.size volumes[].tmpfs.mode",
        "volumes: [{type: tmpfs, target: /data, tmpfs: {size: 1m, mode: 0700}}]",
        &[("~/Mounts", r#"[{"Type": "tmpfs", "Destination": "/data"}]"#)],
    ),
    ("tmpfs", "tmpfs: /data", &[("~/Mounts", r#"[{"Type": "tmpfs", "Destination": "/data"}]"#)]),
    ("tmpfs", "tmpfs: ['/data:size=1m,mode=1777', /other]", &[("~/Mounts", r#"[{"Type": "tmpfs", "Destination": "/data"}, {"Destination": "/other"}]"#)]),
    (
        "volumes[].volume.nocopy volumes.*.labels volumes.*.driver",
        "services: {web: {image: windlass-test/busybox:latest, network_mode: none, command: sleep 100, stop_signal: KILL,
           volumes: ['one:/one:nocopy', {type: volume, source: two, target: /two, volume: {nocopy: true}}]}}
         volumes: {one: , two: {driver: local, labels: {a: b}}}",
        &[
            ("~/Mounts", r#"[{"Name": "{p}_one", "Destination": "/one"}, {"Name": "{p}_two", "Destination": "/two"}]"#),
            ("~volumes/{p}_one#/Labels", r#"{"com.docker.compose.project": "{p}", "com.docker.compose.volume": "one"}"#),
            ("~volumes/{p}_two#/Labels", r#"{"a": "b", "com.docker.compose.volume": "two"}"#),
        ],
    ),
    (
        "volumes.*.name volumes.*.driver_opts",
        "services: {web: {image: windlass-test/busybox:latest, network_mode: none, command: sleep 100, stop_signal: KILL, volumes: ['one:/one']}}
         volumes: {one: {name: '{p}-own', driver_opts: {type: tmpfs, device: tmpfs, o: size=1m}}}",
        &[("volumes/{p}-own#/Options", r#"{"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}"#)],
    ),
    (
        "configs configs.*.content configs[].source configs[].target configs[].mode configs[].uid configs[].gid",
        "services: {web: {image: windlass-test/busybox:latest, network_mode: none, stop_signal: KILL,
           command: [sh, -c, 'test \"$$(stat -c %a:%u:%g /etc/two)\" = 400:7:8 && test \"$$(cat /etc/two)\" = two && cat /one && exec sleep 100'],
           configs: [one, {source: two, target: /etc/two, mode: 0400, uid: '7', gid: '8'}]}}
         configs: {one: {content: one}, two: {content: two}}",
        &[("/State/Running", "true")],
    ),
    (
        "secrets.*.file secrets.*.environment secrets[].source secrets[].target secrets[].mode secrets[].uid secrets[].gid",
        "services: {web: {image: windlass-test/busybox:latest, network_mode: none, stop_signal: KILL,
           command: [sh, -c, 'test \"$$(cat /run/secrets/one /run/secrets/other /run/secrets/three)\" = \"from a fileconfiguredhidden\" && test \"$$(stat -c %a /run/secrets/other)\" = 440 && exec sleep 100'],
           secrets: [one, {source: two, target: other, mode: 0440, uid: '0', gid: '0'}, three]}}
         secrets: {one: {file: '{folder}/secret.txt'}, two: {environment: FROM_CONFIG}, three: {environment: token}}",
        &[("/State/Running", "true")],
    ),
    (
        "secrets.*.content configs.*.file configs.*.environment",
        "services: {web: {image: windlass-test/busybox:latest, network_mode: none, stop_signal: KILL,
           command: [sh, -c, 'test \"$$(cat /one /two /run/secrets/three)\" = \"from a fileconfiguredthree\" && exec sleep 100'],
           configs: [one, two], secrets: [three]}}
         configs: {one: {file: '{folder}/secret.txt'}, two: {environment: FROM_CONFIG}}
         secrets: {three: {content: three}}",
        &[("/State/Running", "true")],
    ),
];

#[test]
fn where_files_come_from_is_what_the_file_says() {
    hold(ELEMENTS);
}

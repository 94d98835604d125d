//! Folders, files, ports, networks and volumes.

use super::*;
use crate::capability::{
    engine::{Attachment, File, FileContent, Tmpfs},
    networks, volumes,
};

#[test]
fn folders_of_the_machine_are_those_of_the_grant() {
    allowed(|it| it.mounts = vec![bind("/srv/data", false)]);
    allowed(|it| it.mounts = vec![bind("/srv/data/a/b", false)]);
    allowed(|it| it.mounts = vec![bind("/srv/read/x", true)]);
    refused(|it| it.mounts = vec![bind("/srv/read/x", false)], "to be read alone");
    for path in
        ["/", "/etc", "/srv", "/srv/database", "/srv/data/../../etc", "/var/run/docker.sock"]
    {
        refused(
            |it| it.mounts = vec![bind(path, true)],
            &format!("`plugins.docker.grants.engine.binds` has no `{path}`"),
        );
    }
    refused(
        |it| {
            let Mount::Bind(mut bind) = bind("/srv/data", false) else { return };
            bind.propagation = Some("rshared".to_owned());
            it.mounts = vec![Mount::Bind(bind)];
        },
        "powers` has no `privileged`",
    );
    refused(
        |it| {
            let Mount::Bind(mut bind) = bind("/srv/data", false) else { return };
            bind.target = "/a/../..".to_owned();
            it.mounts = vec![Mount::Bind(bind)];
        },
        "is no place in a container",
    );
}

#[test]
fn a_place_is_asked_for_before_it_is_looked_at() {
    let Mount::Bind(mut wanted) = bind("/srv/data/a", false) else { return };
    let sockets = [SOCKET.to_owned()];
    let place = policy(GRANT).approve_place(&wanted, &sockets).unwrap().unwrap();
    assert_eq!((&*place.request().folder, &*place.request().rest), ("/srv/data", "a"));
    wanted.source = SOCKET.to_owned();
    assert!(policy(GRANT).approve_place(&wanted, &sockets).unwrap().is_none());
    for (source, why) in [
        ("/etc/x", "binds` has no"),
        ("data", "no absolute path"),
        ("/srv/data/../x", "has a `..`"),
    ] {
        wanted.source = source.to_owned();
        let told = words(policy(GRANT).approve_place(&wanted, &sockets));
        assert!(told.contains(why), "{told}");
    }
}

#[test]
fn ports_are_those_of_the_grant() {
    let published = |asked: Published| {
        let spec = Spec { ports: vec![asked], ..spec() };
        let made = policy(GRANT).approve_theirs(spec, &[], &[]);
        match made {
            Ok(made) => format!("{:?}", made.request().spec.ports[0].address),
            Err(failure) => format!("{:#}", told(failure)),
        }
    };
    assert_eq!(published(port(None, Some(8080), "tcp")), "Some(\"127.0.0.1\")");
    assert_eq!(published(port(None, Some(443), "tcp")), "None");
    assert_eq!(published(port(Some("127.0.0.1"), Some(443), "tcp")), "Some(\"127.0.0.1\")");
    assert_eq!(published(port(None, None, "udp")), "Some(\"127.0.0.1\")");
    for (asked, why) in [
        (
            port(Some("0.0.0.0"), Some(8080), "tcp"),
            "`plugins.docker.grants.engine.ports` has no `0.0.0.0:8080`",
        ),
        (port(None, Some(80), "tcp"), "has no `80`"),
        (port(None, None, "tcp"), "has no `1024-65535`"),
        (port(None, Some(9000), "sctp"), "has no `9000/sctp`"),
        (port(None, Some(8080), "icmp"), "is no protocol"),
        (port(Some("x"), Some(8080), "tcp"), "is no address"),
        (port(None, Some(0), "tcp"), "a port is 1 to 65535"),
    ] {
        let told = published(asked);
        assert!(told.contains(why), "{told}");
    }
}

#[test]
fn networks_are_those_of_the_grant() {
    let join = |it: &mut Spec, network: &str| {
        let network = network.to_owned();
        let (aliases, ipv4, ipv6) = (Vec::new(), None, None);
        it.networking = Networking::Networks(vec![Attachment { network, aliases, ipv4, ipv6 }]);
    };
    allowed(|it| join(it, "web_default"));
    allowed(|it| it.networking = Networking::Networks(Vec::new()));
    refused(|it| join(it, "ops"), "`plugins.docker.grants.engine.networks` has no `ops`");
    refused(|it| join(it, "host"), "is a mode");
    refused(|it| join(it, "container:db"), "is no name of a network");
    refused(|it| it.networking = Networking::Container("x".to_owned()), "was not looked at");
    refused(|it| it.pid = Some("container:x".to_owned()), "was not looked at");
    let network = |driver: Option<&str>| networks::Spec {
        name: "web_1".to_owned(),
        driver: driver.map(str::to_owned),
        internal: false,
        attachable: false,
        ipv6: false,
        labels: Vec::new(),
        options: Vec::new(),
        pools: Vec::new(),
    };
    assert_eq!(words(policy(GRANT).approve_new_network(network(None))), "yes");
    let told = words(policy(GRANT).approve_new_network(network(Some("macvlan"))));
    assert!(told.contains("powers` has no `host-network`"), "{told}");
    let with = |options: &[(&str, &str)], subnet: &str| networks::Spec {
        options: options.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect(),
        pools: vec![networks::Pool {
            subnet: Some(subnet.to_owned()),
            gateway: None,
            ip_range: None,
        }],
        ..network(None)
    };
    let mtu = [("com.docker.network.driver.mtu", "1400")];
    assert_eq!(words(policy(GRANT).approve_new_network(with(&mtu, "10.9.0.0/24"))), "yes");
    assert_eq!(words(policy(GRANT).approve_new_network(with(&[], "fd00:9::/64"))), "yes");
    let bridge = [("com.docker.network.bridge.name", "br0")];
    for bad in [
        with(&bridge, "10.9.0.0/24"),
        with(&[], "8.8.8.0/24"),
        with(&[], "10.0.0.0/4"),
        with(&[], "2001:db8::/64"),
        with(&[], "everything"),
    ] {
        let told = words(policy(GRANT).approve_new_network(bad));
        assert!(told.contains("powers` has no `host-network`"), "{told}");
    }
}

#[test]
fn a_volume_can_be_no_folder_of_the_machine() {
    let volume = |driver: Option<&str>, options: &[(&str, &str)]| volumes::Spec {
        name: "web-data".to_owned(),
        driver: driver.map(str::to_owned),
        options: options.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect(),
        labels: Vec::new(),
    };
    assert_eq!(words(policy(GRANT).approve_new_volume(volume(Some("local"), &[]))), "yes");
    for bad in [volume(None, &[("device", "/etc"), ("o", "bind")]), volume(Some("sshfs"), &[])] {
        let told = words(policy(GRANT).approve_new_volume(bad));
        assert!(told.contains("powers` has no `devices`"), "{told}");
    }
}

#[test]
fn a_file_is_put_where_it_is_seen() {
    let file = |path: &str| File {
        path: path.to_owned(),
        content: FileContent::Bytes(Vec::new()),
        mode: 0o444,
        uid: 0,
        gid: 0,
    };
    allowed(|it| it.files = vec![file("/run/secrets/a")]);
    let target = "/run".to_owned();
    let tmpfs = Mount::Tmpfs(Tmpfs { target, size_bytes: None, mode: None });
    refused(
        |it| {
            it.files = vec![file("/run/secrets/a")];
            it.mounts = vec![tmpfs];
        },
        "would be hidden by the tmpfs at `/run`",
    );
    refused(
        |it| {
            it.files = vec![file("/a")];
            it.read_only = true;
        },
        "a root that is read-only",
    );
    for path in ["a", "/", "//", "/.", "/a//b", "/a/../b"] {
        refused(|it| it.files = vec![file(path)], "is no place in a container");
    }
}

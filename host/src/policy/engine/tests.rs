//! What the grants of the engine say yes and no to.

use crate::{
    capability::{
        engine::{
            Attachment, Bind, Command, Health, Mount, Networking, Published, Resources, Restart,
            Spec,
        },
        networks, volumes,
    },
    config::{EngineGrant, Grants, parse},
    error::{Result, told},
    policy::Policy,
};

use super::{Breach, Kind, Theirs};

const SOCKET: &str = "/run/docker.sock";

const GRANT: &str = "
    names = ['web-*', 'db']
    labels = ['team=web*']
    networks = ['web*', 'bridge']
    registries = ['docker.io']
    images = ['busybox', 'nginx:1.*']
    binds = ['/srv/data', '/srv/read:ro', '/run']
    ports = ['127.0.0.1:8000-8999', '127.0.0.1:1024-65535/udp', 443]
    secrets = ['db']
    memory_mib = 512
    cpus = 1.5
    pids = 100
";

fn policy(grant: &str) -> Policy {
    let engine: EngineGrant = parse(grant).unwrap();
    Policy::new("docker", Grants { engine: Some(engine), ..Grants::default() }).unwrap()
}

fn spec() -> Spec {
    Spec {
        name: "web-1".to_owned(),
        image: "busybox".to_owned(),
        platform: None,
        entrypoint: None,
        command: None,
        env: Vec::new(),
        labels: Vec::new(),
        user: None,
        groups: Vec::new(),
        working_dir: None,
        hostname: None,
        domainname: None,
        tty: false,
        stdin_open: false,
        init: None,
        read_only: false,
        stop_signal: None,
        stop_timeout_s: None,
        health: Health::OfImage,
        restart: Restart::Never,
        ports: Vec::new(),
        expose: Vec::new(),
        networking: Networking::None,
        dns: Vec::new(),
        dns_search: Vec::new(),
        dns_options: Vec::new(),
        extra_hosts: Vec::new(),
        mounts: Vec::new(),
        files: Vec::new(),
        resources: Resources {
            memory_bytes: None,
            memory_reservation_bytes: None,
            memory_swap_bytes: None,
            nano_cpus: None,
            cpu_shares: None,
            cpuset: None,
            pids: None,
            shm_bytes: None,
            oom_score_adj: None,
            ulimits: Vec::new(),
        },
        logging: None,
        privileged: false,
        cap_add: Vec::new(),
        cap_drop: Vec::new(),
        security: Vec::new(),
        devices: Vec::new(),
        sysctls: Vec::new(),
        pid: None,
        ipc: None,
    }
}

fn words<T>(result: Result<T>) -> String {
    match result {
        Ok(_) => "yes".to_owned(),
        Err(failure) => format!("{:#}", told(failure)),
    }
}

/// What is said of a container that is like an ordinary one but for this.
fn ask(grant: &str, change: impl FnOnce(&mut Spec)) -> String {
    let mut spec = spec();
    change(&mut spec);
    words(policy(grant).approve_theirs(spec, &[], &[SOCKET.to_owned()]))
}

#[track_caller]
fn refused(change: impl FnOnce(&mut Spec), why: &str) {
    let told = ask(GRANT, change);
    assert!(told.contains(why), "{told}");
}

#[track_caller]
fn allowed(change: impl FnOnce(&mut Spec)) {
    assert_eq!(ask(GRANT, change), "yes");
}

fn bind(source: &str, read_only: bool) -> Mount {
    let (source, target) = (source.to_owned(), "/data".to_owned());
    Mount::Bind(Bind { source, target, read_only, create: false, propagation: None })
}

fn port(address: Option<&str>, port: Option<u16>, protocol: &str) -> Published {
    let (address, protocol) = (address.map(str::to_owned), protocol.to_owned());
    Published { address, port, target: 80, protocol }
}

#[test]
fn a_container_is_within_reach_by_name_or_label() {
    allowed(|_| {});
    allowed(|it| it.name = "db".to_owned());
    refused(|it| it.name = "dbx".to_owned(), "`plugins.docker.grants.engine.names` has no `dbx`");
    let label = |it: &mut Spec, value: &str| {
        it.name = "other".to_owned();
        it.labels = vec![("team".to_owned(), value.to_owned())];
    };
    allowed(|it| label(it, "web-front"));
    refused(|it| label(it, "ops"), "names` has no `other`");
    for name in ["--help", "", "a b", "../x", "-v", "ü"] {
        refused(|it| it.name = name.to_owned(), "is no name of a container");
    }
    refused(|it| it.labels = vec![("windlass.id".to_owned(), "c_1".to_owned())], "the host's own");
}

#[test]
fn images_are_those_of_the_grant() {
    allowed(|it| it.image = "nginx:1.27".to_owned());
    refused(|it| it.image = "nginx:2".to_owned(), "grants.engine.images` has no");
    refused(|it| it.image = "ghcr.io/a/b".to_owned(), "`plugins.docker.grants.engine.registries`");
    refused(|it| it.image = "--privileged".to_owned(), "is no image");
    let digits = "0123456789abcdef".repeat(4);
    refused(|it| it.image = format!("sha256:{digits}"), "is no bare id");
    let all = "names = ['*']";
    let made =
        policy(all).approve_theirs(Spec { image: "deadbeef1234".to_owned(), ..spec() }, &[], &[]);
    assert_eq!(made.unwrap().request().spec.image, "deadbeef1234:latest");
}

#[test]
fn each_breach_needs_its_power() {
    type Change = fn(&mut Spec);
    let breaches: [(&str, Change); 16] = [
        ("privileged", |it| it.privileged = true),
        ("host-network", |it| it.networking = Networking::Host),
        ("host-processes", |it| it.pid = Some("host".to_owned())),
        ("host-processes", |it| it.ipc = Some("host".to_owned())),
        ("host-processes", |it| it.ipc = Some("anything".to_owned())),
        ("capabilities", |it| it.cap_add = vec!["sys_admin".to_owned()]),
        ("capabilities", |it| it.cap_add = vec!["ALL".to_owned()]),
        ("unconfined", |it| it.security = vec!["seccomp=unconfined".to_owned()]),
        ("unconfined", |it| it.security = vec!["no-new-privileges:false".to_owned()]),
        ("unconfined", |it| it.sysctls = vec![("kernel.shmmax".to_owned(), "1".to_owned())]),
        ("unconfined", |it| it.resources.oom_score_adj = Some(-1)),
        ("devices", |it| {
            let path = || "/dev/fuse".to_owned();
            let permissions = "rwm".to_owned();
            it.devices = vec![crate::capability::engine::Device {
                source: path(),
                target: path(),
                permissions,
            }];
        }),
        ("engine-socket", |it| it.mounts = vec![bind(SOCKET, true)]),
        ("engine-socket", |it| it.mounts = vec![bind("/run", true)]),
        ("host-network", |it| {
            let driver = "syslog".to_owned();
            it.logging = Some(crate::capability::engine::Logging { driver, options: Vec::new() });
        }),
        ("host-network", |it| {
            let options = vec![("path".to_owned(), "/etc/cron.d/x".to_owned())];
            let driver = "k8s-file".to_owned();
            it.logging = Some(crate::capability::engine::Logging { driver, options });
        }),
    ];
    for (power, change) in breaches {
        refused(change, &format!("`plugins.docker.grants.engine.powers` has no `{power}`"));
        assert_eq!(ask(&format!("{GRANT}\npowers = ['{power}']"), change), "yes", "{power}");
    }
    allowed(|it| {
        it.cap_drop = vec!["ALL".to_owned()];
        it.cap_add = vec!["NET_BIND_SERVICE".to_owned(), "CAP_CHOWN".to_owned()];
        it.security = vec!["no-new-privileges:true".to_owned()];
        it.sysctls = vec![("net.core.somaxconn".to_owned(), "1024".to_owned())];
    });
}

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
fn sizes_are_bounded_and_given() {
    let made = policy(GRANT).approve_theirs(spec(), &[], &[]).unwrap();
    let given = &made.request().spec.resources;
    assert_eq!(
        (given.memory_bytes, given.nano_cpus, given.pids),
        (Some(512 << 20), Some(1_500_000_000), Some(100))
    );
    refused(|it| it.resources.memory_bytes = Some(1 << 30), "memory_mib = 512` is less than");
    refused(|it| it.resources.memory_swap_bytes = Some(-1), "memory_mib = 512` is less than");
    refused(|it| it.resources.nano_cpus = Some(2_000_000_000), "cpus = 1.5` is less than");
    refused(|it| it.resources.pids = Some(-1), "pids = 100` is less than");
}

#[test]
fn a_file_is_put_where_it_is_seen() {
    let file = |path: &str| crate::capability::engine::File {
        path: path.to_owned(),
        content: crate::capability::engine::FileContent::Bytes(Vec::new()),
        mode: 0o444,
        uid: 0,
        gid: 0,
    };
    allowed(|it| it.files = vec![file("/run/secrets/a")]);
    let target = "/run".to_owned();
    let tmpfs =
        Mount::Tmpfs(crate::capability::engine::Tmpfs { target, size_bytes: None, mode: None });
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

#[test]
fn what_is_ours_is_not_there() {
    let theirs = |name: &str, label: (&str, &str)| Theirs {
        kind: Kind::Container,
        id: "1".to_owned(),
        name: name.to_owned(),
        labels: [(label.0.to_owned(), label.1.to_owned())].into(),
        breaches: Vec::new(),
    };
    let all = policy("names = ['*']");
    assert_eq!(words(all.approve_seeing(theirs("a", ("b", "c")))), "yes");
    let told = words(all.approve_seeing(theirs("a", ("windlass.instance", "x"))));
    assert_eq!(told, "there is no container `a`");
    assert_eq!(words(policy(GRANT).approve_seeing(theirs("x", ("team", "web")))), "yes");
    let told = words(policy(GRANT).approve_seeing(theirs("x", ("team", "ops"))));
    assert!(told.contains("names` has no `x`"), "{told}");
}

#[test]
fn a_command_gets_no_more_than_its_container_may_have() {
    let command = || Command {
        argv: vec!["id".to_owned()],
        env: Vec::new(),
        user: None,
        working_dir: None,
        stdin: None,
        timeout_ms: 1,
        most_bytes: 1,
    };
    let into = |breaches| Theirs {
        kind: Kind::Container,
        id: "1".to_owned(),
        name: "db".to_owned(),
        labels: [].into(),
        breaches,
    };
    assert_eq!(words(policy(GRANT).approve_entering(into(Vec::new()), command())), "yes");
    let sockets = [SOCKET.to_owned()];
    for (breaches, why) in [
        (
            vec![Breach::Power(crate::config::EnginePower::Privileged)],
            "powers` has no `privileged`",
        ),
        (Breach::of_bind("/etc", true, &sockets), "binds` has no `/etc`"),
        (Breach::of_bind(SOCKET, true, &sockets), "powers` has no `engine-socket`"),
    ] {
        let told = words(policy(GRANT).approve_entering(into(breaches), command()));
        assert!(told.contains(why), "{told}");
    }
    let empty = Command { argv: Vec::new(), ..command() };
    assert!(words(policy(GRANT).approve_entering(into(Vec::new()), empty)).contains("a program"));
}

#[test]
fn without_the_table_nothing_is_allowed() {
    let none = Policy::new("docker", Grants::default()).unwrap();
    let told = words(none.approve_looking_around("engine.list"));
    assert!(told.contains("needs a table `plugins.docker.grants.engine`"), "{told}");
    assert!(!none.reaches_image(&["busybox".to_owned()]));
    let told = words(none.approve_file("/etc/passwd"));
    assert!(told.contains("`plugins.docker.grants.files` has no folder"), "{told}");
}

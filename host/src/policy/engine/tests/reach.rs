//! What is within reach, and what may be in it.

use super::{
    super::{Breach, Kind, Theirs},
    *,
};
use crate::{
    capability::engine::{Command, Device, Logging},
    config::EnginePower,
};

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
            it.devices = vec![Device { source: path(), target: path(), permissions }];
        }),
        ("engine-socket", |it| it.mounts = vec![bind(SOCKET, true)]),
        ("engine-socket", |it| it.mounts = vec![bind("/run", true)]),
        ("host-network", |it| {
            let driver = "syslog".to_owned();
            it.logging = Some(Logging { driver, options: Vec::new() });
        }),
        ("host-network", |it| {
            let options = vec![("path".to_owned(), "/etc/cron.d/x".to_owned())];
            let driver = "k8s-file".to_owned();
            it.logging = Some(Logging { driver, options });
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
        (vec![Breach::Power(EnginePower::Privileged)], "powers` has no `privileged`"),
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

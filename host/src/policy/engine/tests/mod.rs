//! What the grants of the engine say yes and no to.

mod places;
mod reach;

use crate::{
    capability::engine::{Bind, Health, Mount, Networking, Published, Resources, Restart, Spec},
    config::{EngineGrant, Grants, parse},
    error::{Result, told},
    policy::Policy,
};

pub(super) const SOCKET: &str = "/run/docker.sock";

pub(super) const GRANT: &str = "
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

pub(super) fn policy(grant: &str) -> Policy {
    let engine: EngineGrant = parse(grant).unwrap();
    Policy::new("docker", Grants { engine: Some(engine), ..Grants::default() }).unwrap()
}

pub(super) fn spec() -> Spec {
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

pub(super) fn words<T>(result: Result<T>) -> String {
    match result {
        Ok(_) => "yes".to_owned(),
        Err(failure) => format!("{:#}", told(failure)),
    }
}

/// What is said of a container that is like an ordinary one but for this.
pub(super) fn ask(grant: &str, change: impl FnOnce(&mut Spec)) -> String {
    let mut spec = spec();
    change(&mut spec);
    words(policy(grant).approve_theirs(spec, &[], &[SOCKET.to_owned()]))
}

#[track_caller]
pub(super) fn refused(change: impl FnOnce(&mut Spec), why: &str) {
    let told = ask(GRANT, change);
    assert!(told.contains(why), "{told}");
}

#[track_caller]
pub(super) fn allowed(change: impl FnOnce(&mut Spec)) {
    assert_eq!(ask(GRANT, change), "yes");
}

pub(super) fn bind(source: &str, read_only: bool) -> Mount {
    let (source, target) = (source.to_owned(), "/data".to_owned());
    Mount::Bind(Bind { source, target, read_only, create: false, propagation: None })
}

pub(super) fn port(address: Option<&str>, port: Option<u16>, protocol: &str) -> Published {
    let (address, protocol) = (address.map(str::to_owned), protocol.to_owned());
    Published { address, port, target: 80, protocol }
}

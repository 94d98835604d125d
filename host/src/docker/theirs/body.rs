//! What the engine is told of a container that is wanted.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{
    ContainerCreateBody, DeviceMapping, EndpointIpamConfig, EndpointSettings, HealthConfig,
    HostConfig, HostConfigLogConfig, Mount, MountBindOptions, MountBindOptionsPropagationEnum,
    MountTmpfsOptions, MountType, MountVolumeOptions, NetworkingConfig, PortBinding,
    ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};

use crate::{
    capability::engine::{
        Attachment, Health, HealthCheck, Mount as Wanted, Networking, Published, Resources,
        Restart, Spec,
    },
    error::{Result, trap},
    policy::NewTheirs,
};

const NANOS: u64 = 1_000_000;

/// What only the host knows of a container: values of secrets among them.
#[derive(Default)]
pub struct Contents {
    /// `NAME=value`.
    pub env: Vec<String>,
    pub files: Vec<Content>,
    /// Labels of the host's own.
    pub labels: Vec<(String, String)>,
}

/// A file that is put into a container.
pub struct Content {
    pub path: String,
    pub bytes: Vec<u8>,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
}

/// What the engine is told at first, and the networks that are joined afterwards.
pub(super) struct Body {
    pub(super) body: ContainerCreateBody,
    pub(super) others: Vec<(String, EndpointSettings)>,
}

impl Contents {
    /// Archives of the files, and where each is unpacked. A root that is read-only takes them only where something is mounted.
    pub(super) fn archives(&self, read_only: bool) -> Result<Vec<(String, Vec<u8>)>> {
        let mut archives: BTreeMap<&str, tar::Builder<Vec<u8>>> = BTreeMap::new();
        for file in &self.files {
            let (folder, name) = file.split();
            let (place, path) =
                if read_only { (folder, name) } else { ("/", file.path.trim_start_matches('/')) };
            let archive = archives.entry(place).or_insert_with(|| tar::Builder::new(Vec::new()));
            let mut header = tar::Header::new_gnu();
            header.set_size(file.bytes.len() as u64);
            header.set_mode(file.mode);
            header.set_uid(file.uid.into());
            header.set_gid(file.gid.into());
            let added = archive.append_data(&mut header, path, &*file.bytes);
            added.map_err(|error| trap(format!("cannot pack `{}`: {error}", file.path)))?;
        }
        let finish = |archive: tar::Builder<Vec<u8>>| {
            archive.into_inner().map_err(|error| trap(format!("cannot pack files: {error}")))
        };
        archives.into_iter().map(|(place, it)| Ok((place.to_owned(), finish(it)?))).collect()
    }
}

impl Content {
    fn split(&self) -> (&str, &str) {
        self.path.rsplit_once('/').unwrap_or(("", &self.path))
    }
}

pub(super) fn container(wanted: &NewTheirs, contents: &Contents) -> Body {
    let spec = &wanted.spec;
    let (mode, mut endpoints) = networking(&spec.networking);
    let first = (!endpoints.is_empty()).then(|| endpoints.remove(0));
    let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    let body = ContainerCreateBody {
        image: Some(spec.image.clone()),
        hostname: spec.hostname.clone(),
        domainname: spec.domainname.clone(),
        user: spec.user.clone(),
        tty: Some(spec.tty),
        open_stdin: Some(spec.stdin_open),
        env: some(&contents.env),
        entrypoint: spec.entrypoint.clone(),
        cmd: spec.command.clone(),
        working_dir: spec.working_dir.clone(),
        labels: Some(spec.labels.iter().chain(&contents.labels).cloned().collect()),
        stop_signal: spec.stop_signal.clone(),
        stop_timeout: spec.stop_timeout_s.map(i64::from),
        healthcheck: health(&spec.health),
        exposed_ports: exposed(spec),
        networking_config: first
            .map(|first| NetworkingConfig { endpoints_config: Some(HashMap::from([first])) }),
        host_config: Some(host(spec, mode, contents)),
        ..ContainerCreateBody::default()
    };
    Body { body, others: endpoints }
}

fn host(spec: &Spec, mode: Option<String>, contents: &Contents) -> HostConfig {
    let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    let devices = spec.devices.iter().map(|device| DeviceMapping {
        path_on_host: Some(device.source.clone()),
        path_in_container: Some(device.target.clone()),
        cgroup_permissions: Some(device.permissions.clone()),
    });
    let log = spec.logging.as_ref().map(|log| HostConfigLogConfig {
        typ: Some(log.driver.clone()),
        config: Some(log.options.iter().cloned().collect()),
    });
    let resources = limits(&spec.resources);
    HostConfig {
        network_mode: mode,
        port_bindings: bindings(&spec.ports),
        mounts: Some(mounts(spec, contents)),
        restart_policy: Some(restart(spec.restart)),
        init: spec.init,
        readonly_rootfs: Some(spec.read_only),
        privileged: Some(spec.privileged),
        cap_add: some(&spec.cap_add),
        cap_drop: some(&spec.cap_drop),
        security_opt: some(&spec.security),
        devices: Some(devices.collect()),
        group_add: some(&spec.groups),
        sysctls: (!spec.sysctls.is_empty()).then(|| spec.sysctls.iter().cloned().collect()),
        dns: some(&spec.dns),
        dns_search: some(&spec.dns_search),
        dns_options: some(&spec.dns_options),
        extra_hosts: some(&spec.extra_hosts),
        pid_mode: spec.pid.clone(),
        ipc_mode: spec.ipc.clone(),
        log_config: log,
        ..resources
    }
}

fn limits(wanted: &Resources) -> HostConfig {
    let number = |it: Option<u64>| it.and_then(|it| i64::try_from(it).ok());
    let ulimits = wanted.ulimits.iter().map(|it| ResourcesUlimits {
        name: Some(it.name.clone()),
        soft: Some(it.soft),
        hard: Some(it.hard),
    });
    HostConfig {
        memory: number(wanted.memory_bytes),
        memory_reservation: number(wanted.memory_reservation_bytes),
        memory_swap: wanted.memory_swap_bytes,
        nano_cpus: number(wanted.nano_cpus),
        cpu_shares: wanted.cpu_shares.map(i64::from),
        cpuset_cpus: wanted.cpuset.clone(),
        pids_limit: wanted.pids,
        shm_size: number(wanted.shm_bytes),
        oom_score_adj: wanted.oom_score_adj.map(i64::from),
        ulimits: Some(ulimits.collect()),
        ..HostConfig::default()
    }
}

fn networking(wanted: &Networking) -> (Option<String>, Vec<(String, EndpointSettings)>) {
    match wanted {
        Networking::None => (Some("none".to_owned()), Vec::new()),
        Networking::Host => (Some("host".to_owned()), Vec::new()),
        Networking::Container(id) => (Some(format!("container:{id}")), Vec::new()),
        Networking::Networks(networks) => {
            let mode = networks.first().map(|first| first.network.clone());
            let endpoint =
                |it: &Attachment| (it.network.clone(), endpoint(&it.aliases, &it.ipv4, &it.ipv6));
            (mode, networks.iter().map(endpoint).collect())
        }
    }
}

pub(super) fn endpoint(
    aliases: &[String],
    ipv4: &Option<String>,
    ipv6: &Option<String>,
) -> EndpointSettings {
    let fixed = (ipv4.is_some() || ipv6.is_some()).then(|| EndpointIpamConfig {
        ipv4_address: ipv4.clone(),
        ipv6_address: ipv6.clone(),
        link_local_ips: None,
    });
    EndpointSettings {
        aliases: (!aliases.is_empty()).then(|| aliases.to_vec()),
        ipam_config: fixed,
        ..EndpointSettings::default()
    }
}

fn health(wanted: &Health) -> Option<HealthConfig> {
    let check: &HealthCheck = match wanted {
        Health::OfImage => return None,
        Health::None => {
            let test = Some(vec!["NONE".to_owned()]);
            return Some(HealthConfig { test, ..HealthConfig::default() });
        }
        Health::Check(check) => check,
    };
    let nanos = |ms: Option<u64>| ms.and_then(|it| i64::try_from(it.saturating_mul(NANOS)).ok());
    Some(HealthConfig {
        test: (!check.test.is_empty()).then(|| check.test.clone()),
        interval: nanos(check.interval_ms),
        timeout: nanos(check.timeout_ms),
        start_period: nanos(check.start_period_ms),
        retries: check.retries.map(i64::from),
        start_interval: None,
    })
}

fn restart(wanted: Restart) -> RestartPolicy {
    let (name, maximum_retry_count) = match wanted {
        Restart::Never => (RestartPolicyNameEnum::NO, None),
        Restart::Always => (RestartPolicyNameEnum::ALWAYS, None),
        Restart::UnlessStopped => (RestartPolicyNameEnum::UNLESS_STOPPED, None),
        Restart::OnFailure(times) => (RestartPolicyNameEnum::ON_FAILURE, Some(times.into())),
    };
    RestartPolicy { name: Some(name), maximum_retry_count }
}

/// `80/tcp`, as the engine writes it.
fn port(published: &Published) -> String {
    format!("{}/{}", published.target, published.protocol)
}

fn exposed(spec: &Spec) -> Option<Vec<String>> {
    let mut ports: Vec<_> =
        spec.ports.iter().map(port).chain(spec.expose.iter().cloned()).collect();
    ports.sort();
    ports.dedup();
    (!ports.is_empty()).then_some(ports)
}

fn bindings(ports: &[Published]) -> Option<HashMap<String, Option<Vec<PortBinding>>>> {
    let mut bindings: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
    for published in ports {
        let binding = PortBinding {
            host_ip: published.address.clone(),
            host_port: Some(published.port.map(|it| it.to_string()).unwrap_or_default()),
        };
        bindings.entry(port(published)).or_default().get_or_insert_default().push(binding);
    }
    (!bindings.is_empty()).then_some(bindings)
}

fn mounts(spec: &Spec, contents: &Contents) -> Vec<Mount> {
    let mut mounts: Vec<_> = spec.mounts.iter().map(mount).collect();
    if spec.read_only {
        // Nothing can be put on a root that is read-only: its files get a volume without a name.
        let mut folders: Vec<_> = contents.files.iter().map(|file| file.split().0).collect();
        folders.sort_unstable();
        folders.dedup();
        for folder in folders {
            let target = if folder.is_empty() { continue } else { folder };
            if !mounts.iter().any(|it| it.target.as_deref() == Some(target)) {
                mounts.push(of(MountType::VOLUME, None, target, false));
            }
        }
    }
    mounts
}

fn mount(wanted: &Wanted) -> Mount {
    match wanted {
        Wanted::Bind(bind) => {
            let propagation = bind.propagation.as_deref().and_then(propagation);
            let options = MountBindOptions { propagation, ..MountBindOptions::default() };
            let mount =
                of(MountType::BIND, Some(bind.source.clone()), &bind.target, bind.read_only);
            Mount { bind_options: propagation.is_some().then_some(options), ..mount }
        }
        Wanted::Volume(volume) => {
            let options = MountVolumeOptions {
                no_copy: Some(volume.no_copy),
                ..MountVolumeOptions::default()
            };
            let mount =
                of(MountType::VOLUME, volume.name.clone(), &volume.target, volume.read_only);
            Mount { volume_options: volume.no_copy.then_some(options), ..mount }
        }
        Wanted::Tmpfs(tmpfs) => {
            let options = MountTmpfsOptions {
                size_bytes: tmpfs.size_bytes.and_then(|it| i64::try_from(it).ok()),
                mode: tmpfs.mode.map(i64::from),
                options: None,
            };
            let mount = of(MountType::TMPFS, None, &tmpfs.target, false);
            Mount { tmpfs_options: Some(options), ..mount }
        }
    }
}

fn of(typ: MountType, source: Option<String>, target: &str, read_only: bool) -> Mount {
    Mount {
        typ: Some(typ),
        source,
        target: Some(target.to_owned()),
        read_only: Some(read_only),
        ..Mount::default()
    }
}

fn propagation(text: &str) -> Option<MountBindOptionsPropagationEnum> {
    text.parse().ok()
}

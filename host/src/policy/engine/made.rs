//! What containers, networks and volumes of the user's a plugin may make.

use std::{collections::HashMap, net::IpAddr, path::Path};

use super::{
    super::{Approved, Image, Policy, Taken, images::tagged, processes::check_words},
    Kind, check_labels, check_word, walls,
};
use crate::{
    capability::{
        engine::{FileContent, Mount, Networking, Resources, Spec},
        networks, volumes,
    },
    config::{EngineGrant, EnginePower},
    error::{Result, denied, invalid, limit},
};

/// More files than that belong into an image or a volume.
const LARGEST_FILES: usize = 8 << 20;
/// More of one kind is a mistake.
const MOST: usize = 1000;
/// Drivers of networks that stay within the engine.
const NETWORK_DRIVERS: [&str; 2] = ["bridge", "overlay"];
/// Options that change nothing but the network itself. Others put it on a bridge or an address of the machine.
const NETWORK_OPTIONS: [&str; 4] = [
    "com.docker.network.driver.mtu",
    "com.docker.network.bridge.enable_icc",
    "com.docker.network.bridge.enable_ip_masquerade",
    "com.docker.network.container_iface_prefix",
];
const MIB: u64 = 1 << 20;

/// A container that is about to be made.
#[derive(Debug)]
pub struct NewTheirs {
    pub spec: Spec,
    pub image: Image,
}

impl NewTheirs {
    /// How much it may use.
    #[allow(clippy::cast_precision_loss, reason = "no machine has so much")]
    pub fn takes(&self) -> Taken {
        let Resources { nano_cpus, memory_bytes, .. } = &self.spec.resources;
        Taken {
            name: self.spec.name.clone(),
            cpus: nano_cpus.filter(|it| *it > 0).map(|it| it as f64 / 1e9),
            memory_mib: memory_bytes.filter(|it| *it > 0).map(|it| it as f64 / MIB as f64),
        }
    }
}

/// A network that is about to be made.
#[derive(Debug)]
pub struct NewNetwork(pub networks::Spec);

/// A volume that is about to be made.
#[derive(Debug)]
pub struct NewVolume(pub volumes::Spec);

impl Policy {
    /// `companions` are the ids of the containers whose rooms it shares: they are within reach.
    pub fn approve_theirs(
        &self,
        mut spec: Spec,
        companions: &[String],
        sockets: &[String],
    ) -> Result<Approved<NewTheirs>> {
        self.may_write("engine.create")?;
        let grant = self.engine("engine.create")?;
        check_word(Kind::Container, &spec.name)?;
        check_labels(&spec.labels)?;
        let labels: HashMap<_, _> = spec.labels.iter().cloned().collect();
        self.check_name(grant, Kind::Container, &spec.name, &labels)?;
        let image = self.image(grant, &spec.image)?;
        self.check_env("engine", &grant.secrets, &spec.env)?;
        for words in [&spec.entrypoint, &spec.command].into_iter().flatten() {
            check_words("argument", words)?;
        }
        self.check_files(grant, &spec)?;
        self.check_mounts(grant, &spec.mounts)?;
        self.check_networking(grant, &spec, companions)?;
        self.check_breaches(grant, &walls::breaches(&spec, sockets))?;
        check_amount("ports", spec.ports.len())?;
        let ports = std::mem::take(&mut spec.ports).into_iter();
        spec.ports = ports.map(|port| self.publish(grant, port)).collect::<Result<_>>()?;
        self.bound(grant, &mut spec.resources)?;
        // With a tag: without one an engine might take it for the beginning of an id.
        spec.image = tagged(&spec.image);
        Ok(self.approved(NewTheirs { spec, image }))
    }

    pub fn approve_new_network(&self, spec: networks::Spec) -> Result<Approved<NewNetwork>> {
        self.may_write("networks.create")?;
        let grant = self.engine("networks.create")?;
        check_word(Kind::Network, &spec.name)?;
        check_labels(&spec.labels)?;
        let labels = spec.labels.iter().cloned().collect();
        self.check_name(grant, Kind::Network, &spec.name, &labels)?;
        let outside = spec.driver.as_deref().is_some_and(|it| !NETWORK_DRIVERS.contains(&it));
        if outside && !grant.powers.contains(&EnginePower::HostNetwork) {
            return Err(self.lacks("powers", EnginePower::HostNetwork.name()));
        }
        let powerful = grant.powers.contains(&EnginePower::HostNetwork);
        let foreign =
            spec.options.iter().any(|(name, _)| !NETWORK_OPTIONS.contains(&name.as_str()));
        let public =
            spec.pools.iter().filter_map(|it| it.subnet.as_deref()).any(|it| !is_inner(it));
        if (foreign || public) && !powerful {
            return Err(self.lacks("powers", EnginePower::HostNetwork.name()));
        }
        Ok(self.approved(NewNetwork(spec)))
    }

    pub fn approve_new_volume(&self, spec: volumes::Spec) -> Result<Approved<NewVolume>> {
        self.may_write("volumes.create")?;
        let grant = self.engine("volumes.create")?;
        check_word(Kind::Volume, &spec.name)?;
        check_labels(&spec.labels)?;
        let labels = spec.labels.iter().cloned().collect();
        self.check_name(grant, Kind::Volume, &spec.name, &labels)?;
        let foreign = spec.driver.as_deref().is_some_and(|it| !matches!(it, "" | "local"));
        // An option can make any folder of this machine a volume.
        if (foreign || !spec.options.is_empty()) && !grant.powers.contains(&EnginePower::Devices) {
            return Err(self.lacks("powers", EnginePower::Devices.name()));
        }
        Ok(self.approved(NewVolume(spec)))
    }

    fn check_files(&self, grant: &EngineGrant, spec: &Spec) -> Result<()> {
        check_amount("files", spec.files.len())?;
        let mut size = 0;
        for file in &spec.files {
            check_target(&file.path)?;
            check_seen(&file.path, spec)?;
            match &file.content {
                FileContent::Bytes(bytes) => size += bytes.len(),
                FileContent::Secret(name) => self.check_secret("engine", &grant.secrets, name)?,
            }
        }
        if size > LARGEST_FILES {
            return Err(limit(format!(
                "{size} bytes of files are more than the {LARGEST_FILES} that a container is given; put them into a volume"
            )));
        }
        Ok(())
    }

    /// Volumes are made when they are missing, so their names have to be granted too.
    fn check_mounts(&self, grant: &EngineGrant, mounts: &[Mount]) -> Result<()> {
        check_amount("mounts", mounts.len())?;
        for mount in mounts {
            match mount {
                Mount::Bind(bind) => check_target(&bind.target)?,
                Mount::Tmpfs(tmpfs) => check_target(&tmpfs.target)?,
                Mount::Volume(volume) => {
                    check_target(&volume.target)?;
                    let Some(name) = &volume.name else { continue };
                    check_word(Kind::Volume, name)?;
                    self.check_name(grant, Kind::Volume, name, &HashMap::new())?;
                }
            }
        }
        Ok(())
    }

    fn check_networking(
        &self,
        grant: &EngineGrant,
        spec: &Spec,
        companions: &[String],
    ) -> Result<()> {
        let known = |id: &String| companions.contains(id);
        let shared = |mode: &Option<String>| {
            let id = mode.as_deref().and_then(|it| it.strip_prefix("container:"));
            id.is_none_or(|id| known(&id.to_owned()))
        };
        let joins = match &spec.networking {
            Networking::Container(id) => known(id),
            _ => true,
        };
        if !joins || !shared(&spec.pid) || !shared(&spec.ipc) {
            return Err(denied(
                "not allowed: it shares the rooms of a container that was not looked at",
            ));
        }
        let Networking::Networks(networks) = &spec.networking else { return Ok(()) };
        check_amount("networks", networks.len())?;
        for it in networks {
            check_word(Kind::Network, &it.network)?;
            if matches!(it.network.as_str(), "host" | "none" | "default") {
                return Err(invalid(format!("`{}` is a mode, and no network to join", it.network)));
            }
            self.check_name(grant, Kind::Network, &it.network, &HashMap::new())?;
        }
        if networks.is_empty() {
            self.check_name(grant, Kind::Network, "bridge", &HashMap::new())?;
        }
        Ok(())
    }

    /// What is granted is the most, and what it gets where nothing is asked for.
    fn bound(&self, grant: &EngineGrant, asked: &mut Resources) -> Result<()> {
        let less = |key: &str, granted: String, asked: String| {
            denied(format!(
                "not allowed: `plugins.{}.grants.engine.{key} = {granted}` is less than {asked}",
                self.plugin
            ))
            .with_detail("error_code", "POLICY_DENIED")
        };
        if let Some(mib) = grant.memory_mib {
            let most = u64::from(mib) * MIB;
            let wanted = asked.memory_bytes.filter(|it| *it > 0).unwrap_or(most);
            let swap = asked.memory_swap_bytes.unwrap_or(0);
            if wanted > most {
                return Err(less("memory_mib", mib.to_string(), format!("{wanted} bytes")));
            }
            if swap < 0 || swap.unsigned_abs() > 2 * most {
                let asked = format!("half of `memory_swap`, which is {swap} bytes");
                return Err(less("memory_mib", mib.to_string(), asked));
            }
            asked.memory_bytes = Some(wanted);
        }
        if let Some(cpus) = grant.cpus {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a grant is a handful of processors"
            )]
            let most = (f64::from(cpus) * 1e9).round().max(0.0) as u64;
            let wanted = asked.nano_cpus.filter(|it| *it > 0).unwrap_or(most);
            if wanted > most {
                return Err(less("cpus", cpus.to_string(), format!("{wanted} billionths")));
            }
            asked.nano_cpus = Some(wanted);
        }
        if let Some(pids) = grant.pids {
            let wanted = asked.pids.filter(|it| *it != 0).unwrap_or(pids.into());
            if wanted < 0 || wanted > i64::from(pids) {
                return Err(less("pids", pids.to_string(), wanted.to_string()));
            }
            asked.pids = Some(wanted);
        }
        Ok(())
    }
}

/// Whether a range of addresses belongs to nobody else: else the machine would not reach its owner any more.
fn is_inner(subnet: &str) -> bool {
    let (address, length) = subnet.split_once('/').unwrap_or((subnet, "0"));
    let length: u8 = length.parse().unwrap_or(0);
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            let [first, second, ..] = address.octets();
            match first {
                10 => length >= 8,
                172 => (16..32).contains(&second) && length >= 12,
                192 => second == 168 && length >= 16,
                _ => false,
            }
        }
        Ok(IpAddr::V6(address)) => address.is_unique_local() && length >= 7,
        Err(_) => false,
    }
}

fn check_target(path: &str) -> Result<()> {
    let parts = path.strip_prefix('/').map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    let plain = |rest: &str| !rest.split('/').any(|part| matches!(part, "" | "." | ".."));
    if parts.is_some_and(plain) && !path.contains('\0') {
        return Ok(());
    }
    let path = path.escape_debug();
    Err(invalid(format!(
        "`{path}` is no place in a container: it is absolute, below `/`, and without `.`, `..` and empty steps"
    )))
}

/// A file is put there before the container starts, when memory is not mounted yet.
fn check_seen(file: &str, spec: &Spec) -> Result<()> {
    let hides = |mount: &&Mount| match mount {
        Mount::Tmpfs(tmpfs) => Path::new(file).starts_with(&tmpfs.target),
        _ => false,
    };
    if let Some(Mount::Tmpfs(tmpfs)) = spec.mounts.iter().find(hides) {
        return Err(invalid(format!(
            "`{file}` would be hidden by the tmpfs at `{}`: put the file elsewhere",
            tmpfs.target
        )));
    }
    if spec.read_only && Path::new(file).parent() == Some(Path::new("/")) {
        return Err(invalid(format!(
            "`{file}` cannot be put into a root that is read-only: put it into a folder"
        )));
    }
    Ok(())
}

fn check_amount(what: &str, count: usize) -> Result<()> {
    if count > MOST {
        return Err(limit(format!("{count} {what} of one container are more than {MOST}")));
    }
    Ok(())
}

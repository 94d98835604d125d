//! The user's containers, as the engine has them.

use std::collections::HashMap;

use bollard::{
    models::{
        ContainerInspectResponse, ContainerState, ContainerStateStatusEnum, ContainerSummary,
        ContainerSummaryStateEnum, HealthStatusEnum, MountPoint, PortSummary,
    },
    query_parameters::{InspectContainerOptions, ListContainersOptions},
};

use super::super::{Docker, LISTS};
use crate::{
    capability::engine::{Address, Details, Mounted, Published, State, Summary, Wellness},
    config::EnginePower,
    error::{Result, not_found},
    policy::{Approved, Breach, Kind, Looking, Theirs},
};

/// What is in the environment under a name with one of these words is left out of what is told.
const HIDDEN: [&str; 9] =
    ["PASS", "SECRET", "TOKEN", "KEY", "CREDENTIAL", "AUTH", "PRIVATE", "DSN", "COOKIE"];

/// A container that the engine has.
#[derive(Debug)]
pub struct Found {
    theirs: Theirs,
    inspected: ContainerInspectResponse,
}

impl Docker {
    /// All containers with these labels.
    pub async fn list_theirs(
        &self,
        _: &Approved<Looking>,
        all: bool,
        labels: &[String],
    ) -> Result<Vec<(Theirs, Summary)>> {
        let mut filters = HashMap::new();
        if !labels.is_empty() {
            filters.insert("label".to_owned(), labels.to_vec());
        }
        let options = ListContainersOptions {
            all,
            filters: Some(filters),
            ..ListContainersOptions::default()
        };
        let mut tries = 0;
        let listed = loop {
            tries += 1;
            let options = Some(options.clone());
            match self.quickly(async |client| client.list_containers(options).await).await? {
                Ok(listed) => break listed,
                // Podman's list fails as a whole where one of the listed goes while it is put together.
                Err(trouble) if tries < LISTS && trouble.says(&["no such container"]) => {}
                Err(trouble) => return Err(trouble.doing("list the containers")),
            }
        };
        Ok(listed.into_iter().map(listed_container).collect())
    }

    /// The container of this name, id or beginning of an id.
    pub async fn find_theirs(&self, _: &Approved<Looking>, name: &str) -> Result<Found> {
        let missing = || {
            not_found(format!("there is no container `{}`", name.escape_debug()))
                .with_detail("error_code", "CONTAINER_NOT_FOUND")
        };
        if !is_name(name) {
            return Err(missing());
        }
        let options = None::<InspectContainerOptions>;
        let found =
            self.quickly(async |client| client.inspect_container(name, options).await).await?;
        match found {
            Ok(inspected) => Ok(Found { theirs: theirs(&inspected, &self.sockets()), inspected }),
            Err(trouble) if trouble.is(404) => Err(missing()),
            Err(trouble) => Err(trouble.doing(&format!("look at container `{name}`"))),
        }
    }
}

impl Found {
    pub fn theirs(&self) -> &Theirs {
        &self.theirs
    }

    /// The folders of this machine that it has, and whether it can only read them.
    pub fn binds(&self) -> impl Iterator<Item = (&str, bool)> {
        let mounts = self.inspected.mounts.iter().flatten();
        let binds = mounts.filter(|it| it.typ.as_deref() == Some("bind"));
        binds.filter_map(|it| Some((it.source.as_deref()?, it.rw == Some(false))))
    }

    pub fn is_tty(&self) -> bool {
        self.inspected.config.as_ref().and_then(|it| it.tty).unwrap_or_default()
    }

    /// All that is known of it.
    pub fn details(mut self) -> Details {
        let tty = self.is_tty();
        let state = self.inspected.state.clone().unwrap_or_default();
        let config = self.inspected.config.as_mut();
        let image = config.as_ref().and_then(|it| it.image.clone()).unwrap_or_default();
        for variable in config.and_then(|it| it.env.as_mut()).into_iter().flatten() {
            hide(variable);
        }
        let json = serde_json::to_string(&self.inspected).unwrap_or_default();
        let mounts = self.inspected.mounts.unwrap_or_default();
        let mut labels: Vec<_> = self.theirs.labels.into_iter().collect();
        labels.sort();
        Details {
            id: self.theirs.id,
            name: self.theirs.name,
            image,
            image_id: self.inspected.image.unwrap_or_default(),
            labels,
            state: state_of(state.status),
            wellness: wellness(&state),
            health_said: health_said(&state),
            exit_code: exit_code(&state),
            error: state.error.filter(|it| !it.is_empty()),
            oom_killed: state.oom_killed.unwrap_or_default(),
            restarts: self.inspected.restart_count.and_then(|it| it.try_into().ok()).unwrap_or(0),
            tty,
            volumes: mounts.into_iter().filter_map(mounted).collect(),
            json,
        }
    }
}

/// What engines understand in a path of theirs, and nothing that would lead elsewhere.
pub(super) fn is_name(name: &str) -> bool {
    let fits = |it: char| it.is_ascii_alphanumeric() || "_.-".contains(it);
    name.starts_with(|it: char| it.is_ascii_alphanumeric())
        && name.len() <= 255
        && name.chars().all(fits)
}

fn theirs(found: &ContainerInspectResponse, sockets: &[String]) -> Theirs {
    let config = found.config.as_ref();
    let mut breaches = powers(found);
    for mount in found.mounts.iter().flatten() {
        let source = mount.source.as_deref().filter(|_| mount.typ.as_deref() == Some("bind"));
        let read_only = mount.rw == Some(false);
        breaches.extend(source.into_iter().flat_map(|it| Breach::of_bind(it, read_only, sockets)));
        breaches.extend(mount.propagation.as_deref().and_then(Breach::of_propagation));
    }
    Theirs {
        kind: Kind::Container,
        id: found.id.clone().unwrap_or_default(),
        name: found.name.as_deref().unwrap_or_default().trim_start_matches('/').to_owned(),
        labels: config.and_then(|it| it.labels.clone()).unwrap_or_default(),
        breaches,
    }
}

/// What a container has that is there already.
fn powers(found: &ContainerInspectResponse) -> Vec<Breach> {
    let Some(host) = &found.host_config else { return Vec::new() };
    let is = |mode: &Option<String>| mode.as_deref() == Some("host");
    let mut powers = Vec::new();
    let mut has = |power, is: bool| {
        if is {
            powers.push(power);
        }
    };
    has(EnginePower::Privileged, host.privileged == Some(true));
    has(EnginePower::HostNetwork, is(&host.network_mode));
    has(EnginePower::HostProcesses, is(&host.pid_mode) || is(&host.ipc_mode));
    has(EnginePower::HostProcesses, is(&host.userns_mode) || is(&host.uts_mode));
    has(EnginePower::Devices, host.devices.as_ref().is_some_and(|it| !it.is_empty()));
    has(EnginePower::Devices, host.device_requests.as_ref().is_some_and(|it| !it.is_empty()));
    has(EnginePower::Devices, host.device_cgroup_rules.as_ref().is_some_and(|it| !it.is_empty()));
    let mut breaches: Vec<_> = powers.into_iter().map(Breach::Power).collect();
    let capabilities = host.cap_add.iter().flatten();
    breaches.extend(capabilities.filter_map(|it| Breach::of_capability(it)));
    breaches.extend(host.security_opt.iter().flatten().filter_map(|it| Breach::of_security(it)));
    breaches
}

fn listed_container(listed: ContainerSummary) -> (Theirs, Summary) {
    let id = listed.id.unwrap_or_default();
    let names = listed.names.unwrap_or_default();
    // A container has a name for each that links to it as well: its own has a single slash.
    let own = names.iter().map(|it| it.trim_start_matches('/')).find(|it| !it.contains('/'));
    let name = own.unwrap_or_default().to_owned();
    let labels = listed.labels.unwrap_or_default();
    let theirs = Theirs {
        kind: Kind::Container,
        id: id.clone(),
        name: name.clone(),
        labels: labels.clone(),
        breaches: Vec::new(),
    };
    let status = listed.status.unwrap_or_default();
    let networks = listed.network_settings.and_then(|it| it.networks).unwrap_or_default();
    let mut addresses: Vec<_> = networks
        .into_iter()
        .map(|(network, it)| Address { network, ip: it.ip_address.filter(|it| !it.is_empty()) })
        .collect();
    addresses.sort_by(|a, b| a.network.cmp(&b.network));
    let mut labels: Vec<_> = labels.into_iter().collect();
    labels.sort();
    let mut ports: Vec<_> = listed.ports.unwrap_or_default().into_iter().map(published).collect();
    ports.sort_by(|a, b| {
        (a.target, &a.protocol, &a.address).cmp(&(b.target, &b.protocol, &b.address))
    });
    let summary = Summary {
        id,
        name,
        image: listed.image.unwrap_or_default(),
        image_id: listed.image_id.unwrap_or_default(),
        command: listed.command.unwrap_or_default(),
        created: seconds(listed.created),
        state: summary_state(listed.state),
        wellness: wellness_in(&status),
        status,
        ports,
        addresses,
        labels,
    };
    (theirs, summary)
}

pub(super) fn seconds(seconds: Option<i64>) -> u64 {
    seconds.and_then(|it| u64::try_from(it).ok()).unwrap_or(0) * 1000
}

fn published(port: PortSummary) -> Published {
    Published {
        address: port.ip,
        port: port.public_port,
        target: port.private_port,
        protocol: port.typ.map_or("tcp".to_owned(), |it| it.to_string()),
    }
}

fn mounted(mount: MountPoint) -> Option<Mounted> {
    let volume = mount.name.filter(|_| mount.typ.as_deref() == Some("volume"));
    Some(Mounted { volume, target: mount.destination? })
}

fn state_of(state: Option<ContainerStateStatusEnum>) -> State {
    match state {
        Some(ContainerStateStatusEnum::RUNNING) => State::Running,
        Some(ContainerStateStatusEnum::PAUSED) => State::Paused,
        Some(ContainerStateStatusEnum::RESTARTING) => State::Restarting,
        Some(ContainerStateStatusEnum::REMOVING) => State::Removing,
        Some(ContainerStateStatusEnum::EXITED) => State::Exited,
        Some(ContainerStateStatusEnum::DEAD) => State::Dead,
        _ => State::Created,
    }
}

fn summary_state(state: Option<ContainerSummaryStateEnum>) -> State {
    match state {
        Some(ContainerSummaryStateEnum::RUNNING) => State::Running,
        Some(ContainerSummaryStateEnum::PAUSED) => State::Paused,
        Some(ContainerSummaryStateEnum::RESTARTING) => State::Restarting,
        Some(ContainerSummaryStateEnum::REMOVING) => State::Removing,
        Some(ContainerSummaryStateEnum::EXITED) => State::Exited,
        Some(ContainerSummaryStateEnum::DEAD) => State::Dead,
        _ => State::Created,
    }
}

fn wellness(state: &ContainerState) -> Option<Wellness> {
    match state.health.as_ref()?.status? {
        HealthStatusEnum::STARTING => Some(Wellness::Starting),
        HealthStatusEnum::HEALTHY => Some(Wellness::Healthy),
        HealthStatusEnum::UNHEALTHY => Some(Wellness::Unhealthy),
        _ => None,
    }
}

/// Older engines tell it in words alone: `Up 2 minutes (healthy)`.
fn wellness_in(status: &str) -> Option<Wellness> {
    let (_, words) = status.strip_suffix(')')?.rsplit_once('(')?;
    match words {
        "healthy" => Some(Wellness::Healthy),
        "unhealthy" => Some(Wellness::Unhealthy),
        "health: starting" => Some(Wellness::Starting),
        _ => None,
    }
}

fn health_said(state: &ContainerState) -> Option<String> {
    let last = state.health.as_ref()?.log.as_ref()?.last()?;
    last.output.clone().map(|it| it.trim_end().to_owned()).filter(|it| !it.is_empty())
}

/// One that was only made has a code of 0 too, and the first day of year 1 for its start.
fn exit_code(state: &ContainerState) -> Option<i64> {
    let ran = state.started_at.as_ref().is_some_and(|it| !it.starts_with("0001"));
    state.exit_code.filter(|_| ran && state.running != Some(true))
}

fn hide(variable: &mut String) {
    let Some((name, value)) = variable.split_once('=') else { return };
    let upper = name.to_uppercase();
    // An address may have a password before its host.
    let with_user = value.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
    if with_user || HIDDEN.iter().any(|word| upper.contains(word)) {
        *variable = format!("{name}=***");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_is_read_from_words() {
        assert_eq!(
            wellness_in("Up 2 minutes (healthy)").map(|it| format!("{it:?}")),
            Some("Wellness::Healthy".to_owned())
        );
        assert!(wellness_in("Up 1 second (health: starting)").is_some());
        assert!(wellness_in("Exited (0) 2 hours ago").is_none());
        assert!(wellness_in("Up 2 minutes (Paused)").is_none());
    }

    #[test]
    fn values_that_look_secret_are_left_out() {
        let hidden = |text: &str| {
            let mut text = text.to_owned();
            hide(&mut text);
            text
        };
        assert_eq!(hidden("POSTGRES_PASSWORD=a=b"), "POSTGRES_PASSWORD=***");
        assert_eq!(hidden("api_key=x"), "api_key=***");
        assert_eq!(hidden("PATH=/bin"), "PATH=/bin");
        assert_eq!(hidden("DATABASE_URL=postgres://u:p@db/x"), "DATABASE_URL=***");
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        assert!(is_name("web-1") && is_name("0a1b"));
        for name in ["", "--help", "../images", "a/b", "a?b", "a b", ".."] {
            assert!(!is_name(name), "{name}");
        }
    }
}

//! The security profile of every container that the host makes, whoever asks.
//!
//! Each loosening is a `Power`, which the policy has approved. There is no way to ask for anything else.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountBindOptions,
    MountType, RestartPolicy, RestartPolicyNameEnum,
};
use rustix::process::{getegid, geteuid};
use serde_json::json;
use windlass_supervisor::protocol::{FOLDER, PROGRAM};

use super::{Engine, Picture};
use crate::{
    config::Power,
    policy::{Approved, NewContainer},
};

/// Where the workspace is.
pub const WORKSPACE: &str = "/workspace";
/// Whom programs run as where the host is root.
const NOBODY_IN_PARTICULAR: &str = "1000:1000";
/// The supervisor goes last when memory runs out. What it starts, it makes go first.
const LAST_TO_GO: i64 = -500;

pub(super) const INSTANCE: &str = "windlass.instance";
pub(super) const ID: &str = "windlass.id";

/// The labels that say whose a container is, and what it was made for.
pub mod label {
    pub const PLUGIN: &str = "windlass.plugin";
    pub const WORKSPACE: &str = "windlass.workspace";
    /// Other workspaces as `id:path`, with commas between them.
    pub const BESIDE: &str = "windlass.beside";
    pub const IMAGE: &str = "windlass.image";
    pub const PERSISTENT: &str = "windlass.persistent";
    pub const ALIAS: &str = "windlass.alias";
    /// Whether the workspace goes with the container.
    pub const OWN_WORKSPACE: &str = "windlass.own-workspace";
    /// Whether the container goes with the workspace.
    pub const YIELDS: &str = "windlass.yields";
    /// Whether it does without the places that are granted.
    pub const OFFLINE: &str = "windlass.offline";
    /// Those of them that it reaches, as JSON. Null: all.
    pub const REACH: &str = "windlass.reach";
    /// Directories of this machine, with colons between them.
    pub const MOUNTS: &str = "windlass.mounts";
    /// The numbers of groups, with commas between them.
    pub const GROUPS: &str = "windlass.groups";
}

/// What the host has made for a container, and with it makes the container.
#[derive(Debug)]
pub struct Made<'a> {
    pub id: &'a str,
    pub workspace_id: &'a str,
    pub workspace: &'a Path,
    /// Other workspaces, and where each is seen.
    pub beside: &'a [(PathBuf, String)],
    /// What is at `/.windlass`: the supervisor, and the host's socket.
    pub folder: &'a Path,
    /// `NAME=value`.
    pub env: Vec<String>,
    pub picture: &'a Picture,
}

/// All that the engine is told.
pub(super) fn container(
    container: &Approved<NewContainer>,
    made: &Made<'_>,
    engine: &Engine,
    cores: Option<String>,
    instance: &str,
) -> ContainerCreateBody {
    let wanted = container.request();
    ContainerCreateBody {
        // The id, since a name may lead elsewhere by now.
        image: Some(made.picture.id.clone()),
        entrypoint: Some(vec![format!("{FOLDER}/{PROGRAM}")]),
        // Without this the image's command would become arguments of the supervisor.
        cmd: Some(Vec::new()),
        user: Some(user(wanted, made.picture, engine)),
        working_dir: Some(WORKSPACE.to_owned()),
        env: Some(made.env.clone()),
        stop_signal: Some("SIGTERM".to_owned()),
        labels: Some(labels(container, made, instance)),
        // An image may bring one, and the engine would run it again and again.
        healthcheck: Some(HealthConfig {
            test: Some(vec!["NONE".to_owned()]),
            ..HealthConfig::default()
        }),
        tty: Some(false),
        open_stdin: Some(false),
        host_config: Some(limits(wanted, made, engine, cores)),
        ..ContainerCreateBody::default()
    }
}

fn limits(
    wanted: &NewContainer,
    made: &Made<'_>,
    engine: &Engine,
    cores: Option<String>,
) -> HostConfig {
    let memory = i64::from(wanted.memory_mib) << 20;
    let has = |power| wanted.powers.contains(&power);
    HostConfig {
        mounts: Some(mounts(wanted, made)),
        group_add: Some(wanted.groups.iter().map(u32::to_string).collect()),
        // Engines make it `noexec` if nobody says otherwise, and installers run what they unpack. It counts as memory, so
        // half of it is what the kernel would give as well.
        tmpfs: Some(HashMap::from([("/tmp".to_owned(), scratch(memory / 2, engine))])),
        // Podman adds a tmpfs at /run and /var/tmp, and has no way to be told not to.
        readonly_rootfs: Some(!has(Power::WritableRoot)),
        network_mode: Some(if has(Power::Bridge) { "bridge" } else { "none" }.to_owned()),
        privileged: Some(false),
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        ipc_mode: Some("private".to_owned()),
        memory: Some(memory),
        // The same, so that there is no swap.
        memory_swap: Some(memory),
        nano_cpus: Some(nanos(wanted.cpus)),
        cpuset_cpus: cores,
        pids_limit: Some(i64::from(wanted.pids)),
        oom_score_adj: engine.spares.then_some(LAST_TO_GO),
        // The supervisor reaps zombies and forwards signals, so the engine's own init would only stand between.
        init: Some(false),
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        // Without it rootless Podman shows the user's files as root's.
        userns_mode: (engine.rootless && engine.is_podman()).then(|| "keep-id".to_owned()),
        ..HostConfig::default()
    }
}

/// The options of `/tmp`. Docker gives it the rights of the image's own folder, whatever `mode` says, and where those are
/// root's alone nobody else could write; so there it belongs to the user too.
fn scratch(size: i64, engine: &Engine) -> String {
    let options = format!("rw,exec,nosuid,nodev,mode=1777,size={size}");
    if engine.is_podman() || !geteuid().is_root() {
        return options;
    }
    format!("{options},uid=1000,gid=1000")
}

/// The workspaces, what the host put beside them, and what the operator lets the plugin's containers see.
fn mounts(wanted: &NewContainer, made: &Made<'_>) -> Vec<Mount> {
    let mut mounts = vec![bind(made.workspace, WORKSPACE, false), bind(made.folder, FOLDER, true)];
    mounts.extend(made.beside.iter().map(|(folder, path)| bind(folder, path, false)));
    for path in &wanted.mounts {
        // What else is mounted below it would be writable on older engines.
        let alone = MountBindOptions { non_recursive: Some(true), ..MountBindOptions::default() };
        let mount = bind(Path::new(path), path, true);
        mounts.push(Mount { bind_options: Some(alone), ..mount });
    }
    mounts
}

/// A mount, and not a bind: of those an engine makes the source when it is missing, as root. Neither way takes `nosuid` and
/// `nodev` from Docker; what they would stop is stopped by no-new-privileges, and by no capability to make a device.
fn bind(source: &Path, target: &str, read_only: bool) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(source.display().to_string()),
        target: Some(target.to_owned()),
        read_only: Some(read_only),
        ..Mount::default()
    }
}

/// Whoever can write the workspace together with the host, but not root.
fn user(wanted: &NewContainer, picture: &Picture, engine: &Engine) -> String {
    if wanted.powers.contains(&Power::ImageUser) {
        return picture.user.clone().unwrap_or_else(|| "0:0".to_owned());
    }
    if geteuid().is_root() {
        return NOBODY_IN_PARTICULAR.to_owned();
    }
    if engine.rootless && !engine.is_podman() {
        // Rootless Docker knows the host's own user, who owns the workspace, as this and in no other way.
        return "0:0".to_owned();
    }
    format!("{}:{}", geteuid().as_raw(), getegid().as_raw())
}

fn labels(
    container: &Approved<NewContainer>,
    made: &Made<'_>,
    instance: &str,
) -> HashMap<String, String> {
    let wanted = container.request();
    let labelled = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let beside: Vec<_> =
        wanted.beside.iter().map(|it| format!("{}:{}", it.workspace, it.path)).collect();
    let groups: Vec<_> = wanted.groups.iter().map(u32::to_string).collect();
    let word = |yes: bool| if yes { "true" } else { "false" };
    HashMap::from([
        labelled(INSTANCE, instance),
        labelled(ID, made.id),
        labelled(label::PLUGIN, container.owner()),
        labelled(label::WORKSPACE, made.workspace_id),
        labelled(label::BESIDE, &beside.join(",")),
        labelled(label::OWN_WORKSPACE, word(wanted.workspace.is_none())),
        labelled(label::YIELDS, word(wanted.yields)),
        labelled(label::OFFLINE, word(wanted.offline)),
        labelled(label::REACH, &json!(wanted.reach).to_string()),
        labelled(label::IMAGE, &wanted.image.name),
        labelled(label::MOUNTS, &wanted.mounts.join(":")),
        labelled(label::GROUPS, &groups.join(",")),
        labelled(label::PERSISTENT, word(wanted.persistent)),
        // Also where there is none: an image has labels too, and they would show through.
        labelled(label::ALIAS, wanted.alias.as_deref().unwrap_or_default()),
    ])
}

#[allow(clippy::cast_possible_truncation, reason = "the grant bounds it far below")]
fn nanos(cpus: f32) -> i64 {
    (f64::from(cpus) * 1e9).round() as i64
}

//! Podman: always a service of our own, so that nothing of a user's is in reach of a test.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result};

use super::{keeper, keeper::Home, remains};
use crate::{api::Api, command};

/// runc, because crun refuses machines with both versions of cgroups. No limits of its own, because the usual ones
/// cannot be set inside a container. No conmon logs to a journal that may not be there.
const CONFIGURATION: &str = r#"
[containers]
default_ulimits = []
log_driver = "k8s-file"

[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"#;

/// What it writes whatever it is told: a cache of images, a folder of locks, and its cgroup.
const CACHE: &str = "/var/lib/containers/cache";
const LOCKS: &str = "/run/containers/networks";
const CGROUP: &str = "libpod_parent";

/// A file in the run folder: no Podman was used here before, so that what it writes is removed as well.
const FIRST: &str = "first";

pub(super) fn start(home: &Home) -> Result<(Child, Api)> {
    keeper::need(&["podman", "runc"], &["podman", "runc"])?;
    let log = home.make()?;
    fs::write(home.run.join("containers.conf"), CONFIGURATION)?;
    if !Path::new(CACHE).exists() {
        fs::write(home.run.join(FIRST), "")?;
    }
    let api = home.socket();
    let mut service = podman(home);
    service.args(["system", "service", "--time", "0", api.address()]);
    service.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Ok((service.spawn().context("cannot start `podman`")?, api))
}

/// With all that it writes in places of ours.
fn podman(home: &Home) -> Command {
    let mut podman = Command::new("podman");
    podman.env("CONTAINERS_CONF", home.run.join("containers.conf"));
    podman.arg("--root").arg(home.data.join("root")).arg("--runroot").arg(home.run.join("run"));
    podman.arg("--tmpdir").arg(home.run.join("tmp"));
    podman.arg("--network-config-dir").arg(home.data.join("networks"));
    podman
}

/// Its command also finds the containers of a service that was killed.
pub(super) fn clear(home: &Home) {
    if home.run.join("containers.conf").exists() {
        let mut remove = podman(home);
        remove.args(["rm", "--all", "--force", "--time", "0"]);
        command::succeeded_within(keeper::END_LIMIT, &mut remove);
    }
    let first = home.run.join(FIRST).exists();
    remains::clear(home);
    if first {
        let _ = fs::remove_dir_all(CACHE);
        let _ = fs::remove_dir(LOCKS);
        remains::remove_cgroups(CGROUP);
    }
}

//! Docker: whoever answers, or a daemon with everything of its own.

use std::{
    env,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result};

use super::{keeper, keeper::Home, remains};
use crate::api::Api;

const SOCKET: &str = "unix:///var/run/docker.sock";

/// For trying what happens where there is none.
const FIND_NONE: &str = "WINDLASS_NO_ENGINE_FOUND";

/// A daemon that somebody else runs. It is left alone.
pub(super) fn found() -> Option<Api> {
    if env::var_os(FIND_NONE).is_some() {
        return None;
    }
    let named = env::var("DOCKER_HOST").ok();
    named.into_iter().chain([SOCKET.to_owned()]).map(Api::new).find(Api::answers)
}

/// A daemon that shares nothing with another one: no bridge, no rules of the firewall, no containerd, no cgroup.
pub(super) fn start(home: &Home) -> Result<(Child, Api)> {
    keeper::need(&["dockerd", "containerd", "runc"], &["docker.io"])?;
    let log = home.make()?;
    let api = home.socket();
    let mut dockerd = Command::new("dockerd");
    dockerd.args(["--host", api.address(), "--bridge=none", "--iptables=false"]);
    dockerd.arg("--data-root").arg(&home.data).arg("--exec-root").arg(home.run.join("exec"));
    dockerd.arg("--pidfile").arg(home.run.join("pid"));
    // It may use the machine's containerd, and must not meet the containers of others there.
    dockerd.args(["--containerd-namespace", &home.name]);
    dockerd.args(["--containerd-plugins-namespace", &format!("{}-plugins", home.name)]);
    dockerd.args(["--exec-opt", "native.cgroupdriver=cgroupfs"]);
    dockerd.args(["--cgroup-parent", &format!("/{}", home.name)]);
    dockerd.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Ok((dockerd.spawn().context("cannot start `dockerd`")?, api))
}

pub(super) fn clear(home: &Home) {
    remains::clear(home);
}

//! Directories of this machine that are granted, held against what the host itself has on it.

use anyhow::anyhow;

use crate::{config::Config, disk::Disk, docker::Places};

/// Fails where a container would see the host's own state, or the socket of an engine.
pub(super) fn check(config: &Config, disk: &Disk) -> anyhow::Result<()> {
    let places = Places::from_environment();
    for (plugin, mount) in config.mounts() {
        let told = |why| anyhow!("plugins.{plugin}.grants.containers.mounts: {why}");
        mount.check_apart("the host's own state", disk.state()).map_err(told)?;
        for socket in places.sockets() {
            mount.check_without("the socket of an engine", socket).map_err(told)?;
        }
    }
    Ok(())
}

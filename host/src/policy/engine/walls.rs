//! What breaks the walls of a container, and the powers that allow it.

use std::path::{Component, Path};

use super::super::Policy;
use crate::{
    capability::engine::{Logging, Mount, Spec},
    config::{BindGrant, EngineGrant, EnginePower},
    error::{Result, denied},
};

/// What the engine gives by itself: to take some of it away and give it back is no breach.
const USUAL_CAPABILITIES: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];
/// Where output may be kept without a word to others.
const LOG_DRIVERS: [&str; 5] = ["json-file", "local", "none", "journald", "k8s-file"];
/// Options of these that say how much is kept, and with which words. A path may be another.
const LOG_OPTIONS: [&str; 10] = [
    "max-size",
    "max-file",
    "max-buffer-size",
    "compress",
    "mode",
    "tag",
    "labels",
    "labels-regex",
    "env",
    "env-regex",
];
/// Propagations in which what is mounted inside stays inside.
const INWARD: [&str; 4] = ["private", "rprivate", "slave", "rslave"];

/// Something that a grant has to name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Breach {
    Power(EnginePower),
    /// A folder of this machine.
    Bind {
        source: String,
        read_only: bool,
    },
}

impl Breach {
    /// None where the engine gives it by itself.
    pub fn of_capability(capability: &str) -> Option<Self> {
        (!is_usual(capability)).then_some(Self::Power(EnginePower::Capabilities))
    }

    /// None where it makes walls higher.
    pub fn of_security(option: &str) -> Option<Self> {
        (!is_hardening(option)).then_some(Self::Power(EnginePower::Unconfined))
    }

    /// None where what is mounted inside stays inside.
    pub fn of_propagation(propagation: &str) -> Option<Self> {
        let inward = propagation.is_empty() || INWARD.contains(&propagation);
        (!inward).then_some(Self::Power(EnginePower::Privileged))
    }

    /// A socket needs a power, and no folder besides where it is named itself.
    pub fn of_bind(source: &str, read_only: bool, sockets: &[String]) -> Vec<Self> {
        let path = Path::new(source);
        let mut found = Vec::new();
        if !sockets.iter().any(|socket| Path::new(socket) == path) {
            found.push(Self::Bind { source: source.to_owned(), read_only });
        }
        if sockets.iter().any(|socket| Path::new(socket).starts_with(path)) {
            found.push(Self::Power(EnginePower::EngineSocket));
        }
        found
    }
}

impl Policy {
    pub(super) fn check_breaches(&self, grant: &EngineGrant, breaches: &[Breach]) -> Result<()> {
        for breach in breaches {
            match breach {
                Breach::Power(power) if !grant.powers.contains(power) => {
                    return Err(self.lacks("powers", power.name()));
                }
                Breach::Bind { source, read_only } => {
                    self.check_bind(grant, source, *read_only)?;
                }
                Breach::Power(_) => {}
            }
        }
        Ok(())
    }

    /// The granted folder that a path lies in.
    pub(super) fn check_bind<'a>(
        &self,
        grant: &'a EngineGrant,
        source: &str,
        read_only: bool,
    ) -> Result<&'a BindGrant> {
        let straight = Path::new(source);
        let plain = straight.components().all(|it| !matches!(it, Component::ParentDir));
        let mut around =
            grant.binds.iter().filter(|bind| plain && straight.starts_with(&bind.path)).peekable();
        if around.peek().is_none() {
            return Err(self.lacks("binds", source));
        }
        let written = |bind: &&BindGrant| read_only || !bind.read_only;
        around.find(written).ok_or_else(|| {
            denied(format!(
                "not allowed: `{source}` is granted to be read alone, by `plugins.{}.grants.engine.binds`: mount it read-only",
                self.plugin
            ))
            .with_detail("error_code", "POLICY_DENIED")
        })
    }
}

/// What a container that is wanted would break. Sockets are those of engines, by all of their paths.
pub(super) fn breaches(spec: &Spec, sockets: &[String]) -> Vec<Breach> {
    let mut found = Vec::new();
    let mut needs = |power, is: bool| {
        if is {
            found.push(Breach::Power(power));
        }
    };
    needs(EnginePower::Privileged, spec.privileged);
    needs(EnginePower::Devices, !spec.devices.is_empty());
    needs(EnginePower::Unconfined, spec.sysctls.iter().any(|(name, _)| !name.starts_with("net.")));
    needs(EnginePower::Unconfined, spec.resources.oom_score_adj.is_some_and(|it| it < 0));
    needs(
        EnginePower::HostNetwork,
        matches!(spec.networking, crate::capability::engine::Networking::Host),
    );
    needs(EnginePower::HostNetwork, spec.logging.as_ref().is_some_and(leads_out));
    needs(
        EnginePower::HostProcesses,
        [&spec.pid, &spec.ipc].into_iter().any(|it| is_host(it.as_deref())),
    );
    found.extend(spec.cap_add.iter().filter_map(|it| Breach::of_capability(it)));
    found.extend(spec.security.iter().filter_map(|it| Breach::of_security(it)));
    for mount in &spec.mounts {
        let Mount::Bind(bind) = mount else { continue };
        found.extend(bind.propagation.as_deref().and_then(Breach::of_propagation));
        found.extend(Breach::of_bind(&bind.source, bind.read_only, sockets));
    }
    found
}

fn leads_out(logging: &Logging) -> bool {
    !LOG_DRIVERS.contains(&logging.driver.as_str())
        || logging.options.iter().any(|(name, _)| !LOG_OPTIONS.contains(&name.as_str()))
}

fn is_usual(capability: &str) -> bool {
    let upper = capability.to_ascii_uppercase();
    USUAL_CAPABILITIES.contains(&upper.strip_prefix("CAP_").unwrap_or(&upper))
}

fn is_hardening(option: &str) -> bool {
    matches!(option, "no-new-privileges" | "no-new-privileges:true" | "no-new-privileges=true")
}

fn is_host(mode: Option<&str>) -> bool {
    mode.is_some_and(|mode| {
        !matches!(mode, "" | "private" | "shareable" | "none") && !mode.starts_with("container:")
    })
}

//! `windlass.toml`: what the operator wants.
//!
//! Only data: [`crate::policy`] decides with it. Every table is closed: a key that nobody reads is an error.

mod access;
mod quota;
mod grants;
mod identity;
mod jobs;
mod containers;
mod engine;
mod mounts;
mod read;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use crate::secrets::Reference;

pub use access::{AccessConfig, Role, Rule};
pub use containers::{
    ContainersConfig, ContainersGrant, Count, EgressGrant, Power, WorkspacesGrant,
};
pub use engine::{BindGrant, EngineGrant, EnginePower, Folder, PortGrant};
pub use grants::{Grants, HttpGrant};
pub use identity::{OAuthConfig, Signing, TlsConfig, is_loopback};
pub use jobs::JobsConfig;
pub use mounts::{Group, Mount, check_apart, check_real};
pub use quota::{Bounded, QuotaConfig};
pub use read::{from_text, parse};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub server: ServerConfig,
    pub http: HttpConfig,
    pub limits: Limits,
    pub containers: ContainersConfig,
    pub jobs: JobsConfig,
    pub access: AccessConfig,
    pub audit: AuditConfig,
    pub plugins: BTreeMap<String, PluginConfig>,
}

/// What clients get to see.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Only tools that change nothing.
    pub read_only: bool,
    /// Only these tools. Empty: all of them.
    pub tools: Vec<String>,
    /// None of these, whatever else is said.
    pub exclude_tools: Vec<String>,
    /// Offers `tools_search`, `tools_describe` and `tools_call` to clients that ignore list changes.
    pub meta_tools: bool,
    /// How many calls may run at once. Others wait for their turn.
    pub concurrent_calls: usize,
    /// How many may wait. One more is answered "busy".
    pub waiting_calls: usize,
    /// How long one may wait, in seconds. Then it is answered "busy".
    pub waiting_seconds: u64,
    /// Only plugins whose `sha256` is written down, besides those that are bundled.
    pub pinned_plugins: bool,
}

/// What 32-bit WebAssembly can address, in MiB.
const LARGEST_MEMORY: usize = 4096;

/// How many calls may run at once, all plugins together: each may take [`Limits::memory_mib`].
const CONCURRENT_CALLS: usize = 256;

/// How many calls may wait: twice as many as run, which are as soon done as a client's patience is over.
const WAITING_CALLS: usize = 512;

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            read_only: false,
            tools: Vec::new(),
            exclude_tools: Vec::new(),
            meta_tools: false,
            concurrent_calls: CONCURRENT_CALLS,
            waiting_calls: WAITING_CALLS,
            waiting_seconds: 30,
            pinned_plugins: false,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Where to listen. Absent: loopback, a port that is free.
    pub listen: Option<SocketAddr>,
    /// The path of the one endpoint.
    pub path: String,
    pub auth: Auth,
    /// Names under which this host may be reached, besides loopback.
    pub allowed_hosts: Vec<String>,
    /// Web pages that may call this host, as `scheme://host:port`.
    pub allowed_origins: Vec<String>,
    /// Absent: plain HTTP.
    pub tls: Option<TlsConfig>,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: None,
            path: "/mcp".to_owned(),
            auth: Auth::default(),
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            tls: None,
        }
    }
}

/// The record of what happens.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct AuditConfig {
    pub enabled: bool,
    /// Older rows are taken away into an archive beside the record. 0: none are.
    pub keep_days: u32,
    /// Offers the tool and the prompt `audit-logs` to those who may call it.
    pub tool: bool,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { enabled: true, keep_days: 0, tool: false }
    }
}

/// Who may call over HTTP.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// Whoever has the token of the state directory.
    #[default]
    Token,
    /// Everybody who reaches the address, which must be loopback.
    None,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct PluginConfig {
    /// The component's file. Absent: the bundled plugin of this name.
    pub component: Option<PathBuf>,
    /// The digest of the component, as hexadecimal digits: no other one is loaded.
    pub sha256: Option<String>,
    /// Put before the names of its tools and prompts.
    pub prefix: String,
    /// What it may do. Absent: nothing, or for a bundled plugin what ships beside it.
    pub grants: Option<Grants>,
    /// Values that it may use and never sees.
    pub secrets: BTreeMap<String, Reference>,
    /// What it reads as its own configuration.
    pub config: toml::Table,
    /// Limits that differ from `limits`.
    pub limits: Option<LimitChanges>,
}

/// How much a plugin may take.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Memory of one call, in MiB.
    pub memory_mib: usize,
    /// How long it may compute before others get their turn, in milliseconds.
    pub slice_ms: u64,
    /// How long one call may take, in seconds.
    pub deadline_seconds: u64,
    /// How large a result may be, in MiB.
    pub output_mib: usize,
    /// How much one call may log, in KiB.
    pub log_kib: usize,
    /// How often one call may call the host.
    pub host_calls: u64,
    /// How many of its calls may run at once.
    pub concurrent_calls: usize,
    /// How many of its jobs may run at once.
    pub concurrent_jobs: usize,
    /// How long one of its jobs may take, from its first start, in seconds.
    pub job_seconds: u64,
    /// Memory of one run of a job, in MiB. Absent: that of a call.
    pub job_memory_mib: Option<usize>,
    /// After how many crashes in a row it is taken out of service.
    pub crashes: u32,
    /// How long it then stays out of service, in seconds.
    pub quarantine_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_mib: 64,
            slice_ms: 1,
            deadline_seconds: 300,
            output_mib: 4,
            log_kib: 64,
            host_calls: 100_000,
            concurrent_calls: 64,
            concurrent_jobs: 32,
            job_seconds: 6 * 60 * 60,
            job_memory_mib: None,
            crashes: 5,
            quarantine_seconds: 60,
        }
    }
}

/// What one plugin's limits change of the general ones.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct LimitChanges {
    pub memory_mib: Option<usize>,
    pub slice_ms: Option<u64>,
    pub deadline_seconds: Option<u64>,
    pub output_mib: Option<usize>,
    pub log_kib: Option<usize>,
    pub host_calls: Option<u64>,
    pub concurrent_calls: Option<usize>,
    pub concurrent_jobs: Option<usize>,
    pub job_seconds: Option<u64>,
    pub job_memory_mib: Option<usize>,
    pub crashes: Option<u32>,
    pub quarantine_seconds: Option<u64>,
}

impl Limits {
    #[must_use]
    pub fn with(self, changes: Option<LimitChanges>) -> Self {
        let Some(changes) = changes else { return self };
        Self {
            memory_mib: changes.memory_mib.unwrap_or(self.memory_mib),
            slice_ms: changes.slice_ms.unwrap_or(self.slice_ms),
            deadline_seconds: changes.deadline_seconds.unwrap_or(self.deadline_seconds),
            output_mib: changes.output_mib.unwrap_or(self.output_mib),
            log_kib: changes.log_kib.unwrap_or(self.log_kib),
            host_calls: changes.host_calls.unwrap_or(self.host_calls),
            concurrent_calls: changes.concurrent_calls.unwrap_or(self.concurrent_calls),
            concurrent_jobs: changes.concurrent_jobs.unwrap_or(self.concurrent_jobs),
            job_seconds: changes.job_seconds.unwrap_or(self.job_seconds),
            job_memory_mib: changes.job_memory_mib.or(self.job_memory_mib),
            crashes: changes.crashes.unwrap_or(self.crashes),
            quarantine_seconds: changes.quarantine_seconds.unwrap_or(self.quarantine_seconds),
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        let memory =
            [("memory_mib", self.memory_mib), ("job_memory_mib", self.of_job().memory_mib)];
        for (key, mib) in memory {
            ensure!(
                (1..=LARGEST_MEMORY).contains(&mib),
                "{key}: {mib} is none that a component can have; 1 to {LARGEST_MEMORY} are"
            );
        }
        for (key, value) in [
            ("slice_ms", self.slice_ms),
            ("deadline_seconds", self.deadline_seconds),
            ("output_mib", self.output_mib as u64),
            ("host_calls", self.host_calls),
            ("concurrent_calls", self.concurrent_calls as u64),
            ("concurrent_jobs", self.concurrent_jobs as u64),
            ("job_seconds", self.job_seconds),
        ] {
            ensure!(value > 0, "{key}: 0 lets nothing happen");
        }
        Ok(())
    }

    /// What holds for a run of a job: it may call the host as often as it likes, for hours.
    #[must_use]
    pub fn of_job(&self) -> Self {
        let memory_mib = self.job_memory_mib.unwrap_or(self.memory_mib);
        Self { memory_mib, host_calls: u64::MAX, ..*self }
    }

    pub fn memory(&self) -> usize {
        self.memory_mib << 20
    }

    pub fn output(&self) -> usize {
        self.output_mib << 20
    }

    pub fn log(&self) -> usize {
        self.log_kib << 10
    }

    pub fn deadline(&self) -> Duration {
        Duration::from_secs(self.deadline_seconds)
    }

    pub fn quarantine(&self) -> Duration {
        Duration::from_secs(self.quarantine_seconds)
    }
}

impl Config {
    /// Reads the file. Relative paths in it start where the file lies.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = read::file(path)?;
        let mut config: Self = from_text(&text, &path.display().to_string())?;
        config.check().with_context(|| path.display().to_string())?;
        for (_, mount) in config.mounts() {
            let wrong = |why: &str| read::at(&text, path, "mounts", mount.as_str(), why);
            let meant = mount.expanded().map_err(|error| wrong(&format!("{error:#}")))?;
            meant.map_or(Ok(()), |it| it.look()).map_err(|why| wrong(&why))?;
        }
        let directory = path.parent().unwrap_or(Path::new("."));
        if let Some(tls) = &mut config.http.tls {
            let files = [&mut tls.certificate, &mut tls.key].into_iter();
            files.chain(&mut tls.client_authority).for_each(|it| *it = directory.join(&it));
        }
        for plugin in config.plugins.values_mut() {
            if let Some(component) = &mut plugin.component {
                *component = directory.join(&component);
            }
        }
        Ok(config)
    }

    /// A limit of nothing is no limit that anybody means.
    fn check(&self) -> anyhow::Result<()> {
        ensure!(self.server.concurrent_calls > 0, "server.concurrent_calls: 0 lets no call in");
        ensure!(self.jobs.concurrent > 0, "jobs.concurrent: 0 lets no job run");
        ensure!(self.jobs.waiting > 0, "jobs.waiting: 0 lets no job be submitted");
        ensure!(
            self.http.path.starts_with('/') && !self.http.path.contains(['?', '#', ' ']),
            "http.path: `{}` is no path such as `/mcp`",
            self.http.path
        );
        self.access.check_quotas()?;
        self.access.check().context("access")?;
        self.limits.check().context("limits")?;
        for (name, plugin) in &self.plugins {
            let limits = self.limits.with(plugin.limits);
            limits.check().with_context(|| format!("plugins.{name}.limits"))?;
            let is_digest =
                |it: &String| it.len() == 64 && it.chars().all(|digit| digit.is_ascii_hexdigit());
            ensure!(
                plugin.sha256.as_ref().is_none_or(is_digest),
                "plugins.{name}.sha256: it is no SHA-256 of 64 hexadecimal digits, as `windlass plugins inspect` shows it"
            );
        }
        Ok(())
    }

    /// Every directory of this machine that a grant names, as it is written, with the plugin that it is granted to.
    pub fn mounts(&self) -> impl Iterator<Item = (&str, &Mount)> {
        self.plugins.iter().flat_map(|(name, plugin)| {
            let containers = plugin.grants.iter().filter_map(|grants| grants.containers.as_ref());
            containers.flat_map(|it| &it.mounts).map(move |mount| (name.as_str(), mount))
        })
    }

    /// The most memory that any plugin may take for one call, or one run of a job.
    pub fn largest_memory(&self) -> usize {
        let each = self.plugins.values().map(|plugin| self.limits.with(plugin.limits));
        let each = each.chain([self.limits]);
        each.map(|it| it.memory().max(it.of_job().memory())).max().unwrap_or(0)
    }
}

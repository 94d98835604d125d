//! How much callers may take, as the operator writes it.

use anyhow::ensure;
use serde::Deserialize;

use super::AccessConfig;

/// Something of which callers take more or less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bounded {
    CallsPerMinute,
    ConcurrentCalls,
    RunningJobs,
    Containers,
    Cpus,
    MemoryMib,
    DiskMib,
}

/// The most that a caller may take. What is absent is not bounded.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct QuotaConfig {
    /// Calls of tools within any minute.
    pub calls_per_minute: Option<u32>,
    /// Calls that run at once. Others wait.
    pub concurrent_calls: Option<u32>,
    /// Jobs that run at once. Others wait.
    pub running_jobs: Option<u32>,
    /// Containers that are there, whichever plugin made them.
    pub containers: Option<u32>,
    /// Processors of all containers together.
    pub cpus: Option<f64>,
    /// Memory of all containers together.
    pub memory_mib: Option<u32>,
    /// What all workspaces hold together.
    pub disk_mib: Option<u32>,
}

impl Bounded {
    pub const ALL: [Self; 7] = [
        Self::CallsPerMinute,
        Self::ConcurrentCalls,
        Self::RunningJobs,
        Self::Containers,
        Self::Cpus,
        Self::MemoryMib,
        Self::DiskMib,
    ];

    /// As it is written.
    pub fn key(self) -> &'static str {
        match self {
            Self::CallsPerMinute => "calls_per_minute",
            Self::ConcurrentCalls => "concurrent_calls",
            Self::RunningJobs => "running_jobs",
            Self::Containers => "containers",
            Self::Cpus => "cpus",
            Self::MemoryMib => "memory_mib",
            Self::DiskMib => "disk_mib",
        }
    }
}

impl QuotaConfig {
    pub fn most(&self, of: Bounded) -> Option<f64> {
        match of {
            Bounded::CallsPerMinute => self.calls_per_minute.map(f64::from),
            Bounded::ConcurrentCalls => self.concurrent_calls.map(f64::from),
            Bounded::RunningJobs => self.running_jobs.map(f64::from),
            Bounded::Containers => self.containers.map(f64::from),
            Bounded::Cpus => self.cpus,
            Bounded::MemoryMib => self.memory_mib.map(f64::from),
            Bounded::DiskMib => self.disk_mib.map(f64::from),
        }
    }

    /// Who may do nothing at all has no role; and what waits for a place that never comes waits for ever.
    fn check(&self, line: &str) -> anyhow::Result<()> {
        for of in [Bounded::CallsPerMinute, Bounded::ConcurrentCalls, Bounded::RunningJobs] {
            ensure!(self.most(of) != Some(0.0), "{line}.{}: 0 lets nothing happen", of.key());
        }
        let cpus = self.cpus.unwrap_or_default();
        ensure!(cpus.is_finite() && cpus >= 0.0, "{line}.cpus: {cpus} is no number of processors");
        Ok(())
    }
}

impl AccessConfig {
    pub(super) fn check_quotas(&self) -> anyhow::Result<()> {
        self.quota.check("access.quota")?;
        for (name, role) in &self.roles {
            if let Some(quota) = &role.quota {
                quota.check(&format!("access.roles.{name}.quota"))?;
            }
        }
        Ok(())
    }

    /// Whether anybody is bounded in anything.
    pub fn has_quotas(&self) -> bool {
        self.quota != QuotaConfig::default() || self.roles.values().any(|it| it.quota.is_some())
    }
}

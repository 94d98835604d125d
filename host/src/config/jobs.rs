//! The table `jobs`: what holds for the work of all plugins that outlives calls.

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct JobsConfig {
    /// How many run at once, all plugins together.
    pub concurrent: usize,
    /// How many of one plugin may wait for a place.
    pub waiting: usize,
    /// For how many days one that has ended is kept.
    pub keep_days: u64,
    /// How many of those are kept, the latest of all.
    pub keep: u32,
    /// How much of the log of each is kept, in KiB.
    pub log_kib: u64,
}

impl Default for JobsConfig {
    fn default() -> Self {
        Self { concurrent: 64, waiting: 1000, keep_days: 7, keep: 10_000, log_kib: 2048 }
    }
}

impl JobsConfig {
    pub fn log(&self) -> u64 {
        self.log_kib << 10
    }
}

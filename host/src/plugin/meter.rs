//! What one call has used of its allowances.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use wasmtime::ResourceLimiter;

use crate::config::Limits;

/// Tables larger than this serve no program.
const LARGEST_TABLE: usize = 100_000;

pub struct Meter {
    limits: Limits,
    logged: usize,
    log_used_up: bool,
    host_calls: u64,
    done: Option<f64>,
    memory_refused: bool,
    computes: Arc<AtomicBool>,
}

/// Whether a line may still be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogAllowance {
    Within,
    JustUsedUp,
    UsedUp,
}

/// The guest called the host more often than it may.
#[derive(Debug)]
pub(super) struct TooManyHostCalls(pub(super) u64);

impl Meter {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            logged: 0,
            log_used_up: false,
            host_calls: 0,
            done: None,
            memory_refused: false,
            computes: Arc::default(),
        }
    }

    /// Counts a log line of so many bytes.
    pub fn log(&mut self, bytes: usize) -> LogAllowance {
        if self.log_used_up {
            return LogAllowance::UsedUp;
        }
        self.logged = self.logged.saturating_add(bytes);
        self.log_used_up = self.logged > self.limits.log();
        if self.log_used_up { LogAllowance::JustUsedUp } else { LogAllowance::Within }
    }

    /// Whether a progress report says more than the one before.
    pub fn advances(&mut self, done: f64) -> bool {
        let advances = done.is_finite() && self.done.is_none_or(|before| done > before);
        if advances {
            self.done = Some(done);
        }
        advances
    }

    pub(super) fn count_host_call(&mut self) -> Result<(), TooManyHostCalls> {
        self.host_calls += 1;
        if self.host_calls > self.limits.host_calls {
            return Err(TooManyHostCalls(self.limits.host_calls));
        }
        Ok(())
    }

    /// How long a job of the plugin's may take.
    pub fn job_seconds(&self) -> u64 {
        self.limits.job_seconds
    }

    pub(super) fn memory_was_refused(&self) -> bool {
        self.memory_refused
    }

    pub(super) fn use_up_slice(&self) {
        self.computes.store(true, Ordering::Relaxed);
    }

    /// Whether the call has used up a time slice.
    pub(super) fn computes(&self) -> Arc<AtomicBool> {
        self.computes.clone()
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        _: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let within = desired <= self.limits.memory();
        self.memory_refused |= !within;
        Ok(within)
    }

    fn table_growing(
        &mut self,
        _: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= LARGEST_TABLE)
    }
}

impl fmt::Display for TooManyHostCalls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "more than {} calls of the host", self.0)
    }
}

impl std::error::Error for TooManyHostCalls {}

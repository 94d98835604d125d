//! `log`: the host's log under the plugin's name, and the client's where it asked for one.

use super::{
    CallState,
    bindings::windlass::plugin::log::{Host, Level},
};
use crate::{plugin::LogAllowance, visible::on_one_line};

impl Host for CallState {
    async fn write(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        self.write_line(level, message);
        Ok(())
    }
}

impl CallState {
    /// Writes a line as long as the call's allowance lasts.
    pub(super) fn write_line(&mut self, level: Level, message: String) {
        if self.job.is_some() {
            // A job's log is bounded by itself.
            return self.observer.log(level, message);
        }
        match self.meter.log(message.len()) {
            LogAllowance::Within => self.pass_on(level, message),
            LogAllowance::JustUsedUp => {
                let last = "this call has logged all that it may; the rest is dropped".to_owned();
                self.pass_on(Level::Warn, last);
            }
            LogAllowance::UsedUp => {}
        }
    }

    fn pass_on(&self, level: Level, message: String) {
        self.keep(level, &on_one_line(&message));
        self.observer.log(level, message);
    }

    /// In the host's own log.
    fn keep(&self, level: Level, message: &str) {
        let plugin = self.policy.plugin();
        match level {
            Level::Debug => tracing::debug!(target: "plugin", plugin, message),
            Level::Info => tracing::info!(target: "plugin", plugin, message),
            Level::Warn => tracing::warn!(target: "plugin", plugin, message),
            Level::Error => tracing::error!(target: "plugin", plugin, message),
        }
    }
}

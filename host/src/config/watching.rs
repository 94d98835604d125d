//! The tables `metrics`, `traces` and `logs`: how the host can be watched.

use std::net::SocketAddr;

use anyhow::ensure;
use serde::Deserialize;
use url::Url;

use crate::secrets::Reference;

/// Where figures can be had, besides the address of MCP over HTTP.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsConfig {
    /// An address of its own. Absent: none.
    pub listen: Option<SocketAddr>,
    /// What a reader has to send as its bearer token. Absent: nothing, which only loopback may do.
    pub token: Option<Reference>,
}

/// Where traces go.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct TracesConfig {
    /// A collector that takes OTLP over HTTP, such as `http://127.0.0.1:4318`. Absent: none are made.
    pub endpoint: Option<Url>,
    /// Of calls whose client says nothing of it, this part is traced, from 0 to 1.
    pub sample: f64,
}

/// How the log on stderr is written.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct LogsConfig {
    /// Absent: as the command line and the environment say, or else as text.
    pub format: Option<LogFormat>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Text,
    /// One object a line.
    Json,
}

impl Default for TracesConfig {
    fn default() -> Self {
        Self { endpoint: None, sample: 1.0 }
    }
}

impl MetricsConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if let Some(address) = self.listen {
            ensure!(
                address.ip().is_loopback() || self.token.is_some(),
                "metrics.listen: `{address}` can be reached by others, so `metrics.token` has to be set; or listen on 127.0.0.1"
            );
        }
        Ok(())
    }
}

impl TracesConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            (0.0..=1.0).contains(&self.sample),
            "traces.sample: {} is no part of all calls; 0 to 1 is",
            self.sample
        );
        if let Some(endpoint) = &self.endpoint {
            ensure!(
                matches!(endpoint.scheme(), "http" | "https") && endpoint.password().is_none(),
                "traces.endpoint: it is an address such as `http://127.0.0.1:4318`, without a password"
            );
        }
        Ok(())
    }
}

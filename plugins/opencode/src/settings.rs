//! What can be set, and what holds where nothing is.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_sdk::{Call, Error, settings::Number};

/// What can be set.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Where opencode runs: in containers, and nowhere else.
    pub(crate) runtime_mode: Mode,
    /// The image of sessions that name none: opencode with git and ripgrep.
    pub(crate) image: String,
    /// The program, and arguments that stand before its own.
    pub(crate) command: String,
    /// Whose model it is: one of the known providers, or any other name with `base_url` and `model`.
    pub(crate) provider: String,
    /// The model as `provider/model`. Empty: the provider's usual one.
    pub(crate) model: String,
    /// The model for small things such as titles, as `provider/model`. Empty: the provider's usual one.
    pub(crate) small_model: String,
    /// Where the model is, as OpenAI's interface. Empty: where its provider is.
    pub(crate) base_url: String,
    /// The same where the provider is `ollama`, and `base_url` is empty.
    pub(crate) ollama_base_url: String,
    /// Secrets that are there: `api_key` is the key of the model, and so is `ollama_api_key` where the provider is `ollama`.
    pub(crate) secrets: Vec<String>,
    /// How many tokens the model looks at.
    pub(crate) context_tokens: u32,
    /// How many tokens an answer of the model may have.
    pub(crate) output_tokens: u32,
    /// How long opencode may take to start, in seconds: a number, or text that is one.
    pub(crate) server_start_timeout: Number,
    /// After how many seconds without a sign of life of the model a run is ended.
    pub(crate) request_timeout: Number,
    /// How often it is looked whether opencode has started, in seconds.
    pub(crate) poll_interval: Number,
    /// What becomes of actions that opencode would ask about.
    pub(crate) permission: Permission,
    /// A folder of this machine, granted by `mounts`, with a `requirements.txt` or `skills/` for each session. Empty: none.
    pub(crate) extras_dir: String,
    /// Places as `host:port` that sessions may reach besides the model, as far as `egress` grants them.
    pub(crate) reach: Vec<String>,
    /// More environment of opencode.
    pub(crate) environment: BTreeMap<String, String>,
    /// More of opencode's own configuration, on top of what is made here.
    pub(crate) opencode: serde_json::Map<String, Value>,
    /// After how many days without use the container of a session is removed. The next run makes another one.
    pub(crate) unused_days: u32,
    /// Memory of a session's container, in MiB. Absent: what the grant gives.
    pub(crate) memory_mib: Option<u32>,
    /// Processors of a session's container. Absent: what the grant gives.
    pub(crate) cpus: Option<f32>,
    /// Processes of a session's container. Absent: what the grant gives.
    pub(crate) pids: Option<u32>,
}

/// Where opencode runs.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    #[default]
    Docker,
}

/// What becomes of actions that opencode would ask about: edits, commands, requests.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Permission {
    /// They are done. The container is what confines them.
    #[default]
    Allow,
    /// They are refused.
    Deny,
    /// The run asks whoever it is for.
    Ask,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            runtime_mode: Mode::default(),
            image: "opencode-as-mcp-runtime:latest".to_owned(),
            command: "opencode".to_owned(),
            provider: "ollama".to_owned(),
            model: String::new(),
            small_model: String::new(),
            base_url: String::new(),
            ollama_base_url: String::new(),
            secrets: Vec::new(),
            context_tokens: 128_000,
            output_tokens: 8_192,
            server_start_timeout: Number::Number(20.0),
            request_timeout: Number::Number(300.0),
            poll_interval: Number::Number(0.2),
            permission: Permission::default(),
            extras_dir: String::new(),
            reach: Vec::new(),
            environment: BTreeMap::new(),
            opencode: serde_json::Map::new(),
            unused_days: 7,
            memory_mib: None,
            cpus: None,
            pids: None,
        }
    }
}

impl Settings {
    pub(crate) fn of(call: &Call) -> Result<Self, Error> {
        call.config()
    }

    /// How long opencode may take to start.
    pub(crate) fn start_ms(&self) -> Result<u64, Error> {
        ms(&self.server_start_timeout, "server_start_timeout", "MCP_OPENCODE_SERVER_START_TIMEOUT")
    }

    /// How long a run may show no sign of life.
    pub(crate) fn silence_ms(&self) -> Result<u64, Error> {
        ms(&self.request_timeout, "request_timeout", "MCP_OPENCODE_REQUEST_TIMEOUT")
    }

    /// The pause between two looks.
    pub(crate) fn pause_ms(&self) -> Result<u32, Error> {
        let ms = ms(&self.poll_interval, "poll_interval", "MCP_WORKER_POLL_INTERVAL")?;
        Ok(u32::try_from(ms).unwrap_or(u32::MAX))
    }

    /// The folder with extras, if there is one.
    pub(crate) fn extras(&self) -> Option<&str> {
        Some(self.extras_dir.trim_end_matches('/')).filter(|path| !path.is_empty())
    }
}

fn ms(seconds: &Number, key: &str, variable: &str) -> Result<u64, Error> {
    seconds.as_ms().ok_or_else(|| {
        Error::invalid(format!(
            "`plugins.opencode.config.{key}` ({variable}): `{}` is no number of seconds",
            seconds.text()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn without_a_word_it_is_what_users_know() {
        let settings = read("{}").unwrap();
        assert_eq!(settings.image, "opencode-as-mcp-runtime:latest");
        assert_eq!(
            (settings.start_ms().unwrap(), settings.silence_ms().unwrap()),
            (20_000, 300_000)
        );
        assert_eq!(settings.pause_ms().unwrap(), 200);
        assert_eq!((settings.permission, settings.extras()), (Permission::Allow, None));
    }

    #[test]
    fn a_variable_may_hold_a_number() {
        let settings =
            read(r#"{"poll_interval": "0.05", "request_timeout": "7", "extras_dir": "/x/"}"#);
        let settings = settings.unwrap();
        assert_eq!((settings.pause_ms().unwrap(), settings.silence_ms().unwrap()), (50, 7_000));
        assert_eq!(settings.extras(), Some("/x"));
        for wrong in ["\"soon\"", "0", "-1", "\"\"", "1e12"] {
            let settings = read(&format!("{{\"request_timeout\": {wrong}}}")).unwrap();
            let told = settings.silence_ms().unwrap_err().message;
            assert!(told.contains("MCP_OPENCODE_REQUEST_TIMEOUT"), "{told}");
        }
    }

    #[test]
    fn there_is_no_runtime_but_containers() {
        assert!(read(r#"{"runtime_mode": "docker"}"#).is_ok());
        assert!(read(r#"{"runtime_mode": "local"}"#).is_err());
    }
}

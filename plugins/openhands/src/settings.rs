//! What can be set, and what holds where nothing is.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{Call, Error};

/// The secret, among those of tasks, that is the key of the model.
pub(crate) const LLM_KEY: &str = "LLM_API_KEY";

const HEADLESS_IMAGE: &str = "docker.all-hands.dev/all-hands-ai/openhands:0.45";
const SERVER_IMAGE: &str = "ghcr.io/openhands/agent-server:1.58.0-python";
const SERVER: [&str; 3] = ["/agent-server/.venv/bin/python", "-m", "openhands.agent_server"];

/// What can be set.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Which OpenHands runs the tasks: `headless` is the program of 0.45, `agent-server` the server of 1.x.
    pub(crate) mode: Mode,
    /// The image of `headless`.
    pub(crate) image: String,
    /// The image of `agent-server`.
    pub(crate) server_image: String,
    /// The command of the server, without its address.
    pub(crate) server_command: Vec<String>,
    /// How long the server may take to start, in seconds.
    pub(crate) server_start_s: u32,
    /// How many tasks of a session may run at once: a number, or text that is one.
    pub(crate) max_tasks: Number,
    /// The model, as LiteLLM calls it.
    pub(crate) llm_model: String,
    /// Where the model is. Empty: where its provider is.
    pub(crate) llm_base_url: String,
    /// How long an answer of the model may take, in seconds.
    pub(crate) llm_timeout: u32,
    /// The environment variable that holds the key of the model for `agent-server`. Absent: the one of the model's provider.
    pub(crate) llm_key_variable: Option<String>,
    /// Names of secrets. Each is in the environment of tasks under its name; `LLM_API_KEY` is the key of the model.
    pub(crate) secrets: Vec<String>,
    /// More environment of tasks.
    pub(crate) environment: BTreeMap<String, String>,
    /// After how many steps the agent stops. Absent: what OpenHands does.
    pub(crate) max_iterations: Option<u32>,
    /// After how many seconds a task is ended. Absent: never.
    pub(crate) task_timeout_s: Option<u32>,
    /// How git is run.
    pub(crate) git: windlass_repository::Settings,
    /// Globs of what stays out of the archive that `teardown` makes, besides the files that hold secrets by their name.
    pub(crate) archive_exclude: Vec<String>,
}

/// Which OpenHands runs the tasks.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    #[default]
    Headless,
    AgentServer,
}

/// A number, or the text of a variable that is one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Number {
    Number(u32),
    Text(String),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            image: HEADLESS_IMAGE.to_owned(),
            server_image: SERVER_IMAGE.to_owned(),
            server_command: SERVER.map(str::to_owned).to_vec(),
            server_start_s: 120,
            max_tasks: Number::Number(3),
            llm_model: "ollama/devstral:latest".to_owned(),
            llm_base_url: "http://host.docker.internal:11434".to_owned(),
            llm_timeout: 900,
            llm_key_variable: None,
            secrets: Vec::new(),
            environment: BTreeMap::new(),
            max_iterations: None,
            task_timeout_s: None,
            git: windlass_repository::Settings::default(),
            archive_exclude: Vec::new(),
        }
    }
}

impl Settings {
    pub(crate) fn of(call: &Call) -> Result<Self, Error> {
        call.config()
    }

    /// How many tasks of a session may run at once.
    pub(crate) fn most_tasks(&self) -> Result<usize, Error> {
        let number = match &self.max_tasks {
            Number::Number(number) => Some(*number),
            Number::Text(text) => text.trim().parse().ok(),
        };
        let number = number.and_then(|number| usize::try_from(number).ok());
        number.ok_or_else(|| {
            Error::invalid(format!(
                "`plugins.openhands.config.max_tasks` (OPENHANDS_MAX_TASKS): {:?} is no number",
                self.max_tasks
            ))
        })
    }

    /// Whether the operator has given a key for the model.
    pub(crate) fn has_llm_key(&self) -> bool {
        self.secrets.iter().any(|name| name == LLM_KEY)
    }

    /// The secrets of tasks that are not the key of the model.
    pub(crate) fn other_secrets(&self) -> impl Iterator<Item = &String> {
        self.secrets.iter().filter(|name| *name != LLM_KEY)
    }
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
        assert_eq!(settings.mode, Mode::Headless);
        assert_eq!(settings.image, "docker.all-hands.dev/all-hands-ai/openhands:0.45");
        assert_eq!(settings.llm_model, "ollama/devstral:latest");
        assert_eq!(settings.llm_base_url, "http://host.docker.internal:11434");
        assert_eq!((settings.llm_timeout, settings.most_tasks().unwrap()), (900, 3));
        assert!(!settings.has_llm_key());
    }

    #[test]
    fn a_variable_may_hold_the_number() {
        assert_eq!(read(r#"{"max_tasks": "5"}"#).unwrap().most_tasks().unwrap(), 5);
        assert_eq!(read(r#"{"max_tasks": 7}"#).unwrap().most_tasks().unwrap(), 7);
        let wrong = read(r#"{"max_tasks": "many"}"#).unwrap().most_tasks().unwrap_err();
        assert!(wrong.message.contains("OPENHANDS_MAX_TASKS"), "{}", wrong.message);
        assert!(read(r#"{"max_task": 7}"#).is_err());
    }

    #[test]
    fn the_key_of_the_model_is_one_secret_among_others() {
        let settings = read(r#"{"secrets": ["A", "LLM_API_KEY"]}"#).unwrap();
        assert!(settings.has_llm_key());
        assert_eq!(settings.other_secrets().collect::<Vec<_>>(), ["A"]);
    }
}

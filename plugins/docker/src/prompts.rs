//! `deploy-stack`, `manage-containers` and `manage-compose`: how a model goes about what people ask of it.

use schemars::JsonSchema;
use serde::Deserialize;
use windlass_sdk::{
    Call, Content, Message, Prompt, Result,
    engine::{self, Filter},
};

/// The label in which Compose keeps a container's project.
const PROJECT: &str = "com.docker.compose.project";
/// As many as a client completes with.
const MOST_COMPLETIONS: usize = 100;

/// Plans a stack of services from what is required of it, and deploys it.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct DeployStack {
    /// What the stack is to do: services, ports, data that lasts.
    requirements: String,
    /// The project's name.
    project_name: String,
}

/// Looks after containers: finds out what is the matter, and does what is wanted.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ManageContainers {
    /// What is wanted, such as `restart`, or in words.
    action: String,
    /// Which one. All where nothing is said.
    container_name: Option<String>,
}

/// Looks after a stack that Compose deployed.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ManageCompose {
    /// What is wanted, such as `deploy`, `logs` or `restart`, or in words.
    action: String,
    /// The project's name.
    project_name: String,
    /// Its file, where it is to be another one than before.
    compose_yaml: Option<String>,
}

impl Prompt for DeployStack {
    const NAME: &'static str = "deploy-stack";
    const TITLE: Option<&'static str> = Some("Deploy a stack");

    fn messages(self, _: &Call) -> Result<Vec<Message>> {
        let Self { requirements, project_name } = self;
        Ok(vec![
            user(format!(
                "Deploy a stack as the project `{project_name}`. What is required of it:\n\n{requirements}"
            )),
            assistant(format!(
                "I go about it like this:\n\
                 1. `list-containers`, `network-list` and `list-images` show what is there already: ports that are taken, names, images. \
                 `compose-ps` shows whether the project `{project_name}` runs.\n\
                 2. I write a Compose file: images with a tag, a health check for every service that another one waits for \
                 (`depends_on` with `condition: service_healthy`), named volumes for data that lasts, networks that part what should \
                 not meet, ports on 127.0.0.1 unless others have to reach them, limits and a restart policy. Secrets are not written into it.\n\
                 3. I show you the file, and `deploy-compose` with `project_name` and `compose_yaml` deploys it: what is unchanged goes on, \
                 volumes stay, and if it fails, what ran before runs again.\n\
                 4. `compose-ps` and `compose-logs` show whether all of it is well; I tell you what listens where."
            )),
            user("Go ahead. Ask where the requirements leave open what matters.".to_owned()),
        ])
    }

    fn complete(argument: &str, typed: &str, _: &[(String, String)]) -> Vec<String> {
        if argument == "project_name" { starting(typed, projects()) } else { Vec::new() }
    }
}

impl Prompt for ManageContainers {
    const NAME: &'static str = "manage-containers";
    const TITLE: Option<&'static str> = Some("Manage containers");

    fn messages(self, _: &Call) -> Result<Vec<Message>> {
        let Self { action, container_name } = self;
        let whom = match &container_name {
            Some(name) => format!("the container `{name}`"),
            None => "my containers".to_owned(),
        };
        Ok(vec![user(format!(
            "This is about {whom}. What I want: {action}\n\n\
             Look first: `list-containers` for what there is, `inspect-container` and `get-logs` for how one is and what it said, \
             `container-stats` for what it uses. Then do what is wanted with the tool for it: `start-container`, `stop-container`, \
             `restart-container`, `create-container`, `exec-in-container`, `network-connect`. Before you remove anything \
             (`remove-container`, `remove-volume`, `prune`), say what goes with it and ask me. Afterwards look again, and tell me how it is."
        ))])
    }

    fn complete(argument: &str, typed: &str, _: &[(String, String)]) -> Vec<String> {
        match argument {
            "container_name" => starting(typed, containers().into_iter().map(|it| it.0)),
            "action" => starting(typed, ["inspect", "logs", "remove", "restart", "start", "stop"]),
            _ => Vec::new(),
        }
    }
}

impl Prompt for ManageCompose {
    const NAME: &'static str = "manage-compose";
    const TITLE: Option<&'static str> = Some("Manage a Compose stack");

    fn messages(self, _: &Call) -> Result<Vec<Message>> {
        let Self { action, project_name, compose_yaml } = self;
        let file = match &compose_yaml {
            Some(yaml) => format!("\n\nIts Compose file:\n\n```yaml\n{}\n```", yaml.trim_end()),
            None => String::new(),
        };
        Ok(vec![user(format!(
            "This is about the Compose project `{project_name}`. What I want: {action}\n\n\
             `compose-ps` shows its services and `compose-logs` what they said. `deploy-compose` brings it to what a file says; \
             `compose-start`, `compose-stop` and `compose-restart` turn it, or one `service` of it, without a file; `compose-down` removes it, and \
             its volumes stay unless they are asked for. Look first, do what is wanted, look again, and tell me how each service is.{file}"
        ))])
    }

    fn complete(argument: &str, typed: &str, _: &[(String, String)]) -> Vec<String> {
        match argument {
            "project_name" => starting(typed, projects()),
            "action" => {
                starting(typed, ["deploy", "down", "logs", "ps", "restart", "start", "stop"])
            }
            _ => Vec::new(),
        }
    }
}

fn user(text: String) -> Message {
    Message::user(Content::text(text))
}

fn assistant(text: String) -> Message {
    Message::assistant(Content::text(text))
}

/// Names and projects. Where the engine does not answer there is nothing to complete with.
fn containers() -> Vec<(String, Option<String>)> {
    let listed = engine::list(&Filter { all: true, labels: Vec::new() }).unwrap_or_default();
    let project = |labels: Vec<(String, String)>| {
        labels.into_iter().find(|(name, _)| name == PROJECT).map(|(_, value)| value)
    };
    listed.into_iter().map(|it| (it.name, project(it.labels))).collect()
}

fn projects() -> Vec<String> {
    containers().into_iter().filter_map(|it| it.1).collect()
}

/// Those that begin with what was typed, each once.
fn starting<T: Into<String>>(typed: &str, all: impl IntoIterator<Item = T>) -> Vec<String> {
    let mut found: Vec<String> = all.into_iter().map(Into::into).collect();
    found.retain(|it| it.starts_with(typed));
    found.sort();
    found.dedup();
    found.truncate(MOST_COMPLETIONS);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completions_begin_with_what_was_typed_and_come_once() {
        assert_eq!(starting("we", ["web", "db", "web", "wet"]), ["web", "wet"]);
        assert!(starting("x", ["web"]).is_empty());
    }
}

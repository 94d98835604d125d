//! The agent-server of OpenHands 1.x: a server in the task's container that holds one conversation, which is the task.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value as Json, json};
use windlass_sdk::{
    Error, clock,
    containers::Container,
    port::{Answer, Port, Request},
    processes::{Process, Spec, State},
    progress,
    types::{Code, Value},
};

use crate::{
    events::{Event, Page},
    lenient::Part,
    output, provider,
    settings::{LLM_KEY, Settings},
    task::{Outcome, Settled, Task},
    trajectory::shortened,
};

const PORT: u16 = 8000;
/// How long a look at the server's health may take. While it starts, it may never answer.
const HEALTH_MS: u32 = 2_000;
/// Between two of them.
const PAUSE_MS: u32 = 200;
/// How long the server may take to take in a task: it loads its tools then.
const BEGIN_MS: u32 = 90_000;
/// How long any other answer may take. A status must not hang because a server does.
const ANSWER_MS: u32 = 5_000;
/// How many events are told.
const EVENTS: u32 = 100;
/// A larger page of events is not read.
const LARGEST_PAGE: usize = 8 << 20;
const LONGEST_TEXT: usize = 16 << 10;
/// How much of the server's words an error repeats.
const LAST_WORDS: usize = 2 << 10;

/// The server of one task.
pub(crate) struct Server<'a> {
    container: &'a Container,
    task: &'a Task,
}

/// How a conversation is.
pub(crate) enum Conversation {
    Running,
    /// It is over; the server has told what it came to.
    Over(Box<Settled>),
    /// The server knows nothing of it.
    Absent,
}

/// The part of a conversation that is looked at: it carries the whole agent.
#[derive(Deserialize)]
struct Told {
    execution_status: String,
}

#[derive(Deserialize)]
struct Final {
    #[serde(default)]
    response: String,
}

/// The environment of the server.
pub(crate) fn environment(task: &Task, settings: &Settings) -> BTreeMap<String, Value> {
    let conversations = format!("/workspace/{}/conversations", task.folder());
    let plain = [
        ("SESSION_API_KEY", task.password.as_str()),
        ("OH_CONVERSATIONS_PATH", &conversations),
        ("OH_BASH_EVENTS_DIR", "/tmp/bash_events"),
        ("OH_ENABLE_VSCODE", "false"),
        ("OH_PRELOAD_TOOLS", "false"),
        ("OPENHANDS_SUPPRESS_BANNER", "1"),
        // Else the prices of models are fetched first.
        ("LITELLM_LOCAL_MODEL_COST_MAP", "True"),
    ];
    let mut variables: BTreeMap<_, _> = plain
        .map(|(name, value)| (name.to_owned(), Value::Plain(value.to_owned())))
        .into_iter()
        .collect();
    for (name, value) in &settings.environment {
        variables.insert(name.clone(), Value::Plain(value.clone()));
    }
    for name in settings.other_secrets() {
        variables.insert(name.clone(), Value::Secret(name.clone()));
    }
    if settings.has_llm_key() {
        let usual = || provider::key_variable(&settings.llm_model);
        let variable = settings.llm_key_variable.clone().unwrap_or_else(usual);
        variables.insert(variable, Value::Secret(LLM_KEY.to_owned()));
    }
    variables
}

/// Starts the server.
pub(crate) fn start(
    container: &Container,
    task: &Task,
    settings: &Settings,
) -> Result<Process, Error> {
    let mut command = settings.server_command.clone();
    command.extend(["--host", "127.0.0.1", "--port"].map(str::to_owned));
    command.push(PORT.to_string());
    let spec = Spec {
        // Nothing of the repository is there, and Python looks for its modules where it starts.
        cwd: Some("/tmp".to_owned()),
        timeout_ms: settings.task_timeout_s.map(|seconds| u64::from(seconds) * 1000),
        key: Some(task.id.clone()),
        ..Spec::new(command)
    };
    Process::start(container, &spec)
}

impl<'a> Server<'a> {
    pub(crate) fn new(container: &'a Container, task: &'a Task) -> Self {
        Self { container, task }
    }

    /// Waits until the server answers, and gives it the task.
    pub(crate) fn begin(&self, process: &Process, settings: &Settings) -> Result<(), Error> {
        let (start, patience) = (clock::now(), u64::from(settings.server_start_s) * 1000);
        let mut looks = 0.0;
        while !self.is_healthy() {
            if let State::Ended(result) = process.info()?.state {
                let code = result.exit_code.map_or("no code".to_owned(), |code| code.to_string());
                let message =
                    format!("the agent server ended with {code}: {}", last_words(process));
                return Err(Error::failed(message));
            }
            if clock::now() > start + patience {
                return Err(Error::new(
                    Code::Timeout,
                    format!(
                        "the agent server was not healthy within {} s: {}",
                        settings.server_start_s,
                        last_words(process)
                    ),
                ));
            }
            looks += 1.0;
            progress::report(looks, None, "waiting for the agent server");
            clock::sleep(PAUSE_MS);
        }
        let port = self.container.port(PORT);
        let request = port.post("/api/conversations")?.json(&body(self.task, settings))?;
        let answer = self.send(request.patience_ms(BEGIN_MS))?;
        if answer.is_success() { Ok(()) } else { Err(refused(&answer)) }
    }

    /// How the conversation is.
    pub(crate) fn look(&self) -> Result<Conversation, Error> {
        let answer = self.get("")?;
        if answer.status == 404 {
            return Ok(Conversation::Absent);
        }
        if !answer.is_success() {
            return Err(refused(&answer));
        }
        let told: Told = answer.json()?;
        let outcome = match told.execution_status.as_str() {
            // `idle` is what it is before the agent begins.
            "idle" | "running" | "waiting_for_confirmation" | "deleting" => {
                return Ok(Conversation::Running);
            }
            "finished" => Outcome::Completed,
            "error" => Outcome::Failed,
            "stuck" => Outcome::Stuck,
            "paused" => Outcome::Cancelled,
            _ => Outcome::Unknown,
        };
        Ok(Conversation::Over(Box::new(self.settled(outcome)?)))
    }

    /// The last events, as text, oldest first.
    pub(crate) fn events(&self) -> Result<Vec<Event>, Error> {
        let path = format!("/events/search?limit={EVENTS}&sort_order=TIMESTAMP_DESC");
        let answer = self.get(&path)?;
        if !answer.is_success() {
            return Err(refused(&answer));
        }
        let Part(page): Part<Page> = answer.json()?;
        let mut events = page.events();
        events.reverse();
        Ok(events)
    }

    /// Stops what the agent does at once.
    pub(crate) fn interrupt(&self) -> Result<(), Error> {
        let path = format!("/api/conversations/{}/interrupt", self.task.id);
        let port = self.container.port(PORT);
        let answer = self.send(port.post(&path)?.patience_ms(ANSWER_MS))?;
        if answer.is_success() { Ok(()) } else { Err(refused(&answer)) }
    }

    fn settled(&self, outcome: Outcome) -> Result<Settled, Error> {
        let answer = self.get("/agent_final_response")?;
        let said = answer.json::<Final>().map(|it| it.response).unwrap_or_default();
        let failed = matches!(outcome, Outcome::Failed | Outcome::Stuck | Outcome::Unknown);
        // They go with the server. Without them it is known all the same how it ended.
        let events = self.events().unwrap_or_default();
        let error = events.iter().rev().find_map(|event| event.error.clone());
        let usual = || format!("the agent server says only that it is over: {outcome:?}");
        Ok(Settled {
            outcome,
            final_message: Some(shortened(said.trim(), LONGEST_TEXT)).filter(|it| !it.is_empty()),
            error: failed.then(|| error.unwrap_or_else(usual)),
            events: events.into_iter().map(|event| event.line).collect(),
            ..Settled::default()
        })
    }

    fn is_healthy(&self) -> bool {
        let port = self.container.port(PORT);
        let look = |port: &Port<'_>| port.get("/health")?.patience_ms(HEALTH_MS).send();
        look(&port).is_ok_and(|answer| answer.is_success())
    }

    fn get(&self, below: &str) -> Result<Answer, Error> {
        let port = self.container.port(PORT);
        let request = port.get(&format!("/api/conversations/{}{below}", self.task.id))?;
        self.send(request.patience_ms(ANSWER_MS).most(LARGEST_PAGE))
    }

    fn send(&self, request: Request<'_>) -> Result<Answer, Error> {
        request.header("x-session-api-key", &self.task.password)?.send()
    }
}

/// The task as the server wants it. The key of the model is not in it: it is in the environment of the server.
fn body(task: &Task, settings: &Settings) -> Json {
    let mut llm =
        json!({"usage_id": "agent", "model": settings.llm_model, "timeout": settings.llm_timeout});
    if !settings.llm_base_url.is_empty() {
        llm["base_url"] = settings.llm_base_url.clone().into();
    }
    let mut body = json!({
        "conversation_id": task.id,
        "agent": {"kind": "Agent", "llm": llm, "tools": [{"name": "terminal"}, {"name": "file_editor"}]},
        "workspace": {"kind": "LocalWorkspace", "working_dir": "/workspace"},
        "autotitle": false,
        "stuck_detection": true,
        "confirmation_policy": {"kind": "NeverConfirm"},
        "initial_message": {"role": "user", "content": [{"type": "text", "text": task.description}], "run": true},
    });
    if let Some(most) = settings.max_iterations {
        body["max_iterations"] = most.into();
    }
    body
}

fn refused(answer: &Answer) -> Error {
    let body = String::from_utf8_lossy(&answer.body);
    let said = shortened(body.trim(), LAST_WORDS);
    Error::failed(format!("the agent server answers {}: {said}", answer.status))
}

/// The end of what the server printed.
fn last_words(process: &Process) -> String {
    let most = u32::try_from(LAST_WORDS).unwrap_or(u32::MAX);
    let said = process.tail(most).map(|output| output::last_lines(&output.chunks));
    said.unwrap_or_else(|error| error.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_the_model_does_not_pass_through_here() {
        let settings: Settings = serde_json::from_str(
            r#"{"secrets": ["LLM_API_KEY", "T"], "llm_model": "anthropic/x", "max_iterations": 5}"#,
        )
        .unwrap();
        let task = Task { id: "t".to_owned(), description: "do".to_owned(), ..Task::default() };
        let body = body(&task, &settings);
        assert!(!body.to_string().contains("api_key"), "{body}");
        assert_eq!((&body["conversation_id"], &body["max_iterations"]), (&json!("t"), &json!(5)));
        let variables = environment(&task, &settings);
        let secret = |name: &str| match variables.get(name) {
            Some(Value::Secret(secret)) => Some(secret.clone()),
            _ => None,
        };
        assert_eq!(secret("ANTHROPIC_API_KEY").as_deref(), Some("LLM_API_KEY"));
        assert_eq!((secret("T").as_deref(), secret("LLM_API_KEY")), (Some("T"), None));
    }
}

//! The call that a tool or a prompt runs in: configuration, client, questions and answers.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    Error,
    types::{self, Abilities, Answer, Answers, Code},
};

/// The call at hand.
#[derive(Default)]
pub struct Call {
    config: String,
    client: Option<Abilities>,
    answers: Option<Answers>,
}

/// Why a tool or a prompt stopped before it was done.
#[derive(Debug)]
pub enum Stop {
    Failed(Error),
    /// The client has to be asked first.
    Ask(Questions),
    /// It goes on as the job of this id, whose result will be the tool's.
    Job(String),
}

/// Questions to the client, and what to remember until the answers come.
#[derive(Debug)]
pub struct Questions(types::Questions);

/// A form that the user fills in.
#[derive(Debug)]
pub struct Form {
    message: String,
    properties: serde_json::Map<String, Value>,
    required: Vec<Value>,
}

impl Call {
    pub(crate) fn new(config: String, client: Abilities, answers: Option<Answers>) -> Self {
        Self { config, client: Some(client), answers }
    }

    /// Nobody is on the other end of a job.
    pub(crate) fn of_job(config: String, answers: Option<Answers>) -> Self {
        Self { config, client: None, answers }
    }

    /// The plugin's configuration.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let config = if self.config.is_empty() { "{}" } else { &self.config };
        Ok(serde_json::from_str(config)?)
    }

    /// Whether the client can be asked for this.
    pub fn client_can(&self, ability: Abilities) -> bool {
        self.client.is_some_and(|client| client.contains(ability))
    }

    /// What an earlier call left in the state of its questions, once they are answered.
    pub fn state(&self) -> Option<&str> {
        self.answers.as_ref().map(|answers| answers.state.as_str())
    }

    /// The answer to the question of this name, if it was asked and answered.
    pub fn answer(&self, name: &str) -> Option<&Answer> {
        let answers = self.answers.as_ref()?;
        answers.given.iter().find(|(asked, _)| asked == name).map(|(_, answer)| answer)
    }

    /// What was given in answer to the question of this name.
    pub fn given<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let Some(Answer::Given(value)) = self.answer(name) else { return None };
        serde_json::from_str(value).ok()
    }

    /// Goes on only when the user agrees.
    pub fn confirm(&self, message: &str) -> Result<(), Stop> {
        match self.answer("confirm") {
            Some(Answer::Given(_)) => Ok(()),
            Some(_) => Err(Error::new(Code::Denied, "the user said no").into()),
            None => Err(Questions::default().form("confirm", Form::new(message)).into()),
        }
    }
}

impl Questions {
    /// Remembers this until the answers come.
    pub fn remembering(state: impl Into<String>) -> Self {
        Self(types::Questions { ask: Vec::new(), state: state.into() })
    }

    /// Adds a form.
    #[must_use]
    pub fn form(self, name: &str, form: Form) -> Self {
        let form = types::Form { message: form.message.clone(), schema: form.schema() };
        self.and(name, types::Question::Form(form))
    }

    /// Adds a message for the client's model to write, from the parameters of `sampling/createMessage`.
    #[must_use]
    pub fn sample(self, name: &str, parameters: &Value) -> Self {
        self.and(name, types::Question::Sample(parameters.to_string()))
    }

    /// Asks for the directories that the user works in.
    #[must_use]
    pub fn roots(self, name: &str) -> Self {
        self.and(name, types::Question::Roots)
    }

    pub(crate) fn into_inner(self) -> types::Questions {
        self.0
    }

    fn and(mut self, name: &str, question: types::Question) -> Self {
        self.0.ask.push((name.to_owned(), question));
        self
    }
}

impl Form {
    /// A form without fields: a yes or a no.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), properties: serde_json::Map::new(), required: Vec::new() }
    }

    /// Adds a field that must be filled in, with the JSON Schema of its value.
    #[must_use]
    pub fn required(mut self, name: &str, schema: Value) -> Self {
        self.required.push(name.into());
        self.optional(name, schema)
    }

    /// Adds a field that may stay empty.
    #[must_use]
    pub fn optional(mut self, name: &str, schema: Value) -> Self {
        self.properties.insert(name.to_owned(), schema);
        self
    }

    fn schema(&self) -> String {
        let mut schema = json!({"type": "object", "properties": self.properties});
        if !self.required.is_empty() {
            schema["required"] = self.required.clone().into();
        }
        schema.to_string()
    }
}

impl Default for Questions {
    fn default() -> Self {
        Self::remembering("")
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<serde_json::Error> for Stop {
    fn from(error: serde_json::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Questions> for Stop {
    fn from(questions: Questions) -> Self {
        Self::Ask(questions)
    }
}

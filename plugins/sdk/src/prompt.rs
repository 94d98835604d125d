//! Prompts: what they are, how they describe themselves and how they are filled in.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    Call, Content, Error, Result, Stop,
    private::prompts::{Argument, Outcome, Prompt as Description, Request, Role},
    schema,
    types::Code,
};

pub use crate::private::prompts::Message;

/// One MCP prompt: a struct whose fields are its arguments, all of them text.
pub trait Prompt: DeserializeOwned + JsonSchema {
    /// Unique among all plugins of a host.
    const NAME: &'static str;
    /// What people read, in a few words.
    const TITLE: Option<&'static str> = None;

    /// The messages, filled in.
    fn messages(self, call: &Call) -> Result<Vec<Message>>;

    /// Values that an argument may take, best first, given what was typed and the arguments so far.
    fn complete(argument: &str, typed: &str, others: &[(String, String)]) -> Vec<String> {
        let _ = (argument, typed, others);
        Vec::new()
    }
}

impl Message {
    /// What the user says.
    pub fn user(content: Content) -> Self {
        Self { role: Role::User, content }
    }

    /// What the assistant says.
    pub fn assistant(content: Content) -> Self {
        Self { role: Role::Assistant, content }
    }
}

/// A prompt as clients see it.
pub fn describe<T: Prompt>() -> Description {
    let (schema, description) = schema::of_arguments::<T>();
    let required = |name: &String| {
        schema["required"].as_array().is_some_and(|names| names.iter().any(|it| it == name))
    };
    let properties = schema["properties"].as_object().into_iter().flatten();
    let arguments = properties.map(|(name, property)| Argument {
        name: name.clone(),
        description: property["description"].as_str().unwrap_or_default().to_owned(),
        required: required(name),
    });
    Description {
        name: T::NAME.to_owned(),
        title: T::TITLE.map(str::to_owned),
        description,
        arguments: arguments.collect(),
    }
}

/// Fills a prompt in as the host does.
pub fn get<T: Prompt>(request: Request) -> Result<Outcome, Error> {
    let arguments = request.arguments.into_iter().map(|(name, value)| (name, Value::from(value)));
    let prompt: T = serde_json::from_value(Value::Object(arguments.collect::<Map<_, _>>()))?;
    let call = Call::new(request.config, request.client, request.answers);
    match prompt.messages(&call) {
        Ok(messages) => Ok(Outcome::Done(messages)),
        Err(Stop::Ask(questions)) => Ok(Outcome::Ask(questions.into_inner())),
        Err(Stop::Failed(error)) => Err(error),
        Err(Stop::Job(id)) => {
            Err(Error::new(Code::Other, format!("a prompt cannot come to the job `{id}`")))
        }
    }
}

/// Completes an argument as the host does.
pub fn complete<T: Prompt>(
    argument: &str,
    typed: &str,
    others: Vec<(String, String)>,
) -> Result<Vec<String>, Error> {
    Ok(T::complete(argument, typed, &others))
}

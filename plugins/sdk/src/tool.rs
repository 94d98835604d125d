//! Tools: what they are, how they describe themselves and how they run.

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    Call, Content, Error, Hints, Result, Stop,
    private::tools::{Outcome, Output as Done, Request, Tool as Description},
    schema,
};

/// One MCP tool.
pub trait Tool: DeserializeOwned + JsonSchema {
    /// Unique among all plugins of a host.
    const NAME: &'static str;
    /// What people read, in a few words.
    const TITLE: Option<&'static str> = None;
    /// What a client may assume. The host holds the tool to it.
    const HINTS: Hints = Hints::empty();

    /// A struct becomes structured JSON, a string text, a [`Contents`] whatever it holds.
    type Output: Output;

    /// Does it.
    fn run(self, call: &Call) -> Result<Self::Output>;

    /// The schema of the arguments, where it is not the one of the struct.
    fn input_schema() -> Option<Value> {
        None
    }
}

/// What a tool can return.
pub trait Output {
    #[doc(hidden)]
    fn schema() -> Option<Value>;
    #[doc(hidden)]
    fn into_done(self) -> Result<Done, Error>;
}

/// A result of several pieces: text, pictures, sounds, resources.
pub struct Contents(pub Vec<Content>);

impl<T: Serialize + JsonSchema> Output for T {
    fn schema() -> Option<Value> {
        schema::of_output::<T>()
    }

    fn into_done(self) -> Result<Done, Error> {
        let value = serde_json::to_value(self)?;
        Ok(match value {
            Value::Object(_) => Done { content: Vec::new(), structured: Some(value.to_string()) },
            Value::String(text) => Done { content: vec![Content::Text(text)], structured: None },
            other => Done { content: vec![Content::Text(other.to_string())], structured: None },
        })
    }
}

impl Output for Contents {
    fn schema() -> Option<Value> {
        None
    }

    fn into_done(self) -> Result<Done, Error> {
        Ok(Done { content: self.0, structured: None })
    }
}

/// A tool as clients see it.
pub fn describe<T: Tool>() -> Description {
    let (derived, description) = schema::of_arguments::<T>();
    Description {
        name: T::NAME.to_owned(),
        title: T::TITLE.map(str::to_owned),
        description,
        input_schema: T::input_schema().unwrap_or(derived).to_string(),
        output_schema: T::Output::schema().map(|schema| schema.to_string()),
        hints: T::HINTS,
    }
}

/// Runs a tool as the host does.
pub fn run<T: Tool>(request: Request) -> Result<Outcome, Error> {
    let tool: T = serde_json::from_str(&request.arguments)?;
    let call = Call::new(request.config, request.client, request.answers);
    match tool.run(&call) {
        Ok(output) => output.into_done().map(Outcome::Done),
        Err(Stop::Ask(questions)) => Ok(Outcome::Ask(questions.into_inner())),
        Err(Stop::Failed(error)) => Err(error),
    }
}

//! Tools: what they are, how they describe themselves and how they run.

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

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

    /// A name under which all arguments may stand together: `{"input": {…}}`.
    const WRAPPED_UNDER: Option<&'static str> = None;

    /// A struct becomes structured JSON, a string text, a [`Told`] both, a [`Contents`] whatever it holds.
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

/// A structured result, and the text that says it to people.
#[derive(Debug)]
pub struct Told<T> {
    pub text: String,
    pub rows: T,
}

impl<T: Serialize + JsonSchema> Output for T {
    fn schema() -> Option<Value> {
        schema::of_output::<T>()
    }

    fn into_done(self) -> Result<Done, Error> {
        let written = serde_json::to_string(&self)?;
        Ok(match written.as_bytes().first() {
            Some(b'{') => Done { content: Vec::new(), structured: Some(written) },
            Some(b'"') => {
                let text = serde_json::from_str(&written)?;
                Done { content: vec![Content::Text(text)], structured: None }
            }
            _ => Done { content: vec![Content::Text(written)], structured: None },
        })
    }
}

impl<T: Serialize + JsonSchema> Output for Told<T> {
    fn schema() -> Option<Value> {
        T::schema()
    }

    fn into_done(self) -> Result<Done, Error> {
        let content = vec![Content::Text(self.text)];
        Ok(Done { content, ..self.rows.into_done()? })
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
    let (mut derived, mut description) = schema::of_arguments::<T>();
    if let Some(name) = T::WRAPPED_UNDER {
        description.push_str(&required_as_text(&derived));
        derived = schema::or_wrapped(derived, name);
    }
    Description {
        name: T::NAME.to_owned(),
        title: T::TITLE.map(str::to_owned),
        description,
        input_schema: T::input_schema().unwrap_or(derived).to_string(),
        output_schema: T::Output::schema().map(|schema| schema.to_string()),
        hints: T::HINTS,
    }
}

/// A schema that takes wrapped arguments says less plainly what is required than models are used to.
fn required_as_text(schema: &Value) -> String {
    let names = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() { String::new() } else { format!("\n\nRequired: {}.", names.join(", ")) }
}

/// Runs a tool as the host does.
pub fn run<T: Tool>(request: Request) -> Result<Outcome, Error> {
    let tool: T = match T::WRAPPED_UNDER {
        Some(name) if request.arguments.contains(name) => unwrapped(&request.arguments, name)?,
        _ => serde_json::from_str(&request.arguments)?,
    };
    let call = Call::new(request.config, request.client, request.answers);
    match tool.run(&call) {
        Ok(output) => output.into_done().map(Outcome::Done),
        Err(Stop::Ask(questions)) => Ok(Outcome::Ask(questions.into_inner())),
        Err(Stop::Job(id)) => Ok(Outcome::Job(id)),
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// The host's check ends at the wrapping: what is inside is checked here.
fn unwrapped<T: Tool>(arguments: &str, name: &str) -> Result<T, Error> {
    let mut outer: Map<String, Value> = serde_json::from_str(arguments)?;
    let Some(Value::Object(mut inner)) = outer.remove(name) else {
        return Ok(serde_json::from_value(Value::Object(outer))?);
    };
    if let Some(beside) = outer.keys().next() {
        let message =
            format!("`{beside}` stands beside `{name}`: put all arguments into it, or none");
        return Err(Error::invalid(message));
    }
    inner.retain(|_, value| !value.is_null());
    let (schema, _) = schema::of_arguments::<T>();
    if let Some(unknown) = inner.keys().find(|&key| schema["properties"].get(key).is_none()) {
        return Err(Error::invalid(format!("`{}` has no argument `{unknown}`", T::NAME)));
    }
    Ok(serde_json::from_value(Value::Object(inner))?)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// Greets.
    #[derive(Deserialize, JsonSchema)]
    struct Greet {
        name: String,
        #[serde(default)]
        loud: bool,
    }

    impl Tool for Greet {
        const NAME: &'static str = "greet";
        const WRAPPED_UNDER: Option<&'static str> = Some("input");
        type Output = String;

        fn run(self, _: &Call) -> Result<String> {
            Ok(if self.loud { self.name.to_uppercase() } else { self.name })
        }
    }

    #[track_caller]
    fn check(arguments: &str, expected: Result<&str, &str>) {
        let tool = unwrapped::<Greet>(arguments, "input").map(|greet| greet.run(&Call::default()));
        let answer = tool.map(Result::unwrap).map_err(|error| error.message);
        assert_eq!(answer.as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn arguments_are_taken_flat_and_wrapped() {
        check(r#"{"name": "input"}"#, Ok("input"));
        check(r#"{"input": {"name": "ann", "loud": null}}"#, Ok("ann"));
        check(r#"{"input": {"name": "ann", "loud": true}}"#, Ok("ANN"));
        check(r#"{"input": {"nam": "ann"}}"#, Err("`greet` has no argument `nam`"));
        check(r#"{"input": {}}"#, Err("missing field `name`"));
        check(
            r#"{"input": {"name": "a"}, "loud": true}"#,
            Err("`loud` stands beside `input`: put all arguments into it, or none"),
        );
    }

    #[derive(Serialize, JsonSchema)]
    struct Greeted {
        name: String,
    }

    #[test]
    fn what_is_told_is_text_and_structure() {
        let rows = Greeted { name: "ann".to_owned() };
        let done = Told { text: "Hello, Ann!".to_owned(), rows }.into_done().unwrap();
        assert!(matches!(done.content.as_slice(), [Content::Text(text)] if text == "Hello, Ann!"));
        assert_eq!(done.structured.as_deref(), Some(r#"{"name":"ann"}"#));
        assert_eq!(Told::<Greeted>::schema(), Greeted::schema());
    }

    #[test]
    fn what_is_required_is_said_in_words_too() {
        assert_eq!(describe::<Greet>().description, "Greets.\n\nRequired: `name`.");
    }
}

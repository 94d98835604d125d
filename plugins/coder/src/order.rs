//! What a new agent is to be, checked before anything is made.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use windlass_sdk::{Error, types::Code};

use crate::{
    ask::Coder,
    error::{self, About},
    path::step,
};

/// A longer task belongs into a file.
const LONGEST_PROMPT: usize = 256 << 10;
/// Coder's workspaces have no longer names.
const LONGEST_NAME: usize = 32;

/// What somebody wants to be made.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub(crate) struct Order {
    /// Who will own the agent: a name, an id, or `me`.
    pub(crate) user: String,
    /// What it is to do, in words.
    pub(crate) prompt: String,
    /// How its workspace is to be called: letters, digits and single hyphens, up to 32.
    pub(crate) workspace_name: String,
    /// The template that its workspace is made from: a name or an id. It may be left out where there is just one.
    pub(crate) template_name: Option<String>,
    /// The name or the id of one of the template's presets. Absent: the usual one, if there is one.
    pub(crate) preset: Option<String>,
    /// Values of the template's parameters, by name.
    pub(crate) rich_parameters: Option<Map<String, Value>>,
    /// Which Coder, where the configuration names more than one.
    pub(crate) deployment: Option<String>,
}

impl Order {
    /// Fails where it makes no sense for any Coder.
    pub(crate) fn check(&self) -> Result<(), Error> {
        step("user", &self.user)?;
        let prompt = self.prompt.trim();
        if prompt.is_empty() {
            return Err(error::of_field("prompt", "`prompt` is empty: say what is to be done"));
        }
        if prompt.len() > LONGEST_PROMPT {
            let message = format!(
                "`prompt` has {} bytes, more than {LONGEST_PROMPT}: put the long part into a file of the workspace",
                prompt.len()
            );
            let error = error::of_field("prompt", message);
            return Err(Error { code: Code::Limit, ..error });
        }
        if !is_name(self.workspace_name.trim()) {
            let message = format!(
                "`workspace_name` is no name for a workspace: letters, digits and single hyphens between them, up to {LONGEST_NAME}"
            );
            return Err(error::of_field("workspace_name", message));
        }
        self.values().map(drop)
    }

    /// The parameters as Coder takes them: all of them text.
    pub(crate) fn values(&self) -> Result<BTreeMap<String, String>, Error> {
        let text = |(name, value): (&String, &Value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Bool(_) | Value::Number(_) | Value::Array(_) => value.to_string(),
                Value::Null | Value::Object(_) => {
                    let message =
                        format!("parameter `{name}` is text, a number, a truth or a list");
                    return Err(error::of_field("rich_parameters", message));
                }
            };
            Ok((name.clone(), text))
        };
        self.rich_parameters.iter().flatten().map(text).collect()
    }

    /// The path of the workspace that it would have.
    pub(crate) fn workspace(&self) -> Result<String, Error> {
        let user = step("user", &self.user)?;
        Ok(format!("/api/v2/users/{user}/workspace/{}", self.workspace_name.trim()))
    }

    /// Fails where it says something of a workspace that is there already, or of none.
    pub(crate) fn check_says_nothing(&self, why: &str) -> Result<(), Error> {
        let said = [
            ("preset", self.preset.is_some()),
            ("rich_parameters", self.rich_parameters.as_ref().is_some_and(|it| !it.is_empty())),
        ];
        match said.into_iter().find(|(_, is_said)| *is_said) {
            Some((field, _)) => {
                Err(error::of_field(field, format!("`{field}` has no effect: {why}")))
            }
            None => Ok(()),
        }
    }

    /// Fails where there is such a workspace.
    pub(crate) fn check_is_free(&self, coder: &Coder) -> Result<(), Error> {
        match coder.get::<serde::de::IgnoredAny>(&self.workspace()?) {
            Ok(_) => {
                let name = self.workspace_name.trim();
                let message = format!(
                    "there is a workspace `{name}` of this user: choose another name, or delete it"
                );
                let details = serde_json::json!({"field": "workspace_name"});
                Err(error::in_the_way(message, details))
            }
            Err(trouble) if trouble.is_missing() => Ok(()),
            Err(trouble) => Err(trouble.about(About::Template)),
        }
    }
}

fn is_name(name: &str) -> bool {
    let part =
        |part: &str| !part.is_empty() && part.chars().all(|letter| letter.is_ascii_alphanumeric());
    name.len() <= LONGEST_NAME && name.split('-').all(part)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn order(changes: Value) -> Order {
        let mut order = json!({"user": "me", "prompt": "do it", "workspace_name": "w-1"});
        for (name, value) in changes.as_object().unwrap() {
            order[name] = value.clone();
        }
        serde_json::from_value(order).unwrap()
    }

    #[track_caller]
    fn check(changes: Value, expected: Option<&str>) {
        let field = order(changes).check().err().map(|error| error.known()["field"].clone());
        assert_eq!(field, expected.map(Value::from));
    }

    #[test]
    fn an_order_that_makes_no_sense_is_refused() {
        check(json!({}), None);
        check(json!({"prompt": " \n"}), Some("prompt"));
        check(json!({"prompt": "x".repeat(LONGEST_PROMPT + 1)}), Some("prompt"));
        check(json!({"user": "../me"}), Some("user"));
        for name in ["", " ", "a--b", "-a", "a-", "a b", "../x", "a_b", &"x".repeat(33)] {
            check(json!({"workspace_name": name}), Some("workspace_name"));
        }
        check(json!({"rich_parameters": {"a": {}}}), Some("rich_parameters"));
    }

    #[test]
    fn parameters_are_text() {
        let order = order(json!({"rich_parameters": {"a": "x", "b": 2, "c": true, "d": ["y"]}}));
        let values = order.values().unwrap();
        let told: Vec<_> = values.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(told.join(" "), r#"a=x b=2 c=true d=["y"]"#);
    }
}

//! What an agent is: a task, a chat or a workspace of Coder's, seen as a member of a fleet.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One agent.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Agent {
    pub(crate) id: String,
    pub(crate) user: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) workspace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) workspace_name: Option<String>,
    pub(crate) status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) updated_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_activity_at: Option<String>,
    /// Coder names none.
    pub(crate) capabilities: Vec<String>,
    /// What it was told to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) current_assignment: Option<String>,
    /// Whether Coder reaches its workspace.
    pub(crate) connected: bool,
    /// What else Coder says of it. `kind` is `task`, `chat` or `workspace`.
    pub(crate) metadata: Map<String, Value>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Running,
    Idle,
    Busy,
    #[default]
    Offline,
    Error,
    Stopped,
}

impl Status {
    /// In any case. None: there is no such status, and no agent has it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        serde_json::from_value(Value::String(name.to_ascii_lowercase())).ok()
    }
}

impl Agent {
    pub(crate) fn is_chat(&self) -> bool {
        self.metadata.get("kind").is_some_and(|kind| kind == "chat")
    }
}

/// What is known of an agent besides, without what is not.
pub(crate) fn known<const N: usize>(
    kind: &str,
    facts: [(&str, Option<String>); N],
) -> Map<String, Value> {
    let facts = facts.into_iter().filter_map(|(name, value)| {
        let value = value.filter(|it| !it.is_empty())?;
        Some((name.to_owned(), Value::String(value)))
    });
    [("kind".to_owned(), kind.into())].into_iter().chain(facts).collect()
}

/// Which agents are meant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) user: Option<String>,
    pub(crate) status: Option<Status>,
}

impl Wanted {
    /// Who `me` is, only Coder knows: it has chosen already.
    pub(crate) fn admits(&self, agent: &Agent) -> bool {
        let user = self.user.as_deref().filter(|user| *user != "me");
        user.is_none_or(|user| user.eq_ignore_ascii_case(&agent.user))
            && self.status.is_none_or(|status| status == agent.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_is_found_in_any_case() {
        let agent = Agent { user: "Ann".to_owned(), status: Status::Busy, ..Agent::default() };
        let admits = |user: Option<&str>, status: Option<&str>| {
            let wanted =
                Wanted { user: user.map(str::to_owned), status: status.and_then(Status::named) };
            wanted.admits(&agent)
        };
        assert!(
            admits(None, None) && admits(Some("ann"), Some("BUSY")) && admits(Some("me"), None)
        );
        assert!(!admits(Some("bob"), None) && !admits(None, Some("idle")));
        assert_eq!(Status::named("no such status"), None);
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        let facts = known(
            "chat",
            [("title", Some("Fix it".to_owned())), ("why", None), ("how", Some(String::new()))],
        );
        assert_eq!(Value::Object(facts).to_string(), r#"{"kind":"chat","title":"Fix it"}"#);
    }
}

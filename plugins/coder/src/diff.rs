//! `get_agent_diff`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{Call, Hints, Result, Tool};

use crate::{
    LOOKS,
    ask::Coder,
    body::Body,
    error::{self, About, Trouble},
    find::{Name, Place},
};

/// Shows what an agent changed in its repository. Coder tells it of chats, and of nothing else.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct GetAgentDiff {
    /// Who owns the agent: a name, an id, or `me`.
    user: String,
    /// The agent's id.
    agent_id: String,
    /// Which Coder, where the configuration names more than one.
    deployment: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Shown {
    success: bool,
    data: Diff,
}

/// What changed, and where it went.
#[derive(Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Diff {
    /// In the form of `git diff`. Empty: nothing changed.
    pub(crate) diff: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pull_request_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_origin: Option<String>,
}

impl Tool for GetAgentDiff {
    const NAME: &'static str = "get_agent_diff";
    const TITLE: Option<&'static str> = Some("Show what an agent changed");
    const HINTS: Hints = LOOKS;
    type Output = Shown;

    fn run(self, call: &Call) -> Result<Shown> {
        let coder = Coder::of(call, self.deployment.as_deref())?;
        let name = Name { user: &self.user, id: &self.agent_id };
        let shown = name.first(&coder, |place| match place {
            Place::Chat(path, _) => of_chat(&coder, path),
            Place::Task(path) => {
                // Whether there is such a task, or something else of this name.
                coder.get::<serde::de::IgnoredAny>(path)?;
                Err(untold("task"))
            }
            Place::Workspace(_) => Err(untold("workspace")),
        });
        let data = shown.map_err(|trouble| trouble.about(About::Agent))?;
        Ok(Shown { success: true, data })
    }
}

/// What a chat changed, unless that is too much to tell.
pub(crate) fn of_chat(coder: &Coder, path: &str) -> Result<Diff, Trouble> {
    let told = coder.read(&format!("{path}/diff"), |body| match body {
        body @ Body::Whole(_) => body.parse().map(Some),
        Body::Long(_) => Ok(None),
    });
    match told {
        Ok(Some(diff)) => Ok(diff),
        Ok(None) => Err(Trouble::Unanswered(error::not_here(
            "what it changed is more than a megabyte: look into its workspace, or at the branch that it pushed",
        ))),
        // The chat was there a moment ago.
        Err(trouble) if trouble.is_missing() => Err(Trouble::Unanswered(error::not_here(
            "this Coder does not tell what a chat changed",
        ))),
        Err(trouble) => Err(trouble),
    }
}

fn untold(kind: &str) -> Trouble {
    let message = format!(
        "Coder does not tell what a {kind} changed, only what a chat did: look into its workspace, or at the branch that it pushed"
    );
    Trouble::Unanswered(error::not_here(message))
}

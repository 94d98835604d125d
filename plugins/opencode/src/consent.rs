//! What opencode asks permission for, as questions to whoever a run is for; and their answers.

use serde::Deserialize;
use serde_json::json;
use windlass_sdk::{Call, Form, Questions, types::Answer};

use crate::{event::Request, server::Reply, watch};

/// What the agent hears where nobody said why.
const REFUSED: &str = "the user does not want this";

/// One answer, and to which request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) request: String,
    choice: Choice,
    why: String,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Choice {
    Once,
    Always,
    Reject,
}

#[derive(Deserialize)]
struct Filled {
    decision: Choice,
    #[serde(default)]
    reason: String,
}

/// All of them at once, each under its id.
pub(crate) fn questions(requests: &[Request]) -> Questions {
    let ids: Vec<_> = requests.iter().map(|request| &request.id).collect();
    let questions = Questions::remembering(json!(ids).to_string());
    let ask = |questions: Questions, request: &Request| {
        let form = Form::new(format!("The agent wants to do: {}", watch::wanted(request)))
            .required(
                "decision",
                json!({"type": "string", "enum": ["once", "always", "reject"], "description": "`always` counts for what is like it, until the session's server ends."}),
            )
            .optional("reason", json!({"type": "string", "description": "What the agent hears when it is refused."}));
        questions.form(&request.id, form)
    };
    requests.iter().fold(questions, ask)
}

/// What was answered. What was not filled in is refused.
pub(crate) fn decisions(call: &Call) -> Vec<Decision> {
    let asked: Vec<String> =
        call.state().and_then(|ids| serde_json::from_str(ids).ok()).unwrap_or_default();
    let decide = |request: String| {
        let filled = match call.answer(&request) {
            Some(Answer::Given(_)) => call.given::<Filled>(&request),
            _ => None,
        };
        let filled = filled.unwrap_or(Filled { decision: Choice::Reject, reason: String::new() });
        let why = if filled.reason.trim().is_empty() { REFUSED.to_owned() } else { filled.reason };
        Decision { request, choice: filled.decision, why }
    };
    asked.into_iter().map(decide).collect()
}

impl Decision {
    pub(crate) fn reply(&self) -> Reply<'_> {
        match self.choice {
            Choice::Once => Reply::Once,
            Choice::Always => Reply::Always,
            Choice::Reject => Reply::Reject(&self.why),
        }
    }

    /// In one word, for the log.
    pub(crate) fn word(&self) -> &'static str {
        match self.choice {
            Choice::Once => "allowed",
            Choice::Always => "allowed for good",
            Choice::Reject => "refused",
        }
    }
}

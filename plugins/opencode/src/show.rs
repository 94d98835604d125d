//! Sessions and runs, as they are told.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use windlass_sdk::{
    Error, clock,
    jobs::{self, Ending, Info, State},
    workspaces::Workspace,
};

use crate::{artifact, record::Done, session::Session};

/// A session, as it is told.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Shown {
    session_id: String,
    name: Option<String>,
    reuse_key: Option<String>,
    /// `active` or `terminated`.
    status: &'static str,
    image: String,
    /// Its files: for the tools of every plugin.
    workspace: String,
    /// What its runs leave, and opencode's own state.
    meta_workspace: String,
    created_at: String,
    last_used_at: String,
}

/// A run, as it is told.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Run {
    id: String,
    session_id: String,
    /// `queued`, `running`, `input_required`, `completed`, `failed` or `canceled`. The last three are for good.
    pub(crate) state: &'static str,
    /// How often it was begun: more than once only where the host ended in the middle.
    attempt: u32,
    /// The first words of the task.
    title: String,
    created_at: String,
    started_at: Option<String>,
    finished_at: Option<String>,
    updated_at: String,
    /// What happened last.
    message: String,
    /// What the model said last.
    final_output: Option<String>,
    /// What `schema` asked for, as JSON.
    structured_output: Option<String>,
    /// How it went, in few words.
    result_summary: Option<String>,
    error: Option<String>,
    error_code: Option<String>,
    /// What it asks, while it waits for an answer.
    questions: Option<Vec<Asked>>,
}

/// Something that a run asks.
#[derive(Debug, serde::Deserialize, Serialize, JsonSchema)]
pub(crate) struct Asked {
    /// The question's name in the answer.
    id: String,
    /// What the agent wants to do.
    wants: String,
}

impl Shown {
    pub(crate) fn new(id: &str, session: &Session) -> Self {
        Self {
            session_id: id.to_owned(),
            name: session.name.clone(),
            reuse_key: session.reuse_key.clone(),
            status: if session.terminated.is_some() { "terminated" } else { "active" },
            image: session.image.clone(),
            workspace: format!("workspace://{id}/"),
            meta_workspace: format!("workspace://{}/", session.meta),
            created_at: clock::iso(session.created),
            last_used_at: clock::iso(session.used),
        }
    }
}

impl Run {
    /// A run without what it came to.
    pub(crate) fn of(info: Info) -> Self {
        Self {
            session_id: info.lane.unwrap_or_default(),
            state: word(info.state),
            attempt: info.attempt,
            title: info.title,
            created_at: clock::iso(info.created),
            started_at: info.started.map(clock::iso),
            finished_at: info.ended.map(clock::iso),
            updated_at: clock::iso(info.updated),
            message: info.message,
            id: info.id,
            final_output: None,
            structured_output: None,
            result_summary: None,
            error: None,
            error_code: None,
            questions: None,
        }
    }

    /// The same with what it came to, or what it asks.
    pub(crate) fn whole(info: Info, session: &Session) -> Result<Self, Error> {
        let (id, state) = (info.id.clone(), info.state);
        let mut run = Self::of(info);
        if state == State::InputRequired {
            run.questions = Some(questions(&id, session));
        }
        match jobs::outcome(&id)? {
            Ending::Pending => {}
            Ending::Completed(text) => {
                let done: Done = serde_json::from_str(&text)?;
                run.final_output = Some(done.final_output);
                run.structured_output = done.structured_output;
                run.result_summary = Some(done.result_summary);
            }
            Ending::Failed(error) => {
                let known = error.known();
                let word = |name: &str| known.get(name).and_then(Value::as_str).map(str::to_owned);
                run.final_output = word("final_output").filter(|text| !text.is_empty());
                run.result_summary = word("result_summary");
                run.error_code = word("error_code");
                run.error = Some(error.message);
            }
            Ending::Canceled => run.error = Some("it was canceled".to_owned()),
        }
        Ok(run)
    }
}

fn questions(run: &str, session: &Session) -> Vec<Asked> {
    let place = artifact::place(run, artifact::QUESTIONS);
    let text = Workspace::open(&session.meta).and_then(|meta| meta.read_text(&place));
    text.ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

fn word(state: State) -> &'static str {
    match state {
        State::Queued => "queued",
        State::Running => "running",
        State::InputRequired => "input_required",
        State::Completed => "completed",
        State::Failed => "failed",
        State::Canceled => "canceled",
    }
}

/// The state that this word stands for.
pub(crate) fn state(word: &str) -> Option<State> {
    Some(match word {
        "queued" => State::Queued,
        "running" => State::Running,
        "input_required" => State::InputRequired,
        "completed" => State::Completed,
        "failed" => State::Failed,
        "canceled" => State::Canceled,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_its_word() {
        for known in ["queued", "running", "input_required", "completed", "failed", "canceled"] {
            assert_eq!(state(known).map(word), Some(known));
        }
        assert_eq!(state("cancelled"), None);
    }
}

//! What is written down of a run: the note for who takes it up again, its result, and its artifacts.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_sdk::{
    Error, clock, jobs,
    log::{self, Level},
    workspaces::Workspace,
};

use crate::{
    artifact,
    changes::Difference,
    provider::Provider,
    server::Answered,
    session::Session,
    summary::{Changes, Tally},
};

/// As much of the log becomes an artifact.
const LONGEST_LOG: u32 = 1 << 20;
/// As much of what the model said is in the result. All of it is an artifact.
const LONGEST_OUTPUT: usize = 256 << 10;

/// What a run knows that another one needs to take its place.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub(crate) struct Note {
    /// Milliseconds since 1970.
    pub(crate) began: u64,
    /// The session as opencode calls it.
    pub(crate) conversation: String,
    /// The message that the model was given, or is about to be given.
    pub(crate) message: String,
    /// When that was. Milliseconds since 1970.
    pub(crate) prompted: u64,
    /// The server that it was given to.
    pub(crate) process: String,
    /// How often it was given, since its server went away.
    pub(crate) generation: u32,
    /// The tree of the files before.
    pub(crate) tree: Option<String>,
    pub(crate) tally: Tally,
}

/// What a run came to.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Done {
    /// What the model said last.
    pub(crate) final_output: String,
    /// What was to be given by a schema, as JSON.
    pub(crate) structured_output: Option<String>,
    pub(crate) result_summary: String,
    pub(crate) changes: Option<Changes>,
}

/// A run and what is known of it.
pub(crate) struct Record<'a> {
    pub(crate) run: &'a str,
    pub(crate) id: &'a str,
    pub(crate) session: &'a Session,
    pub(crate) provider: &'a Provider,
    pub(crate) note: &'a Note,
}

impl Note {
    pub(crate) fn read(text: Option<&str>) -> Self {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// Keeps it for the run that takes this one's place.
    pub(crate) fn keep(&self) -> Result<(), Error> {
        jobs::note(&serde_json::to_string(self)?)
    }
}

impl Record<'_> {
    /// Writes down what there is of a run. It has ended, and no failure of a disk changes what it came to.
    pub(crate) fn keep(
        &self,
        state: &str,
        task: &str,
        answered: Option<&Answered>,
        difference: Option<&Difference>,
        error: Option<&str>,
    ) -> Done {
        let took = clock::now().saturating_sub(self.note.began);
        let changes = difference.map(|it| it.changes.clone());
        let result_summary = self.note.tally.words(state, took, changes.as_ref());
        let text = answered.map(|it| it.message.text()).unwrap_or_default();
        log::write(Level::Info, &result_summary);
        let context = self.context(state, task, &result_summary, difference, error);
        if let Err(error) = self.write(&context, &text, answered, difference) {
            log::write(Level::Warn, &format!("what the run leaves is not kept: {}", error.message));
        }
        let end = text.floor_char_boundary(LONGEST_OUTPUT);
        let final_output = text.get(..end).unwrap_or_default().to_owned();
        Done { final_output, structured_output: None, result_summary, changes }
    }

    fn context(
        &self,
        state: &str,
        task: &str,
        summary: &str,
        difference: Option<&Difference>,
        error: Option<&str>,
    ) -> Value {
        let Note { began, conversation, message, generation, tally, .. } = self.note;
        let Provider { name, base_url, model, .. } = self.provider;
        json!({
            "run_id": self.run,
            "session_id": self.id,
            "state": state,
            "task": task,
            "started_at": clock::iso(*began),
            "finished_at": clock::iso(clock::now()),
            "model": format!("{name}/{model}"),
            "base_url": base_url,
            "image": self.session.image,
            "opencode_session": conversation,
            "opencode_message": message,
            "restarts": generation,
            "counted": tally,
            "changes": difference.map(|it| &it.changes),
            "result_summary": summary,
            "error": error,
        })
    }

    fn write(
        &self,
        context: &Value,
        text: &str,
        answered: Option<&Answered>,
        difference: Option<&Difference>,
    ) -> Result<(), Error> {
        let meta = Workspace::open(&self.session.meta)?;
        let place = |name| artifact::place(self.run, name);
        meta.put(place(artifact::CONTEXT), serde_json::to_string_pretty(context)?)?;
        if let Some(answered) = answered {
            meta.put(place(artifact::RESPONSE), serde_json::to_string_pretty(&answered.raw)?)?;
            meta.put(place(artifact::TEXT), text)?;
        }
        if let Some(difference) = difference {
            meta.put(place(artifact::DIFF), difference.diff.as_str())?;
        }
        let log = jobs::log(self.run, LONGEST_LOG)?;
        meta.put(place(artifact::LOG), log)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_what_it_was() {
        let note = Note { message: "msg_1".to_owned(), generation: 2, ..Note::default() };
        assert_eq!(Note::read(Some(&serde_json::to_string(&note).unwrap())), note);
        assert_eq!(Note::read(None), Note::default());
        assert_eq!(Note::read(Some("nonsense")), Note::default());
    }
}

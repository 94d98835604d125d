//! `opencode_sessions` and `opencode_runs`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Error, Hints, Job as _, Result, Tool,
    jobs::{self, Filter},
};

use crate::{
    run::Task,
    session::Session,
    show::{self, Run, Shown},
};

/// Lists the sessions of opencode, the latest first.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct OpencodeSessions {
    /// Whether those are listed, too, that were terminated.
    #[serde(default)]
    terminated: bool,
    /// How many.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 1000))]
    limit: u32,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Sessions {
    success: bool,
    sessions: Vec<Shown>,
    /// How many there are.
    total: usize,
}

/// Lists runs of opencode, the latest first, without what they came to.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct OpencodeRuns {
    /// Only those of this session.
    session_id: Option<String>,
    /// Only those in this state: `queued`, `running`, `input_required`, `completed`, `failed` or `canceled`.
    state: Option<String>,
    /// How many.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 1000))]
    limit: u32,
    /// Only those that are older than this run: the last one of the page before.
    after: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Runs {
    success: bool,
    runs: Vec<Run>,
}

impl Tool for OpencodeSessions {
    const NAME: &'static str = "opencode_sessions";
    const TITLE: Option<&'static str> = Some("List sessions of opencode");
    const HINTS: Hints = Hints::READ_ONLY;
    type Output = Sessions;

    fn run(self, _: &Call) -> Result<Sessions> {
        let mut sessions = Session::all()?;
        sessions.retain(|(_, session)| self.terminated || session.terminated.is_none());
        let total = sessions.len();
        let most = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let shown = sessions.iter().take(most).map(|(id, session)| Shown::new(id, session));
        Ok(Sessions { success: true, sessions: shown.collect(), total })
    }
}

impl Tool for OpencodeRuns {
    const NAME: &'static str = "opencode_runs";
    const TITLE: Option<&'static str> = Some("List runs of opencode");
    const HINTS: Hints = Hints::READ_ONLY;
    type Output = Runs;

    fn run(self, _: &Call) -> Result<Runs> {
        let states = match &self.state {
            None => Vec::new(),
            Some(word) => vec![show::state(word).ok_or_else(|| unknown(word))?],
        };
        let filter = Filter { kind: Some(Task::KIND.to_owned()), lane: self.session_id, states };
        let runs = jobs::list(&filter, self.after.as_deref().unwrap_or_default(), self.limit)?;
        Ok(Runs { success: true, runs: runs.into_iter().map(Run::of).collect() })
    }
}

fn unknown(word: &str) -> Error {
    Error::invalid(format!(
        "`state` is `{word}`, and none of `queued`, `running`, `input_required`, `completed`, `failed` and `canceled`"
    ))
}

fn fifty() -> u32 {
    50
}

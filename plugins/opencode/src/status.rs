//! `get_status` and `get_run_logs`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Error, Hints, Result, Tool,
    jobs::{self, Filter},
};

use crate::{
    error,
    run::{Task, absent},
    session::Session,
    show::{Run, Shown},
};
use windlass_sdk::Job as _;

/// As much of a log is looked through for its last lines.
const LONGEST_LOG: u32 = 2 << 20;

/// Says how a session and one of its runs are: the latest, or the one that is named. Poll until `run.state` is `completed`, `failed`
/// or `canceled`; `input_required` means that it waits for an answer.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct GetStatus {
    /// What `create_or_reuse_session` answered.
    session_id: String,
    /// What `submit_task` answered. Without it: the latest run.
    run_id: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Status {
    success: bool,
    session: Shown,
    /// Null: there was none yet.
    run: Option<Run>,
}

/// Reads the end of a run's log, while it runs and afterwards.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct GetRunLogs {
    /// What `submit_task` answered.
    run_id: String,
    /// How many lines.
    #[serde(default = "two_hundred")]
    #[schemars(range(min = 1, max = 100_000))]
    tail_lines: u32,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Logs {
    success: bool,
    run_id: String,
    state: &'static str,
    logs: String,
}

impl Tool for GetStatus {
    const NAME: &'static str = "get_status";
    const TITLE: Option<&'static str> = Some("Look at a session and its run");
    const HINTS: Hints = Hints::READ_ONLY;
    type Output = Status;

    fn run(self, _: &Call) -> Result<Status> {
        let told = self.status();
        Ok(told.map_err(|error| error::about("session_id", &self.session_id, error))?)
    }
}

impl GetStatus {
    fn status(&self) -> Result<Status, Error> {
        let session = Session::find(&self.session_id)?;
        let info = match &self.run_id {
            Some(run) => {
                let info = jobs::get(run).map_err(|error| absent(run, error))?;
                if info.lane.as_ref() != Some(&self.session_id) {
                    return Err(error::no_run(run));
                }
                Some(info)
            }
            None => latest(&self.session_id)?,
        };
        let run = info.map(|info| Run::whole(info, &session)).transpose()?;
        Ok(Status { success: true, session: Shown::new(&self.session_id, &session), run })
    }
}

fn latest(session: &str) -> Result<Option<jobs::Info>, Error> {
    let kind = Some(Task::KIND.to_owned());
    let filter = Filter { kind, lane: Some(session.to_owned()), states: Vec::new() };
    Ok(jobs::list(&filter, "", 1)?.into_iter().next())
}

impl Tool for GetRunLogs {
    const NAME: &'static str = "get_run_logs";
    const TITLE: Option<&'static str> = Some("Read a run's log");
    const HINTS: Hints = Hints::READ_ONLY;
    type Output = Logs;

    fn run(self, _: &Call) -> Result<Logs> {
        let info = jobs::get(&self.run_id).map_err(|error| absent(&self.run_id, error))?;
        let log =
            jobs::log(&self.run_id, LONGEST_LOG).map_err(|error| absent(&self.run_id, error))?;
        let most = usize::try_from(self.tail_lines).unwrap_or(usize::MAX);
        let logs = last_lines(&log, most).to_owned();
        Ok(Logs { success: true, run_id: self.run_id, state: Run::of(info).state, logs })
    }
}

/// The last lines of a text.
fn last_lines(text: &str, most: usize) -> &str {
    let mut starts = text.trim_end_matches('\n').rmatch_indices('\n').map(|(place, _)| place + 1);
    let kept = most.checked_sub(1).and_then(|before| starts.nth(before)).unwrap_or_default();
    text.get(kept..).unwrap_or_default()
}

fn two_hundred() -> u32 {
    200
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_told() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc\n");
        assert_eq!(last_lines("a\nb\nc", 1), "c");
        assert_eq!(last_lines("a\nb", 7), "a\nb");
        assert_eq!(last_lines("", 7), "");
        let arguments: GetRunLogs = serde_json::from_str(r#"{"run_id": "j_1"}"#).unwrap();
        assert_eq!(arguments.tail_lines, 200);
    }
}

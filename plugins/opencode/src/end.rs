//! `cancel_run` and `terminate_session`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Error, Hints, Job as _, Result, Tool, clock,
    jobs::{self, Filter, State},
    types::Code,
    workspaces::Workspace,
};

use crate::{
    error, house,
    run::{Task, absent},
    session::Session,
    show::Run,
};

/// How long a run may take to end whose end is waited for.
const ENDING_MS: u32 = 20_000;
/// How many runs are cancelled at once.
const PAGE: u32 = 200;

/// Cancels a run: the agent is stopped, what it has changed stays. Cancelling one that has ended changes nothing.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct CancelRun {
    /// What `submit_task` answered.
    run_id: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Cancelled {
    success: bool,
    run: Run,
}

/// Ends a session: its runs are cancelled, its container is removed. Its files and what its runs left stay, unless
/// `remove_workspace` says otherwise. Terminating it again changes nothing.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct TerminateSession {
    /// What `create_or_reuse_session` answered.
    session_id: String,
    /// Whether its files go too, and what its runs left.
    #[serde(default)]
    remove_workspace: bool,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Terminated {
    success: bool,
    session_id: String,
    /// How many runs were ended with it.
    canceled_runs: usize,
    workspace_removed: bool,
}

impl Tool for CancelRun {
    const NAME: &'static str = "cancel_run";
    const TITLE: Option<&'static str> = Some("Cancel a run");
    const HINTS: Hints = Hints::DESTRUCTIVE.union(Hints::IDEMPOTENT);
    type Output = Cancelled;

    fn run(self, _: &Call) -> Result<Cancelled> {
        Ok(self.cancel().map_err(|error| absent(&self.run_id, error))?)
    }
}

impl CancelRun {
    fn cancel(&self) -> Result<Cancelled, Error> {
        jobs::cancel(&self.run_id)?;
        let info = jobs::wait(&self.run_id, ENDING_MS)?;
        Ok(Cancelled { success: true, run: Run::of(info) })
    }
}

impl Tool for TerminateSession {
    const NAME: &'static str = "terminate_session";
    const TITLE: Option<&'static str> = Some("End a session");
    const HINTS: Hints = Hints::DESTRUCTIVE.union(Hints::IDEMPOTENT);
    type Output = Terminated;

    fn run(self, _: &Call) -> Result<Terminated> {
        let ended = self.terminate();
        Ok(ended.map_err(|error| error::about("session_id", &self.session_id, error))?)
    }
}

impl TerminateSession {
    fn terminate(&self) -> Result<Terminated, Error> {
        let now = clock::now();
        let id = &self.session_id;
        Session::find(id)?;
        let canceled_runs = cancel_all(id)?;
        // Whoever is making its container sees this afterwards, and takes it away again.
        let session = Session::change(id, |session| {
            session.terminated.get_or_insert(now);
        })?;
        house::remove(id)?;
        if self.remove_workspace {
            destroy(&session.meta)?;
            destroy(id)?;
        }
        let session_id = id.clone();
        Ok(Terminated {
            success: true,
            session_id,
            canceled_runs,
            workspace_removed: self.remove_workspace,
        })
    }
}

/// Cancels what the session has to do; says how much that was.
fn cancel_all(session: &str) -> Result<usize, Error> {
    let states = vec![State::Queued, State::Running, State::InputRequired];
    let kind = Some(Task::KIND.to_owned());
    let filter = Filter { kind, lane: Some(session.to_owned()), states };
    let mut cancelled = 0;
    loop {
        let runs = jobs::list(&filter, "", PAGE)?;
        // The latest first: none begins because one before it has ended.
        for run in &runs {
            jobs::cancel(&run.id)?;
        }
        for run in &runs {
            jobs::wait(&run.id, ENDING_MS)?;
        }
        cancelled += runs.len();
        if runs.len() < PAGE as usize {
            return Ok(cancelled);
        }
    }
}

fn destroy(workspace: &str) -> Result<(), Error> {
    match Workspace::open(workspace).and_then(|workspace| workspace.destroy()) {
        Err(error) if error.code == Code::NotFound => Ok(()),
        destroyed => destroyed,
    }
}

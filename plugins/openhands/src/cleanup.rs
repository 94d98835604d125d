//! `cleanup_coding_tasks`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{Call, Error, Hints, Result, Tool, workspaces::Workspace};

use crate::{
    error, follow,
    session::{self, Session},
    settings::Settings,
    task::Task,
    world::{self, World},
};

/// Forgets the coding tasks of a session that have ended, with what they printed and their containers. A task that still runs
/// stays, and its result says so.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct CleanupCodingTasks {
    /// What `start_session` answered.
    session_id: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Cleaned {
    /// Whether all of them are gone.
    success: bool,
    #[serde(rename = "isError")]
    is_error: bool,
    session_id: String,
    results: Vec<Removed>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Removed {
    id: String,
    /// `removed` or `error`.
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Tool for CleanupCodingTasks {
    const NAME: &'static str = "cleanup_coding_tasks";
    const TITLE: Option<&'static str> = Some("Forget coding tasks");
    const HINTS: Hints = Hints::DESTRUCTIVE.union(Hints::IDEMPOTENT);
    type Output = Cleaned;

    fn run(self, call: &Call) -> Result<Cleaned> {
        let cleaned = clean(&self.session_id, call);
        Ok(cleaned.map_err(|error| error::about(&self.session_id, error))?)
    }
}

fn clean(session: &str, call: &Call) -> Result<Cleaned, Error> {
    let settings = Settings::of(call)?;
    Session::open(session, &settings)?;
    let workspace = session::workspace(session)?;
    let world = World::look()?;
    let mut results = Vec::new();
    for mut task in Task::all(session)? {
        let removed = remove(&mut task, &workspace, &world, &settings);
        let status = if removed.is_ok() { "removed" } else { "error" };
        let error = removed.err().map(|error| error.message);
        results.push(Removed { id: task.id, status, error });
    }
    let success = results.iter().all(|removed| removed.error.is_none());
    Ok(Cleaned { success, is_error: false, session_id: session.to_owned(), results })
}

fn remove(
    task: &mut Task,
    workspace: &Workspace,
    world: &World,
    settings: &Settings,
) -> Result<(), Error> {
    follow::follow(task, world, settings)?;
    if task.settled.is_none() {
        return Err(Error::invalid("it still runs: `cancel_coding_task` ends it"));
    }
    world::remove(&task.alias())?;
    Session::release(&task.session, &task.id)?;
    // The folder may be gone, and it is no part of the tree.
    let _ = workspace.delete(task.folder());
    task.forget()
}

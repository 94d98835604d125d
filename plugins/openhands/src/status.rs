//! `get_coding_task_status`, and the other name that it has.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{Call, Error, Hints, Result, Tool, clock};

use crate::{
    error,
    follow::{self, Live},
    output,
    session::Session,
    settings::Settings,
    task::{Outcome, Task},
    trajectory::shortened,
    tree::{ChangedFile, DiffStat},
    world::World,
};

/// No more tasks are told at once: the latest.
const MOST_TASKS: usize = 50;
/// What all logs of an answer may come to, as JSON.
const LOGS: usize = 2 << 20;
/// How much of a description is told where many tasks are.
const DESCRIPTION: usize = 8 << 10;

/// Says how the coding tasks of a session are: whether they run, the last 1,000 lines of what they print, how they ended, and
/// which files were changed since they began. `outcome` is what the agent says that it came to, whatever the exit code is.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct GetCodingTaskStatus {
    /// What `start_session` answered.
    session_id: String,
    /// Only this task, with all of its description.
    task_id: Option<String>,
}

/// The same as `get_coding_task_status`.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct CodingTaskStatus {
    /// What `start_session` answered.
    session_id: String,
    /// Only this task.
    task_id: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Tasks {
    success: bool,
    #[serde(rename = "isError")]
    is_error: bool,
    session_id: String,
    /// Oldest first.
    tasks: Vec<Shown>,
    /// Older tasks that are not told: `cleanup_coding_tasks` makes room.
    left_out: usize,
}

/// A task, as it is told.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Shown {
    id: String,
    /// The name of its container.
    name: String,
    /// `created`, `running`, `exited` or `unknown`.
    status: &'static str,
    outcome: Outcome,
    created_at: String,
    task_description: String,
    /// The last 1,000 lines that it printed.
    logs: String,
    /// What the agent did of late, where the agent server runs the task.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<String>,
    exit_code: Option<i32>,
    /// What the agent said at its end.
    final_message: Option<String>,
    /// Files that were changed since it began, by whomever. Null: git cannot say.
    changed_files: Option<Vec<ChangedFile>>,
    diff_stat: Option<DiffStat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Tool for GetCodingTaskStatus {
    const NAME: &'static str = "get_coding_task_status";
    const TITLE: Option<&'static str> = Some("Look at coding tasks");
    const HINTS: Hints = Hints::IDEMPOTENT;
    type Output = Tasks;

    fn run(self, call: &Call) -> Result<Tasks> {
        let told = tasks(&self.session_id, self.task_id.as_deref(), call);
        Ok(told.map_err(|error| error::about(&self.session_id, error))?)
    }
}

impl Tool for CodingTaskStatus {
    const NAME: &'static str = "coding_task_status";
    const TITLE: Option<&'static str> = Some("Look at coding tasks");
    const HINTS: Hints = Hints::IDEMPOTENT;
    type Output = Tasks;

    fn run(self, call: &Call) -> Result<Tasks> {
        let told = tasks(&self.session_id, self.task_id.as_deref(), call);
        Ok(told.map_err(|error| error::about(&self.session_id, error))?)
    }
}

fn tasks(session: &str, only: Option<&str>, call: &Call) -> Result<Tasks, Error> {
    let settings = Settings::of(call)?;
    Session::open(session, &settings)?;
    let (mut tasks, left_out) = match only {
        Some(id) => (vec![Task::find(session, id)?], 0),
        None => latest(Task::all(session)?),
    };
    let world = World::look()?;
    let logs = LOGS / tasks.len().max(1);
    let shown = tasks.iter_mut().map(|task| {
        let live = follow::follow(task, &world, &settings)?;
        let mut shown = shown(task, live, logs);
        if only.is_none() {
            shown.task_description = shortened(&shown.task_description, DESCRIPTION);
        }
        Ok(shown)
    });
    let tasks = shown.collect::<Result<_, Error>>()?;
    let session_id = session.to_owned();
    Ok(Tasks { success: true, is_error: false, session_id, tasks, left_out })
}

/// The latest of them, and how many are left out.
fn latest(mut tasks: Vec<Task>) -> (Vec<Task>, usize) {
    let left_out = tasks.len().saturating_sub(MOST_TASKS);
    tasks.drain(..left_out);
    (tasks, left_out)
}

/// A task, with no more of its log than fits.
pub(crate) fn shown(task: &Task, live: Live, log: usize) -> Shown {
    let settled = task.settled.clone().unwrap_or_default();
    let (changed_files, diff_stat) =
        live.changes.map(|changes| (changes.changed_files, changes.diff_stat)).unzip();
    Shown {
        id: task.id.clone(),
        name: task.alias(),
        status: live.status,
        outcome: live.outcome,
        created_at: clock::iso(task.created),
        task_description: task.description.clone(),
        logs: output::end_in_json(live.log, log),
        events: live.events,
        exit_code: settled.exit_code,
        final_message: settled.final_message,
        changed_files,
        diff_stat,
        error: live.error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_tasks_are_told() {
        let task = |created| Task { created, ..Task::default() };
        let (told, left_out) = latest((0..70).map(task).collect());
        assert_eq!((told.len(), left_out, told[0].created), (50, 20, 20));
        assert_eq!(latest(Vec::new()), (Vec::new(), 0));
    }
}

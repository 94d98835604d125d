//! `cancel_coding_task`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{Call, Error, Hints, Result, Tool};

use crate::{
    error, follow, output,
    session::Session,
    settings::Settings,
    status::{self, Shown},
    task::Task,
    world::World,
};

/// Ends a coding task. What it has changed stays. Cancelling one that has ended changes nothing.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct CancelCodingTask {
    /// What `start_session` answered.
    session_id: String,
    /// What `code` answered.
    task_id: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Cancelled {
    success: bool,
    #[serde(rename = "isError")]
    is_error: bool,
    session_id: String,
    task: Shown,
}

impl Tool for CancelCodingTask {
    const NAME: &'static str = "cancel_coding_task";
    const TITLE: Option<&'static str> = Some("End a coding task");
    const HINTS: Hints = Hints::DESTRUCTIVE.union(Hints::IDEMPOTENT);
    type Output = Cancelled;

    fn run(self, call: &Call) -> Result<Cancelled> {
        let session = self.session_id.clone();
        Ok(self.cancel(call).map_err(|error| error::about(&session, error))?)
    }
}

impl CancelCodingTask {
    fn cancel(self, call: &Call) -> Result<Cancelled, Error> {
        let settings = Settings::of(call)?;
        Session::open(&self.session_id, &settings)?;
        let mut task = Task::find(&self.session_id, &self.task_id)?;
        let live = follow::cancel(&mut task, &World::look()?, &settings)?;
        let task = status::shown(&task, live, output::BYTES);
        Ok(Cancelled { success: true, is_error: false, session_id: self.session_id, task })
    }
}

//! `submit_task`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use windlass_sdk::{
    Call, Error, Hints, Result, Tool,
    jobs::{Spec, submit},
    types::Code,
};

use crate::{error, run::Task, schema, session::Session, settings::Settings};

/// A longer task belongs into a file.
const LONGEST_TASK: usize = 256 << 10;
/// A larger schema is a mistake.
const LARGEST_SCHEMA: usize = 64 << 10;
/// How many characters of a task are its title.
const TITLE: usize = 80;

/// Gives the agent of a session a task, and answers at once. `get_status` says how it goes. Tasks of one session are done one
/// after the other, on the same files and with the memory of those before.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct SubmitTask {
    /// What `create_or_reuse_session` answered.
    session_id: String,
    /// What is to be done, in words.
    #[schemars(length(min = 1))]
    task: String,
    /// A JSON Schema of type `object` that the result must fit; the result is `structured_output`.
    schema: Option<Map<String, Value>>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Submitted {
    success: bool,
    /// What `get_status`, `get_run_logs` and `cancel_run` take.
    run_id: String,
    session_id: String,
    state: &'static str,
}

impl Tool for SubmitTask {
    const NAME: &'static str = "submit_task";
    const TITLE: Option<&'static str> = Some("Submit a task");
    const HINTS: Hints = Hints::OPEN_WORLD;
    type Output = Submitted;

    fn run(self, call: &Call) -> Result<Submitted> {
        let session = self.session_id.clone();
        Ok(self.submit(call).map_err(|error| error::about("session_id", &session, error))?)
    }
}

impl SubmitTask {
    fn submit(self, call: &Call) -> Result<Submitted, Error> {
        crate::provider::Provider::of(&Settings::of(call)?)?;
        check(&self.task)?;
        let schema = self.schema.map(Value::Object);
        if let Some(schema) = &schema {
            check_schema(schema)?;
        }
        Session::live(&self.session_id)?;
        let title = title(&self.task);
        let task = Task { session: self.session_id.clone(), task: self.task, schema };
        let run_id = submit(&Spec::new(title, &task)?.lane(&self.session_id))?;
        Ok(Submitted { success: true, run_id, session_id: self.session_id, state: "queued" })
    }
}

fn check(task: &str) -> Result<(), Error> {
    let length = task.len();
    if task.trim().is_empty() {
        return Err(Error::invalid("`task` is empty: say what is to be done"));
    }
    if length > LONGEST_TASK {
        return Err(Error::new(
            Code::Limit,
            format!(
                "`task` has {length} bytes, more than {LONGEST_TASK}: put the long part into a file of the session, and name it"
            ),
        ));
    }
    Ok(())
}

fn check_schema(schema: &Value) -> Result<(), Error> {
    let length = schema.to_string().len();
    if length > LARGEST_SCHEMA {
        return Err(Error::new(
            Code::Limit,
            format!("`schema` has {length} bytes, more than {LARGEST_SCHEMA}"),
        ));
    }
    schema::check(schema).map_err(Error::invalid)
}

/// The first words of a task.
fn title(task: &str) -> String {
    let words = task.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(TITLE) {
        Some((end, _)) => format!("{}…", words.get(..end).unwrap_or_default()),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_says_something() {
        assert!(check("do it").is_ok());
        assert_eq!(check(" \n").unwrap_err().code, Code::Invalid);
        assert_eq!(check(&"x".repeat(LONGEST_TASK + 1)).unwrap_err().code, Code::Limit);
        assert_eq!(title("do\n it"), "do it");
        assert_eq!(title(&"ä".repeat(100)).chars().count(), 81);
    }
}

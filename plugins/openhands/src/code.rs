//! `code`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Error, Hints, Result, Tool, clock,
    containers::{Container, Spec},
    log::{self, Level},
    types::{Code as ErrorCode, Value},
};

use crate::{
    error, follow, headless, id, server,
    server::Server,
    session::{self, Claim, Session},
    settings::{Mode, Settings},
    task::{Task, alias},
    tree,
    world::{self, World},
};

/// What fits into one argument of a program, with room for what stands around it.
const LONGEST_DESCRIPTION: usize = 96 << 10;

/// Gives OpenHands a task in a session's repository, and answers at once. `get_coding_task_status` says how it goes; several
/// tasks may run at a time, on the same files.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Code {
    /// What `start_session` answered.
    session_id: String,
    /// What is to be done, in words.
    #[schemars(length(min = 1))]
    task_description: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Begun {
    success: bool,
    #[serde(rename = "isError")]
    is_error: bool,
    session_id: String,
    task_description: String,
    /// What `get_coding_task_status` and `cancel_coding_task` take.
    task_id: String,
    /// The container, as the engine calls it.
    container: String,
}

impl Tool for Code {
    const NAME: &'static str = "code";
    const TITLE: Option<&'static str> = Some("Start a coding task");
    const HINTS: Hints = Hints::OPEN_WORLD;
    type Output = Begun;

    fn run(self, call: &Call) -> Result<Begun> {
        let session = self.session_id.clone();
        Ok(self.begin(call).map_err(|error| error::about(&session, error))?)
    }
}

impl Code {
    fn begin(self, call: &Call) -> Result<Begun, Error> {
        let settings = Settings::of(call)?;
        let most = settings.most_tasks()?;
        check(&self.task_description)?;
        let session = Session::open_to_work(&self.session_id, &settings)?;
        session::workspace(&self.session_id)?;
        let mut task = Task {
            id: id::uuid(),
            session: self.session_id,
            description: self.task_description,
            created: clock::now(),
            mode: settings.mode,
            password: id::password(),
            ..Task::default()
        };
        clear(&session, &task.session, &settings)?;
        claim(&task, most)?;
        match start(&mut task, &session, &settings) {
            Ok(container) => Ok(Begun {
                success: true,
                is_error: false,
                session_id: task.session,
                task_description: task.description,
                task_id: task.id,
                container,
            }),
            Err(error) => {
                undo(&task);
                Err(error)
            }
        }
    }
}

fn check(description: &str) -> Result<(), Error> {
    if description.trim().is_empty() {
        return Err(Error::invalid("`task_description` is empty: say what is to be done"));
    }
    if description.contains('\0') {
        return Err(Error::invalid(
            "`task_description` holds a NUL, which no program can be given",
        ));
    }
    let length = description.len();
    if length > LONGEST_DESCRIPTION {
        return Err(Error::new(
            ErrorCode::Limit,
            format!(
                "`task_description` has {length} bytes, more than {LONGEST_DESCRIPTION}: put the long part into a file of the repository, and name it"
            ),
        ));
    }
    Ok(())
}

/// Takes the places from tasks that have ended, and from those that never began.
fn clear(session: &Session, id: &str, settings: &Settings) -> Result<(), Error> {
    let world = World::look()?;
    for claim in &session.claims {
        match Task::find(id, &claim.task) {
            Ok(mut task) => drop(follow::follow(&mut task, &world, settings)?),
            Err(error) if error.code == ErrorCode::NotFound && !world.holds(claim) => {
                world::remove(&alias(&claim.task))?;
                Session::release(id, &claim.task)?;
            }
            Err(error) if error.code == ErrorCode::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Takes a place. It is written down before there is anything to be found.
fn claim(task: &Task, most: usize) -> Result<(), Error> {
    Session::change(&task.session, |session| {
        if session.closed.is_some() {
            return Err(error::no_session(&task.session));
        }
        if session.closing.is_some() {
            return Err(error::closing(&task.session));
        }
        if session.claims.len() >= most {
            return Err(error::too_many(&task.session, most));
        }
        session.claims.push(Claim { task: task.id.clone(), since: clock::now() });
        Ok(())
    })
}

/// Makes the container and starts what does the task. Gives the container as the engine calls it.
fn start(task: &mut Task, session: &Session, settings: &Settings) -> Result<String, Error> {
    task.base = Some(tree::head(&task.session, settings)?);
    task.begin()?;
    // It makes the task's folder, and says to whoever looks into it what it is.
    let path = format!("{}/task.txt", task.folder());
    session::workspace(&task.session)?.put(path, task.description.clone())?;
    let container = Container::create(&spec(task, session, settings))?;
    let process = match task.mode {
        Mode::Headless => headless::start(&container, task, settings)?,
        Mode::AgentServer => server::start(&container, task, settings)?,
    };
    let info = process.info()?;
    hold(task, |task| task.process = Some(info.id.clone()))?;
    if task.mode == Mode::AgentServer {
        Server::new(&container, task).begin(&process, settings)?;
    }
    hold(task, |task| task.begun = true)?;
    let info = container.info()?;
    Ok(info.engine_id.unwrap_or(info.id))
}

/// Writes something down of a task that still has its place: somebody may have cancelled it, or be taking away the session.
fn hold(task: &mut Task, change: impl Fn(&mut Task)) -> Result<(), Error> {
    let gone = || Error::new(ErrorCode::Conflict, "the task was ended while it was being started");
    let there = task.change(change)?.is_some() && task.settled.is_none() && !task.cancelled;
    let session = Session::find(&task.session)?.ok_or_else(gone)?;
    let claimed = session.claims.iter().any(|claim| claim.task == task.id);
    if there && claimed && session.closing.is_none() { Ok(()) } else { Err(gone()) }
}

fn spec(task: &Task, session: &Session, settings: &Settings) -> Spec {
    let (image, variables): (_, BTreeMap<String, Value>) = match task.mode {
        Mode::Headless => (&settings.image, headless::environment(task, session, settings)),
        Mode::AgentServer => (&settings.server_image, server::environment(task, settings)),
    };
    Spec {
        alias: Some(task.alias()),
        workspace: Some(task.session.clone()),
        persistent: true,
        yields: true,
        env: variables.into_iter().collect(),
        ..Spec::new(image)
    }
}

/// Takes back what there is of a task that did not begin. What cannot be taken back now is found by the next call.
fn undo(task: &Task) {
    // A task that somebody else has settled meanwhile is told of.
    let settled = Task::find(&task.session, &task.id).is_ok_and(|task| task.settled.is_some());
    let forgotten = || if settled { Ok(()) } else { task.forget() };
    let undone = world::remove(&task.alias())
        .and_then(|()| forgotten())
        .and_then(|()| Session::release(&task.session, &task.id));
    if let Err(error) = undone {
        log::write(Level::Warn, &format!("task {} leaves something: {}", task.id, error.message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_what_a_program_can_be_given() {
        assert!(check("do it; $(reboot) 'now'\n").is_ok());
        assert!(check(&"x".repeat(LONGEST_DESCRIPTION)).is_ok());
        let code = |text: &str| check(text).unwrap_err().code;
        assert_eq!(code(&"x".repeat(LONGEST_DESCRIPTION + 1)), ErrorCode::Limit);
        assert_eq!(code(" \n"), ErrorCode::Invalid);
        assert_eq!(code("a\0b"), ErrorCode::Invalid);
    }
}

//! How a task is. What it came to is written down when it is first seen: containers and records of processes go, and this stays.

use windlass_sdk::{
    Error, clock,
    containers::Container,
    log::{self, Level},
    processes::{Process, ResultOf, State},
};

use crate::{
    headless, output,
    server::{Conversation, Server},
    session::{self, Session},
    settings::{Mode, Settings},
    task::{Outcome, Settled, Task},
    tree::{self, Changes},
    world::{self, Standing, World},
};

/// How much of what a task printed is read.
const LAST_BYTES: u32 = 1 << 20;
/// How long a process may take to end that is cancelled: twice what it is given.
const ENDING_MS: u64 = 10_000;
/// How soon it is looked at again.
const PAUSE_MS: u32 = 20;

/// How a task is at this moment.
pub(crate) struct Live {
    /// As the engine would say it: `created`, `running`, `exited`, `unknown`.
    pub(crate) status: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) log: String,
    pub(crate) events: Vec<String>,
    pub(crate) error: Option<String>,
    pub(crate) changes: Option<Changes>,
}

/// What a task ended as.
enum End<'a> {
    Process(&'a ResultOf),
    Conversation(Settled),
    /// The call that was to start it died.
    Unstarted,
    /// Somebody removed its container.
    Gone,
}

/// Looks at a task, and settles it if it has ended.
pub(crate) fn follow(task: &mut Task, world: &World, settings: &Settings) -> Result<Live, Error> {
    if task.settled.is_some() {
        return settled(task);
    }
    match world.standing(task)? {
        Standing::Starting => Ok(live("created", String::new())),
        Standing::Running(process) => running(task, &process, settings),
        Standing::Ended(result) => {
            let process = task.process.clone();
            settle(task, &End::Process(&result), process.as_deref(), settings)
        }
        Standing::Gone if task.process.is_none() => settle(task, &End::Unstarted, None, settings),
        Standing::Gone => settle(task, &End::Gone, None, settings),
    }
}

/// Ends a task that somebody does not want any more.
pub(crate) fn cancel(task: &mut Task, world: &World, settings: &Settings) -> Result<Live, Error> {
    if task.settled.is_none() {
        task.change(|task| task.cancelled = true)?;
    }
    if let Standing::Running(process) = world.standing(task)? {
        if task.mode == Mode::AgentServer {
            interrupt(task);
        }
        process.cancel()?;
        await_end(&process)?;
    }
    // Whoever is starting it finds its container gone, and its place too.
    match world.standing(task)? {
        Standing::Starting if task.settled.is_none() => {
            settle(task, &End::Unstarted, None, settings)
        }
        _ => follow(task, world, settings),
    }
}

/// A process that is cancelled gets a grace before it is killed.
fn await_end(process: &Process) -> Result<(), Error> {
    let late = clock::now() + ENDING_MS;
    while !matches!(process.info()?.state, State::Ended(_)) && clock::now() < late {
        clock::sleep(PAUSE_MS);
    }
    Ok(())
}

/// The conversation is told, so that what is written down of it ends in order. Where the server is deaf, it ends anyway.
fn interrupt(task: &Task) {
    let interrupted = Container::open(&task.alias())
        .and_then(|container| Server::new(&container, task).interrupt());
    if let Err(error) = interrupted {
        log::write(Level::Warn, &format!("task {} is not interrupted: {}", task.id, error.message));
    }
}

fn running(task: &mut Task, process: &Process, settings: &Settings) -> Result<Live, Error> {
    if task.process.is_none() {
        // The call that started it died before it could write that down.
        let id = process.info()?.id;
        task.change(|task| task.process = Some(id.clone()))?;
    }
    let mut live = live("running", output::last_lines(&process.tail(LAST_BYTES)?.chunks));
    if task.mode == Mode::AgentServer {
        match converse(task, &mut live) {
            Ok(None) => {}
            Ok(Some(end)) => return settle(task, &end, task.process.clone().as_deref(), settings),
            // It may answer the next time; and where its process ends, that is seen.
            Err(error) => live.error = Some(error.message),
        }
    }
    live.changes = changes(task, settings);
    Ok(live)
}

/// What the server says of the task; the end, if it has come to one.
fn converse<'a>(task: &Task, live: &mut Live) -> Result<Option<End<'a>>, Error> {
    let container = Container::open(&task.alias())?;
    let server = Server::new(&container, task);
    match server.look()? {
        Conversation::Running => {
            live.events = server.events()?.into_iter().map(|event| event.line).collect();
            Ok(None)
        }
        Conversation::Over(settled) => Ok(Some(End::Conversation(*settled))),
        Conversation::Absent if task.begun => {
            let error = Some("the agent server has lost the task".to_owned());
            Ok(Some(End::Conversation(Settled {
                outcome: Outcome::Error,
                error,
                ..Settled::default()
            })))
        }
        Conversation::Absent => Ok(Some(End::Unstarted)),
    }
}

/// Writes down what a task came to, gives up its place, and removes its container.
fn settle(
    task: &mut Task,
    end: &End<'_>,
    process: Option<&str>,
    settings: &Settings,
) -> Result<Live, Error> {
    let log = process.map(log_of).unwrap_or_default();
    let mut settled = judged(task, end, &log)?;
    settled.changes = changes(task, settings);
    task.keep_log(&log)?;
    task.settle(&settled)?;
    Session::release(&task.session, &task.id)?;
    if let Err(error) = world::remove(&task.alias()) {
        log::write(Level::Warn, &format!("the container of task {}: {}", task.id, error.message));
    }
    self::settled(task)
}

fn judged(task: &Task, end: &End<'_>, log: &str) -> Result<Settled, Error> {
    let error = |error: &str| Settled {
        outcome: if task.cancelled { Outcome::Cancelled } else { Outcome::Error },
        error: (!task.cancelled).then(|| error.to_owned()),
        ..Settled::default()
    };
    Ok(match (end, task.mode) {
        (End::Unstarted, _) => error("the host ended while the task was being started"),
        (End::Conversation(settled), _) if task.cancelled => {
            Settled { outcome: Outcome::Cancelled, error: None, ..settled.clone() }
        }
        (End::Conversation(settled), _) => settled.clone(),
        (End::Process(result), Mode::Headless) => {
            headless::settle(task, &session::workspace(&task.session)?, Some(result), log)
        }
        (End::Gone, Mode::Headless) => {
            headless::settle(task, &session::workspace(&task.session)?, None, log)
        }
        (End::Process(result), Mode::AgentServer) => {
            let said = result.message.clone().unwrap_or_else(|| {
                let code = result.exit_code.map_or("no code".to_owned(), |code| code.to_string());
                format!("it ended with {code}")
            });
            let told = error(&format!("the agent server went away: {said}"));
            Settled { exit_code: result.exit_code, ..told }
        }
        (End::Gone, Mode::AgentServer) => error("the container of the agent server went away"),
    })
}

/// A task that was settled, by this call or another.
fn settled(task: &Task) -> Result<Live, Error> {
    let Some(settled) = task.settled.clone() else { return Ok(live("unknown", String::new())) };
    Ok(Live {
        status: "exited",
        outcome: settled.outcome,
        log: task.log()?,
        events: settled.events,
        error: settled.error,
        changes: settled.changes,
    })
}

fn live(status: &'static str, log: String) -> Live {
    let (events, error, changes) = (Vec::new(), None, None);
    Live { status, outcome: Outcome::Running, log, events, error, changes }
}

/// What it printed, as far as anybody still knows.
fn log_of(process: &str) -> String {
    let output = Process::open(process).and_then(|process| process.tail(LAST_BYTES));
    output.map(|output| output::last_lines(&output.chunks)).unwrap_or_default()
}

fn changes(task: &Task, settings: &Settings) -> Option<Changes> {
    tree::changes(&task.session, task.base.as_deref()?, settings)
}

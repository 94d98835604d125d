//! What the engine says of tasks. Documents say what was wanted; only this says what runs.

use windlass_sdk::{
    Error, clock,
    containers::{self, Container, Info, Removal, State},
    processes::{self, Process, ResultOf},
    types::Code,
};

use crate::{
    session::Claim,
    task::{Task, alias},
};

/// How long a call may be between taking a place and asking for a container. It is a matter of milliseconds.
const CLAIMING_MS: u64 = 30_000;
/// How long a call that starts a task may be at it: a little more than a call may take.
const STARTING_MS: u64 = 330_000;
/// How long a task may take to end by itself.
const GRACE_S: u32 = 5;

/// The plugin's containers and processes at one moment.
pub(crate) struct World {
    containers: Vec<Info>,
    running: Vec<processes::Info>,
    now: u64,
}

/// How a task is.
pub(crate) enum Standing {
    /// Somebody is starting it.
    Starting,
    Running(Process),
    Ended(ResultOf),
    /// Nothing of it is there any more, or never was.
    Gone,
}

impl World {
    pub(crate) fn look() -> Result<Self, Error> {
        let (containers, running) = (containers::list()?, processes::running()?);
        Ok(Self { containers, running, now: clock::now() })
    }

    /// The containers of a session's tasks.
    pub(crate) fn of_session(&self, session: &str) -> impl Iterator<Item = &Info> {
        let prefix = alias("");
        let own = move |info: &&Info| info.alias.as_ref().is_some_and(|it| it.starts_with(&prefix));
        self.containers.iter().filter(own).filter(move |info| info.workspace == session)
    }

    /// The container of a task.
    pub(crate) fn container(&self, task: &str) -> Option<&Info> {
        let alias = alias(task);
        self.containers.iter().find(|info| info.alias.as_ref() == Some(&alias))
    }

    /// The process that runs in a container.
    fn running_in(&self, container: &Info) -> Option<&processes::Info> {
        self.running.iter().find(|process| process.container == container.id)
    }

    /// How a task is that has not been settled.
    pub(crate) fn standing(&self, task: &Task) -> Result<Standing, Error> {
        let container = self.container(&task.id);
        let running = container.and_then(|container| self.running_in(container));
        let id = running.map(|process| &process.id).or(task.process.as_ref());
        let Some(id) = id else { return Ok(self.unstarted(container, task.created)) };
        let process = match Process::open(id) {
            Ok(process) => process,
            Err(error) if error.code == Code::NotFound => return Ok(Standing::Gone),
            Err(error) => return Err(error),
        };
        match process.info()?.state {
            processes::State::Ended(result) => Ok(Standing::Ended(result)),
            _ if task.begun || self.now >= task.created + STARTING_MS => {
                Ok(Standing::Running(process))
            }
            _ => Ok(Standing::Starting),
        }
    }

    /// How a task is that has no process.
    fn unstarted(&self, container: Option<&Info>, since: u64) -> Standing {
        let patience = match container {
            Some(info) if info.state == State::Starting => return Standing::Starting,
            Some(_) => STARTING_MS,
            None => CLAIMING_MS,
        };
        if self.now < since + patience { Standing::Starting } else { Standing::Gone }
    }

    /// Whether a place in a session is taken by a task that runs, or is about to.
    pub(crate) fn holds(&self, claim: &Claim) -> bool {
        let container = self.container(&claim.task);
        let running = container.is_some_and(|container| self.running_in(container).is_some());
        running || matches!(self.unstarted(container, claim.since), Standing::Starting)
    }
}

/// Ends what runs in a container and removes it. Its workspace stays.
pub(crate) fn remove(name: &str) -> Result<(), Error> {
    let removed = Container::open(name)
        .and_then(|container| container.remove(Removal { grace_s: GRACE_S, workspace: false }));
    match removed {
        Err(error) if error.code == Code::NotFound => Ok(()),
        removed => removed,
    }
}

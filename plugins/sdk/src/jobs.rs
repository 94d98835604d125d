//! Work that outlives a call: submitted by a tool, done by [`Job::run`], looked after by the host.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    Call, Error, Result, Stop,
    private::work::{Job as Request, Outcome as Exit},
    types::Code,
};

pub use crate::bindings::windlass::plugin::jobs::{
    Ending, Filter, Info, Spec, State, cancel, get, input, list, log, note, outcome, submit, wait,
};

/// A kind of work: a struct whose fields are what a run gets.
pub trait Job: Serialize + DeserializeOwned {
    /// A word of the plugin's own.
    const KIND: &'static str;

    /// What a run comes to.
    type Output: Serialize;

    /// Does it. Each run is an instance of its own; what must last is in the store, a workspace, a container or a note.
    fn run(self, run: &Run) -> Result<Self::Output>;

    /// Ends what a run left behind that was stopped.
    fn stopped(self, run: &Run) -> Result<(), Error> {
        let _ = run;
        Ok(())
    }
}

/// The run at hand.
#[derive(Default)]
pub struct Run {
    /// The job's id.
    pub id: String,
    /// 1 at the first time. More: the host ended in the middle of the run before.
    pub attempt: u32,
    /// What an earlier run left with [`note`].
    pub note: Option<String>,
    /// Configuration and answers, as a tool has them.
    pub call: Call,
}

impl Spec {
    /// A job of its own, in no lane.
    pub fn new<T: Job>(title: impl Into<String>, job: &T) -> Result<Self, Error> {
        Ok(Self {
            kind: T::KIND.to_owned(),
            title: title.into(),
            input: serde_json::to_string(job)?,
            lane: None,
            key: None,
            deadline_s: None,
        })
    }

    /// After those of the same lane that were submitted before.
    #[must_use]
    pub fn lane(mut self, lane: impl Into<String>) -> Self {
        self.lane = Some(lane.into());
        self
    }

    /// Once, however often it is submitted with this key.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Ended so long after its first start.
    #[must_use]
    pub fn deadline_s(mut self, seconds: u32) -> Self {
        self.deadline_s = Some(seconds);
        self
    }
}

impl State {
    /// Whether nothing more will come of it.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Canceled)
    }
}

/// What a job got as input, as the struct that does it.
pub fn input_as<T: Job>(id: &str) -> Result<T, Error> {
    Ok(serde_json::from_str(&input(id)?)?)
}

/// Runs a job as the host does.
pub fn run<T: Job>(request: Request) -> Result<Exit, Error> {
    let (job, run) = begun::<T>(request)?;
    match job.run(&run) {
        Ok(output) => Ok(Exit::Done(serde_json::to_string(&output)?)),
        Err(Stop::Ask(questions)) => Ok(Exit::Ask(questions.into_inner())),
        Err(Stop::Failed(error)) => Err(error),
        Err(Stop::Job(id)) => Err(Error::new(
            Code::Other,
            format!("a job cannot go on as another one: `{id}` is on its own, wait for it"),
        )),
    }
}

/// Cleans up after a job as the host does.
pub fn stopped<T: Job>(request: Request) -> Result<(), Error> {
    let (job, run) = begun::<T>(request)?;
    job.stopped(&run)
}

fn begun<T: Job>(request: Request) -> Result<(T, Run), Error> {
    let job = serde_json::from_str(&request.input)?;
    let call = Call::of_job(request.config, request.answers);
    Ok((job, Run { id: request.id, attempt: request.attempt, note: request.note, call }))
}

/// A result as JSON, for a tool that tells of it.
pub fn result_of(id: &str) -> Result<Option<Value>, Error> {
    match outcome(id)? {
        Ending::Completed(text) => Ok(Some(serde_json::from_str(&text)?)),
        Ending::Pending | Ending::Failed(_) | Ending::Canceled => Ok(None),
    }
}

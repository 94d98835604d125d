//! The job: one task, given to the model once, and followed to its end.
//!
//! A run that takes another one's place looks first. What runs or has ended is never given to the model again; only what a
//! server took with it when it went is.

mod give;
mod settle;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_sdk::{
    Error, Job, Result, Run, Stop, clock,
    log::{self, Level},
    types::Code,
    workspaces::Workspace,
};

use crate::{
    artifact, consent, error,
    follow::{Follow, tell},
    house,
    provider::Provider,
    record::{Done, Note},
    server::Server,
    session::Session,
    settings::Settings,
    watch::{Line, Watch},
};

/// How often it is tried again to reach a server.
const TRIES: u32 = 20;
/// Between two tries.
const PAUSE_MS: u32 = 1_000;

/// A task for the agent of a session.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Task {
    pub(crate) session: String,
    pub(crate) task: String,
    /// What the result must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) schema: Option<Value>,
}

/// Everything that a run has to do with.
struct Work<'a> {
    task: &'a Task,
    run: &'a Run,
    settings: Settings,
    provider: Provider,
    session: Session,
    note: Note,
}

impl Job for Task {
    const KIND: &'static str = "run";
    type Output = Done;

    fn run(self, run: &Run) -> Result<Done> {
        let mut work = Work::begin(&self, run)?;
        for decision in consent::decisions(&run.call) {
            // What does not arrive is asked again.
            if let Err(error) = work.decide(&decision) {
                tell(&Line::Warning(error.message), &mut work.note.tally);
            }
        }
        let mut tries = 0;
        loop {
            match work.go() {
                Ok(Some(done)) => return Ok(done),
                Ok(None) => {}
                // A container that goes away, or an engine: what was given to the model is looked for before it is given again.
                Err(Stop::Failed(error)) if error.code == Code::Unavailable && tries < TRIES => {
                    tries += 1;
                    tell(&Line::Warning(error.message), &mut work.note.tally);
                    clock::sleep(PAUSE_MS);
                }
                Err(stop) => return Err(stop),
            }
        }
    }

    fn stopped(self, run: &Run) -> Result<(), Error> {
        let mut work = match Work::begin(&self, run) {
            Ok(work) => work,
            // With its session all that it had is gone.
            Err(error) if error.code == Code::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        if work.note.message.is_empty() {
            return Ok(());
        }
        let server = house::running(&self.session, &work.session)?;
        let (mut answered, mut difference) = (None, None);
        if let Some(server) = server.filter(|server| server.process_id == work.note.process) {
            answered = match work.stop(&server) {
                Ok(answered) => answered,
                // What does not stop is stopped: the next run starts another server.
                Err(error) => {
                    log::write(Level::Warn, &error.message);
                    server.process.cancel()?;
                    None
                }
            };
            difference = work.difference(&server);
        }
        work.keep("stopped", answered.as_ref(), difference.as_ref());
        Ok(())
    }
}

impl<'a> Work<'a> {
    fn begin(task: &'a Task, run: &'a Run) -> Result<Self, Error> {
        let settings = Settings::of(&run.call)?;
        let provider = Provider::of(&settings)?;
        let session = Session::live(&task.session)?;
        let mut note = Note::read(run.note.as_deref());
        if note.began == 0 {
            note.began = clock::now();
        }
        Ok(Self { task, run, settings, provider, session, note })
    }

    /// Brings the task to its end. None: the server went away, and it is to be tried again.
    fn go(&mut self) -> Result<Option<Done>> {
        let server = self.server()?;
        let tree = self.tree(&server);
        let title = self.session.name.clone().unwrap_or_else(|| self.task.session.clone());
        let conversation = server.conversation(self.session.conversation.as_deref(), &title)?;
        if self.session.conversation.as_ref() != Some(&conversation) {
            let made = |session: &mut Session| session.conversation = Some(conversation.clone());
            self.session = Session::change(&self.task.session, made)?;
        }
        let stream = server.events()?;
        let was_given = self.is_given(&server, &conversation)?;
        if !was_given {
            if let Some(tree) = tree {
                self.note.tree = give::named(&tree);
            }
            self.give(&server, conversation)?;
        }
        let (kept, message) = (self.note.clone(), self.note.message.clone());
        let mut watch = Watch::new(&message, kept.tally.clone(), clock::now());
        // What happened before its events were heard has to be looked for.
        watch.look = was_given;
        let mut follow = Follow {
            server: &server,
            conversation: &kept.conversation,
            message: &message,
            permission: self.settings.permission,
            silence_ms: self.settings.silence_ms()?,
            watch,
            note: &|tally| Note { tally: tally.clone(), ..kept.clone() }.keep(),
        };
        let end = follow.await_end(stream)?;
        self.note.tally = follow.watch.tally;
        self.settle(&server, end)
    }

    /// The server, once it answers.
    fn server(&mut self) -> Result<Server, Error> {
        let server = house::started(&self.task.session, &self.settings)?;
        self.session = Session::touch(&self.task.session)?;
        if !server.is_healthy() {
            tell(&Line::Plain("opencode starts".to_owned()), &mut self.note.tally);
            house::ready(&server, &self.session, &self.settings)?;
        }
        Ok(server)
    }

    /// Tells opencode what somebody decided.
    fn decide(&mut self, decision: &consent::Decision) -> Result<(), Error> {
        if let Some(server) = house::running(&self.task.session, &self.session)? {
            server.reply(&decision.request, decision.reply())?;
            tell(&Line::Plain(format!("{} by the user", decision.word())), &mut self.note.tally);
            // Whether anything was asked is told with the run as long as it waits.
            let meta = Workspace::open(&self.session.meta)?;
            drop(meta.delete(artifact::place(&self.run.id, artifact::QUESTIONS)));
        }
        Ok(())
    }
}

/// The error of who wants something of a run that is not there.
pub(crate) fn absent(run: &str, error: Error) -> Error {
    if error.code == Code::NotFound {
        error::no_run(run)
    } else {
        error::about("run_id", run, error)
    }
}

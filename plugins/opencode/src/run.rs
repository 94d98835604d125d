//! The job: one task, given to the model once, and followed to its end.
//!
//! A run that takes another one's place looks first. What runs or has ended is never given to the model again; only what a
//! server took with it when it went is.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_sdk::{
    Error, Job, Result, Run, clock,
    log::{self, Level},
    types::Code,
    workspaces::Workspace,
};

use crate::{
    artifact, changes,
    changes::Difference,
    consent,
    ending::Ending,
    error,
    event::Request,
    follow::{End, Follow, tell},
    house, id,
    provider::Provider,
    record::{Done, Note, Record},
    schema,
    server::{Answered, Prompt, Server},
    session::Session,
    settings::Settings,
    summary,
    watch::{Line, Watch},
};

/// How often a run is begun again because its server went away.
const MOST_RESTARTS: u32 = 3;
/// How long a message may take to be seen that a server has just taken in.
const SEEN_MS: u64 = 15_000;
/// Between two looks.
const PAUSE_MS: u32 = 200;
/// How long the model may take to stop.
const STOPPING_MS: u64 = 15_000;
/// How long a session is at rest that has nothing to do: more than opencode takes to begin with what it was given.
const REST_MS: u64 = 4_000;

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
            work.decide(&decision)?;
        }
        loop {
            if let Some(done) = work.go()? {
                return Ok(done);
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
        let mut answered = None;
        if let Some(server) = server.filter(|server| server.process_id == work.note.process) {
            answered = work.stop(&server)?;
        }
        work.keep("canceled", answered.as_ref(), None);
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
        if !self.is_given(&server, &conversation)? {
            if let Some(tree) = tree {
                self.note.tree = named(&tree);
            }
            self.give(&server, conversation)?;
        }
        let (kept, message) = (self.note.clone(), self.note.message.clone());
        let mut follow = Follow {
            server: &server,
            conversation: &kept.conversation,
            message: &message,
            permission: self.settings.permission,
            silence_ms: self.settings.silence_ms()?,
            watch: Watch::new(&message, kept.tally.clone(), clock::now()),
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

    /// Begins to note what the files are, before the model can change them.
    fn tree(&self, server: &Server) -> Option<changes::Tree> {
        if self.note.tree.is_some() || !self.note.message.is_empty() {
            return None;
        }
        let begun = changes::begin(&server.container);
        begun.map_err(|error| log::write(Level::Warn, &error.message)).ok()
    }

    /// Whether the model has this task already, from this server or to its end.
    fn is_given(&self, server: &Server, conversation: &str) -> Result<bool, Error> {
        let Note { message, process, prompted, .. } = &self.note;
        if message.is_empty() || self.note.conversation != conversation {
            return Ok(false);
        }
        let there = server.has(conversation, message)?;
        if *process != server.process_id {
            // What the server did when it went is not done any more, and opencode does not take it up again.
            return Ok(there && self.has_ended(server, conversation)?);
        }
        let mut seen = there;
        while !seen && clock::now() < prompted + SEEN_MS {
            clock::sleep(PAUSE_MS);
            seen = server.has(conversation, message)?;
        }
        Ok(seen)
    }

    fn has_ended(&self, server: &Server, conversation: &str) -> Result<bool, Error> {
        let latest = server.latest(conversation)?;
        let own = latest.filter(|it| it.message.info.is_of(&self.note.message));
        let ending = own.map_or(Ending::None, |it| it.message.info.ending());
        Ok(matches!(ending, Ending::Completed | Ending::Failed(_)))
    }

    /// Gives the task to the model. It is written down before, so that whoever comes after this run knows to look.
    fn give(&mut self, server: &Server, conversation: String) -> Result<(), Error> {
        if !self.note.message.is_empty() && self.note.process != server.process_id {
            self.note.generation += 1;
            if self.note.generation > MOST_RESTARTS {
                return Err(Error::failed(format!(
                    "opencode went away {MOST_RESTARTS} times in the middle of the task"
                )));
            }
            tell(
                &Line::Warning("opencode was started again: the task is, too".to_owned()),
                &mut self.note.tally,
            );
        }
        // A session does one task at a time: what is given to the model meanwhile, opencode takes for the same one.
        while !server.is_idle(&conversation)? {
            clock::sleep(PAUSE_MS);
        }
        let now = clock::now();
        self.note.message = id::message(now, &self.run.id);
        self.note.prompted = now;
        self.note.process.clone_from(&server.process_id);
        self.note.conversation = conversation;
        self.note.keep()?;
        let (message, text, schema) =
            (&self.note.message, &self.task.task, self.task.schema.as_ref());
        server.prompt(&self.note.conversation, &Prompt { message, text, schema }, &self.provider)
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

    fn settle(&mut self, server: &Server, end: End) -> Result<Option<Done>> {
        let (answered, code, why) = match end {
            End::Over(answered, Ending::Completed) => {
                return self.complete(server, *answered).map(Some);
            }
            End::Over(answered, Ending::Failed(why)) => (Some(*answered), Code::Failed, why),
            End::Over(answered, _) => {
                (Some(*answered), Code::Failed, "somebody stopped it within opencode".to_owned())
            }
            End::Failed(why) => (None, Code::Failed, why),
            End::Silent => (None, Code::Timeout, self.silence()?),
            End::Asks(requests) => return Err(self.ask(&requests)?),
            End::Lost(words) => {
                let line =
                    Line::Warning(format!("opencode went away {}", summary::shortened(&words)));
                tell(&line, &mut self.note.tally);
                return Ok(None);
            }
        };
        Err(self.fail(server, answered.as_ref(), Error::new(code, why)).into())
    }

    fn silence(&self) -> Result<String, Error> {
        let seconds = self.settings.silence_ms()?.div_ceil(1000);
        let retries = match self.note.tally.retries {
            0 => "",
            _ => " but failures",
        };
        Ok(format!(
            "nothing came from the model for {seconds} s{retries}, which is all that `request_timeout` allows"
        ))
    }

    fn complete(&mut self, server: &Server, answered: Answered) -> Result<Done> {
        let structured = match &self.task.schema {
            None => None,
            Some(schema) => match misfit(schema, answered.message.info.structured.as_ref()) {
                Ok(text) => Some(text),
                Err(why) => {
                    return Err(self.fail(server, Some(&answered), Error::failed(why)).into());
                }
            },
        };
        let difference = self.difference(server);
        let done = self.keep("completed", Some(&answered), difference.as_ref());
        Ok(Done { structured_output: structured, ..done })
    }

    /// The error that the run ends with.
    fn fail(&mut self, server: &Server, answered: Option<&Answered>, error: Error) -> Error {
        log::write(Level::Error, &error.message);
        let difference = self.difference(server);
        let kept = self.keep_failed(answered, difference.as_ref(), &error.message);
        let error_code = if error.code == Code::Timeout { "TIMEOUT" } else { "RUN_FAILED" };
        error.with_details(&json!({
            "error_code": error_code,
            "run_id": self.run.id,
            "session_id": self.task.session,
            "final_output": kept.final_output,
            "result_summary": kept.result_summary,
        }))
    }

    fn difference(&self, server: &Server) -> Option<Difference> {
        let since = changes::since(&server.container, self.note.tree.as_deref()?);
        since.map_err(|error| log::write(Level::Warn, &error.message)).ok()
    }

    fn keep(
        &self,
        state: &str,
        answered: Option<&Answered>,
        difference: Option<&Difference>,
    ) -> Done {
        self.record().keep(state, &self.task.task, answered, difference, None)
    }

    fn keep_failed(
        &self,
        answered: Option<&Answered>,
        difference: Option<&Difference>,
        why: &str,
    ) -> Done {
        self.record().keep("failed", &self.task.task, answered, difference, Some(why))
    }

    fn record(&self) -> Record<'_> {
        Record {
            run: &self.run.id,
            id: &self.task.session,
            session: &self.session,
            provider: &self.provider,
            note: &self.note,
        }
    }

    /// Ends the run with questions; whoever answers them is told what they are.
    fn ask(&mut self, requests: &[Request]) -> Result<windlass_sdk::Stop, Error> {
        self.note.keep()?;
        let told: Vec<_> = requests
            .iter()
            .map(|request| json!({"id": request.id, "wants": crate::watch::wanted(request)}))
            .collect();
        let meta = Workspace::open(&self.session.meta)?;
        meta.put(artifact::place(&self.run.id, artifact::QUESTIONS), json!(told).to_string())?;
        Ok(consent::questions(requests).into())
    }

    /// Stops the model. Gives what it said.
    fn stop(&mut self, server: &Server) -> Result<Option<Answered>, Error> {
        let conversation = self.note.conversation.clone();
        let (start, mut idle_since) = (clock::now(), None);
        loop {
            server.abort(&conversation)?;
            let now = clock::now();
            if server.is_idle(&conversation)? {
                let latest = server.latest(&conversation)?;
                let own = latest.filter(|it| it.message.info.is_of(&self.note.message));
                let since = *idle_since.get_or_insert(now);
                // What was just given to a server that is loading itself begins only after it seemed to be at rest.
                if own.is_some() || now > since + REST_MS && now > self.note.prompted + REST_MS {
                    return Ok(own);
                }
            } else {
                idle_since = None;
            }
            if now > start + STOPPING_MS {
                // What does not stop is stopped: the next run starts another server.
                server.process.cancel()?;
                return Ok(None);
            }
            clock::sleep(PAUSE_MS);
        }
    }
}

fn named(tree: &changes::Tree) -> Option<String> {
    tree.name().map_err(|error| log::write(Level::Warn, &error.message)).ok()
}

/// What was to be given by a schema, as JSON, if it fits.
fn misfit(schema: &Value, given: Option<&Value>) -> Result<String, String> {
    let given = given.ok_or("the model gave nothing in the form that `schema` wants")?;
    match schema::fits(schema, given) {
        Ok(()) => Ok(given.to_string()),
        Err(why) => Err(format!("what the model gave does not fit `schema`: {why}")),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_fits_or_fails_the_run() {
        let schema = json!({"type": "object", "required": ["a"]});
        assert_eq!(misfit(&schema, Some(&json!({"a": 1}))).unwrap(), "{\"a\":1}");
        assert!(misfit(&schema, Some(&json!({}))).unwrap_err().contains("`/` lacks `a`"));
        assert!(misfit(&schema, None).unwrap_err().contains("gave nothing"));
    }
}

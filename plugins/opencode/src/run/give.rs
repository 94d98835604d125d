//! The task is given to the model, once.

use windlass_sdk::{
    Error, clock,
    log::{self, Level},
};

use super::Work;
use crate::{
    changes,
    ending::Ending,
    follow::tell,
    id,
    record::Note,
    server::{Prompt, Server},
    watch::Line,
};

/// How often a task is given again because the server went away with it.
const MOST_RESTARTS: u32 = 3;
/// How long a message may take to be seen that a server has just taken in.
const SEEN_MS: u64 = 15_000;
/// Between two looks.
const PAUSE_MS: u32 = 200;

impl Work<'_> {
    /// Begins to note what the files are, before the model can change them.
    pub(super) fn tree(&self, server: &Server) -> Option<changes::Tree> {
        if self.note.tree.is_some() || !self.note.message.is_empty() {
            return None;
        }
        let begun = changes::begin(&server.container);
        begun.map_err(|error| log::write(Level::Warn, &error.message)).ok()
    }

    /// Whether the model has this task already, from this server or to its end.
    pub(super) fn is_given(&self, server: &Server, conversation: &str) -> Result<bool, Error> {
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
    pub(super) fn give(&mut self, server: &Server, conversation: String) -> Result<(), Error> {
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
        let late = clock::now() + self.settings.silence_ms()?;
        while !server.is_idle(&conversation)? {
            if clock::now() > late {
                // It is nobody's any more: runs of a session follow each other.
                server.abort(&conversation)?;
            }
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
}

pub(super) fn named(tree: &changes::Tree) -> Option<String> {
    tree.name().map_err(|error| log::write(Level::Warn, &error.message)).ok()
}

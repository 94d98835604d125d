//! The job behind `run_agent_task`. What it has made is written down before and after, so that no agent is made twice.

use serde::{Deserialize, Serialize};
use serde_json::json;
use windlass_sdk::{Error, Job, Result, Run, clock, jobs::note, types::Code};

use crate::{
    agent::Agent,
    ask::Coder,
    chat::Chat,
    delete, diff,
    entry::{Choice, LogEntry},
    error::{About, is_open},
    find::{Name, Place},
    follow::{follow, tell},
    logs,
    look::End,
    make::{make, mark_of},
    message::shortened,
    order::Order,
    run::{Done, WhenDone},
    turn,
};

/// How much of the log is part of the result.
const ENTRIES: usize = 50;
/// As much of one text is part of the result, in characters. All of it is with Coder.
const LONGEST_TEXT: usize = 16 << 10;
/// How often it is looked for an agent that may have been made.
const LOOKS: u32 = 5;

/// One agent from its beginning to its end.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Work {
    pub(crate) order: Order,
    pub(crate) when_done: WhenDone,
}

/// What a run leaves for one that takes its place.
#[derive(Clone, Debug, Deserialize, Serialize)]
enum Note {
    /// It is being made, or has just been.
    Making,
    Made {
        user: String,
        id: String,
    },
    /// It has ended, and what is wanted is done with it.
    Ended {
        user: String,
        id: String,
        end: End,
    },
}

impl Job for Work {
    const KIND: &'static str = "agent";
    type Output = Done;

    fn run(self, run: &Run) -> Result<Done> {
        let coder = Coder::of(&run.call, self.order.deployment.as_deref())?;
        let known = noted(run);
        let (user, id) = match &known {
            Some(Note::Made { user, id } | Note::Ended { user, id, .. }) => {
                (user.clone(), id.clone())
            }
            _ => self.make(&coder, run, known.is_some())?,
        };
        let name = Name { user: &user, id: &id };
        let done = match known {
            Some(Note::Ended { end, .. }) => self.finish(&coder, &name, end, None),
            _ => follow(&coder, &name)
                .and_then(|(end, agent)| self.finish(&coder, &name, end, Some(agent))),
        };
        Ok(done.map_err(|error| of_agent(&error, &name))?)
    }

    fn stopped(self, run: &Run) -> Result<(), Error> {
        let coder = Coder::of(&run.call, self.order.deployment.as_deref())?;
        let (user, id) = match noted(run) {
            None | Some(Note::Ended { .. }) => return Ok(()),
            Some(Note::Made { user, id }) => (user, id),
            Some(Note::Making) => match self.found(&coder, run)? {
                Some(agent) => (agent.user, agent.id),
                None => return Ok(()),
            },
        };
        match turn::pause(&coder, &Name { user: &user, id: &id }) {
            Ok(_) => Ok(()),
            // It is gone, or it is at rest already.
            Err(trouble) if trouble.is_missing() || trouble.status() == Some(409) => Ok(()),
            Err(trouble) => Err(trouble.about(About::Agent)),
        }
    }
}

fn noted(run: &Run) -> Option<Note> {
    run.note.as_deref().and_then(|note| serde_json::from_str(note).ok())
}

fn keep(kept: &Note) -> Result<(), Error> {
    note(&serde_json::to_string(kept)?)
}

/// Whoever reads of a failure is told whose it is: the agent may go on.
fn of_agent(error: &Error, name: &Name<'_>) -> Error {
    let mut details = error.known();
    for (key, value) in [("user", name.user), ("agent_id", name.id)] {
        details.entry(key).or_insert_with(|| value.into());
    }
    Error::new(error.code, &error.message).with_details(&details)
}

impl Work {
    fn make(&self, coder: &Coder, run: &Run, may_be_there: bool) -> Result<(String, String)> {
        let found = if may_be_there { self.found(coder, run)? } else { None };
        let agent = match found {
            Some(agent) => agent,
            None => self.made(coder, run, may_be_there)?,
        };
        let user = if agent.user.is_empty() { self.order.user.clone() } else { agent.user };
        keep(&Note::Made { user: user.clone(), id: agent.id.clone() })?;
        tell(&format!("agent {} of {user}", agent.id), 0);
        Ok((user, agent.id))
    }

    /// Where nobody knows whether it was made, it is looked for.
    fn made(&self, coder: &Coder, run: &Run, may_be_there: bool) -> Result<Agent, Error> {
        let error = match make(coder, &self.order, Some(&run.id), || keep(&Note::Making)) {
            Err(error) if is_open(&error) => error,
            // What was on its way has arrived meanwhile.
            Err(error) if may_be_there && error.code == Code::Conflict => error,
            made => return made,
        };
        for _ in 0..LOOKS {
            clock::sleep(coder.target.poll_ms);
            if let Ok(Some(agent)) = self.found(coder, run) {
                return Ok(agent);
            }
        }
        Err(error)
    }

    /// What an earlier run made and could not write down. A chat is known by its mark, all else by its name, which was free.
    fn found(&self, coder: &Coder, run: &Run) -> Result<Option<Agent>, Error> {
        let found = coder.offered(|offer| {
            if let (None, Some(place)) = (&offer.tasks, &offer.chats) {
                let path = format!("{place}?label={}", mark_of(&run.id));
                let mut chats: Vec<Chat> = coder.get(&path)?;
                chats.retain(|chat| chat.is_marked(&run.id));
                return Ok(chats.pop().map(Agent::from));
            }
            let name = Name { user: &self.order.user, id: self.order.workspace_name.trim() };
            match name.agent(coder) {
                Ok(agent) => {
                    let told = agent.current_assignment.as_deref().map(str::trim);
                    let is_ours = told.is_none_or(|told| told == self.order.prompt.trim());
                    Ok(is_ours.then_some(agent))
                }
                Err(trouble) if trouble.is_missing() && !trouble.is_no_route() => Ok(None),
                Err(trouble) => Err(trouble),
            }
        });
        found.map_err(|trouble| trouble.about(About::Agent))
    }

    /// Brings together what is left of it, and leaves it as is wanted. What cannot be had any more is left out.
    fn finish(
        &self,
        coder: &Coder,
        name: &Name<'_>,
        end: End,
        last: Option<Agent>,
    ) -> Result<Done, Error> {
        let (user, id) = (name.user.to_owned(), name.id.to_owned());
        let log = log_of(coder, name);
        let diff = diff_of(coder, name);
        let data = name.agent(coder).ok().or(last);
        let data = data.unwrap_or_else(|| Agent {
            user: user.clone(),
            id: id.clone(),
            ..Agent::default()
        });
        keep(&Note::Ended { user, id, end: end.clone() })?;
        if let Err(error) = self.leave(coder, name, &data) {
            tell(&format!("it stays as it is: {}", error.message), 0);
        }
        let said = log.iter().rev().find(|entry| entry.is_output());
        let final_output = said.map(|it| it.message.clone()).unwrap_or_default();
        match end {
            End::Complete => Ok(Done { success: true, data, final_output, diff, log }),
            End::Failed(why) => {
                let error = Error::failed(format!("the agent failed: {why}"));
                Err(error.with_details(&json!({
                    "error_code": "TASK_FAILED",
                    "agent_id": data.id,
                    "user": data.user,
                    "final_output": final_output,
                    "data": data,
                })))
            }
        }
    }

    fn leave(&self, coder: &Coder, name: &Name<'_>, agent: &Agent) -> Result<(), Error> {
        match self.when_done {
            WhenDone::Keep => Ok(()),
            WhenDone::Delete => delete::now(coder, name, agent),
            WhenDone::Pause => {
                turn::pause(coder, name).map(drop).map_err(|trouble| trouble.about(About::Agent))
            }
        }
    }
}

/// The end of its log, as far as it can be had.
fn log_of(coder: &Coder, name: &Name<'_>) -> Vec<LogEntry> {
    let choice = Choice::new(ENTRIES);
    let chosen = name.first(coder, |place| logs::read(coder, place, &choice));
    let mut log = chosen.map(|chosen| chosen.shown(name.id)).unwrap_or_default();
    for entry in &mut log {
        entry.message = shortened(&entry.message, LONGEST_TEXT);
    }
    log
}

/// What it changed, where that can be had.
fn diff_of(coder: &Coder, name: &Name<'_>) -> Option<String> {
    let found = name.first(coder, |place| match place {
        Place::Chat(path, _) => diff::of_chat(coder, path).map(Some),
        _ => Ok(None),
    });
    found.ok().flatten().map(|diff| diff.diff)
}

//! The job behind `run_agent_task`. What it has made is written down before and after, so that no agent is made twice.

use serde::{Deserialize, Serialize};
use serde_json::json;
use windlass_sdk::{
    Error, Job, Result, Run, clock,
    jobs::note,
    log::{self, Level},
    progress,
    types::Code,
};

use crate::{
    agent::Agent,
    ask::Coder,
    chat::Chat,
    delete,
    diff::Diff,
    entry::{Choice, LogEntry},
    error::{About, Refusal, Trouble, of_coder},
    find::{Name, Place},
    logs,
    look::{Course, End, Look},
    make::Plan,
    order::Order,
    run::{Done, WhenDone},
    task::Task,
    turn,
};

/// How much of the log is part of the result.
const ENTRIES: usize = 50;
/// The pause grows to so many of the usual ones where nothing happens.
const LONGEST_PAUSE: u32 = 5;

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
}

impl Job for Work {
    const KIND: &'static str = "agent";
    type Output = Done;

    fn run(self, run: &Run) -> Result<Done> {
        let coder = Coder::of(&run.call, self.order.deployment.as_deref())?;
        let (user, id) = match noted(run) {
            Some(Note::Made { user, id }) => (user, id),
            known => self.make(&coder, run, known.is_some())?,
        };
        let name = Name { user: &user, id: &id };
        let end = follow(&coder, &name)?;
        Ok(self.finish(&coder, &name, end)?)
    }

    fn stopped(self, run: &Run) -> Result<(), Error> {
        let coder = Coder::of(&run.call, self.order.deployment.as_deref())?;
        let (user, id) = match noted(run) {
            None => return Ok(()),
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
        let error = match Plan::of(coder, &self.order) {
            Ok(plan) => {
                keep(&Note::Making)?;
                match plan.marked(&run.id).carry_out(coder) {
                    Err(error) if matches!(error.code, Code::Timeout | Code::Unavailable) => error,
                    made => return made,
                }
            }
            // What was on its way has arrived meanwhile.
            Err(error) if may_be_there && error.code == Code::Conflict => error,
            Err(error) => return Err(error),
        };
        clock::sleep(coder.target.poll_ms);
        self.found(coder, run)?.ok_or(error)
    }

    /// What an earlier run made and could not write down. The name was free when it did.
    fn found(&self, coder: &Coder, run: &Run) -> Result<Option<Agent>, Error> {
        let by_mark = coder.offered(|offer| {
            let Some(place) = offer.chats.as_ref().filter(|_| offer.tasks.is_none()) else {
                return Ok(None);
            };
            let path = format!("{place}?label={}", Plan::mark_of(&run.id));
            let mut chats: Vec<Chat> = coder.get(&path)?;
            chats.retain(|chat| chat.is_marked(&run.id));
            Ok(chats.pop().map(Agent::from))
        });
        if let Some(agent) = by_mark.map_err(|trouble| trouble.about(About::Part))? {
            return Ok(Some(agent));
        }
        let name = Name { user: &self.order.user, id: self.order.workspace_name.trim() };
        match name.agent(coder) {
            Ok(agent) => {
                let told = agent.current_assignment.as_deref().map(str::trim);
                let is_ours = told.is_none_or(|told| told == self.order.prompt.trim());
                Ok(is_ours.then_some(agent))
            }
            Err(trouble) if trouble.is_missing() => Ok(None),
            Err(trouble) => Err(trouble.about(About::Agent)),
        }
    }

    fn finish(&self, coder: &Coder, name: &Name<'_>, end: End) -> Result<Done, Error> {
        let log = log_of(coder, name);
        let data = name.agent(coder).map_err(|trouble| trouble.about(About::Agent))?;
        let said = log.iter().rev().find(|entry| entry.is_output()).map(|it| it.message.clone());
        let diff = diff_of(coder, name);
        if let Err(error) = self.leave(coder, name, &data) {
            tell(&format!("it stays as it is: {}", error.message), 0);
        }
        let final_output = said.unwrap_or_default();
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
            WhenDone::Pause => {
                turn::pause(coder, name).map(drop).map_err(|trouble| trouble.about(About::Agent))
            }
            WhenDone::Delete => {
                // The workspace of a chat may be somebody's own.
                let workspace = agent.workspace_id.as_deref().filter(|_| !agent.is_chat());
                delete::now(coder, workspace.unwrap_or(&agent.id))
            }
        }
    }
}

/// Looks until it has ended. A Coder that does not answer for a while is waited for.
fn follow(coder: &Coder, name: &Name<'_>) -> Result<End, Error> {
    let (mut course, mut last, mut looks, mut pauses) = (Course::default(), String::new(), 0, 1);
    loop {
        let look = name.first(coder, |place| match place {
            Place::Task(path) => coder.get::<Task>(path).map(|task| Look::of_task(&task)),
            Place::Chat(_, chat) => Ok(Look::of_chat(chat)),
            Place::Workspace(workspace) => Ok(Look::of_workspace(workspace)),
        });
        looks += 1;
        let line = match look {
            Ok(look) => {
                if let Some(end) = course.take(&look.phase) {
                    tell(&look.line, looks);
                    return Ok(end);
                }
                look.line
            }
            Err(trouble) if may_pass(&trouble) => {
                format!("Coder cannot be asked: {}", trouble.about(About::Agent).message)
            }
            Err(trouble) if trouble.is_missing() => {
                return Err(of_coder(
                    Code::Failed,
                    "TASK_FAILED",
                    trouble.status(),
                    "the agent was deleted before it had ended",
                ));
            }
            Err(trouble) => return Err(trouble.about(About::Agent)),
        };
        if line == last {
            pauses = (pauses + 1).min(LONGEST_PAUSE);
        } else {
            tell(&line, looks);
            (last, pauses) = (line, 1);
        }
        clock::sleep(coder.target.poll_ms.saturating_mul(pauses));
    }
}

/// Whether it is worth waiting for.
fn may_pass(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::Refused(Refusal { status, .. }) => *status == 429 || *status >= 500,
        Trouble::Unanswered(error) => matches!(error.code, Code::Unavailable | Code::Timeout),
        Trouble::Unreadable => true,
    }
}

/// What can be had of it at the end. It is a part of the result that may be missing.
fn log_of(coder: &Coder, name: &Name<'_>) -> Vec<LogEntry> {
    let choice = Choice::new(ENTRIES);
    let chosen = name.first(coder, |place| logs::read(coder, place, &choice));
    chosen.map(|chosen| chosen.shown(name.id)).unwrap_or_default()
}

fn diff_of(coder: &Coder, name: &Name<'_>) -> Option<String> {
    let found = name.first(coder, |place| match place {
        Place::Chat(path, _) => coder.get::<Diff>(&format!("{path}/diff")).map(Some),
        _ => Ok(None),
    });
    found.ok().flatten().map(|diff| diff.diff)
}

fn tell(line: &str, looks: u32) {
    log::write(Level::Info, line);
    progress::report(f64::from(looks), None, line);
}

//! An agent is looked at until it has ended.

use windlass_sdk::{
    Error, clock,
    log::{self, Level},
    progress,
    types::Code,
};

use crate::{
    agent::Agent,
    ask::Coder,
    error::{About, Refusal, Trouble, of_coder},
    find::{Name, Place},
    look::{Course, End, Look},
    task::Task,
};

/// The pause grows to so many of the usual ones where nothing happens.
const LONGEST_PAUSE: u32 = 5;

/// Looks until it has ended; gives how, and the agent as it was then. A Coder that is away is waited for.
pub(crate) fn follow(coder: &Coder, name: &Name<'_>) -> Result<(End, Agent), Error> {
    let (mut course, mut last, mut looks, mut pauses) = (Course::default(), String::new(), 0, 1);
    loop {
        looks += 1;
        let line = match look(coder, name) {
            Ok((look, agent)) => {
                if let Some(end) = course.take(&look.phase) {
                    tell(&look.line, looks);
                    return Ok((end, agent));
                }
                look.line
            }
            Err(trouble) if may_pass(&trouble) => {
                format!("Coder cannot be asked: {}", trouble.about(About::Agent).message)
            }
            Err(trouble) if trouble.is_missing() => {
                let message = "the agent was deleted before it had ended";
                return Err(of_coder(Code::Failed, "TASK_FAILED", trouble.status(), message));
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

fn look(coder: &Coder, name: &Name<'_>) -> Result<(Look, Agent), Trouble> {
    name.first(coder, |place| match place {
        Place::Task(path) => {
            let task: Task = coder.get(path)?;
            Ok((Look::of_task(&task), task.into()))
        }
        Place::Chat(_, chat) => Ok((Look::of_chat(chat), Agent::from((**chat).clone()))),
        Place::Workspace(workspace) => {
            Ok((Look::of_workspace(workspace), Agent::from((**workspace).clone())))
        }
    })
}

/// Whether it is worth waiting for. What has no way to tasks stands in the place of a Coder that is away.
fn may_pass(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::Refused(Refusal { status, .. }) => {
            *status == 429 || *status >= 500 || trouble.is_no_route()
        }
        Trouble::Unanswered(error) => matches!(error.code, Code::Unavailable | Code::Timeout),
        Trouble::Unreadable => true,
    }
}

/// Writes a line to the log of the job, and tells it to who waits.
pub(crate) fn tell(line: &str, looks: u32) {
    log::write(Level::Info, line);
    progress::report(f64::from(looks), None, line);
}

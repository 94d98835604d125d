//! How far an agent is with what it was told, from one look at it.

use serde::{Deserialize, Serialize};

use crate::{chat::Chat, task::Task, workspace::Workspace};

/// What one look shows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) phase: Phase,
    /// In a few words.
    pub(crate) line: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It does not run yet, or not any more; it may go on.
    Waits,
    Works,
    /// It does nothing at the moment, which may be the end.
    Rests,
    /// It does nothing at the moment, and has done something before.
    Ended,
    /// Somebody is stopping it.
    Interrupted,
    Complete,
    Failed(String),
}

impl Look {
    fn new(phase: Phase, state: &str, message: Option<&str>) -> Self {
        let message = message.map(str::trim).filter(|message| !message.is_empty());
        let line = match message {
            Some(message) => format!("{state}: {message}"),
            None => state.to_owned(),
        };
        Self { phase, line }
    }

    pub(crate) fn of_task(task: &Task) -> Self {
        let status = task.status.as_deref().unwrap_or("unknown");
        let state = task.current_state.clone().unwrap_or_default();
        let message = state.message.as_deref();
        match status {
            "error" | "failed" => {
                let why = message.unwrap_or("Coder says that the task is in error").to_owned();
                Self::new(Phase::Failed(why), status, message)
            }
            "active" | "running" | "busy" | "idle" => said(state.state.as_deref(), message, status),
            _ => Self::new(Phase::Waits, status, message),
        }
    }

    pub(crate) fn of_workspace(workspace: &Workspace) -> Self {
        let build = &workspace.latest_build;
        let (state, message) = workspace.said();
        match build.status.as_str() {
            "failed" => {
                let why = build.job.error.as_deref().unwrap_or("its workspace cannot be built");
                Self::new(Phase::Failed(why.to_owned()), "failed", Some(why))
            }
            "canceling" | "canceled" => {
                Self::new(Phase::Failed("its build was canceled".to_owned()), "canceled", None)
            }
            "deleting" | "deleted" => {
                Self::new(Phase::Failed("its workspace was deleted".to_owned()), "deleted", None)
            }
            "running" => said(state, message, "running"),
            status => Self::new(Phase::Waits, status, None),
        }
    }

    pub(crate) fn of_chat(chat: &Chat) -> Self {
        let summary = chat.last_turn_summary.as_deref().filter(|it| !it.is_empty());
        match chat.status.as_deref().unwrap_or("unknown") {
            _ if chat.archived => {
                Self::new(Phase::Failed("it was archived".to_owned()), "archived", None)
            }
            "running" => Self::new(Phase::Works, "running", summary),
            "interrupting" => Self::new(Phase::Interrupted, "interrupting", summary),
            // It tells of a turn that has ended.
            "waiting" if summary.is_some() => Self::new(Phase::Ended, "waiting", summary),
            "waiting" => Self::new(Phase::Rests, "waiting", None),
            "error" => {
                let why = chat.failure().unwrap_or_else(|| "Coder does not say why".to_owned());
                Self::new(Phase::Failed(why.clone()), "error", Some(&why))
            }
            "requires_action" => {
                let why = "it waits for a tool of another client of Coder's".to_owned();
                Self::new(Phase::Failed(why.clone()), "requires_action", Some(&why))
            }
            status => Self::new(Phase::Waits, status, summary),
        }
    }
}

/// What an agent says of itself.
fn said(state: Option<&str>, message: Option<&str>, status: &str) -> Look {
    let phase = match state {
        Some("working") => Phase::Works,
        Some("idle") => Phase::Rests,
        Some("complete") => Phase::Complete,
        Some("failed" | "failure") => {
            Phase::Failed(message.unwrap_or("the agent says that it failed").to_owned())
        }
        _ => Phase::Waits,
    };
    Look::new(phase, state.unwrap_or(status), message)
}

/// What many looks add up to.
#[derive(Debug, Default)]
pub(crate) struct Course {
    has_worked: bool,
    was_interrupted: bool,
    rests: u32,
}

/// How an agent came to its end.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub(crate) enum End {
    Complete,
    Failed(String),
}

/// After so many looks in a row at an agent at rest, it has ended: Coder only sees that nothing moves on its screen.
const LOOKS_AT_REST: u32 = 3;
/// The same for one that has not been seen at work: it may not have begun.
const LOOKS_BEFORE_WORK: u32 = 15;

impl Course {
    pub(crate) fn take(&mut self, phase: &Phase) -> Option<End> {
        let rests = matches!(phase, Phase::Rests | Phase::Ended);
        self.rests = if rests { self.rests + 1 } else { 0 };
        match phase {
            Phase::Complete => return Some(End::Complete),
            Phase::Failed(why) => return Some(End::Failed(why.clone())),
            Phase::Works => (self.has_worked, self.was_interrupted) = (true, false),
            Phase::Ended => self.has_worked = true,
            Phase::Interrupted => self.was_interrupted = true,
            Phase::Waits | Phase::Rests => {}
        }
        if rests && self.was_interrupted {
            return Some(End::Failed("somebody interrupted it".to_owned()));
        }
        let most = if self.has_worked { LOOKS_AT_REST } else { LOOKS_BEFORE_WORK };
        (self.rests >= most).then_some(End::Complete)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check_task(status: &str, state: Value, expected: (Phase, &str)) {
        let task = json!({"status": status, "current_state": state});
        let look = Look::of_task(&serde_json::from_value(task).unwrap());
        assert_eq!((look.phase, look.line.as_str()), expected);
    }

    #[test]
    fn a_task_says_how_far_it_is() {
        check_task("pending", Value::Null, (Phase::Waits, "pending"));
        check_task("active", Value::Null, (Phase::Waits, "active"));
        let said = |state: &str, message: &str| json!({"state": state, "message": message});
        check_task("active", said("working", "Reads"), (Phase::Works, "working: Reads"));
        check_task("active", said("idle", ""), (Phase::Rests, "idle"));
        check_task("active", said("complete", "Done"), (Phase::Complete, "complete: Done"));
        let failed = |why: &str| Phase::Failed(why.to_owned());
        check_task("active", said("failed", "No"), (failed("No"), "failed: No"));
        check_task("error", Value::Null, (failed("Coder says that the task is in error"), "error"));
        check_task("paused", said("working", "x"), (Phase::Waits, "paused: x"));
    }

    #[test]
    fn so_does_a_chat() {
        let look = |chat: Value| Look::of_chat(&serde_json::from_value(chat).unwrap());
        assert_eq!(look(json!({"status": "running"})).phase, Phase::Works);
        assert_eq!(
            look(json!({"status": "waiting", "last_turn_summary": "Did it"})).line,
            "waiting: Did it"
        );
        let failed = look(json!({"status": "error", "last_error": {"message": "No key"}}));
        assert_eq!(failed.phase, Phase::Failed("No key".to_owned()));
        assert_eq!(look(json!({"status": "waiting"})).phase, Phase::Rests);
        for chat in
            [json!({"status": "requires_action"}), json!({"status": "waiting", "archived": true})]
        {
            assert!(matches!(look(chat).phase, Phase::Failed(_)));
        }
    }

    #[track_caller]
    fn check_course(phases: &[Phase], expected: Option<End>) {
        let mut course = Course::default();
        let end = phases.iter().find_map(|phase| course.take(phase));
        assert_eq!(end, expected, "{phases:?}");
    }

    #[test]
    fn an_agent_that_rests_for_a_while_after_its_work_has_ended() {
        use Phase::{Complete, Ended, Failed, Interrupted, Rests, Waits, Works};
        check_course(&[Waits, Works, Complete], Some(End::Complete));
        check_course(&[Failed("no".into())], Some(End::Failed("no".into())));
        check_course(&[Works, Rests, Rests, Rests], Some(End::Complete));
        check_course(&[Works, Rests, Rests, Works, Rests, Rests], None);
        check_course(&[Rests, Rests, Rests, Rests], None);
        check_course(&[Ended, Ended, Ended], Some(End::Complete));
        let interrupted = Some(End::Failed("somebody interrupted it".into()));
        check_course(&[Works, Interrupted, Ended], interrupted);
        check_course(&[Works, Interrupted, Works, Rests, Rests, Rests], Some(End::Complete));
        check_course(&vec![Rests; LOOKS_BEFORE_WORK as usize], Some(End::Complete));
    }
}

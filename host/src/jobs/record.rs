//! What is known of a job, as it is kept.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::question::{Asked, Given};
use crate::{
    capability::types::{Answer, Code, Error},
    database::JobRow,
    error::{Result, trap, unavailable},
    policy::{Approved, NewJob},
    time::now,
    traces,
};

/// One job, without what it was given and what it came to: those may be large.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Record {
    pub id: String,
    /// The plugin that submitted it and does it.
    pub owner: String,
    /// Whom it is for.
    pub caller: String,
    pub kind: String,
    pub title: String,
    pub lane: Option<String>,
    pub key: Option<String>,
    pub state: State,
    /// How often it was begun.
    pub attempt: u32,
    pub done: f64,
    pub total: Option<f64>,
    pub message: String,
    pub cancel_asked: bool,
    /// The tool whose result it is, by the name that clients know.
    pub tool: Option<String>,
    /// How many seconds after its first start it is ended.
    pub deadline_s: u64,
    /// Milliseconds since 1970.
    pub created: u64,
    pub started: Option<u64>,
    pub updated: u64,
    pub ended: Option<u64>,
    /// What one run leaves for the next.
    pub note: Option<String>,
    /// What it asks, and how often it has asked.
    pub asked: Option<Asked>,
    pub rounds: u32,
    /// The answers so far.
    pub given: Vec<Given>,
    pub failure: Option<Failed>,
    /// While it waits for a place: how many wait before it. Known to whoever asks, and not kept.
    #[serde(skip)]
    pub before: Option<usize>,
    /// The trace that it belongs to.
    #[serde(default)]
    pub trace: Option<String>,
}

/// How a job is.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Queued,
    Running,
    InputRequired,
    Completed,
    Failed,
    Canceled,
}

/// Why a job failed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Failed {
    pub code: String,
    pub message: String,
    pub details: Option<String>,
    /// Whether the plugin itself said so. Else it crashed, or its time was over.
    pub told: bool,
}

const CODES: [Code; 9] = [
    Code::Denied,
    Code::NotFound,
    Code::Invalid,
    Code::Conflict,
    Code::Timeout,
    Code::Limit,
    Code::Unavailable,
    Code::Failed,
    Code::Other,
];

impl State {
    pub const ALL: [Self; 6] = [
        Self::Queued,
        Self::Running,
        Self::InputRequired,
        Self::Completed,
        Self::Failed,
        Self::Canceled,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::InputRequired => "input_required",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// Whether nothing more will come of it.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Canceled)
    }
}

impl Record {
    /// A job that is about to be added.
    pub fn new(wanted: &Approved<NewJob>) -> Self {
        let asked = wanted.request();
        let now = now();
        Self {
            id: format!("j_{}", Uuid::new_v4()),
            owner: wanted.plugin().to_owned(),
            caller: asked.caller.to_string(),
            kind: asked.kind.clone(),
            title: asked.title.clone(),
            lane: asked.lane.clone(),
            key: asked.key.clone(),
            state: State::Queued,
            attempt: 0,
            done: 0.0,
            total: None,
            message: String::new(),
            cancel_asked: false,
            tool: None,
            deadline_s: asked.deadline_s,
            created: now,
            started: None,
            updated: now,
            ended: None,
            note: None,
            asked: None,
            rounds: 0,
            given: Vec::new(),
            failure: None,
            before: None,
            trace: traces::current().map(|it| it.parent()),
        }
    }

    pub fn of(row: &JobRow) -> Result<Self> {
        serde_json::from_str(&row.record).map_err(|error| {
            unavailable(format!("the record of the job `{}` cannot be read: {error}", row.id))
        })
    }

    pub fn row(&self) -> Result<JobRow> {
        let record = serde_json::to_string(self).map_err(|error| trap(error.to_string()))?;
        Ok(JobRow {
            id: self.id.clone(),
            plugin: self.owner.clone(),
            caller: self.caller.clone(),
            kind: self.kind.clone(),
            lane: self.lane.clone(),
            key: self.key.clone(),
            state: self.state.name().to_owned(),
            created: signed(self.created),
            ended: self.ended.map(signed),
            record,
        })
    }

    /// Whether somebody waits for nothing: it has ended, or it asks.
    pub fn is_settled(&self) -> bool {
        self.state.is_over() || self.state == State::InputRequired
    }

    /// When its time is over, once it has begun. Milliseconds since 1970.
    pub fn deadline(&self) -> Option<u64> {
        Some(self.started?.saturating_add(self.deadline_s.saturating_mul(1000)))
    }

    /// Takes answers to the questions of a round, each of them once.
    pub(super) fn take(&mut self, round: u32, answers: Vec<(String, Answer)>) {
        let Some(asked) = self.asked.clone() else { return };
        if self.state != State::InputRequired || self.rounds != round {
            return;
        }
        for (name, answer) in answers {
            let is_open = self.given.iter().all(|it| it.name != name);
            if asked.asks(&name) && is_open {
                self.given.push(Given { name, answer: answer.into() });
            }
        }
        if asked.open(&self.given).ask.is_empty() {
            self.state = State::Queued;
        }
    }

    pub fn end(&mut self, state: State) {
        let now = now();
        self.state = state;
        (self.updated, self.ended) = (now, Some(now));
        self.asked = None;
        self.given.clear();
    }
}

/// Milliseconds as the database has them.
pub(super) fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

impl Failed {
    pub fn new(error: Error, told: bool) -> Self {
        let Error { code, message, details } = error;
        Self { code: code.name().to_owned(), message, details, told }
    }

    pub fn error(&self) -> Error {
        let code = CODES.into_iter().find(|code| code.name() == self.code);
        let code = code.unwrap_or(Code::Other);
        Error { code, message: self.message.clone(), details: self.details.clone() }
    }
}

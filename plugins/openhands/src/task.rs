//! Tasks: the documents that say what was asked for, where it runs, and what it came to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Error,
    store::{self, delete, get, list, swap},
    types::Code,
};

use crate::{error, settings::Mode, tree::Changes};

const TASKS: &str = "tasks";
const LOGS: &str = "logs";
/// How many documents are read at once.
const PAGE: u32 = 200;
/// Whoever loses so often against others has met a fault, and no race.
const ATTEMPTS: u32 = 100;

/// What is known of a task.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub(crate) struct Task {
    /// A UUID.
    pub(crate) id: String,
    pub(crate) session: String,
    pub(crate) description: String,
    /// Milliseconds since 1970.
    pub(crate) created: u64,
    pub(crate) mode: Mode,
    /// The process that does it, or that serves who does it.
    pub(crate) process: Option<String>,
    /// What the repository was when it began.
    pub(crate) base: Option<String>,
    /// What the task's server asks for. It opens nothing but this one.
    pub(crate) password: String,
    /// Whether everything has been started. Until then the call that starts it is at work, or has died.
    pub(crate) begun: bool,
    /// Whether somebody wanted it to end.
    pub(crate) cancelled: bool,
    pub(crate) settled: Option<Settled>,
}

/// What a task came to.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub(crate) struct Settled {
    pub(crate) outcome: Outcome,
    pub(crate) exit_code: Option<i32>,
    pub(crate) final_message: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) changes: Option<Changes>,
    /// What the agent did last, where the agent server ran the task.
    pub(crate) events: Vec<String>,
}

/// How a task is, or what it came to.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Running,
    /// The agent said that it is done.
    Completed,
    /// The agent gave up, or the model failed it.
    Failed,
    Cancelled,
    /// The agent did the same over and over.
    Stuck,
    /// OpenHands did not run as it should.
    Error,
    /// It has ended, and nothing says how.
    #[default]
    Unknown,
}

impl Task {
    /// The name of its container, which nobody else can have.
    pub(crate) fn alias(&self) -> String {
        alias(&self.id)
    }

    /// The folder of the workspace that is the task's own. It is no part of the tree.
    pub(crate) fn folder(&self) -> String {
        format!(".git/windlass/{}", self.id)
    }

    pub(crate) fn begin(&self) -> Result<(), Error> {
        swap(TASKS, &key(&self.session, &self.id), None, &serde_json::to_string(self)?)
    }

    /// The task of this session, if the session has it.
    pub(crate) fn find(session: &str, id: &str) -> Result<Self, Error> {
        let fits = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
        let found = match id.len() == 36 && id.bytes().all(fits) {
            true => store::get_as(TASKS, &key(session, id))?,
            false => None,
        };
        found.ok_or_else(|| error::no_task(session, id))
    }

    /// All tasks of a session, oldest first.
    pub(crate) fn all(session: &str) -> Result<Vec<Self>, Error> {
        let prefix = key(session, "");
        let (mut found, mut after) = (Vec::<Self>::new(), prefix.clone());
        'pages: loop {
            let page = list(TASKS, &after, PAGE)?;
            let last = page.len() < PAGE as usize;
            for entry in page {
                if !entry.key.starts_with(&prefix) {
                    break 'pages;
                }
                found.push(serde_json::from_str(&entry.document)?);
                after = entry.key;
            }
            if last {
                break;
            }
        }
        found.sort_by_key(|task| task.created);
        Ok(found)
    }

    /// Changes what is known of it, whoever else does at the same time. What it came to is written once: it is given back
    /// as it is. None: it has been removed.
    pub(crate) fn change(&mut self, change: impl Fn(&mut Self)) -> Result<Option<()>, Error> {
        let key = key(&self.session, &self.id);
        for _ in 0..ATTEMPTS {
            let Some(before) = get(TASKS, &key)? else { return Ok(None) };
            let mut task: Self = serde_json::from_str(&before)?;
            if task.settled.is_none() {
                change(&mut task);
                match swap(TASKS, &key, Some(&before), &serde_json::to_string(&task)?) {
                    Err(error) if error.code == Code::Conflict => continue,
                    written => written?,
                }
            }
            *self = task;
            return Ok(Some(()));
        }
        Err(Error::unavailable(format!("too much happens to task {} at once: try again", self.id)))
    }

    /// Writes down what it came to, once.
    pub(crate) fn settle(&mut self, settled: &Settled) -> Result<(), Error> {
        let whole = self.change(|task| task.settled = Some(settled.clone()));
        let written = match whole {
            // An agent can make long names and say much. What it came to has to be kept in any case.
            Err(error) if error.code == Code::Limit => self.change(|task| {
                let (outcome, exit_code) = (settled.outcome, settled.exit_code);
                let error = settled.error.clone();
                task.settled = Some(Settled { outcome, exit_code, error, ..Settled::default() });
            }),
            written => written,
        };
        written.map(drop)
    }

    /// Keeps what it printed, once.
    pub(crate) fn keep_log(&self, log: &str) -> Result<(), Error> {
        match swap(LOGS, &key(&self.session, &self.id), None, log) {
            Err(error) if error.code == Code::Conflict => Ok(()),
            kept => kept,
        }
    }

    /// What it printed, once it has ended.
    pub(crate) fn log(&self) -> Result<String, Error> {
        Ok(get(LOGS, &key(&self.session, &self.id))?.unwrap_or_default())
    }

    /// Forgets it.
    pub(crate) fn forget(&self) -> Result<(), Error> {
        let key = key(&self.session, &self.id);
        delete(LOGS, &key)?;
        delete(TASKS, &key)
    }
}

pub(crate) fn alias(task: &str) -> String {
    format!("openhands-{task}")
}

fn key(session: &str, task: &str) -> String {
    format!("{session}.{task}")
}

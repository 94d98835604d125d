//! The host's own tools: those with which a client looks after its jobs, whichever plugins do them.
//!
//! They are offered like a plugin's, and called like one's: one that has to ask the user ends with the questions.

use std::time::Duration;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    Call, Registry,
    catalog::{By, OfferedTool},
    jobs::{JobsOfCaller, LARGEST_LOG},
    schema::Schema,
    status::{state_of, status},
};
use crate::{
    capability::{
        tools::{Hints, Outcome, Output},
        types::{Code, Content, Error, Questions},
    },
    jobs::{Board, JobFilter, Record, State},
    plugin::{Observer, Progress},
};

/// Who owns these tools, as lists of tools say it.
pub(super) const HOST: &str = "windlass";

/// How long a call waits for a job at most. Some clients give up after a minute, and lose what comes then.
pub const LONGEST_WAIT: Duration = Duration::from_secs(40);

/// What holds where the arguments do not say it: how many jobs, how many seconds, and how many lines.
const LISTED: u32 = 50;
const WAITED: u64 = 30;
const LINES: usize = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnTool {
    List,
    Status,
    Wait,
    Log,
    Result,
    Cancel,
    AuditLogs,
}

#[derive(Deserialize)]
struct Filter {
    state: Option<String>,
    plugin: Option<String>,
    limit: Option<u32>,
    after: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    job_id: String,
    seconds: Option<u64>,
    tail_lines: Option<usize>,
}

impl OwnTool {
    /// Those of any use to whoever has jobs.
    pub const OF_JOBS: [Self; 6] =
        [Self::List, Self::Status, Self::Wait, Self::Log, Self::Result, Self::Cancel];

    pub fn all() -> Vec<Self> {
        [&Self::OF_JOBS[..], &[Self::AuditLogs]].concat()
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::List => "job_list",
            Self::Status => "job_status",
            Self::Wait => "job_wait",
            Self::Log => "job_log",
            Self::Result => "job_result",
            Self::Cancel => "job_cancel",
            Self::AuditLogs => "audit-logs",
        }
    }

    pub(super) fn hints(self) -> Hints {
        match self {
            Self::Cancel => Hints::DESTRUCTIVE | Hints::IDEMPOTENT,
            _ => Hints::READ_ONLY | Hints::IDEMPOTENT,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::List => "List jobs",
            Self::Status => "Look at a job",
            Self::Wait => "Wait for a job",
            Self::Log => "Read a job's log",
            Self::Result => "Get a job's result",
            Self::Cancel => "Cancel a job",
            Self::AuditLogs => "Read the record of what happened",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::List => {
                "Lists background jobs, the latest first: those that other tools began and that outlive their calls.\n\nWith `next` in the result, there are more: pass it as `after`."
            }
            Self::Status => "Tells how a job is: its state, progress, times, and what it asks.",
            Self::Wait => {
                "Waits until a job has ended or asks something, for `seconds` at most, and tells how it is then. Call it again while the job is `queued` or `running`.\n\nWhat the job asks is put to the user, where the client can do that."
            }
            Self::Log => "Gives the last lines of a job's log.",
            Self::Result => {
                "Gives what a completed job came to. Fails with the job's own error where that failed, and with `CONFLICT` while it has not ended."
            }
            Self::Cancel => {
                "Ends a job, and what it began with it. One that has ended already stays as it is."
            }
            Self::AuditLogs => super::events::DESCRIPTION,
        }
    }

    fn input(self) -> Value {
        let id = json!({"type": "string", "description": "The job's id."});
        let (properties, required) = match self {
            Self::List => (filters(), json!([])),
            Self::Wait => {
                let most = LONGEST_WAIT.as_secs();
                let seconds = json!({"type": "integer", "minimum": 0, "maximum": most, "default": WAITED, "description": "How long to wait."});
                (json!({"job_id": id, "seconds": seconds}), json!(["job_id"]))
            }
            Self::Log => {
                let lines = json!({"type": "integer", "minimum": 1, "maximum": 10_000, "default": LINES, "description": "How many lines of its end."});
                (json!({"job_id": id, "tail_lines": lines}), json!(["job_id"]))
            }
            Self::AuditLogs => return super::events::input(),
            Self::Status | Self::Result | Self::Cancel => {
                (json!({"job_id": id}), json!(["job_id"]))
            }
        };
        json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
    }

    fn output(self) -> Value {
        match self {
            Self::List => {
                let next = json!({"type": "string"});
                let jobs = json!({"type": "array", "items": super::status::schema()});
                json!({"type": "object", "properties": {"jobs": jobs, "next": next}, "required": ["jobs"]})
            }
            Self::Status | Self::Wait | Self::Cancel => super::status::schema(),
            Self::AuditLogs => super::events::output(),
            Self::Log => {
                let properties = json!({"job_id": {"type": "string"}, "state": {"type": "string"}, "log": {"type": "string"}});
                json!({"type": "object", "properties": properties, "required": ["job_id", "state", "log"]})
            }
            Self::Result => {
                let properties = json!({"job_id": {"type": "string"}, "result": {}});
                json!({"type": "object", "properties": properties, "required": ["job_id", "result"]})
            }
        }
    }

    pub(super) fn offered(self) -> Result<OfferedTool, String> {
        Ok(OfferedTool {
            name: self.name().to_owned(),
            by: By::Host(self),
            title: Some(self.title().to_owned()),
            description: self.description().to_owned(),
            hints: self.hints(),
            input: Schema::of_arguments(&self.input().to_string())?,
            output: Some(Schema::new(&self.output().to_string())?),
        })
    }
}

fn filters() -> Value {
    let states = State::ALL.map(State::name);
    json!({
        "state": {"type": "string", "enum": states, "description": "Only those in this state."},
        "plugin": {"type": "string", "description": "Only those of this plugin."},
        "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": LISTED, "description": "How many at most."},
        "after": {"type": "string", "description": "Only those older than the job of this id."},
    })
}

impl Registry {
    pub(super) async fn call_own(&self, tool: OwnTool, call: Call<'_>) -> Result<Outcome, Error> {
        let jobs = match tool {
            OwnTool::AuditLogs => return self.events(call.arguments).await,
            _ => self.jobs_of(call.caller).await?,
        };
        let named = || read::<Named>(call.arguments);
        match tool {
            OwnTool::List => list(&jobs, read(call.arguments)?).await,
            OwnTool::Status => Ok(done(&status(&jobs.get(&named()?.job_id).await?))),
            OwnTool::Wait => wait(&jobs, &named()?, call).await,
            OwnTool::Log => log(&jobs, &named()?).await,
            OwnTool::Result => result(&jobs, &named()?.job_id).await,
            OwnTool::Cancel => Ok(done(&status(&jobs.cancel(&named()?.job_id).await?))),
            OwnTool::AuditLogs => self.events(call.arguments).await,
        }
    }
}

async fn list(jobs: &JobsOfCaller, wanted: Filter) -> Result<Outcome, Error> {
    let limit = wanted.limit.unwrap_or(LISTED);
    let states = wanted.state.as_deref().and_then(state_of).into_iter().collect();
    let filter = JobFilter { plugin: wanted.plugin, states, ..JobFilter::default() };
    let records = jobs.list(filter, wanted.after, limit).await?;
    let mut listed = json!({"jobs": records.iter().map(status).collect::<Vec<_>>()});
    let is_full = usize::try_from(limit).is_ok_and(|limit| records.len() >= limit);
    if let Some(last) = records.last().filter(|_| is_full) {
        listed["next"] = last.id.as_str().into();
    }
    Ok(done(&listed))
}

/// Waits, and ends with what the job asks where the client can put that to its user.
async fn wait(jobs: &JobsOfCaller, named: &Named, call: Call<'_>) -> Result<Outcome, Error> {
    let id = named.job_id.as_str();
    if let Some(answers) = call.answers {
        // Answers that come without their round were never asked for.
        if let Ok(round) = answers.state.parse() {
            jobs.answer(id, round, answers.given).await?;
        }
    }
    let most = Duration::from_secs(named.seconds.unwrap_or(WAITED));
    let tell = progress_to(&*call.observer);
    let record = jobs.follow(id, most.min(LONGEST_WAIT), tell).await?;
    match Board::open_questions(&record) {
        Some(open) if call.client.contains(open.needs()) => {
            Ok(Outcome::Ask(Questions { state: record.rounds.to_string(), ..open }))
        }
        _ => Ok(done(&status(&record))),
    }
}

/// Tells an observer how far a job is, each time that it has gone on.
pub fn progress_to(observer: &dyn Observer) -> impl FnMut(&Record) + Send {
    let mut told = None;
    move |record| {
        let has_said = record.done > 0.0 || !record.message.is_empty();
        if has_said && told.is_none_or(|before| record.done > before) {
            told = Some(record.done);
            let (done, total) = (record.done, record.total);
            observer.progress(Progress { done, total, message: record.message.clone() });
        }
    }
}

async fn log(jobs: &JobsOfCaller, named: &Named) -> Result<Outcome, Error> {
    let record = jobs.get(&named.job_id).await?;
    let text = jobs.tail(&record.id, LARGEST_LOG).await?;
    let skipped = text.lines().count().saturating_sub(named.tail_lines.unwrap_or(LINES));
    let tail = text.split_inclusive('\n').skip(skipped).collect::<String>();
    let structured = json!({"job_id": record.id, "state": record.state.name(), "log": tail});
    let content = vec![Content::Text(tail)];
    Ok(Outcome::Done(Output { content, structured: Some(structured.to_string()) }))
}

async fn result(jobs: &JobsOfCaller, id: &str) -> Result<Outcome, Error> {
    let record = jobs.get(id).await?;
    if !record.state.is_over() {
        let state = record.state.name();
        let what = match record.state {
            State::InputRequired => "`job_wait` puts what it asks to the user",
            _ => "`job_wait` waits for its end",
        };
        let message = format!("the job `{id}` has no result yet: it is `{state}`; {what}");
        return Err(Error::new(Code::Conflict, message));
    }
    let text = jobs.outcome(&record).await?;
    let result: Value = serde_json::from_str(&text)
        .map_err(|error| Error::new(Code::Other, format!("its result is no JSON: {error}")))?;
    Ok(done(&json!({"job_id": record.id, "result": result})))
}

pub(super) fn done(value: &Value) -> Outcome {
    Outcome::Done(Output { content: Vec::new(), structured: Some(value.to_string()) })
}

/// What fits the schema is what is read here.
pub(super) fn read<T: DeserializeOwned>(arguments: &str) -> Result<T, Error> {
    serde_json::from_str(arguments).map_err(|error| Error::invalid(error.to_string()))
}

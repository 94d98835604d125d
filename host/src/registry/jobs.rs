//! The jobs of whoever calls, whichever plugins do them: for the protocol's tasks, the host's own tools, and resources at
//! `job://<id>/…`.

use std::{sync::Arc, time::Duration};

use super::Registry;
use crate::{
    capability::{
        resources::Template,
        types::{Answer, Body, Code, Error, Link, ResourceContents},
    },
    error::Failure,
    jobs::{Board, JobFilter, Record, State},
    policy::{Approved, JobsOf},
};

/// No plugin has resources under it.
pub(super) const SCHEME: &str = "job";
/// Of how many jobs the resources are listed.
const MOST_LISTED: u32 = 100;
/// How much of the end of a log a client gets at once.
pub(super) const LARGEST_LOG: u32 = 256 << 10;

/// The jobs of one caller. Those of others are not there.
pub struct JobsOfCaller {
    board: Arc<Board>,
    of: Approved<JobsOf>,
}

impl Registry {
    pub async fn jobs_of(&self, caller: &Arc<str>) -> Result<JobsOfCaller, Error> {
        self.jobs(Approved::<JobsOf>::of_caller(caller)).await
    }

    /// Those of them that one plugin does.
    pub async fn jobs_of_plugin(
        &self,
        caller: &Arc<str>,
        plugin: &str,
    ) -> Result<JobsOfCaller, Error> {
        self.jobs(Approved::<JobsOf>::of_plugin(caller, plugin)).await
    }

    async fn jobs(&self, of: Approved<JobsOf>) -> Result<JobsOfCaller, Error> {
        let board = self.doors().jobs.board().await.map_err(answered)?;
        Ok(JobsOfCaller { board, of })
    }

    /// The families of jobs' resources, where some plugin has jobs.
    pub fn job_templates(&self) -> Vec<Template> {
        if !self.catalog().has_jobs() {
            return Vec::new();
        }
        let template = |name: &str, description: &str, mime_type: &str| Template {
            uri: format!("{SCHEME}://{{id}}/{name}"),
            name: format!("job {name}"),
            description: Some(description.to_owned()),
            mime_type: Some(mime_type.to_owned()),
        };
        vec![
            template("log", "The end of a job's log.", "text/plain"),
            template("result", "What a job came to, once it is completed.", "application/json"),
        ]
    }

    /// The logs of the caller's latest jobs, and the results of those that are completed.
    pub async fn job_links(&self, caller: &Arc<str>) -> Result<Vec<Link>, Error> {
        if !self.catalog().has_jobs() {
            return Ok(Vec::new());
        }
        let jobs = self.jobs_of(caller).await?;
        let records = jobs.list(JobFilter::default(), None, MOST_LISTED).await?;
        Ok(records.iter().flat_map(links).collect())
    }

    /// What a URI holds. None: it is none of a job's.
    pub async fn read_job(
        &self,
        uri: &str,
        caller: &Arc<str>,
    ) -> Option<Result<ResourceContents, Error>> {
        let rest = uri.strip_prefix(SCHEME)?.strip_prefix("://")?;
        self.catalog().has_jobs().then_some(())?;
        let (id, part) = rest.split_once('/')?;
        Some(self.contents_of_job(uri, id, part, caller).await)
    }

    async fn contents_of_job(
        &self,
        uri: &str,
        id: &str,
        part: &str,
        caller: &Arc<str>,
    ) -> Result<ResourceContents, Error> {
        let jobs = self.jobs_of(caller).await?;
        let (mime_type, text) = match part {
            "log" => ("text/plain", jobs.tail(id, LARGEST_LOG).await?),
            "result" => ("application/json", jobs.completed(&jobs.get(id).await?).await?),
            _ => {
                let message = format!("Resource not found: `{uri}`");
                return Err(Error::new(Code::NotFound, message));
            }
        };
        Ok(ResourceContents {
            uri: uri.to_owned(),
            mime_type: Some(mime_type.to_owned()),
            body: Body::Text(text),
        })
    }
}

impl JobsOfCaller {
    pub async fn get(&self, id: &str) -> Result<Record, Error> {
        self.board.get(&self.of, id).await.map_err(answered)
    }

    pub async fn list(
        &self,
        filter: JobFilter,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<Record>, Error> {
        self.board.list(&self.of, filter, after, limit).await.map_err(answered)
    }

    /// Waits until one has ended or asks something, at most so long, and tells of each change meanwhile.
    pub async fn follow(
        &self,
        id: &str,
        most: Duration,
        tell: impl FnMut(&Record) + Send,
    ) -> Result<Record, Error> {
        self.board.follow(&self.of, id, most, tell).await.map_err(answered)
    }

    /// Says for which tool one is, before its id is answered as that tool's result.
    pub async fn name_tool(&self, id: &str, tool: &str) -> Result<Record, Error> {
        self.board.name_tool(&self.of, id, tool).await.map_err(answered)
    }

    /// Answers what one asked in a round of questions. What that round no longer asks is left out.
    pub async fn answer(
        &self,
        id: &str,
        round: u32,
        answers: Vec<(String, Answer)>,
    ) -> Result<Record, Error> {
        self.board.answer(&self.of, id, round, answers).await.map_err(answered)
    }

    pub async fn cancel(&self, id: &str) -> Result<Record, Error> {
        self.board.cancel(&self.of, id).await.map_err(answered)
    }

    pub async fn tail(&self, id: &str, most: u32) -> Result<String, Error> {
        self.board.tail(&self.of, id, most).await.map_err(answered)
    }

    /// What one that has ended came to.
    pub async fn outcome(&self, record: &Record) -> Result<String, Error> {
        match (record.state, &record.failure) {
            (State::Failed, Some(failed)) => Err(failed.error()),
            (State::Canceled, _) => {
                let message = format!("the job `{}` was canceled", record.id);
                Err(Error::new(Code::Failed, message))
            }
            _ => {
                let result = self.board.result(&self.of, &record.id).await.map_err(answered)?;
                Ok(result.unwrap_or_else(|| "null".to_owned()))
            }
        }
    }

    /// The result of one that is completed.
    async fn completed(&self, record: &Record) -> Result<String, Error> {
        if record.state != State::Completed {
            let (id, state) = (&record.id, record.state.name());
            let message = format!("the job `{id}` has no result: it is `{state}`");
            return Err(Error::new(Code::NotFound, message));
        }
        self.outcome(record).await
    }
}

fn links(record: &Record) -> Vec<Link> {
    let link = |part: &str, mime_type: &str| Link {
        uri: format!("{SCHEME}://{}/{part}", record.id),
        name: format!("{} ({part})", record.title),
        description: Some(format!("A job of plugin `{}`, {}.", record.owner, record.state.name())),
        mime_type: Some(mime_type.to_owned()),
        size: None,
    };
    let mut links = vec![link("log", "text/plain")];
    if record.state == State::Completed {
        links.push(link("result", "application/json"));
    }
    links
}

/// What the jobs answer, as a client reads it. What nobody expects is in the log.
fn answered(failure: Failure) -> Error {
    match failure {
        Failure::Answer(error) => error,
        Failure::Trap(error) => {
            tracing::error!("a job: {error:#}");
            Error::new(Code::Other, "the host failed in this; its log says more")
        }
    }
}

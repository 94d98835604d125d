//! What is kept of a project: what it was deployed from, and what is under way.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use windlass_sdk::{Error, jobs, store, types::Code};

use super::source::Given;
use crate::error::conflict;

const PROJECTS: &str = "projects";

/// A project's document.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Record {
    /// What it was last deployed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stack: Option<Stack>,
    /// What a deployment is changing, or was when it was interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) underway: Option<Underway>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Stack {
    pub(crate) file: Given,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) profiles: Vec<String>,
    /// The services that the file has.
    pub(crate) services: Vec<String>,
}

/// It is written before anything is touched, and names all that may come of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Underway {
    /// The job that is at it.
    pub(crate) job: String,
    /// Whether all that is new is as it should be, and what was before only has to go.
    pub(crate) is_finishing: bool,
    pub(crate) before: Vec<Before>,
    /// Names of containers, networks and volumes that are made.
    pub(crate) containers: Vec<String>,
    pub(crate) networks: Vec<String>,
    pub(crate) volumes: Vec<String>,
}

/// A container that goes once its successor is as it should be.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Before {
    pub(crate) id: String,
    pub(crate) name: String,
    /// What it is called as long as its successor has its name.
    pub(crate) aside: Option<String>,
    pub(crate) ran: bool,
}

impl Record {
    pub(crate) fn read(project: &str) -> Result<Self, Error> {
        Ok(store::get_as(PROJECTS, project)?.unwrap_or_default())
    }

    pub(crate) fn write(&self, project: &str) -> Result<(), Error> {
        store::put_as(PROJECTS, project, self)
    }

    pub(crate) fn forget(project: &str) -> Result<(), Error> {
        store::delete(PROJECTS, project)
    }

    /// Fails while a deployment is at it.
    pub(crate) fn check_idle(&self, project: &str) -> Result<(), Error> {
        let Some(underway) = &self.underway else { return Ok(()) };
        match jobs::get(&underway.job) {
            Ok(job) if !job.state.is_over() => Err(conflict(format!(
                "the project `{project}` is being deployed by the job `{}`: wait for it with `job_wait`, or end it with `job_cancel`",
                underway.job
            ))),
            Ok(_) => Ok(()),
            Err(error) if error.code == Code::NotFound => Err(conflict(format!(
                "a deployment of the project `{project}` by somebody else is under way or broke off: the next `deploy-compose` settles it"
            ))),
            Err(error) => Err(error),
        }
    }
}

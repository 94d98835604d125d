//! `compose-down`, and what it does for others.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Error, Hints, Job, Result, Run, Stop, Tool,
    engine::{self, Act},
    jobs::{Spec, submit},
    networks,
    types::Code,
    volumes,
};

use super::{
    deploy::{invalid, lane},
    found::{self, Found, PROJECT, in_levels},
    load::check_project,
    missing::missing,
    record::Record,
    undo,
};
use crate::{consent, error::About, list::yes};

/// Removes a stack: its containers, those that need others first, and its networks. Volumes stay, unless they are to go too. What was
/// remembered of the project is forgotten. Works on stacks that `docker compose` made as well. The user is asked, where the client can.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ComposeDown {
    project_name: String,
    /// Also its volumes, with all data in them.
    #[serde(default)]
    remove_volumes: bool,
    /// Also containers whose service the file that was deployed last does not have.
    #[serde(default = "yes")]
    remove_orphans: bool,
    /// How many seconds its programs have to end; 10 where neither this nor its image says anything.
    #[schemars(range(max = 200))]
    timeout_s: Option<u32>,
}

/// The same as a job: in the same line as deployments of the project, so that none begins in its middle.
#[derive(Deserialize, Serialize)]
pub(crate) struct Down {
    project: String,
    remove_volumes: bool,
    remove_orphans: bool,
    timeout_s: Option<u32>,
}

#[derive(Default, Serialize, JsonSchema)]
pub(crate) struct Removed {
    /// The same for people.
    message: String,
    project_name: String,
    containers: Vec<String>,
    networks: Vec<String>,
    volumes: Vec<String>,
}

impl Tool for ComposeDown {
    const NAME: &'static str = "compose-down";
    const TITLE: Option<&'static str> = Some("Remove a Compose stack");
    const HINTS: Hints = Hints::DESTRUCTIVE.union(Hints::IDEMPOTENT).union(Hints::JOB);
    type Output = Removed;

    fn run(self, call: &Call) -> Result<Removed> {
        let project = &self.project_name;
        check_project(project).map_err(invalid)?;
        let record = Record::read(project)?;
        record.check_idle(project)?;
        let found = meant(project, &record, self.remove_orphans)?;
        let is_known = record != Record::default() || !found.is_empty();
        if !is_known && networks_of(project)?.is_empty() && volumes_of(project)?.is_empty() {
            return Err(missing(project)?.into());
        }
        consent::ask(call, &self.question(&found))?;
        let Self { project_name: project, remove_volumes, remove_orphans, timeout_s } = self;
        let (title, lane) = (format!("remove {project}"), lane(&project));
        let down = Down { project, remove_volumes, remove_orphans, timeout_s };
        Err(Stop::Job(submit(&Spec::new(title, &down)?.lane(lane))?))
    }
}

impl Job for Down {
    const KIND: &'static str = "down";
    type Output = Removed;

    fn run(self, _: &Run) -> Result<Removed> {
        let project = self.project;
        let found = meant(&project, &Record::read(&project)?, self.remove_orphans)?;
        let containers = remove_containers(&found, self.timeout_s, self.remove_volumes)?;
        let networks = remove_networks(&project)?;
        let volumes = if self.remove_volumes { remove_volumes(&project)? } else { Vec::new() };
        Record::forget(&project)?;
        let message = format!(
            "Compose project '{project}' removed successfully: {} containers, {} networks, {} volumes",
            containers.len(),
            networks.len(),
            volumes.len(),
        );
        Ok(Removed { message, project_name: project, containers, networks, volumes })
    }
}

/// The containers that go.
fn meant(project: &str, record: &Record, orphans: bool) -> Result<Vec<Found>, Error> {
    let mut found = found::of_project(project).map_err(|error| About::Container.of(error))?;
    if !orphans && let Some(stack) = &record.stack {
        found.retain(|it| stack.services.contains(&it.service));
    }
    Ok(found)
}

impl ComposeDown {
    fn question(&self, found: &[Found]) -> String {
        let volumes = if self.remove_volumes { ", its volumes and all data in them" } else { "" };
        let names: Vec<_> = found.iter().map(|it| format!("`{}`", it.name)).collect();
        format!(
            "Remove the stack `{}` ({}), its networks{volumes}?",
            self.project_name,
            names.join(", ")
        )
    }
}

/// Removes all that a project has, its data too.
pub(crate) fn remove_all(project: &str) -> Result<(), Error> {
    let found = found::of_project(project)?;
    remove_containers(&found, None, true)?;
    remove_networks(project)?;
    remove_volumes(project).map(drop)
}

/// Who needs others goes before them.
fn remove_containers(
    found: &[Found],
    timeout_s: Option<u32>,
    with_volumes: bool,
) -> Result<Vec<String>, Error> {
    for level in in_levels(found).into_iter().rev() {
        let running: Vec<_> = level.iter().filter(|it| it.runs()).map(|it| it.id.clone()).collect();
        if !running.is_empty() {
            let stopped = engine::each(&running, &Act::Stop(timeout_s))?;
            // Whatever does not stop is removed all the same.
            drop(stopped);
        }
        let ids: Vec<_> = level.iter().map(|it| it.id.clone()).collect();
        undo::remove(&ids, with_volumes)
            .map_err(|error| About::Container.during("removing containers", error))?;
    }
    Ok(found.iter().map(|it| it.name.clone()).collect())
}

fn networks_of(project: &str) -> Result<Vec<String>, Error> {
    let all = networks::list().map_err(|error| About::Network.of(error))?;
    Ok(all.into_iter().filter(|it| is_of(&it.labels, project)).map(|it| it.name).collect())
}

fn volumes_of(project: &str) -> Result<Vec<String>, Error> {
    let all = volumes::list().map_err(|error| About::Volume.of(error))?;
    Ok(all.into_iter().filter(|it| is_of(&it.labels, project)).map(|it| it.name).collect())
}

fn is_of(labels: &[(String, String)], project: &str) -> bool {
    labels.iter().any(|(name, value)| name == PROJECT && value == project)
}

fn remove_networks(project: &str) -> Result<Vec<String>, Error> {
    let mut removed = Vec::new();
    for name in networks_of(project)? {
        match networks::remove(&name) {
            Ok(()) => removed.push(name),
            // Somebody else's container is in it.
            Err(error) if error.code == Code::Conflict => {}
            Err(error) if error.code == Code::NotFound => {}
            Err(error) => {
                return Err(About::Network.during(&format!("removing network '{name}'"), error));
            }
        }
    }
    Ok(removed)
}

fn remove_volumes(project: &str) -> Result<Vec<String>, Error> {
    let names = volumes_of(project)?;
    for name in &names {
        volumes::remove(name, true)
            .map_err(|error| About::Volume.during(&format!("removing volume '{name}'"), error))?;
    }
    Ok(names)
}

//! What a deployment began and did not end: taken back, or brought to its end.

use std::collections::BTreeSet;

use windlass_sdk::{
    Error,
    engine::{self, Act, Filter, Removal, Summary},
    networks,
    types::Code,
    volumes,
};

use super::{
    found::PROJECT,
    record::{Before, Record, Underway},
};

/// Brings a project out of the middle of a deployment. What ran before runs again, or what is new is all that is left.
pub(crate) fn settle(project: &str, record: &mut Record) -> Result<(), Error> {
    let Some(underway) = &record.underway else { return Ok(()) };
    if underway.is_finishing {
        clear(&underway.before, false)?;
    } else {
        take_back(project, underway)?;
    }
    record.underway = None;
    record.write(project)
}

/// Removes what was before.
pub(crate) fn clear(before: &[Before], with_volumes: bool) -> Result<(), Error> {
    let ids: Vec<_> = before.iter().map(|it| it.id.clone()).collect();
    remove(&ids, with_volumes)
}

/// Removes containers, whether they run or not. The first failure is told, once all were tried.
pub(crate) fn remove(ids: &[String], with_volumes: bool) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let removal = Removal { force: true, volumes: with_volumes };
    engine::each(ids, &Act::Remove(removal))?.into_iter().collect()
}

fn take_back(project: &str, underway: &Underway) -> Result<(), Error> {
    let labels = vec![format!("{PROJECT}={project}")];
    let there = engine::list(&Filter { all: true, labels })?;
    let before: BTreeSet<&str> = underway.before.iter().map(|it| it.id.as_str()).collect();
    let is_new =
        |it: &&Summary| !before.contains(it.id.as_str()) && underway.containers.contains(&it.name);
    let new: Vec<_> = there.iter().filter(is_new).map(|it| it.id.clone()).collect();
    let mut first = remove(&new, true);
    for it in &underway.before {
        let now = there.iter().find(|found| found.id == it.id);
        if let Some(aside) = &it.aside
            && now.is_some_and(|now| now.name == *aside)
        {
            first = first.and(engine::act(&it.id, &Act::Rename(it.name.clone())));
        }
    }
    let is_there = |it: &&Before| there.iter().any(|found| found.id == it.id);
    let ran = underway.before.iter().filter(|it| it.ran).filter(is_there);
    let ran: Vec<_> = ran.map(|it| it.id.clone()).collect();
    if !ran.is_empty() {
        let started: Result<(), Error> = engine::each(&ran, &Act::Start)?.into_iter().collect();
        first = first.and(started);
    }
    for name in &underway.networks {
        first = first.and(unless_gone(networks::remove(name)));
    }
    for name in &underway.volumes {
        first = first.and(unless_gone(volumes::remove(name, true)));
    }
    first
}

fn unless_gone(done: Result<(), Error>) -> Result<(), Error> {
    match done {
        Err(error) if error.code == Code::NotFound => Ok(()),
        done => done,
    }
}

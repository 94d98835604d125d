//! What a deployment began and did not end: taken back, or brought to its end.

use std::collections::BTreeSet;

use windlass_sdk::{
    Error,
    engine::{self, Act, Filter, Removal, Summary},
    networks,
    types::Code,
};

use super::{
    found::{self, Found, PROJECT},
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
    first = first.and(start_again(project, &underway.before));
    for name in &underway.networks {
        first = first.and(unless_gone(networks::remove(name)));
    }
    // Volumes stay, also those that are new: by now somebody may have written into them.
    first
}

/// Starts what ran, those first that others need. Who has its network from another one that was stopped begins anew with it.
fn start_again(project: &str, before: &[Before]) -> Result<(), Error> {
    let ran = |it: &Found| before.iter().any(|before| before.ran && before.id == it.id);
    let there: Vec<_> = found::of_project(project)?.into_iter().filter(ran).collect();
    let stopped: BTreeSet<_> =
        there.iter().filter(|it| !it.runs()).map(|it| it.id.clone()).collect();
    let mut first = Ok(());
    for level in found::in_levels(&there) {
        for (runs, act) in [(false, Act::Start), (true, Act::Restart(None))] {
            let lost = |it: &&&Found| !runs || lender(it).is_some_and(|it| stopped.contains(&it));
            let meant = level.iter().filter(|it| it.runs() == runs).filter(lost);
            let ids: Vec<_> = meant.map(|it| it.id.clone()).collect();
            if !ids.is_empty() {
                let done: Result<(), Error> = engine::each(&ids, &act)?.into_iter().collect();
                first = first.and(done);
            }
        }
    }
    first
}

/// The container whose network another one is in.
fn lender(found: &Found) -> Option<String> {
    let details = engine::inspect(&found.id).ok()?;
    let told: serde_json::Value = serde_json::from_str(&details.json).ok()?;
    let mode = told.get("HostConfig")?.get("NetworkMode")?.as_str()?;
    mode.strip_prefix("container:").map(str::to_owned)
}

fn unless_gone(done: Result<(), Error>) -> Result<(), Error> {
    match done {
        Err(error) if error.code == Code::NotFound => Ok(()),
        done => done,
    }
}

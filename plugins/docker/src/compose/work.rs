//! The job of a deployment: it converges, and where that fails, what ran before runs again.
//!
//! Before it touches anything, it writes down all that may come of it, so that whoever takes its place can take it back.

mod steps;

use serde::{Deserialize, Serialize};
use windlass_sdk::{Error, Job, Result, Run, clock, jobs, progress};

use super::{
    deploy::Order,
    down,
    heirlooms::Heirlooms,
    made::Stamp,
    plan::Plan,
    record::{Before, Record, Stack, Underway},
    reply::Deployed,
    settings::Settings,
    stage::{Images, Stage},
    undo,
    watch::Watch,
};
use steps::Steps;

/// What a run notes once it has removed the stack that was there with its volumes.
const REMOVED: &str = "removed";

/// A deployment.
#[derive(Deserialize, Serialize)]
pub(crate) struct Work {
    pub(crate) order: Order,
}

impl Job for Work {
    const KIND: &'static str = "deploy";
    type Output = Deployed;

    fn run(self, run: &Run) -> Result<Deployed> {
        let project = &self.order.project;
        let mut record = Record::read(project)?;
        undo::settle(project, &mut record)?;
        let (source, plan) = self.order.plan(&Settings::of(&run.call)?)?;
        let mut images = Images::look(&plan)?;
        let missing = images.missing.clone();
        images.fetch(&plan, self.order.pull())?;
        let mut stage = Stage::look(&plan, &images, self.order.wish())?;
        if self.order.remove_volumes && run.note.as_deref() != Some(REMOVED) {
            progress::report(0.0, None, "the stack and its volumes are removed");
            down::remove_all(project)?;
            // What a run that takes this one's place finds is the stack as it is made anew: its data stays.
            jobs::note(REMOVED)?;
            stage = Stage::look(&plan, &images, self.order.wish())?;
        }
        let heirlooms = Heirlooms::look(&stage)?;
        let mut told = Deployed::of(&stage, missing);
        told.warnings.extend(heirlooms.warnings.iter().cloned());
        let stamp = Stamp { project, source: &source };
        self.converge(stamp, &heirlooms, &stage, &mut record, &run.id)?;
        Ok(told.done(&plan))
    }

    /// Leaves what was there before, or what is new: nothing in between.
    fn stopped(self, run: &Run) -> Result<(), Error> {
        let mut record = Record::read(&self.order.project)?;
        let is_own = record.underway.as_ref().is_some_and(|it| it.job == run.id);
        if is_own { undo::settle(&self.order.project, &mut record) } else { Ok(()) }
    }
}

impl Work {
    fn converge(
        &self,
        stamp: Stamp<'_>,
        heirlooms: &Heirlooms,
        stage: &Stage<'_>,
        record: &mut Record,
        job: &str,
    ) -> Result<(), Error> {
        let project = &self.order.project;
        let stack = Some(self.stack(stage.plan));
        if !stage.is_nothing() {
            record.underway = Some(underway(stage, job));
            record.write(project)?;
            if let Err(error) = self.act(stamp, heirlooms, stage) {
                return Err(taken_back(error, project, record));
            }
            if let Some(underway) = &mut record.underway {
                underway.is_finishing = true;
            }
            record.stack = stack;
            record.write(project)?;
            undo::settle(project, record)
        } else if record.stack != stack {
            record.stack = stack;
            record.write(project)
        } else {
            Ok(())
        }
    }

    fn act(&self, stamp: Stamp<'_>, heirlooms: &Heirlooms, stage: &Stage<'_>) -> Result<(), Error> {
        let until = clock::now().saturating_add(u64::from(self.order.timeout_s) * 1000);
        let watch = Watch { plan: stage.plan, until };
        let mut steps = Steps::new(stage, stamp, heirlooms, watch);
        steps.prepare()?;
        steps.create()?;
        steps.start()?;
        if self.order.wait { steps.await_all() } else { Ok(()) }
    }

    fn stack(&self, plan: &Plan) -> Stack {
        let Order { file, environment, profiles, .. } = self.order.clone();
        Stack { file, environment, profiles, services: plan.known.iter().cloned().collect() }
    }
}

/// All that a deployment may leave behind.
fn underway(stage: &Stage<'_>, job: &str) -> Underway {
    let replaced = stage.changes.make.iter().filter_map(|it| it.replaces.as_ref());
    let replaced = replaced.map(|it| (it, Some(aside(&it.name, &it.id))));
    let removed = stage.changes.remove.iter().map(|it| (it, None));
    let before = replaced.chain(removed).map(|(it, aside)| Before {
        id: it.id.clone(),
        name: it.name.clone(),
        aside,
        ran: it.runs(),
    });
    let name = |it: &super::difference::Make| {
        let service = stage.plan.service(&it.service)?;
        Some(service.container(&stage.plan.project, it.number))
    };
    Underway {
        job: job.to_owned(),
        is_finishing: false,
        before: before.collect(),
        containers: stage.changes.make.iter().filter_map(name).collect(),
        networks: stage.networks.iter().map(|it| it.spec.name.clone()).collect(),
        volumes: stage.volumes.iter().map(|it| it.spec.name.clone()).collect(),
    }
}

/// What a container is called while its successor has its name. It begins as before, as a grant may say how names begin.
fn aside(name: &str, id: &str) -> String {
    let id: String = id.chars().take(12).collect();
    let whole = format!("{name}_{id}");
    if name.ends_with(&format!("_{id}")) { name.to_owned() } else { whole }
}

fn taken_back(mut error: Error, project: &str, record: &mut Record) -> Error {
    let after = match undo::settle(project, record) {
        Ok(()) => "what was there before is there again".to_owned(),
        Err(other) => format!(
            "not all of what was there before could be brought back, the next `deploy-compose` tries again: {}",
            other.message
        ),
    };
    error.message =
        format!("Error deploying compose project '{project}': {}\n({after})", error.message);
    error
}

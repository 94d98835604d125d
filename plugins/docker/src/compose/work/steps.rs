//! The steps of a deployment, in their order.

use std::collections::BTreeSet;

use windlass_sdk::{
    Error,
    engine::{self, Act, Spec},
    networks, progress,
    types::Code,
    volumes,
};

use super::{
    super::{
        difference::Make,
        heirlooms::Heirlooms,
        levels,
        made::Stamp,
        plan::{Condition, Need, Service},
        stage::Stage,
        watch::{Goal, Watch},
    },
    aside,
};
use crate::error::About;

pub(super) struct Steps<'a> {
    stage: &'a Stage<'a>,
    stamp: Stamp<'a>,
    heirlooms: &'a Heirlooms,
    watch: Watch<'a>,
    /// Names of containers that were started.
    started: BTreeSet<String>,
    done: f64,
}

impl<'a> Steps<'a> {
    pub(super) fn new(
        stage: &'a Stage<'a>,
        stamp: Stamp<'a>,
        heirlooms: &'a Heirlooms,
        watch: Watch<'a>,
    ) -> Self {
        Self { stage, stamp, heirlooms, watch, started: BTreeSet::new(), done: 0.0 }
    }

    /// Networks and volumes; and what is to go makes room.
    pub(super) fn prepare(&mut self) -> Result<(), Error> {
        for network in &self.stage.networks {
            let name = &network.spec.name;
            self.tell(&format!("the network {name} is made"));
            let made = networks::create(&network.spec);
            made.map_err(|error| {
                About::Network.during(&format!("creating network '{name}'"), error)
            })?;
        }
        for volume in &self.stage.volumes {
            let name = &volume.spec.name;
            self.tell(&format!("the volume {name} is made"));
            let made = volumes::create(&volume.spec);
            made.map_err(|error| {
                About::Volume.during(&format!("creating volume '{name}'"), error)
            })?;
        }
        Ok(())
    }

    /// All containers that are to be made, before any that runs is stopped: what cannot be made costs nothing.
    pub(super) fn create(&mut self) -> Result<(), Error> {
        for make in &self.stage.changes.make {
            let Some(before) = &make.replaces else { continue };
            let rename = Act::Rename(aside(&before.name, &before.id));
            engine::act(&before.id, &rename).map_err(|error| {
                About::Container.during(&format!("renaming container '{}'", before.name), error)
            })?;
        }
        for level in levels::of(self.stage.plan)? {
            let makes: Vec<_> = self.makes(&level).collect();
            let specs: Vec<_> = makes.iter().filter_map(|make| self.spec(make)).collect();
            self.make(&specs)?;
        }
        Ok(())
    }

    fn make(&mut self, specs: &[Spec]) -> Result<(), Error> {
        if specs.is_empty() {
            return Ok(());
        }
        self.tell(&format!("{} containers are made", specs.len()));
        for (outcome, spec) in engine::create(specs)?.into_iter().zip(specs) {
            outcome.map_err(|error| {
                About::Container.during(&format!("creating container '{}'", spec.name), error)
            })?;
        }
        Ok(())
    }

    /// Level by level: what was there before stops, and what takes its place starts.
    pub(super) fn start(&mut self) -> Result<(), Error> {
        let going: Vec<_> = self
            .stage
            .changes
            .remove
            .iter()
            .filter(|it| it.runs())
            .map(|it| it.id.clone())
            .collect();
        self.each("stopping", &going, &Act::Stop(None))?;
        for level in levels::of(self.stage.plan)? {
            self.await_needs(&level)?;
            let makes: Vec<_> = self.makes(&level).collect();
            let before = makes.iter().filter_map(|it| it.replaces.as_ref()).filter(|it| it.runs());
            let before: Vec<_> = before.map(|it| it.id.clone()).collect();
            self.each("stopping", &before, &Act::Stop(None))?;
            let mut names: Vec<_> = makes.iter().filter_map(|it| self.name(it)).collect();
            let stopped = self.stage.changes.start.iter();
            names.extend(stopped.filter(|it| is_in(&level, &it.service)).map(|it| it.name.clone()));
            self.each("starting", &names, &Act::Start)?;
            let restarted = self.restarted(&level);
            self.each("restarting", &restarted, &Act::Restart(None))?;
            self.started.extend(names.into_iter().chain(restarted));
        }
        Ok(())
    }

    /// Waits until all are as they should be.
    pub(super) fn await_all(&mut self) -> Result<(), Error> {
        let services = &self.stage.plan.services;
        let goal = |service: &Service| {
            let needs = services.iter().flat_map(|it| &it.needs);
            let completed = |it: &&Need| it.condition == Condition::Completed;
            let mut needs = needs.filter(|it| it.service == service.name).filter(completed);
            let first = needs.next();
            let is_needed = first.is_none_or(|it| it.required || needs.any(|it| it.required));
            let condition = first.map_or(Condition::Started, |it| it.condition);
            Goal { service: service.name.clone(), condition, is_needed }
        };
        self.wait(services.iter().map(goal).collect())
    }

    fn await_needs(&mut self, level: &[&Service]) -> Result<(), Error> {
        let changed = level.iter().filter(|it| self.is_changed(it));
        let needs = changed.flat_map(|it| &it.needs);
        let waited = needs.filter(|need| need.condition != Condition::Started);
        let goal = |need: &Need| Goal {
            service: need.service.clone(),
            condition: need.condition,
            is_needed: need.required,
        };
        self.wait(waited.map(goal).collect())
    }

    fn wait(&mut self, goals: Vec<Goal>) -> Result<(), Error> {
        let Self { watch, started, done, .. } = self;
        watch.wait(&goals, started, |ready, all, whom| {
            *done += 0.01;
            progress::report(
                *done,
                None,
                &format!("{ready} of {all} containers are as they should be; {whom}"),
            );
        })
    }

    /// Whether anything of a service starts.
    fn is_changed(&self, service: &Service) -> bool {
        let changes = &self.stage.changes;
        changes.make.iter().any(|it| it.service == service.name)
            || changes.start.iter().any(|it| it.service == service.name)
    }

    /// Those that go on as they were, and are to start again with what they need.
    fn restarted(&self, level: &[&Service]) -> Vec<String> {
        let is_replaced = |service: &str| {
            let mut makes = self.stage.changes.make.iter();
            makes.any(|it| it.service == service && it.replaces.is_some())
        };
        let restarts = |service: &&&Service| {
            service.needs.iter().any(|need| need.restart && is_replaced(&need.service))
        };
        let services: Vec<_> = level.iter().filter(restarts).map(|it| it.name.as_str()).collect();
        let kept = self.stage.changes.keep.iter();
        kept.filter(|it| services.contains(&it.service.as_str()))
            .map(|it| it.name.clone())
            .collect()
    }

    fn each(&mut self, doing: &str, names: &[String], act: &Act) -> Result<(), Error> {
        if names.is_empty() {
            return Ok(());
        }
        self.tell(&format!("{doing} {} containers", names.len()));
        for (outcome, name) in engine::each(names, act)?.into_iter().zip(names) {
            match outcome {
                // Who has to be stopped may have gone by itself.
                Err(error) if error.code == Code::NotFound && matches!(act, Act::Stop(_)) => {}
                outcome => outcome.map_err(|error| {
                    About::Container.during(&format!("{doing} container '{name}'"), error)
                })?,
            }
        }
        Ok(())
    }

    fn makes(&self, level: &[&Service]) -> impl Iterator<Item = &'a Make> {
        let names: Vec<_> = level.iter().map(|it| it.name.clone()).collect();
        self.stage.changes.make.iter().filter(move |it| names.contains(&it.service))
    }

    fn spec(&self, make: &Make) -> Option<Spec> {
        let wanted = self.stage.wanted(&make.service)?;
        let mut spec = self.stamp.spec(wanted.service, make.number, &wanted.hash, &wanted.image_id);
        let before = make.replaces.as_ref().map(|it| it.id.as_str());
        self.heirlooms.keep(before, &mut spec);
        Some(spec)
    }

    fn name(&self, make: &Make) -> Option<String> {
        let service = self.stage.plan.service(&make.service)?;
        Some(service.container(&self.stage.plan.project, make.number))
    }

    fn tell(&mut self, what: &str) {
        self.done += 1.0;
        progress::report(self.done, None, what);
    }
}

fn is_in(level: &[&Service], service: &str) -> bool {
    level.iter().any(|it| it.name == service)
}

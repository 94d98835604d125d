//! What has to change so that what there is becomes what a plan wants. Pure.

use std::collections::BTreeSet;

use windlass_sdk::engine::{Networking, State};

use super::{
    found::Found,
    plan::{Condition, Plan, Service},
};

/// A service, and what its containers are known by.
pub(crate) struct Wanted<'a> {
    pub(crate) service: &'a Service,
    pub(crate) hash: String,
    pub(crate) image_id: String,
}

/// What goes beyond the plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// Makes those anew too that are as they should be.
    pub(crate) force_recreate: bool,
    /// Whether containers go whose service the file does not have.
    pub(crate) remove_orphans: bool,
}

/// A container that is to be made.
#[derive(Debug)]
pub(crate) struct Make {
    pub(crate) service: String,
    pub(crate) number: u32,
    /// Whose place it takes.
    pub(crate) replaces: Option<Found>,
}

#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) keep: Vec<Found>,
    /// As they should be, but for not running.
    pub(crate) start: Vec<Found>,
    pub(crate) make: Vec<Make>,
    /// One too many, or of a service that is no more.
    pub(crate) remove: Vec<Found>,
}

impl Changes {
    pub(crate) fn is_nothing(&self) -> bool {
        self.start.is_empty() && self.make.is_empty() && self.remove.is_empty()
    }
}

/// The services are in an order in which each comes after those that it needs.
pub(crate) fn changes(
    plan: &Plan,
    wanted: &[Wanted<'_>],
    found: Vec<Found>,
    wish: Wish,
) -> Changes {
    let mut changes = Changes::default();
    let mut left = found;
    // Whoever shares what another container has needs the one that takes its place.
    let mut replaced = BTreeSet::new();
    for it in wanted {
        let own;
        (own, left) = left.into_iter().partition(|found| found.service == it.service.name);
        let is_new = wish.force_recreate || borrows_from(it.service, &replaced);
        changes.service(plan, it, own, is_new, &mut replaced);
    }
    let orphans = left.into_iter().filter(|it| !plan.known.contains(&it.service));
    if wish.remove_orphans {
        changes.remove.extend(orphans);
    }
    changes
}

impl Changes {
    fn service(
        &mut self,
        plan: &Plan,
        wanted: &Wanted<'_>,
        own: Vec<Found>,
        is_new: bool,
        replaced: &mut BTreeSet<String>,
    ) {
        let service = wanted.service;
        let mut missing: BTreeSet<u32> = (1..=service.replicas).collect();
        for found in own {
            let number = found.number;
            if !missing.remove(&number) {
                self.remove.push(found);
            } else if is_new || found.hash != wanted.hash || is_broken(found.summary.state) {
                replaced.insert(service.container(&plan.project, number));
                self.make.push(Make {
                    service: service.name.clone(),
                    number,
                    replaces: Some(found),
                });
            } else if found.runs() || is_done(plan, &found) {
                self.keep.push(found);
            } else {
                self.start.push(found);
            }
        }
        for number in missing {
            replaced.insert(service.container(&plan.project, number));
            self.make.push(Make { service: service.name.clone(), number, replaces: None });
        }
    }
}

fn is_broken(state: State) -> bool {
    matches!(state, State::Dead | State::Removing | State::Paused)
}

/// Whether it did what others waited for, once and for all.
fn is_done(plan: &Plan, found: &Found) -> bool {
    let waits = |it: &Service| {
        it.needs
            .iter()
            .any(|need| need.service == found.service && need.condition == Condition::Completed)
    };
    found.exit_code() == Some(0) && plan.services.iter().any(waits)
}

/// Whether it shares what one of these containers has.
fn borrows_from(service: &Service, containers: &BTreeSet<String>) -> bool {
    let spec = &service.spec;
    let network = match &spec.networking {
        Networking::Container(name) => Some(name.as_str()),
        _ => None,
    };
    let modes = [&spec.pid, &spec.ipc].into_iter().flatten();
    let modes = modes.filter_map(|mode| mode.strip_prefix("container:"));
    network.into_iter().chain(modes).any(|name| containers.contains(name))
}

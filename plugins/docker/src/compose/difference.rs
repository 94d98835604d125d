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

#[cfg(test)]
mod tests {
    use windlass_sdk::engine::{Spec, Summary};

    use super::{
        super::plan::{Need, Pull},
        *,
    };

    fn service(name: &str, replicas: u32) -> Service {
        Service {
            name: name.to_owned(),
            built: false,
            pull: Pull::Missing,
            replicas,
            container_name: None,
            needs: Vec::new(),
            ports: Vec::new(),
            spec: Spec::new("", "a"),
        }
    }

    fn plan(services: Vec<Service>) -> Plan {
        let known = services.iter().map(|it| it.name.clone()).chain(["elsewhere".to_owned()]);
        Plan {
            project: "p".to_owned(),
            networks: Vec::new(),
            volumes: Vec::new(),
            known: known.collect(),
            services,
            ignored: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn found(service: &str, number: u32, hash: &str, state: State) -> Found {
        let name = format!("p-{service}-{number}");
        let summary = Summary {
            id: name.clone(),
            name: name.clone(),
            image: String::new(),
            image_id: String::new(),
            command: String::new(),
            created: 0,
            state,
            wellness: None,
            status: "Exited (0) 1 second ago".to_owned(),
            ports: Vec::new(),
            addresses: Vec::new(),
            labels: Vec::new(),
        };
        let (service, hash) = (service.to_owned(), hash.to_owned());
        Found { id: name.clone(), name, service, number, hash, needs: Vec::new(), summary }
    }

    #[track_caller]
    fn check(plan: &Plan, there: Vec<Found>, wish: Wish, expected: &str) {
        let wanted = |service| Wanted { service, hash: "now".to_owned(), image_id: String::new() };
        let wanted: Vec<_> = plan.services.iter().map(wanted).collect();
        let changes = changes(plan, &wanted, there, wish);
        let names =
            |found: &[Found]| found.iter().map(|it| it.name.clone()).collect::<Vec<_>>().join(" ");
        let make = |it: &Make| {
            let sign = if it.replaces.is_some() { "~" } else { "+" };
            format!("{sign}{}-{}", it.service, it.number)
        };
        let makes: Vec<_> = changes.make.iter().map(make).collect();
        let (keep, start, remove) =
            (names(&changes.keep), names(&changes.start), names(&changes.remove));
        assert_eq!(
            format!("keep {keep}, start {start}, make {}, remove {remove}", makes.join(" ")),
            expected
        );
    }

    const WISH: Wish = Wish { force_recreate: false, remove_orphans: true };

    #[test]
    fn each_container_is_kept_started_made_or_removed() {
        let there = || {
            vec![
                found("a", 1, "now", State::Running),
                found("a", 2, "before", State::Running),
                found("a", 3, "now", State::Exited),
                found("a", 4, "now", State::Running),
                found("b", 1, "now", State::Dead),
                found("elsewhere", 1, "x", State::Running),
                found("orphan", 1, "x", State::Running),
            ]
        };
        let plan = plan(vec![service("a", 3), service("b", 2)]);
        check(
            &plan,
            there(),
            WISH,
            "keep p-a-1, start p-a-3, make ~a-2 ~b-1 +b-2, remove p-a-4 p-orphan-1",
        );
        let wish = Wish { force_recreate: true, remove_orphans: false };
        check(&plan, there(), wish, "keep , start , make ~a-1 ~a-2 ~a-3 ~b-1 +b-2, remove p-a-4");
    }

    #[test]
    fn who_shares_with_one_that_is_replaced_is_replaced_too() {
        let mut side = service("side", 1);
        side.spec.networking = Networking::Container("p-a-1".to_owned());
        let mut inner = service("zinner", 1);
        inner.spec.pid = Some("container:p-side-1".to_owned());
        let plan = plan(vec![service("a", 1), side, inner]);
        let there = |hash: &str| {
            vec![
                found("a", 1, hash, State::Running),
                found("side", 1, "now", State::Running),
                found("zinner", 1, "now", State::Running),
            ]
        };
        check(&plan, there("now"), WISH, "keep p-a-1 p-side-1 p-zinner-1, start , make , remove ");
        check(&plan, there("before"), WISH, "keep , start , make ~a-1 ~side-1 ~zinner-1, remove ");
    }

    #[test]
    fn what_others_waited_for_is_done_once() {
        let mut web = service("web", 1);
        let once = Need {
            service: "once".to_owned(),
            condition: Condition::Completed,
            required: true,
            restart: false,
        };
        web.needs.push(once);
        let plan = plan(vec![service("once", 1), service("other", 1), web]);
        let there = ["once", "other", "web"].map(|it| found(it, 1, "now", State::Exited));
        check(
            &plan,
            there.to_vec(),
            WISH,
            "keep p-once-1, start p-other-1 p-web-1, make , remove ",
        );
    }
}

//! What a deployment works with: a plan, what is there already, and what has to change.

use std::collections::BTreeMap;

use windlass_sdk::{Error, images, networks, volumes};

use super::{
    difference::{Changes, Wanted, Wish, changes},
    found, levels,
    made::hash,
    plan::{Network, Plan, Pull, Service, Volume},
    top::is_other,
};
use crate::error::{About, conflict, validation};

pub(crate) struct Stage<'a> {
    pub(crate) plan: &'a Plan,
    /// In an order in which each comes after those that it needs.
    pub(crate) wanted: Vec<Wanted<'a>>,
    pub(crate) changes: Changes,
    pub(crate) networks: Vec<&'a Network>,
    pub(crate) volumes: Vec<&'a Volume>,
}

/// What images are needed for, and which of them are not there.
pub(crate) struct Images {
    known: BTreeMap<String, String>,
    pub(crate) missing: Vec<String>,
}

impl<'a> Stage<'a> {
    /// Looks at what is there, and touches nothing.
    pub(crate) fn look(plan: &'a Plan, images: &Images, wish: Wish) -> Result<Self, Error> {
        let services = levels::of(plan)?.into_iter().flatten();
        let wanted: Vec<_> = services.map(|service| images.wanted(service)).collect();
        let there = found::of_project(&plan.project)
            .map_err(|error| About::Container.during("looking at the stack", error))?;
        let changes = changes(plan, &wanted, there, wish);
        Ok(Self { plan, wanted, changes, networks: networks(plan)?, volumes: volumes(plan)? })
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.changes.is_nothing() && self.networks.is_empty() && self.volumes.is_empty()
    }

    pub(crate) fn wanted(&self, service: &str) -> Option<&Wanted<'a>> {
        self.wanted.iter().find(|it| it.service.name == service)
    }
}

impl Images {
    /// Looks for the images of a plan.
    pub(crate) fn look(plan: &Plan) -> Result<Self, Error> {
        let mut images = Self { known: BTreeMap::new(), missing: Vec::new() };
        for name in plan.services.iter().map(|it| &it.spec.image) {
            if images.known.contains_key(name) || images.missing.contains(name) {
                continue;
            }
            let doing = || format!("looking for the image '{name}'");
            match images::find(name).map_err(|error| About::Image.during(&doing(), error))? {
                Some(image) => drop(images.known.insert(name.clone(), image.id)),
                None => images.missing.push(name.clone()),
            }
        }
        Ok(images)
    }

    /// Fetches those that are missing, and those that are always fetched.
    pub(crate) fn fetch(&mut self, plan: &Plan, wish: Option<Pull>) -> Result<(), Error> {
        self.check(plan, wish)?;
        let mut fetched = Vec::new();
        for service in &plan.services {
            let name = &service.spec.image;
            let is_missing = self.missing.contains(name);
            let always = wish.unwrap_or(service.pull) == Pull::Always && !service.built;
            if fetched.contains(name) || !(is_missing || always) {
                continue;
            }
            let image = images::pull(name, service.spec.platform.as_deref()).map_err(|error| {
                About::Image
                    .during(&format!("pulling the image '{name}' of `{}`", service.name), error)
            })?;
            self.known.insert(name.clone(), image.id);
            fetched.push(name.clone());
        }
        self.missing.clear();
        Ok(())
    }

    /// Fails where an image is missing that cannot be fetched.
    pub(crate) fn check(&self, plan: &Plan, wish: Option<Pull>) -> Result<(), Error> {
        for service in &plan.services {
            let (name, image) = (&service.name, &service.spec.image);
            if !self.missing.contains(image) {
                continue;
            }
            if service.built {
                return Err(validation(
                    "services",
                    format!(
                        "`services.{name}.build`: images are not built here, and there is none `{image}`: build it under this name, or name another one in `image`"
                    ),
                ));
            }
            if wish.unwrap_or(service.pull) == Pull::Never {
                return Err(validation(
                    "services",
                    format!(
                        "`services.{name}`: there is no image `{image}`, and it is not to be fetched"
                    ),
                ));
            }
        }
        Ok(())
    }

    fn wanted<'a>(&self, service: &'a Service) -> Wanted<'a> {
        let image_id = self.known.get(&service.spec.image).cloned().unwrap_or_default();
        Wanted { service, hash: hash(service, &image_id), image_id }
    }
}

/// The networks that are to be made.
fn networks(plan: &Plan) -> Result<Vec<&Network>, Error> {
    if plan.networks.is_empty() {
        return Ok(Vec::new());
    }
    let there =
        networks::list().map_err(|error| About::Network.during("listing networks", error))?;
    let mut missing = Vec::new();
    for network in &plan.networks {
        let name = &network.spec.name;
        match there.iter().find(|it| it.name == *name) {
            Some(found) if !network.external && is_other(&found.labels, &network.spec.labels) => {
                return Err(conflict(format!(
                    "the network `{name}` is there with other settings: `compose-down` removes it with the stack, and the next `deploy-compose` makes it as the file says"
                )));
            }
            Some(_) => {}
            None if network.external => return Err(About::Network.missing(name)),
            None => missing.push(network),
        }
    }
    Ok(missing)
}

/// The volumes that are to be made.
fn volumes(plan: &Plan) -> Result<Vec<&Volume>, Error> {
    if plan.volumes.is_empty() {
        return Ok(Vec::new());
    }
    let there = volumes::list().map_err(|error| About::Volume.during("listing volumes", error))?;
    let mut missing = Vec::new();
    for volume in &plan.volumes {
        let name = &volume.spec.name;
        match there.iter().find(|it| it.name == *name) {
            Some(found) if !volume.external && is_other(&found.labels, &volume.spec.labels) => {
                return Err(conflict(format!(
                    "the volume `{name}` is there with other settings, and its data would be lost: remove it with `remove-volume`, or give another name"
                )));
            }
            Some(_) => {}
            None if volume.external => return Err(About::Volume.missing(name)),
            None => missing.push(volume),
        }
    }
    Ok(missing)
}

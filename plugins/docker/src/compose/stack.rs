//! Which stack is meant, and which service of it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use windlass_sdk::{Call, Error};

use super::{
    deploy::invalid,
    found::{self, Found},
    load::{self, Around, check_project},
    missing::missing,
    record::Record,
    settings::Settings,
    source::{self, Given},
};
use crate::error::{About, coded};

/// Which stack, and which service of it.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Which {
    pub(crate) project_name: String,
    /// Not needed: the text of the Compose file, or its path in a folder that the operator granted. Then only its services are meant.
    compose_file: Option<String>,
    /// Only this service.
    service: Option<String>,
}

impl Which {
    /// The containers that are meant.
    pub(crate) fn found(&self, call: &Call) -> Result<Vec<Found>, Error> {
        let project = &self.project_name;
        check_project(project).map_err(invalid)?;
        let mut found = found::of_project(project).map_err(|error| {
            About::Container.during(&format!("looking at compose project '{project}'"), error)
        })?;
        if found.is_empty() {
            return Err(missing(project)?);
        }
        if let Some(file) = Given::from(None, self.compose_file.clone())? {
            self.keep_those_of(&file, &mut found, call)?;
        }
        if let Some(service) = &self.service {
            let there: Vec<_> = found.iter().map(|it| format!("`{}`", it.service)).collect();
            found.retain(|it| it.service == *service);
            if found.is_empty() {
                let message = format!(
                    "the project `{project}` has no service `{service}`: it has {}",
                    there.join(", ")
                );
                return Err(coded("SERVICE_NOT_FOUND", Error::not_found(message)));
            }
        }
        Ok(found)
    }

    /// The containers of services that a file has, which need what it says.
    fn keep_those_of(
        &self,
        file: &Given,
        found: &mut Vec<Found>,
        call: &Call,
    ) -> Result<(), Error> {
        let settings = Settings::of(call)?;
        let stack = Record::read(&self.project_name)?.stack;
        let environment = stack.map_or_else(BTreeMap::new, |it| it.environment);
        let around = Around {
            project: &self.project_name,
            environment: &environment,
            variables: &settings.variables,
            secrets: &settings.secrets,
            profiles: &["*".to_owned()],
            services: &[],
            read: &source::read,
        };
        let plan = load::plan(&file.read().map_err(invalid)?, &around).map_err(invalid)?;
        found.retain(|it| plan.known.contains(&it.service));
        for it in found {
            if let Some(service) = plan.service(&it.service) {
                it.needs.clone_from(&service.needs);
            }
        }
        Ok(())
    }
}

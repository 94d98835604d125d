//! `deploy-compose`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Error, Hints, Result, Stop, Tool,
    jobs::{Spec, submit},
};

use super::{
    difference::Wish,
    load::{self, Around, Source},
    plan::{Plan, Pull},
    record::{Record, Stack},
    reply::Deployed,
    settings::Settings,
    source::{self, Given},
    stage::{Images, Stage},
    work::Work,
};
use crate::{
    amount::Scalar,
    consent,
    error::{coded, validation},
    list::yes,
};

/// As long as a stack may take to be healthy where nobody says.
const TIMEOUT_S: u32 = 200;

/// Brings a stack to what its Compose file says. What is unchanged goes on, what changed is made anew, what the file does not have
/// any more goes; volumes stay. Waits until all is healthy; where that fails, what ran before runs again. The file is remembered, with
/// `environment` and `profiles`: without a file the stack is deployed again as it was. It goes on when the caller goes away.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct DeployCompose {
    /// Small letters, digits, `-` and `_`. Containers are called `<project>-<service>-<number>`.
    project_name: String,
    /// The text of the Compose file. What is not done here is refused by name; `build` needs an image that is there.
    compose_yaml: Option<String>,
    /// In its place: the absolute path of a Compose file in a folder that the operator granted, or its text.
    compose_file: Option<String>,
    /// Values of `${VARIABLES}` in the file. They are kept.
    #[serde(default)]
    environment: BTreeMap<String, Scalar>,
    /// Which of the file's profiles are on.
    profiles: Option<Vec<String>>,
    /// Only these services, and what they need.
    #[serde(default)]
    services: Vec<String>,
    /// Whether containers go whose service is not in the file any more.
    #[serde(default = "yes")]
    remove_orphans: bool,
    /// First removes the stack with its volumes and all data in them: then there is no way back. The user is asked, where the client can.
    #[serde(default)]
    remove_volumes: bool,
    /// Also makes those anew that are unchanged.
    #[serde(default)]
    force_recreate: bool,
    /// When images are fetched. Absent: as the file says, or when they are missing.
    pull: Option<PullWhen>,
    /// Whether to wait until all containers run and are healthy. Without it nothing is taken back that ends later.
    #[serde(default = "yes")]
    wait: bool,
    /// How many seconds the stack has to be healthy, once its images are there.
    #[serde(default = "timeout")]
    #[schemars(range(min = 1, max = 3600))]
    timeout_s: u32,
    /// Only says what would be done.
    #[serde(default)]
    dry_run: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PullWhen {
    Missing,
    Always,
    Never,
}

/// A deployment that is wanted, with all that it needs to know.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Order {
    pub(crate) project: String,
    pub(crate) file: Given,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) profiles: Vec<String>,
    pub(crate) services: Vec<String>,
    pub(crate) remove_orphans: bool,
    pub(crate) remove_volumes: bool,
    pub(crate) force_recreate: bool,
    pub(crate) pull: Option<PullWhen>,
    pub(crate) wait: bool,
    pub(crate) timeout_s: u32,
}

impl Tool for DeployCompose {
    const NAME: &'static str = "deploy-compose";
    const TITLE: Option<&'static str> = Some("Deploy a Compose stack");
    const HINTS: Hints =
        Hints::DESTRUCTIVE.union(Hints::IDEMPOTENT).union(Hints::OPEN_WORLD).union(Hints::JOB);
    type Output = Deployed;

    fn run(self, call: &Call) -> Result<Deployed> {
        let is_dry = self.dry_run;
        let order = self.order()?;
        let settings = Settings::of(call)?;
        let (_, plan) = order.plan(&settings)?;
        if is_dry {
            return Ok(order.told_beforehand(&plan)?);
        }
        if order.remove_volumes {
            let question = format!(
                "Remove the stack `{}` with its volumes and all data in them, and deploy it anew?",
                order.project
            );
            consent::ask(call, &question)?;
        }
        let title = format!("deploy {}", order.project);
        let lane = lane(&order.project);
        let spec = Spec::new(title, &Work { order })?.lane(lane);
        Err(Stop::Job(submit(&spec)?))
    }
}

impl DeployCompose {
    fn order(self) -> Result<Order, Error> {
        load::check_project(&self.project_name).map_err(invalid)?;
        let given = Given::from(self.compose_yaml, self.compose_file)?;
        let mut environment: BTreeMap<_, _> =
            self.environment.into_iter().map(|(name, value)| (name, value.to_string())).collect();
        let (file, profiles) = match given {
            Some(file) => (file, self.profiles.unwrap_or_default()),
            None => {
                let Some(stack) = Record::read(&self.project_name)?.stack else {
                    return Err(validation(
                        "compose_yaml",
                        format!(
                            "the project `{}` was not deployed before: give its Compose file in `compose_yaml` or `compose_file`",
                            self.project_name
                        ),
                    ));
                };
                let Stack { file, environment: before, profiles, .. } = stack;
                for (name, value) in before {
                    environment.entry(name).or_insert(value);
                }
                (file, self.profiles.unwrap_or(profiles))
            }
        };
        Ok(Order {
            project: self.project_name,
            file,
            environment,
            profiles,
            services: self.services,
            remove_orphans: self.remove_orphans,
            remove_volumes: self.remove_volumes,
            force_recreate: self.force_recreate,
            pull: self.pull,
            wait: self.wait,
            timeout_s: self.timeout_s,
        })
    }
}

impl Order {
    pub(crate) fn plan(&self, settings: &Settings) -> Result<(Source, Plan), Error> {
        let source = self.file.read().map_err(invalid)?;
        let around = Around {
            project: &self.project,
            environment: &self.environment,
            variables: &settings.variables,
            secrets: &settings.secrets,
            profiles: &self.profiles,
            services: &self.services,
            read: &source::read,
        };
        let plan = load::plan(&source, &around).map_err(invalid)?;
        Ok((source, plan))
    }

    pub(crate) fn wish(&self) -> Wish {
        Wish { force_recreate: self.force_recreate, remove_orphans: self.remove_orphans }
    }

    pub(crate) fn pull(&self) -> Option<Pull> {
        self.pull.map(|pull| match pull {
            PullWhen::Missing => Pull::Missing,
            PullWhen::Always => Pull::Always,
            PullWhen::Never => Pull::Never,
        })
    }

    /// What a deployment would do.
    fn told_beforehand(&self, plan: &Plan) -> Result<Deployed, Error> {
        let images = Images::look(plan)?;
        images.check(plan, self.pull())?;
        let stage = Stage::look(plan, &images, self.wish())?;
        Ok(Deployed::beforehand(&stage, images.missing))
    }
}

/// One thing at a time is done to a project.
pub(crate) fn lane(project: &str) -> String {
    format!("compose {project}")
}

/// What is wrong with a file, in the code that programs know.
pub(crate) fn invalid(error: Error) -> Error {
    let name = match error.code {
        windlass_sdk::types::Code::Denied => "POLICY_DENIED",
        windlass_sdk::types::Code::Invalid => "VALIDATION_ERROR",
        windlass_sdk::types::Code::NotFound => "SERVICE_NOT_FOUND",
        _ => "INTERNAL_ERROR",
    };
    coded(name, error)
}

fn timeout() -> u32 {
    TIMEOUT_S
}

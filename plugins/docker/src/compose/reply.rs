//! What a deployment answers.

use schemars::JsonSchema;
use serde::Serialize;

use super::{found::Found, plan::Plan, stage::Stage};

#[derive(Default, Serialize, JsonSchema)]
pub(crate) struct Deployed {
    pub(crate) success: bool,
    /// The same for people.
    pub(crate) message: String,
    pub(crate) project_name: String,
    /// Whether it only says what would be done.
    pub(crate) dry_run: bool,
    /// Names of containers that went on as they were.
    pub(crate) unchanged: Vec<String>,
    pub(crate) created: Vec<String>,
    pub(crate) recreated: Vec<String>,
    /// Those that were as they should be, and did not run.
    pub(crate) started: Vec<String>,
    pub(crate) removed: Vec<String>,
    pub(crate) networks_created: Vec<String>,
    pub(crate) volumes_created: Vec<String>,
    /// Images that had to be fetched.
    pub(crate) images_pulled: Vec<String>,
    /// Paths of keys in the file that nothing looks at.
    pub(crate) ignored: Vec<String>,
    pub(crate) warnings: Vec<String>,
    pub(crate) services: Vec<Row>,
}

/// A service, after it was deployed.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Row {
    pub(crate) service: String,
    pub(crate) image: String,
    pub(crate) replicas: u32,
}

impl Deployed {
    pub(crate) fn of(stage: &Stage<'_>, images_pulled: Vec<String>) -> Self {
        let plan = stage.plan;
        let changes = &stage.changes;
        let names = |found: &[Found]| found.iter().map(|it| it.name.clone()).collect();
        let made = |is_new: bool| {
            let made = changes.make.iter().filter(|it| it.replaces.is_none() == is_new);
            let name = |make: &super::difference::Make| {
                let service = plan.service(&make.service)?;
                Some(service.container(&plan.project, make.number))
            };
            made.filter_map(name).collect()
        };
        let row = |it: &super::plan::Service| Row {
            service: it.name.clone(),
            image: it.spec.image.clone(),
            replicas: it.replicas,
        };
        Self {
            success: true,
            message: String::new(),
            project_name: plan.project.clone(),
            dry_run: false,
            unchanged: names(&changes.keep),
            created: made(true),
            recreated: made(false),
            started: names(&changes.start),
            removed: names(&changes.remove),
            networks_created: stage.networks.iter().map(|it| it.spec.name.clone()).collect(),
            volumes_created: stage.volumes.iter().map(|it| it.spec.name.clone()).collect(),
            images_pulled,
            ignored: plan.ignored.clone(),
            warnings: plan.warnings.clone(),
            services: plan.services.iter().map(row).collect(),
        }
    }

    /// What would be done.
    pub(crate) fn beforehand(stage: &Stage<'_>, images_missing: Vec<String>) -> Self {
        let mut told = Self::of(stage, images_missing);
        told.dry_run = true;
        let head = format!("Compose project '{}' would be deployed", told.project_name);
        told.message = told.text(&head, stage.plan);
        told
    }

    pub(crate) fn done(mut self, plan: &Plan) -> Self {
        let head = format!("Compose project '{}' deployed successfully", self.project_name);
        self.message = self.text(&head, plan);
        self
    }

    fn text(&self, head: &str, plan: &Plan) -> String {
        let mut lines = vec![head.to_owned()];
        let mut line = |what: &str, names: &[String]| {
            if !names.is_empty() {
                lines.push(format!("{what}: {}", names.join(", ")));
            }
        };
        line("Images pulled", &self.images_pulled);
        line("Networks created", &self.networks_created);
        line("Volumes created", &self.volumes_created);
        line("Created", &self.created);
        line("Recreated", &self.recreated);
        line("Started", &self.started);
        line("Unchanged", &self.unchanged);
        line("Removed", &self.removed);
        line("Ignored keys", &plan.ignored);
        line("Warnings", &self.warnings);
        lines.join("\n")
    }
}

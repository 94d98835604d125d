//! Stacks of Compose files, on the real engine.

mod elements;
mod converge;
mod failures;
mod crashes;
mod tools;
mod interop;
mod images;

use serde_json::{Value, json};

use super::desk::{Desk, WAIT};
use crate::support::engine::IMAGE;

/// A service that waits, with more keys below it.
fn service(name: &str, more: &str) -> String {
    let more: String = more.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "  {name}:\n    image: {IMAGE}\n    command: [sh, -c, \"{}\"]\n{more}",
        WAIT.replace('$', "$$")
    )
}

/// A file of such services.
fn stack(services: &[(&str, &str)]) -> String {
    let services: String = services.iter().map(|(name, more)| service(name, more)).collect();
    format!("services:\n{services}")
}

impl Desk {
    /// Deploys a file as this project; gives what was told.
    #[track_caller]
    fn deploy(&mut self, project: &str, yaml: &str) -> Value {
        self.deploy_with(project, yaml, json!({}))
    }

    /// The same with these arguments besides.
    #[track_caller]
    fn deploy_with(&mut self, project: &str, yaml: &str, more: Value) -> Value {
        let arguments = json!({"project_name": project, "compose_yaml": yaml});
        self.call("deploy-compose", crate::support::bench::merged(arguments, more))
    }

    /// Deploys a file, which must fail; gives its code and message.
    #[track_caller]
    fn deploy_fails(&mut self, project: &str, yaml: &str) -> String {
        self.fails("deploy-compose", json!({"project_name": project, "compose_yaml": yaml}))
    }

    /// What the engine says of a container.
    #[track_caller]
    fn inspect(&self, name: &str) -> Value {
        self.seen("containers", name).unwrap_or_else(|| panic!("there is no container `{name}`"))
    }
}

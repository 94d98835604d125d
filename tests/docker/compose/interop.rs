//! Stacks are seen by Debian's `docker-compose`, and its stacks are seen here.

use std::{
    env, fs,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::{Desk, stack};
use crate::support::engine::skip;

const PROGRAM: &str = "docker-compose";

/// `docker-compose` on a file of the test's folder, if it is installed.
struct Compose<'a> {
    desk: &'a Desk,
    project: &'a str,
}

impl Compose<'_> {
    #[track_caller]
    fn run(&self, arguments: &[&str]) -> String {
        let file = self.desk.folder.join("docker-compose.yml");
        let output = Command::new(PROGRAM)
            .args(["-p", self.project, "-f"])
            .arg(file)
            .args(arguments)
            .env("DOCKER_HOST", self.desk.engine.address())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {text}{errors}");
        text
    }
}

fn is_installed() -> Option<()> {
    let path = env::var_os("PATH").unwrap_or_default();
    if env::split_paths(&path).any(|folder| folder.join(PROGRAM).is_file()) {
        return Some(());
    }
    skip("no `docker-compose`: `apt-get install docker-compose`")
}

/// A file that both understand.
fn file() -> String {
    let says = "entrypoint: [sh, -c, \"echo hello from $$HOSTNAME; trap 'exit 0' TERM; while :; do sleep 1 & wait; done\"]";
    let services = stack(&[
        ("db", "volumes: ['data:/data']"),
        ("web", &format!("{says}\nhostname: web\ndepends_on: [db]")),
    ]);
    format!("version: '3.8'\n{services}volumes:\n  data: {{}}\n")
}

fn names(listed: &Value) -> Vec<String> {
    crate::docker::desk::names(&listed["containers"])
}

#[test]
fn docker_compose_sees_a_stack_of_ours() {
    if is_installed().is_none() {
        return;
    }
    let Some(mut desk) = Desk::new() else { return };
    let project = desk.name("shop");
    fs::write(desk.folder.join("docker-compose.yml"), file()).unwrap();
    desk.deploy(&project, &file());
    let web = format!("{project}-web-1");
    let started = desk.inspect(&web)["State"]["StartedAt"].clone();
    let compose = Compose { desk: &desk, project: &project };
    let listed = compose.run(&["ps"]);
    assert!(listed.contains(&web) && listed.contains(&format!("{project}-db-1")), "{listed}");
    assert!(compose.run(&["logs", "--no-color", "web"]).contains("hello from web"));
    compose.run(&["restart", "-t", "0", "web"]);
    assert!(desk.inspect(&web)["State"]["StartedAt"] != started);
    compose.run(&["down", "-v", "-t", "0"]);
    assert_eq!(desk.seen("containers", &web), None);
    assert_eq!(desk.seen("networks", &format!("{project}_default")), None);
    assert_eq!(desk.seen("volumes", &format!("{project}_data")), None);
}

#[test]
fn a_stack_of_docker_compose_is_seen_here_and_taken_over() {
    if is_installed().is_none() {
        return;
    }
    let Some(mut desk) = Desk::new() else { return };
    let project = desk.name("shop");
    fs::write(desk.folder.join("docker-compose.yml"), file()).unwrap();
    Compose { desk: &desk, project: &project }.run(&["up", "-d"]);
    let named = |service: &str| format!("{project}_{service}_1");
    let whole = json!({"project_name": project});
    let listed = desk.call("compose-ps", whole.clone());
    assert_eq!(names(&listed), [named("db"), named("web")]);
    assert_eq!(listed["containers"][1]["service"], "web");
    let (text, _) = desk.told("compose-logs", whole.clone());
    assert!(text.contains("web-1  | hello from web"), "{text}");
    let running =
        |desk: &Desk, service: &str| desk.inspect(&named(service))["State"]["Running"].clone();
    desk.call("compose-stop", whole.clone());
    assert_eq!((running(&desk, "db"), running(&desk, "web")), (json!(false), json!(false)));
    desk.call("compose-start", whole.clone());
    assert_eq!((running(&desk, "db"), running(&desk, "web")), (json!(true), json!(true)));
    desk.call(
        "compose-restart",
        json!({"project_name": project, "service": "web", "timeout_s": 0}),
    );

    // Deployed here, it is made anew under the names of today, on the volume that it has.
    let volume = format!("{project}_data");
    let made = desk.seen("volumes", &volume).unwrap()["CreatedAt"].clone();
    let told = desk.deploy(&project, &file());
    assert_eq!(
        told["recreated"],
        json!([format!("{project}-db-1"), format!("{project}-web-1")]),
        "{told}"
    );
    assert_eq!(
        names(&desk.call("compose-ps", whole.clone())),
        [format!("{project}-db-1"), format!("{project}-web-1")]
    );
    assert_eq!(desk.seen("volumes", &volume).unwrap()["CreatedAt"], made);
    let removed = desk.call(
        "compose-down",
        json!({"project_name": project, "remove_volumes": true, "timeout_s": 0}),
    );
    assert_eq!(removed["volumes"], json!([volume]));
    assert_eq!(removed["networks"], json!([format!("{project}_default")]));
}

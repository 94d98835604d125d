//! The host is killed in the middle of a deployment; and two want the same stack at once.

use serde_json::{Value, json};

use super::{Desk, stack};
use crate::support::{engine::labelled, until};

/// The containers of a project, with the state of each.
fn containers(desk: &Desk, project: &str) -> Vec<(String, String)> {
    let found = labelled(&desk.engine, &format!("com.docker.compose.project={project}")).unwrap();
    let text = |it: &Value| it.as_str().unwrap().trim_start_matches('/').to_owned();
    let mut all: Vec<_> =
        found.iter().map(|it| (text(&it["Names"][0]), text(&it["State"]))).collect();
    all.sort();
    all
}

/// Begins a deployment, and gives its job once it is under way.
fn begun(desk: &mut Desk, project: &str, yaml: &str, is_there: impl Fn(&Desk) -> bool) -> String {
    let arguments = json!({"project_name": project, "compose_yaml": yaml});
    desk.host().begin("tools/call", json!({"name": "deploy-compose", "arguments": arguments}));
    until("the deployment is in its middle", || is_there(desk));
    let jobs = desk.call("job_list", json!({}));
    let jobs = jobs["jobs"].as_array().unwrap();
    let running =
        jobs.iter().find(|it| it["state"] == "running").unwrap_or_else(|| panic!("{jobs:?}"));
    running["job_id"].as_str().or(running["id"].as_str()).unwrap().to_owned()
}

/// A stack whose second deployment waits for a container that is not healthy before the engine is told.
fn slow(file: &str) -> String {
    stack(&[
        (
            "db",
            &format!(
                "environment: [A=b]\nhealthcheck: {{test: 'test -e /data/{file}', interval: 100ms, retries: 1000}}\nvolumes: ['data:/data']"
            ),
        ),
        ("web", "environment: [A=b]\ndepends_on: {db: {condition: service_healthy}}"),
    ]) + "volumes: {data: {}}\n"
}

fn before() -> String {
    stack(&[("db", "volumes: ['data:/data']"), ("web", ""), ("old", "")]) + "volumes: {data: {}}\n"
}

/// Makes the database of the second stack healthy.
fn let_go(desk: &mut Desk, project: &str) {
    let name = format!("{project}-db-1");
    until("the database runs", || {
        desk.seen("containers", &name).is_some_and(|it| it["State"]["Running"] == true)
    });
    desk.call(
        "exec-in-container",
        json!({"container_name": name, "command": ["touch", "/data/go"]}),
    );
}

#[test]
fn a_deployment_goes_on_when_the_host_is_killed() {
    let Some(mut desk) = Desk::new() else { return };
    let project = desk.name("shop");
    desk.deploy(&project, &before());
    let db = format!("{project}-db-1");
    let in_middle = |desk: &Desk| {
        desk.seen("containers", &db).is_some_and(|it| it["State"]["Health"]["Status"] == "starting")
    };
    let job = begun(&mut desk, &project, &slow("go"), in_middle);
    // What it began is taken back, and it is begun again; twice, as it is killed once more.
    for _ in 0..2 {
        let before = desk.inspect(&db)["Id"].clone();
        desk.killed();
        let is_another = |desk: &Desk| {
            desk.seen("containers", &db).is_some_and(|it| it["Id"] != before) && in_middle(desk)
        };
        until("it runs again", || is_another(&desk));
    }
    let_go(&mut desk, &project);
    until("the deployment ends", || {
        desk.call("job_status", json!({"job_id": job}))["state"] == "completed"
    });
    let running = |name: &str| (format!("{project}-{name}-1"), "running".to_owned());
    assert_eq!(containers(&desk, &project), [running("db"), running("web")]);
    let told = desk.call("deploy-compose", json!({"project_name": project}));
    assert_eq!(told["unchanged"].as_array().unwrap().len(), 2, "{told}");
}

#[test]
fn a_deployment_that_is_cancelled_leaves_what_was_there_before() {
    let Some(mut desk) = Desk::new() else { return };
    let project = desk.name("shop");
    desk.deploy(&project, &before());
    let first = containers(&desk, &project);
    let db = format!("{project}-db-1");
    let in_middle = |desk: &Desk| {
        desk.seen("containers", &db).is_some_and(|it| it["State"]["Health"]["Status"] == "starting")
    };
    let job = begun(&mut desk, &project, &slow("go"), in_middle);
    let failed = desk.fails("compose-down", json!({"project_name": project}));
    assert!(
        failed.starts_with(&format!(
            "CONFLICT: the project `{project}` is being deployed by the job `{job}`"
        )),
        "{failed}"
    );
    desk.call("job_cancel", json!({"job_id": job}));
    until("what was there before is there again", || containers(&desk, &project) == first);
    let told = desk.call("deploy-compose", json!({"project_name": project}));
    assert_eq!(told["unchanged"].as_array().unwrap().len(), 3, "{told}");
}

#[test]
fn two_deployments_of_one_project_are_one_after_the_other() {
    let Some(mut desk) = Desk::new() else { return };
    let project = desk.name("shop");
    let yaml = |at: usize| stack(&[("web", &format!("environment: [A={at}]\nscale: 3"))]);
    let call = |at: usize| json!({"name": "deploy-compose", "arguments": {"project_name": project, "compose_yaml": yaml(at)}});
    let begun: Vec<_> = (0..4).map(|at| desk.host().begin("tools/call", call(at))).collect();
    for id in begun {
        let result = desk.host().answer(id)["result"].clone();
        assert_ne!(result["isError"], true, "{result}");
    }
    let all = containers(&desk, &project);
    let expected = (1..4).map(|at| (format!("{project}-web-{at}"), "running".to_owned()));
    assert!(all.iter().cloned().eq(expected), "{all:?}");
    let env = |at: usize| desk.inspect(&format!("{project}-web-{at}"))["Config"]["Env"][0].clone();
    assert!(env(1) == env(2) && env(2) == env(3));
}

#[test]
fn a_stack_of_fifty_services_comes_up_and_goes() {
    let Some(mut desk) = Desk::new() else { return };
    let project = desk.name("big");
    let services: Vec<_> = (0..50)
        .map(|at| {
            let more = match at % 10 {
                0 => "network_mode: none".to_owned(),
                _ => format!("network_mode: none\ndepends_on: [s{:02}]", at - 1),
            };
            (format!("s{at:02}"), more)
        })
        .collect();
    let services: Vec<_> =
        services.iter().map(|(name, more)| (name.as_str(), more.as_str())).collect();
    let told = desk.deploy(&project, &stack(&services));
    assert_eq!(told["created"].as_array().unwrap().len(), 50);
    let told = desk.deploy(&project, &stack(&services));
    assert_eq!(told["unchanged"].as_array().unwrap().len(), 50);
    assert!(containers(&desk, &project).iter().all(|(_, state)| state == "running"));
    let removed = desk.call("compose-down", json!({"project_name": project, "timeout_s": 0}));
    assert_eq!(removed["containers"].as_array().unwrap().len(), 50);
    assert_eq!(containers(&desk, &project), []);
}

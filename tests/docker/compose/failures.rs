//! A deployment that fails leaves what ran before as it was.

use serde_json::{Value, json};

use super::{Desk, stack};
use crate::support::engine::labelled;

/// A stack that runs, with what the engine says of it.
fn deployed(desk: &mut Desk) -> (String, Vec<Value>) {
    let project = desk.name("shop");
    desk.deploy(&project, &stack(&[("db", ""), ("web", "depends_on: [db]"), ("gone", "")]));
    let state = state(desk, &project);
    (project, state)
}

/// Names, ids, and whether they run.
fn state(desk: &Desk, project: &str) -> Vec<Value> {
    let found = labelled(&desk.engine, &format!("com.docker.compose.project={project}")).unwrap();
    let mut state: Vec<_> =
        found.iter().map(|it| json!([it["Names"], it["Id"], it["State"]])).collect();
    state.sort_by_key(ToString::to_string);
    state
}

#[track_caller]
fn check(desk: &mut Desk, yaml: &str, because: &[&str]) {
    let (project, before) = deployed(desk);
    let arguments = json!({"project_name": project, "compose_yaml": yaml, "timeout_s": 20});
    let failed = desk.fails("deploy-compose", arguments);
    for because in because {
        assert!(failed.contains(&because.replace("{p}", &project)), "{failed}");
    }
    assert_eq!(state(desk, &project), before, "{failed}");
    let networks = desk.seen("networks", &format!("{project}_fresh"));
    assert_eq!(networks, None);
    // What is kept is what was there before.
    let told = desk.call("deploy-compose", json!({"project_name": project}));
    assert_eq!(told["unchanged"].as_array().unwrap().len(), 3, "{told}");
}

#[test]
fn a_command_that_is_not_there_takes_the_deployment_back() {
    let Some(mut desk) = Desk::new() else { return };
    let yaml = stack(&[
        ("db", "environment: [A=b]"),
        ("web", "depends_on: [db]\nentrypoint: /none\nnetworks: [fresh]\nvolumes: ['fresh:/x']"),
    ]) + "networks: {fresh: {}}\nvolumes: {fresh: {}}";
    check(
        &mut desk,
        &yaml,
        &["Error starting container '{p}-web-1'", "/none", "what was there before is there again"],
    );
}

#[test]
fn a_container_that_ends_takes_the_deployment_back_and_says_what_it_said() {
    let Some(mut desk) = Desk::new() else { return };
    let yaml = stack(&[
        ("db", ""),
        (
            "web",
            "entrypoint: [sh, -c, 'echo about to go; sleep 0.2; exit 3']\nhealthcheck: {test: 'true', interval: 1h}",
        ),
    ]);
    check(&mut desk, &yaml, &["DOCKER_ERROR", "`{p}-web-1` ended with exit code 3", "about to go"]);
}

#[test]
fn a_container_that_is_unhealthy_takes_the_deployment_back() {
    let Some(mut desk) = Desk::new() else { return };
    let check_it = "healthcheck: {test: 'echo no way; exit 1', interval: 100ms, retries: 2}";
    let yaml =
        stack(&[("db", check_it), ("web", "depends_on: {db: {condition: service_healthy}}")]);
    check(&mut desk, &yaml, &["`{p}-db-1` is unhealthy", "no way"]);
}

#[test]
fn a_service_that_is_never_ready_takes_the_deployment_back_in_time() {
    let Some(mut desk) = Desk::new() else { return };
    let (project, before) = deployed(&mut desk);
    let never = "healthcheck: {test: exit 1, interval: 10s, start_period: 1h}";
    let arguments =
        json!({"project_name": project, "compose_yaml": stack(&[("db", never)]), "timeout_s": 2});
    let failed = desk.fails("deploy-compose", arguments);
    assert!(failed.starts_with("TIMEOUT: ") && failed.contains("is not healthy yet"), "{failed}");
    assert_eq!(state(&desk, &project), before);
}

#[test]
fn an_image_that_is_missing_is_found_out_before_anything_is_touched() {
    let Some(mut desk) = Desk::new() else { return };
    let missing = "image: windlass-test/none:1\npull_policy: never";
    let yaml = format!("services:\n  db:\n    {}\n", missing.replace('\n', "\n    "));
    check(&mut desk, &yaml, &["there is no image `windlass-test/none:1`"]);
    let yaml = "services: {db: {build: .}}";
    check(
        &mut desk,
        yaml,
        &[
            "VALIDATION_ERROR",
            "`services.db.build`: images are not built here, and there is none `{p}-db`",
        ],
    );
}

#[test]
fn a_task_that_fails_keeps_those_from_starting_that_wait_for_it() {
    let Some(mut desk) = Desk::new() else { return };
    let yaml = stack(&[
        ("db", "entrypoint: [sh, -c, 'exit 4']"),
        ("web", "depends_on: {db: {condition: service_completed_successfully}}"),
    ]);
    check(&mut desk, &yaml, &["`{p}-db-1` ended with exit code 4"]);
}

#[test]
fn the_first_deployment_leaves_nothing_but_its_volumes_when_it_fails() {
    let Some(mut desk) = Desk::new() else { return };
    let project = desk.name("shop");
    let yaml = stack(&[("db", "volumes: ['data:/data']"), ("web", "entrypoint: /none")])
        + "volumes: {data: {}}";
    desk.deploy_fails(&project, &yaml);
    assert_eq!(state(&desk, &project), Vec::<Value>::new());
    let left = (
        desk.seen("networks", &format!("{project}_default")),
        desk.seen("volumes", &format!("{project}_data")),
    );
    assert_eq!(left.0, None);
    assert_eq!(left.1.unwrap()["Labels"]["com.docker.compose.project"], json!(project));
    let failed = desk.fails("compose-ps", json!({"project_name": project}));
    assert!(
        failed.starts_with(&format!("PROJECT_NOT_FOUND: there is no Compose project `{project}`")),
        "{failed}"
    );
}

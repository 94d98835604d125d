//! A deployment changes what has to change, and nothing else.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Desk, stack};
use crate::{docker::desk::Wish, support::engine::labelled};

/// The containers of a project by name: their ids, and since when they run.
fn running(desk: &Desk, project: &str) -> BTreeMap<String, (String, String)> {
    let found = labelled(&desk.engine, &format!("com.docker.compose.project={project}")).unwrap();
    let names =
        found.iter().map(|it| it["Names"][0].as_str().unwrap().trim_start_matches('/').to_owned());
    let known = |name: String| {
        let seen = desk.inspect(&name);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (name, (text(&seen["Id"]), text(&seen["State"]["StartedAt"])))
    };
    names.map(known).collect()
}

fn names(told: &Value) -> Vec<&str> {
    told.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect()
}

#[test]
fn what_is_unchanged_goes_on_and_only_what_changed_is_made_anew() {
    let Some(mut desk) = Desk::new() else { return };
    let project = desk.name("shop");
    let name = |service: &str| format!("{project}-{service}");
    let yaml = stack(&[("db", ""), ("web", "depends_on: [db]\nscale: 2"), ("other", "")]);
    let told = desk.deploy(&project, &yaml);
    assert_eq!(told["created"].as_array().unwrap().len(), 4, "{told}");
    let first = running(&desk, &project);

    let told = desk.deploy(&project, &yaml);
    assert_eq!(told["unchanged"].as_array().unwrap().len(), 4, "{told}");
    assert_eq!(running(&desk, &project), first);
    // Without its file it is what it was.
    let told = desk.call("deploy-compose", json!({"project_name": project}));
    assert_eq!(told["unchanged"].as_array().unwrap().len(), 4, "{told}");

    let yaml = stack(&[
        ("db", ""),
        ("web", "depends_on: [db]\nscale: 3\nenvironment: {A: b}"),
        ("more", ""),
    ]);
    let told = desk.deploy_with(&project, &yaml, json!({"dry_run": true}));
    assert_eq!(names(&told["recreated"]), [name("web-1"), name("web-2")]);
    assert_eq!(running(&desk, &project), first, "it was only asked what would be done");
    let told = desk.deploy(&project, &yaml);
    assert_eq!(names(&told["recreated"]), [name("web-1"), name("web-2")], "{told}");
    assert_eq!(names(&told["created"]), [name("more-1"), name("web-3")], "{told}");
    assert_eq!(names(&told["removed"]), [name("other-1")], "{told}");
    assert_eq!(names(&told["unchanged"]), [name("db-1")], "{told}");
    let second = running(&desk, &project);
    assert_eq!(second[&name("db-1")], first[&name("db-1")]);
    let expected = ["db-1", "more-1", "web-1", "web-2", "web-3"].map(name);
    assert!(second.keys().eq(&expected), "{second:?}");

    // Down to one, and an orphan stays where that is asked for.
    let yaml = stack(&[("db", ""), ("web", "depends_on: [db]\nscale: 1\nenvironment: {A: b}")]);
    let told = desk.deploy_with(&project, &yaml, json!({"remove_orphans": false}));
    assert_eq!(names(&told["removed"]), [name("web-2"), name("web-3")], "{told}");
    let third = running(&desk, &project);
    assert!(third.keys().eq(&["db-1", "more-1", "web-1"].map(name)), "{third:?}");
    assert_eq!(third[&name("web-1")], second[&name("web-1")]);
}

#[test]
fn one_that_stopped_is_started_and_one_that_is_gone_is_made() {
    let Some(mut desk) = Desk::new() else { return };
    let project = desk.name("shop");
    let yaml = stack(&[("db", ""), ("web", ""), ("kept", "")]);
    desk.deploy(&project, &yaml);
    let first = running(&desk, &project);
    let name = |service: &str| format!("{project}-{service}-1");
    desk.call("compose-stop", json!({"project_name": project, "service": "db"}));
    desk.call("remove-container", json!({"container_name": name("web"), "force": true}));
    let told = desk.deploy(&project, &yaml);
    assert_eq!(names(&told["started"]), [name("db")], "{told}");
    assert_eq!(names(&told["created"]), [name("web")], "{told}");
    assert_eq!(names(&told["unchanged"]), [name("kept")], "{told}");
    let second = running(&desk, &project);
    assert_eq!(second[&name("db")].0, first[&name("db")].0);

    let told =
        desk.deploy_with(&project, &yaml, json!({"force_recreate": true, "services": ["db"]}));
    assert_eq!(names(&told["recreated"]), [name("db")], "{told}");
    let third = running(&desk, &project);
    assert!(third[&name("db")].0 != second[&name("db")].0);
    assert_eq!(third[&name("web")], second[&name("web")]);
}

#[test]
fn volumes_outlive_redeploys_and_the_stack() {
    // Volumes without a name have one that nobody can say beforehand.
    let wish = Wish {
        grant: "names = ['*']\nnetworks = ['{mark}-*']\nregistries = ['docker.io']",
        ..Wish::default()
    };
    let Some(mut desk) = Desk::with(&wish) else { return };
    let project = desk.name("shop");
    let yaml = |more: &str| {
        stack(&[("db", &format!("volumes: ['data:/data', /scratch]\n{more}"))])
            + "volumes: {data: {}}\n"
    };
    let container = format!("{project}-db-1");
    let run = |desk: &mut Desk, command: &str| {
        let ran = desk.call(
            "exec-in-container",
            json!({"container_name": container, "command": ["sh", "-c", command]}),
        );
        ran["stdout"].as_str().unwrap().trim().to_owned()
    };
    let told = desk.deploy(&project, &yaml(""));
    assert_eq!(told["volumes_created"], json!([format!("{project}_data")]));
    run(&mut desk, "echo kept > /data/file; echo too > /scratch/file");
    let told = desk.deploy(&project, &yaml("user: '0'"));
    assert_eq!(names(&told["recreated"]), [&*container], "{told}");
    assert_eq!(run(&mut desk, "cat /data/file /scratch/file"), "kept\ntoo");

    // Neither does one that fails touch them.
    desk.deploy_fails(&project, &yaml("user: '1'\nentrypoint: /none"));
    assert_eq!(run(&mut desk, "cat /data/file /scratch/file"), "kept\ntoo");

    let scratch = desk.inspect(&container)["Mounts"].clone();
    let removed = desk.call("compose-down", json!({"project_name": project}));
    assert_eq!(removed["volumes"], json!([]));
    for name in scratch.as_array().unwrap().iter().filter_map(|it| it["Name"].as_str()) {
        assert!(desk.seen("volumes", name).is_some());
        if !name.ends_with("_data") {
            desk.engine.delete(&format!("/volumes/{name}")).unwrap();
        }
    }
    assert_eq!(desk.seen("networks", &format!("{project}_default")), None);
    desk.deploy(&project, &yaml(""));
    assert_eq!(
        run(&mut desk, "cat /data/file; cat /scratch/file"),
        "kept",
        "the other one had no name"
    );

    desk.deploy_with(&project, &yaml(""), json!({"remove_volumes": true}));
    assert_eq!(run(&mut desk, "cat /data/file"), "");
    desk.call("compose-down", json!({"project_name": project, "remove_volumes": true}));
    assert_eq!(desk.seen("volumes", &format!("{project}_data")), None);
}

#[test]
fn a_volume_without_a_name_that_is_out_of_reach_is_told_of_and_stays() {
    let Some(mut desk) = Desk::new() else { return };
    let project = desk.name("shop");
    desk.deploy(&project, &stack(&[("db", "volumes: [/scratch]")]));
    let container = format!("{project}-db-1");
    let volume = desk.inspect(&container)["Mounts"][0]["Name"].as_str().unwrap().to_owned();
    let told = desk.deploy(&project, &stack(&[("db", "volumes: [/scratch]\nuser: '0'")]));
    let expected = format!(
        "`{container}` begins with nothing at `/scratch`: what was there stays in the volume `{volume}`, which `grants.engine.names` does not reach"
    );
    assert_eq!(told["warnings"], json!([expected]));
    assert!(desk.seen("volumes", &volume).is_some());
    desk.engine.delete(&format!("/volumes/{volume}")).unwrap();
}

#[test]
fn who_shares_or_restarts_with_another_one_follows_it() {
    let Some(mut desk) = Desk::new() else { return };
    let project = desk.name("shop");
    let yaml = |more: &str| {
        stack(&[
            ("db", &format!("stop_signal: KILL\n{more}")),
            ("side", "network_mode: service:db"),
            ("web", "depends_on: {db: {condition: service_started, restart: true}}"),
            ("other", "depends_on: [db]"),
        ])
    };
    desk.deploy(&project, &yaml(""));
    let first = running(&desk, &project);
    let name = |service: &str| format!("{project}-{service}-1");
    let told = desk.deploy(&project, &yaml("environment: [A=b]"));
    assert_eq!(names(&told["recreated"]), [name("db"), name("side")], "{told}");
    let second = running(&desk, &project);
    assert_eq!(second[&name("web")].0, first[&name("web")].0);
    assert!(second[&name("web")].1 != first[&name("web")].1, "it started again");
    assert_eq!(second[&name("other")], first[&name("other")]);
}

#[test]
fn variables_come_from_the_call_and_from_beside_the_file_and_are_kept() {
    let wish = Wish {
        files: "'{folder}'",
        config: "variables = { A = 'configured', B = 'configured', C = 'configured' }",
        ..Wish::default()
    };
    let Some(mut desk) = Desk::with(&wish) else { return };
    let project = desk.name("shop");
    let yaml = stack(&[("web", "environment: ['X=${A} ${B} ${C} ${D:-none} ${E}']")]);
    std::fs::write(desk.folder.join("compose.yaml"), yaml).unwrap();
    std::fs::write(desk.folder.join(".env"), "A=beside\nB=beside\n").unwrap();
    let file = desk.folder.join("compose.yaml").display().to_string();
    let arguments = json!({"project_name": project, "compose_file": file, "environment": {"A": 5}});
    let told = desk.call("deploy-compose", arguments);
    assert_eq!(told["warnings"], json!(["the variable `E` is not set, and stands for nothing"]));
    let container = format!("{project}-web-1");
    let env = |desk: &Desk| desk.inspect(&container)["Config"]["Env"].to_string();
    assert!(env(&desk).contains("\"X=5 beside configured none \""), "{}", env(&desk));
    let labels = desk.inspect(&container)["Config"]["Labels"].clone();
    assert_eq!(labels["com.docker.compose.project.config_files"], json!(file));
    assert_eq!(
        labels["com.docker.compose.project.working_dir"],
        json!(desk.folder.display().to_string())
    );
    let told = desk.call("deploy-compose", json!({"project_name": project}));
    assert_eq!(names(&told["unchanged"]), [&*container], "{told}");
    let failed = desk.fails("deploy-compose", json!({"project_name": project, "compose_yaml": "services: {a: {image: '${NONE:?say which}'}}"}));
    assert_eq!(
        failed,
        "VALIDATION_ERROR: `services.a.image`: the variable `NONE` is required, give it in `environment`: say which"
    );
}

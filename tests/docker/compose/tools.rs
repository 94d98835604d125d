//! The tools around a deployment: what they take, and what they tell.

use serde_json::{Value, json};

use super::{Desk, service, stack};
use crate::docker::desk::{Wish, names};

fn says(what: &str) -> String {
    format!(
        "entrypoint: [sh, -c, \"echo {what}; echo wrong >&2; trap 'exit 0' TERM; while :; do sleep 1 & wait; done\"]"
    )
}

#[test]
fn a_stack_is_shown_read_stopped_and_started_as_it_was_told() {
    let Some(mut desk) = Desk::new() else { return };
    let project = desk.name("shop");
    let yaml = stack(&[("db", &says("ready")), ("web", "depends_on: [db]")]);
    let told = desk.deploy(&project, &yaml);
    let message = told["message"].as_str().unwrap();
    assert!(
        message.starts_with(&format!("Compose project '{project}' deployed successfully\n")),
        "{message}"
    );
    let name = |service: &str| format!("{project}-{service}-1");

    let (text, rows) = desk.told("compose-ps", json!({"project_name": project}));
    assert!(text.starts_with(&format!("Compose project '{project}':\nNAME")), "{text}");
    assert_eq!(names(&rows["containers"]), [name("db"), name("web")]);
    assert_eq!(
        (&rows["containers"][0]["service"], &rows["containers"][0]["state"]),
        (&json!("db"), &json!("running"))
    );

    let (text, rows) = desk.told("compose-logs", json!({"project_name": project, "service": "db"}));
    assert!(text.starts_with(&format!("Logs for compose project '{project}':\n")), "{text}");
    assert!(text.contains("db-1  | ready\n") && text.contains("db-1  | wrong\n"), "{text}");
    assert_eq!(
        (&rows["containers"][0]["stdout"], &rows["containers"][0]["stderr"]),
        (&json!("ready\n"), &json!("wrong\n"))
    );
    let (text, _) =
        desk.told("compose-logs", json!({"project_name": project, "service": "db", "tail": 0}));
    assert!(!text.contains("ready"), "{text}");
    let later = json!({"project_name": project, "since": "2099-01-01T00:00:00Z"});
    let (text, _) = desk.told("compose-logs", later);
    assert!(!text.contains("ready"), "{text}");

    for (tool, done, runs) in
        [("stop", "stopped", false), ("start", "started", true), ("restart", "restarted", true)]
    {
        let (text, rows) = desk.told(&format!("compose-{tool}"), json!({"project_name": project}));
        assert_eq!(text, format!("Compose project '{project}' {done} successfully (2 containers)"));
        assert_eq!(rows["containers"], json!([name("db"), name("web")]));
        for service in ["db", "web"] {
            assert_eq!(desk.inspect(&name(service))["State"]["Running"], runs, "{tool} {service}");
        }
    }
    let removed = desk.call("compose-down", json!({"project_name": project}));
    assert_eq!(
        removed["message"],
        format!(
            "Compose project '{project}' removed successfully: 2 containers, 1 networks, 0 volumes"
        )
    );
    let failed = desk.fails("deploy-compose", json!({"project_name": project}));
    assert!(
        failed.starts_with(&format!(
            "VALIDATION_ERROR: the project `{project}` was not deployed before"
        )),
        "{failed}"
    );
}

#[test]
fn who_needs_others_starts_after_them_and_stops_before() {
    let Some(mut desk) = Desk::new() else { return };
    let project = desk.name("shop");
    desk.deploy(&project, &stack(&[("a", "depends_on: [b]"), ("b", "depends_on: [c]"), ("c", "")]));
    let time = |desk: &Desk, service: &str, key: &str| {
        desk.inspect(&format!("{project}-{service}-1"))["State"][key].as_str().unwrap().to_owned()
    };
    let is_in_order = |desk: &Desk, key: &str, order: [&str; 3]| {
        let [first, second, third] = order.map(|it| time(desk, it, key));
        assert!(first < second && second < third, "{key}: {first} {second} {third}");
    };
    is_in_order(&desk, "StartedAt", ["c", "b", "a"]);
    desk.call("compose-stop", json!({"project_name": project}));
    is_in_order(&desk, "FinishedAt", ["a", "b", "c"]);
    desk.call("compose-start", json!({"project_name": project}));
    is_in_order(&desk, "StartedAt", ["c", "b", "a"]);
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    let Some(mut desk) = Desk::new() else { return };
    let project = desk.name("shop");
    desk.deploy(&project, &stack(&[("web", "")]));
    let other = desk.name("other");
    for tool in [
        "compose-ps",
        "compose-logs",
        "compose-start",
        "compose-stop",
        "compose-restart",
        "compose-down",
    ] {
        let failed = desk.fails(tool, json!({"project_name": other}));
        let expected = format!(
            "PROJECT_NOT_FOUND: there is no Compose project `{other}` within reach: there are `{project}`"
        );
        assert_eq!(failed, expected, "{tool}");
        for wrong in ["--help", "../x", "A", "a b", "", "-p", "a/b", "_a"] {
            let failed = desk.fails(tool, json!({"project_name": wrong}));
            assert!(
                failed.starts_with("VALIDATION_ERROR: `project_name` begins with"),
                "{tool}: {failed}"
            );
        }
    }
    let failed = desk.fails("compose-logs", json!({"project_name": project, "service": "none"}));
    assert_eq!(
        failed,
        format!("SERVICE_NOT_FOUND: the project `{project}` has no service `none`: it has `web`")
    );
    let failed =
        desk.fails("deploy-compose", json!({"project_name": project, "services": ["none"]}));
    assert!(
        failed.starts_with("SERVICE_NOT_FOUND: there is no service `none`: there are `web`"),
        "{failed}"
    );
}

#[test]
fn a_file_is_text_or_a_path_that_is_granted() {
    let wish = Wish { files: "'{folder}'", ..Wish::default() };
    let Some(mut desk) = Desk::with(&wish) else { return };
    let project = desk.name("shop");
    let yaml = stack(&[("db", ""), ("web", "")]);
    let path = desk.folder.join("compose.yaml").display().to_string();
    std::fs::write(&path, &yaml).unwrap();
    desk.call("deploy-compose", json!({"project_name": project, "compose_file": path}));
    for file in [&path, &stack(&[("web", "")])] {
        let rows = desk.call("compose-ps", json!({"project_name": project, "compose_file": file}));
        let expected = if *file == path { 2 } else { 1 };
        assert_eq!(names(&rows["containers"]).len(), expected);
    }
    let fails = |desk: &mut Desk, file: &str| {
        desk.fails("deploy-compose", json!({"project_name": project, "compose_file": file}))
    };
    let failed = fails(&mut desk, "/etc/passwd");
    assert!(
        failed.starts_with("POLICY_DENIED: ") && failed.contains("`plugins.docker.grants.files`"),
        "{failed}"
    );
    let here = |name: &str| desk.folder.join(name).display().to_string();
    let (link, none) = (here("link.yaml"), here("none.yaml"));
    let outside = format!("{}/../../etc/passwd", desk.folder.display());
    assert!(fails(&mut desk, &outside).starts_with("POLICY_DENIED: "));
    std::os::unix::fs::symlink("/etc/passwd", desk.folder.join("link.yaml")).unwrap();
    let failed = fails(&mut desk, &link);
    assert!(!failed.contains("root:"), "{failed}");
    assert!(fails(&mut desk, &none).contains("is not there"));
    for wrong in ["compose.yaml", "--help", "hello"] {
        assert!(
            fails(&mut desk, wrong).starts_with("VALIDATION_ERROR: `compose_file` is the text")
        );
    }
    let both = json!({"project_name": project, "compose_yaml": yaml, "compose_file": path});
    assert!(desk.fails("deploy-compose", both).contains("do not go together"));
}

#[test]
fn what_breaks_the_walls_names_its_grant_and_touches_nothing() {
    let Some(mut desk) = Desk::new() else { return };
    let project = desk.name("shop");
    let socket = desk.engine.address().trim_start_matches("unix://").to_owned();
    let wishes = [
        ("volumes: ['/:/host']".to_owned(), "binds", "`/`"),
        ("volumes: [{type: bind, source: /etc, target: /x}]".to_owned(), "binds", "`/etc`"),
        (format!("volumes: ['{socket}:/var/run/docker.sock']"), "powers", "engine-socket"),
        ("network_mode: host".to_owned(), "powers", "host-network"),
        ("network_mode: container:other".to_owned(), "", "other"),
        ("pid: host".to_owned(), "powers", "host-processes"),
        ("privileged: true".to_owned(), "powers", "privileged"),
        ("cap_add: [SYS_ADMIN]".to_owned(), "powers", "capabilities"),
        ("devices: [/dev/null]".to_owned(), "powers", "devices"),
        ("security_opt: ['seccomp=unconfined']".to_owned(), "powers", "unconfined"),
        ("ports: ['0.0.0.0:8080:80']".to_owned(), "ports", "8080"),
        ("ports: ['127.0.0.1:80:80']".to_owned(), "ports", "80"),
        ("container_name: other".to_owned(), "names", "`other`"),
        ("image: quay.io/me/app:1".to_owned(), "registries", "`quay.io`"),
    ];
    for (wish, key, what) in wishes {
        let yaml = service("web", &wish);
        let mut lines: Vec<_> = yaml.lines().collect();
        if wish.starts_with("image:") {
            lines.remove(1);
        }
        let failed = desk.deploy_fails(&project, &format!("services:\n{}\n", lines.join("\n")));
        let line = format!("`plugins.docker.grants.engine.{key}`");
        assert!(key.is_empty() || failed.contains(&line), "{wish}: {failed}");
        assert!(failed.contains(what), "{wish}: {failed}");
    }
    for file in [
        "env_file: /etc/passwd",
        "label_file: /etc/passwd",
        "extends: {file: /etc/passwd, service: a}",
    ] {
        let failed = desk.deploy_fails(&project, &stack(&[("web", file)]));
        assert!(
            failed.starts_with("POLICY_DENIED: ")
                && failed.contains("`plugins.docker.grants.files`"),
            "{file}: {failed}"
        );
    }
    let secret = stack(&[("web", "secrets: [one]")]) + "secrets: {one: {file: /etc/shadow}}";
    assert!(desk.deploy_fails(&project, &secret).starts_with("POLICY_DENIED: "));
    let network = stack(&[("web", "networks: [one]")]) + "networks: {one: {name: other}}";
    assert!(
        desk.deploy_fails(&project, &network).contains("`plugins.docker.grants.engine.networks`")
    );
    let volume = stack(&[("web", "volumes: ['one:/x']")]) + "volumes: {one: {name: other}}";
    assert!(desk.deploy_fails(&project, &volume).contains("`plugins.docker.grants.engine.names`"));
    let relative = desk.deploy_fails(&project, &stack(&[("web", "volumes: ['./x:/x']")]));
    assert!(relative.contains("`services.web.volumes[0]`: `./x` is relative"), "{relative}");
    let failed = desk.fails("compose-ps", json!({"project_name": project}));
    assert!(failed.starts_with("PROJECT_NOT_FOUND: "), "{failed}");
}

#[test]
fn the_user_is_asked_before_data_goes() {
    let wish = Wish { capabilities: json!({"elicitation": {}}), ..Wish::default() };
    let Some(mut desk) = Desk::with(&wish) else { return };
    let project = desk.name("shop");
    let yaml = stack(&[("web", "")]);
    desk.deploy(&project, &yaml);
    let asked = |desk: &mut Desk, tool: &str, arguments: Value| {
        let answer =
            desk.host().request("tools/call", json!({"name": tool, "arguments": arguments}));
        answer["result"].to_string()
    };
    let said = asked(&mut desk, "compose-down", json!({"project_name": project}));
    assert!(
        said.contains(&format!("Remove the stack `{project}` (`{project}-web-1`), its networks?")),
        "{said}"
    );
    let said = asked(
        &mut desk,
        "deploy-compose",
        json!({"project_name": project, "compose_yaml": yaml, "remove_volumes": true}),
    );
    assert!(said.contains("with its volumes and all data in them, and deploy it anew?"), "{said}");
    assert_eq!(desk.inspect(&format!("{project}-web-1"))["State"]["Running"], true);
}

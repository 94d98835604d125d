//! What nobody granted is refused with the line that would grant it; and what is the host's own is not there.

use serde_json::{Value, json};

use super::desk::{Desk, Wish, names};
use crate::support::{
    Setup,
    bench::merged,
    engine::{IMAGE, docker},
    failure,
    inside::inside,
};

#[test]
fn a_name_that_looks_like_an_option_is_none() {
    let Some(mut desk) = Desk::new() else { return };
    let names = ["--help", "-f", "../x", "a b", "", "x;reboot", "$(reboot)", "a\nb"];
    let fields = [
        ("start-container", "container_name"),
        ("stop-container", "container_name"),
        ("restart-container", "container_name"),
        ("remove-container", "container_name"),
        ("get-logs", "container_name"),
        ("inspect-container", "container_name"),
        ("container-stats", "container_name"),
        ("network-create", "name"),
        ("network-remove", "name"),
        ("network-inspect", "name"),
        ("create-volume", "name"),
        ("remove-volume", "name"),
    ];
    for name in names {
        for (tool, field) in fields {
            let failed = desk.fails(tool, json!({field: name}));
            assert!(
                failed.starts_with(&format!("VALIDATION_ERROR: `{field}` is `{name}`")),
                "{tool}: {failed}"
            );
        }
        let exec = json!({"container_name": name, "command": "true"});
        assert!(desk.fails("exec-in-container", exec).starts_with("VALIDATION_ERROR: "));
        let create = json!({"image": IMAGE, "name": name});
        assert!(desk.fails("create-container", create).starts_with("VALIDATION_ERROR: `name` is"));
        for tool in ["network-connect", "network-disconnect"] {
            let network = json!({"network": name, "container": "web"});
            assert!(desk.fails(tool, network).starts_with("VALIDATION_ERROR: `network` is"));
            let container = json!({"network": "front", "container": name});
            assert!(desk.fails(tool, container).starts_with("VALIDATION_ERROR: `container` is"));
        }
    }
    for image in ["--privileged nginx", "-v", "", "nginx --rm"] {
        for tool in ["pull-image", "remove-image", "create-container"] {
            let failed = desk.fails(tool, json!({"image": image}));
            assert!(
                failed.starts_with(&format!("VALIDATION_ERROR: `image` is `{image}`")),
                "{failed}"
            );
        }
    }
}

#[test]
fn what_breaks_the_walls_names_its_grant() {
    let Some(mut desk) = Desk::new() else { return };
    let name = desk.name("web");
    let other = format!("other-{}", desk.mark);
    desk.made_beside(&other, &json!({}));
    let socket = desk.engine.address().trim_start_matches("unix://").to_owned();
    let wishes = [
        (json!({"volumes": {"/": "/host"}}), "binds", "`/`"),
        (json!({"volumes": {"/etc": "/etc:ro"}}), "binds", "`/etc`"),
        (json!({"volumes": {socket: "/var/run/docker.sock"}}), "powers", "engine-socket"),
        (json!({"networks": ["host"]}), "powers", "host-network"),
        (json!({"networks": [format!("container:{other}")]}), "names", &other),
        (json!({"networks": ["other"]}), "networks", "`other`"),
        (json!({"privileged": true}), "powers", "privileged"),
        (json!({"cap_add": ["SYS_ADMIN"]}), "powers", "capabilities"),
        (json!({"ports": {"0.0.0.0:8080": "80"}}), "ports", "8080"),
        (json!({"ports": {"127.0.0.1:80": "80"}}), "ports", "80"),
        (json!({"volumes": {other.clone(): "/data"}}), "names", &other),
        (json!({"secrets": {"TOKEN": "token"}}), "secrets", "`token`"),
        (json!({"image": "quay.io/me/app:1"}), "registries", "`quay.io`"),
    ];
    for (more, key, what) in wishes {
        let wanted = merged(json!({"image": IMAGE, "name": name}), more.clone());
        let result = desk.host().call("create-container", wanted);
        let failed = failure(&result);
        let grant = format!("plugins.docker.grants.engine.{key}");
        assert!(
            failed.starts_with("POLICY_DENIED: ") && failed.contains(&grant),
            "{more}: {failed}"
        );
        assert!(failed.contains(what), "{more}: {failed}");
        assert!(desk.seen("containers", &name).is_none(), "{more}: it was made");
    }
}

#[test]
fn folders_that_are_granted_are_given() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().display().to_string();
    std::fs::write(folder.path().join("file"), "seen\n").unwrap();
    let grant = format!(
        "names = ['{{mark}}-*']\nnetworks = ['bridge']\nregistries = ['docker.io']\nbinds = ['{path}:ro']"
    );
    let Some(mut desk) = Desk::with(&Wish { grant: &grant, ..Wish::default() }) else { return };
    let name = desk.container_with("web", json!({"volumes": {path.clone(): "/data:ro"}}));
    let read = json!({"container_name": name, "command": ["cat", "/data/file"]});
    assert_eq!(desk.call("exec-in-container", read)["stdout"], "seen\n");
    let written = json!({"image": IMAGE, "name": desk.name("other"), "volumes": {path: "/data"}});
    let failed = desk.fails("create-container", written);
    assert!(failed.starts_with("POLICY_DENIED: "), "{failed}");
}

#[test]
fn what_is_out_of_reach_is_not_listed_and_not_touched() {
    let Some(mut desk) = Desk::new() else { return };
    let name = format!("other-{}", desk.mark);
    let id = desk.made_beside(&name, &json!({}));
    assert_eq!(desk.call("list-containers", json!({}))["containers"], json!([]));
    for tool in ["start-container", "inspect-container", "get-logs", "remove-container"] {
        for named in [&name, &id] {
            let failed = desk.fails(tool, json!({"container_name": named}));
            assert!(failed.starts_with("POLICY_DENIED: "), "{tool}: {failed}");
            assert!(
                failed.contains(&format!("`plugins.docker.grants.engine.names` has no `{name}`")),
                "{failed}"
            );
        }
    }
    assert!(desk.seen("containers", &name).is_some());
}

#[test]
fn what_is_the_hosts_own_is_not_there() {
    let Some(mut desk) = Desk::new() else { return };
    let name = desk.name("ours");
    let id = desk.made_beside(&name, &json!({"windlass.instance": "somebody"}));
    assert_eq!(desk.call("list-containers", json!({}))["containers"], json!([]));
    let tools = [
        "start-container",
        "stop-container",
        "restart-container",
        "remove-container",
        "inspect-container",
        "get-logs",
    ];
    for tool in tools {
        for named in [&name, &id] {
            let failed = desk.fails(tool, json!({"container_name": named}));
            assert!(failed.starts_with("CONTAINER_NOT_FOUND: "), "{tool}: {failed}");
        }
    }
    let exec = desk.fails("exec-in-container", json!({"container_name": name, "command": "true"}));
    assert!(exec.starts_with("CONTAINER_NOT_FOUND: "), "{exec}");
    let pruned = desk.call("prune", json!({"what": "containers", "dry_run": false}));
    assert_eq!(pruned["items"], json!([]));
    assert!(desk.seen("containers", &name).is_some());
    let stolen =
        json!({"image": IMAGE, "name": desk.name("web"), "labels": {"windlass.instance": "me"}});
    assert!(desk.fails("create-container", stolen).starts_with("POLICY_DENIED: "));
}

#[test]
fn without_an_engine_the_tools_say_so() {
    let Some(()) = inside("docker") else { return };
    let Some(_) = docker() else { return };
    let setup = Setup::new().arguments(&["--plugins", "docker"]);
    let away = setup.path("no.sock").display().to_string();
    let mut host = setup.environment("DOCKER_HOST", &format!("unix://{away}")).modern();
    let calls: [(&str, Value); 4] = [
        ("list-containers", json!({})),
        ("create-container", json!({"image": IMAGE, "name": "web"})),
        ("network-list", json!({})),
        ("prune", json!({})),
    ];
    for (tool, arguments) in calls {
        let failed = failure(&host.call(tool, arguments));
        assert!(failed.starts_with("DOCKER_ERROR: Error "), "{tool}: {failed}");
    }
}

#[test]
fn a_reach_by_label_is_a_reach() {
    let grant = "labels = ['wlt={mark}']\nregistries = ['docker.io']";
    let Some(mut desk) = Desk::with(&Wish { grant, ..Wish::default() }) else { return };
    let (mine, other) = (desk.name("mine"), desk.name("other"));
    desk.made_beside(&mine, &json!({"wlt": desk.mark}));
    desk.made_beside(&other, &json!({"wlt": "somebody"}));
    assert_eq!(names(&desk.call("list-containers", json!({}))["containers"]), [mine.as_str()]);
    desk.call("start-container", json!({"container_name": mine}));
    let failed = desk.fails("start-container", json!({"container_name": other}));
    assert!(failed.starts_with("POLICY_DENIED: "), "{failed}");
}

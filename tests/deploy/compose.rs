//! The Compose file, as `docker-compose` and our own plugin read it.

use std::{fs, process::Command};

use serde_json::json;

use super::{program, read, said};
use crate::support::{
    Setup,
    engine::{IMAGE, docker},
    inside::inside,
    root,
};

#[test]
fn the_compose_file_is_one() {
    let Some(mut compose) = program("docker-compose") else { return };
    let file = root().join("deploy/compose.yaml");
    compose.arg("--file").arg(&file).arg("config").env("ENGINE_GROUP", "999");
    let read = compose.output().unwrap();
    assert!(read.status.success(), "{}", said(&read));
    let text = said(&read);
    let services = text.matches("\n    image: ").count();
    for closed in ["read_only: true", "- no-new-privileges:true", "cap_drop:\n    - ALL"] {
        assert_eq!(text.matches(closed).count(), services, "{closed}: {text}");
    }
    assert!(!text.contains("privileged: true"), "{text}");
    let mut compose = Command::new("docker-compose");
    let without = compose.arg("--file").arg(&file).arg("config").env_remove("ENGINE_GROUP");
    assert!(!without.output().unwrap().status.success(), "nobody says whose socket it is");
}

#[test]
fn our_own_plugin_takes_it_as_well() {
    let (Some(engine), Some(())) = (docker(), inside("docker")) else { return };
    let Some(socket) = engine.address().strip_prefix("unix://") else { return };
    let setup = Setup::new();
    // What it names of the machine is in a folder of this test's own.
    let folder = setup.path("folder");
    for name in ["state/engine", "secrets"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    for name in ["github-token", "tls-certificate", "tls-key"] {
        fs::write(folder.join("secrets").join(name), "hidden").unwrap();
    }
    for name in ["windlass.toml", "roots.crt"] {
        fs::write(folder.join(name), "").unwrap();
    }
    let here = folder.to_str().unwrap();
    let text = read("compose.yaml")
        .replace("/var/lib/windlass", &format!("{here}/state"))
        .replace("/var/run/docker.sock", socket)
        .replace("/etc/ssl/certs/ca-certificates.crt:/", &format!("{here}/roots.crt:/"))
        .replace("wollomatic/socket-proxy:1.12.2", IMAGE)
        .replace("image: windlass\n", &format!("image: {IMAGE}\n"));
    fs::write(folder.join("compose.yaml"), text).unwrap();
    let config = format!(
        "[plugins.docker.grants]\nstore = true\njobs = true\nfiles = ['{here}']\n\
         [plugins.docker.grants.engine]\nnames = ['wltdeploy-*']\nnetworks = ['wltdeploy_*']\n\
         registries = ['docker.io']\nports = ['8931']\nbinds = ['{here}']\n\
         powers = ['engine-socket', 'host-processes']\n"
    );
    let setup = setup.arguments(&["--plugins", "docker"]).config(&config);
    let mut host = setup.environment("DOCKER_HOST", engine.address()).modern();
    let arguments = json!({
        "project_name": "wltdeploy",
        "compose_file": format!("{here}/compose.yaml"),
        "environment": {"ENGINE_GROUP": "999"},
        "dry_run": true,
    });
    let planned = host.call("deploy-compose", arguments);
    assert_eq!(planned["isError"], false, "{planned}");
    let text = planned["structuredContent"].to_string();
    for service in ["wltdeploy-engine-1", "wltdeploy-windlass-1"] {
        assert!(text.contains(service), "{text}");
    }
}

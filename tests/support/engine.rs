//! The engines that tests may use, asked for what the host made there.

#[path = "../../xtask/src/api.rs"]
pub(crate) mod api;

use std::{env, fs, path::Path};

use serde_json::{Value, json};

use api::{Api, encoded};

/// `cargo xtask test` makes it.
pub(crate) const IMAGE: &str = "windlass-test/busybox:latest";

/// The image with git; what has none here is skipped.
pub(crate) const GIT_IMAGE: &str = "windlass-test/git:latest";

/// The same as it is known after normalisation.
pub(crate) const WHOLE_IMAGE: &str = "docker.io/windlass-test/busybox:latest";

/// The engine that the tests use, if it answers and has their image.
pub(crate) fn docker() -> Option<Api> {
    let named = env::var("DOCKER_HOST").unwrap_or("unix:///var/run/docker.sock".to_owned());
    if let Ok(reason) = env::var("WINDLASS_TEST_NO_DOCKER") {
        return skip(&format!("no Docker: {reason}"));
    }
    let engine = Api::new(named);
    if !engine.answers() {
        return skip("no Docker: `cargo xtask test` finds or starts one");
    }
    with(engine, IMAGE, "`cargo xtask test` makes it")
}

/// The same for tests whose containers run git.
pub(crate) fn with_git() -> Option<Api> {
    let how = "`cargo xtask test` makes it of this machine's `git`, with `git-remote-http` \
               beside it: the package `git` has both";
    with(docker()?, GIT_IMAGE, how)
}

pub(crate) fn with(engine: Api, image: &str, how: &str) -> Option<Api> {
    if engine.get(&format!("/images/{image}/json")).is_err() {
        return skip(&format!("no image `{image}`: {how}"));
    }
    Some(engine)
}

/// Podman, if `cargo xtask test` could start one.
pub(crate) fn podman() -> Option<Api> {
    if let Ok(address) = env::var("WINDLASS_TEST_PODMAN") {
        return Some(Api::new(address));
    }
    let reason = env::var("WINDLASS_TEST_NO_PODMAN");
    skip(&format!("no Podman: {}", reason.unwrap_or("`cargo xtask test` starts one".to_owned())))
}

pub(crate) fn skip<T>(reason: &str) -> Option<T> {
    eprintln!("SKIPPED: {reason}");
    None
}

/// Containers with this label, stopped ones as well.
pub(crate) fn labelled(engine: &Api, label: &str) -> anyhow::Result<Vec<Value>> {
    let filters = encoded(&json!({"label": [label]}).to_string());
    let found = engine.get(&format!("/containers/json?all=1&filters={filters}"))?;
    Ok(found.as_array().cloned().unwrap_or_default())
}

/// The name of whoever has this state.
pub(crate) fn instance(state: &Path) -> String {
    fs::read_to_string(state.join("instance")).unwrap_or_default().trim().to_owned()
}

/// Removes every container of an instance. It is called where a panic would end all tests.
pub(crate) fn sweep(engine: &Api, instance: &str) {
    if instance.is_empty() {
        return;
    }
    let found = labelled(engine, &format!("windlass.instance={instance}")).unwrap_or_default();
    for id in found.iter().filter_map(|it| it["Id"].as_str()) {
        // Somebody else may have removed it.
        let _ = engine.delete(&format!("/containers/{id}?force=1&v=1"));
    }
}

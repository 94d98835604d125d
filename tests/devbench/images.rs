//! Which images may be used, and what is said of those that may not.

use serde_json::json;

use crate::support::{
    bench::Bench,
    engine::{IMAGE, WHOLE_IMAGE},
};

#[track_caller]
fn refused(bench: &mut Bench, image: &str) -> String {
    let text = bench.refused("spawn", json!({"image": image}));
    assert_eq!(bench.containers().len(), 0, "a refused spawn leaves nothing");
    text
}

#[test]
fn db_20_only_listed_registries_are_allowed() {
    let Some(mut bench) = Bench::new() else { return };
    for image in
        ["evil.example.com/a/b", "evil.example.com:5000/a:1", "localhost:5000/a", "localhost/a"]
    {
        let registry = image.split('/').next().unwrap();
        let expected = format!(
            "POLICY_DENIED: Registry '{registry}' is not in allow-list. Allowed registries: docker.io, ghcr.io"
        );
        assert!(
            refused(&mut bench, image).starts_with(&expected),
            "{image}: {}",
            refused(&mut bench, image)
        );
    }
    assert_eq!(bench.code("spawn", json!({"image": "evil.example.com/a"})), "POLICY_DENIED");
}

#[test]
fn db_20_docker_io_is_what_is_meant_without_a_registry() {
    let Some(mut bench) = Bench::new() else { return };
    for image in [IMAGE, "windlass-test/busybox", WHOLE_IMAGE] {
        bench.spawn_with(json!({"image": image}));
    }
    let listed = bench.call("list_containers", json!({}))["containers"].clone();
    let images = listed.as_array().unwrap().iter().map(|it| it["image"].clone());
    assert!(images.into_iter().all(|it| it == WHOLE_IMAGE), "{listed}");
}

#[test]
fn db_20_the_environment_names_registries_as_it_did() {
    let environment = [("MCP_ALLOWED_REGISTRIES", "ghcr.io,quay.io")];
    let Some(mut bench) = Bench::unconfigured(&environment) else { return };
    let text = refused(&mut bench, IMAGE);
    assert!(text.contains("Allowed registries: ghcr.io, quay.io"), "{text}");
    let Some(mut bench) = Bench::unconfigured(&[]) else { return };
    bench.spawn();
}

#[test]
fn db_20_an_image_may_be_pinned_or_listed() {
    let Some(mut bench) = Bench::granted("pinned = true") else { return };
    let text = refused(&mut bench, IMAGE);
    assert!(text.contains("`plugins.devbench.grants.containers.pinned`"), "{text}");
    let Some(mut bench) = Bench::granted("images = [\"docker.io/library/*\"]") else { return };
    let text = refused(&mut bench, IMAGE);
    assert!(text.contains("`plugins.devbench.grants.containers.images`"), "{text}");
    let Some(mut bench) = Bench::granted("images = [\"docker.io/windlass-test/*\"]") else {
        return;
    };
    bench.spawn();
}

#[test]
fn nonsense_is_no_image() {
    let Some(mut bench) = Bench::new() else { return };
    for image in
        ["", "--privileged", "A/B", "a b", "a:b:c", "../x", "a@sha256:1", "a\nb", "a/\u{202e}b"]
    {
        let text = refused(&mut bench, image);
        let known = ["INVALID: ", "VALIDATION_ERROR: ", "POLICY_DENIED: "];
        assert!(known.iter().any(|code| text.starts_with(code)), "`{image}`: {text}");
    }
}

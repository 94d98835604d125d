//! Which images are let through.

use super::*;
use crate::capability::types::{Code, Error};
use crate::config::Grants;

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn ask(grant: ContainersGrant, name: &str) -> Result<Image> {
    let grants = Grants { containers: Some(grant.clone()), ..Grants::default() };
    Policy::new("devbench", grants).unwrap().image(&grant, name)
}

fn refusal(grant: ContainersGrant, name: &str) -> Error {
    match ask(grant, name) {
        Err(Failure::Answer(error)) => error,
        other => panic!("{name} is not refused: {other:?}"),
    }
}

#[track_caller]
fn names(name: &str, whole: &str) {
    let grant = ContainersGrant { registries: vec!["*".to_owned()], ..Default::default() };
    assert_eq!(ask(grant, name).unwrap().name, whole);
}

#[test]
fn a_name_is_made_whole() {
    names("python", "docker.io/library/python:latest");
    names("python:3.12-slim", "docker.io/library/python:3.12-slim");
    names("a/b", "docker.io/a/b:latest");
    names("docker.io/python:3", "docker.io/library/python:3");
    names("index.docker.io/python", "docker.io/library/python:latest");
    names("index.docker.io/a/b", "docker.io/a/b:latest");
    names("ghcr.io/o/n/m:1", "ghcr.io/o/n/m:1");
    names("localhost/x", "localhost/x:latest");
    names("localhost:5000/x:1", "localhost:5000/x:1");
    names("host:5000/a/b", "host:5000/a/b:latest");
    names("127.0.0.1:5000/x", "127.0.0.1:5000/x:latest");
    names("ghcr.io/a/b__c.d---e_f:v1.0_X", "ghcr.io/a/b__c.d---e_f:v1.0_X");
    names(&format!("x@{DIGEST}"), &format!("docker.io/library/x@{DIGEST}"));
    names(&format!("ghcr.io/a/b:1@{DIGEST}"), &format!("ghcr.io/a/b@{DIGEST}"));
}

#[test]
fn what_is_no_image_is_refused_as_such() {
    let long = "x".repeat(256);
    let tag = format!("x:{}", "t".repeat(129));
    for name in [
        "",
        "X",
        "Python:3",
        "a/B",
        "GHCR.io/a/b",
        "/x",
        "x/",
        "a//b",
        "x:",
        "x:.a",
        "x:-a",
        ":1",
        "x@",
        "x@sha256:12",
        "x@md5:1",
        "@",
        "a b",
        "x\n",
        "x\0",
        "x:1:2",
        "../x",
        "a/../b",
        "a/./b",
        "-x",
        "x-",
        "a..b/../c",
        "http://x/y",
        "https://ghcr.io/a/b",
        "[::1]:5000/x",
        "a.b:99999/x",
        "a.b:/x",
        "a.b:+1/x",
        "a___b",
        "x?y=1",
        "x#1",
        "x%2f",
        "é",
        "x\u{202e}y",
        "-.b/x",
        "a..b/x",
        ".a/x",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        &long,
        &tag,
    ] {
        let error = refusal(ContainersGrant::default(), name);
        assert_eq!(error.code, Code::Invalid, "{name:?}: {error:?}");
        assert!(error.message.contains("is no image: "), "{error:?}");
    }
}

#[test]
fn a_registry_that_is_not_listed_is_refused_in_known_words() {
    for name in ["evil.example.com/x", "evil.example.com/docker.io/library/x:1"] {
        let error = refusal(ContainersGrant::default(), name);
        assert_eq!(error.code, Code::Denied);
        assert_eq!(error.details.as_deref(), Some(r#"{"error_code":"POLICY_DENIED"}"#));
        assert_eq!(
            error.message,
            "Registry 'evil.example.com' is not in allow-list. Allowed registries: docker.io, ghcr.io. \
             It would be with `evil.example.com` in `plugins.devbench.grants.containers.registries`"
        );
    }
    for name in ["localhost/x", "docker.io.evil.com/x", "docker.io:443/x", "evildocker.io/x"] {
        assert_eq!(refusal(ContainersGrant::default(), name).code, Code::Denied, "{name}");
    }
}

#[track_caller]
fn listed(line: &str, name: &str, allowed: bool) {
    let grant = ContainersGrant { images: vec![line.to_owned()], ..Default::default() };
    assert_eq!(ask(grant, name).is_ok(), allowed, "`{line}` and `{name}`");
}

#[test]
fn only_listed_images() {
    listed("docker.io/library/python:3.12", "python:3.12", true);
    listed("docker.io/library/python:3.12", "python:3.13", false);
    listed("python:3.12", "python:3.12", true);
    listed("alpine/git:2.47.2", "alpine/git:2.47.2", true);
    listed("alpine/git:2.47.2", "alpine/git", false);
    listed("docker.io/library/python", "python:3.13", true);
    listed("docker.io/library/python", "pythonx:3.13", false);
    listed("docker.io/library/python", &format!("python@{DIGEST}"), true);
    listed("docker.io/library/python:*", "python:3.13", true);
    listed("docker.io/library/python:3.*-slim", "python:3.13-slim", true);
    listed("docker.io/library/python:3.*-slim", "python:3.13", false);
    listed("docker.io/library/*", "python", true);
    listed("docker.io/library/*", "evil/python", false);
    listed("ghcr.io/*", "docker.io/ghcr/x", false);
    listed("*/python:3.12", "python:3.12", true);
    listed(&format!("docker.io/library/python@{DIGEST}"), &format!("python:3@{DIGEST}"), true);
    listed(&format!("docker.io/library/python@{DIGEST}"), "python:3", false);
    listed("*", "python", true);
    let grant = ContainersGrant { images: vec!["python:3.12".to_owned()], ..Default::default() };
    let error = refusal(grant, "python:3.13");
    assert_eq!(
        error.message,
        "not allowed: `plugins.devbench.grants.containers.images` has no `docker.io/library/python:3.13`"
    );
}

#[test]
fn a_pin_is_asked_for() {
    let grant = ContainersGrant { pinned: true, ..Default::default() };
    assert!(ask(grant.clone(), &format!("python:3@{DIGEST}")).is_ok());
    let error = refusal(grant, "python:3");
    assert!(error.message.ends_with("`docker.io/library/python@sha256:…`"), "{error:?}");
}

#[test]
fn a_star_stands_for_anything() {
    for (pattern, text, fits) in [
        ("a*a", "aa", true),
        ("a*a", "a", false),
        ("a*b*c", "aXbYc", true),
        ("a*b*c", "acb", false),
        ("*b", "ab", true),
        ("a*", "b", false),
        ("", "a", false),
        ("**", "", true),
    ] {
        assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
    }
}

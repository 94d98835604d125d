//! Whether there is an engine for containers, and where it was looked for.

use super::{Finding, fail, ok, warn};
use crate::docker::{Credentials, Docker, Engine, Places, Tried};

pub(super) async fn look() -> Vec<Finding> {
    // Nothing is made, so no instance is needed.
    let docker = Docker::new(Places::from_environment(), "", Credentials::default());
    let (engine, tried) = docker.tried().await;
    let mut findings = vec![finding(engine, &tried)];
    // Only a broken one is worth a line: most have none.
    if let Err(error) = Credentials::from_environment() {
        findings.push(fail("credentials for registries".to_owned(), &error));
    }
    findings
}

/// Without an engine the host works, only its containers do not.
fn finding(engine: Option<Engine>, tried: &[Tried]) -> Finding {
    if let Some(engine) = engine {
        let rootless = if engine.rootless { ", rootless" } else { "" };
        return ok(format!(
            "container engine `{}`: {} {}, API {}{rootless}",
            engine.place,
            engine.kind(),
            engine.version,
            engine.api
        ));
    }
    let places = tried.iter().map(|it| format!("`{}` ({})", it.place, it.outcome));
    let places = places.collect::<Vec<_>>().join(", ");
    let mend = format!(
        "none answers; tried {places}; start Docker or Podman, let this user write its socket, or name another with `DOCKER_HOST`; until then only tools that use containers fail"
    );
    warn("container engine".to_owned(), mend)
}

#[cfg(test)]
mod tests {
    use super::{super::State, *};

    #[tokio::test]
    async fn without_an_engine_every_place_is_told() {
        let places = Places::from_variables(|name| {
            (name == "MCP_DOCKER_HOST").then(|| "unix:///nowhere/at.sock".to_owned())
        });
        let (engine, tried) = Docker::new(places, "", Credentials::default()).tried().await;
        let finding = finding(engine, &tried);
        assert!(finding.state == State::Warn);
        let text = finding.text();
        assert!(text.contains("`unix:///nowhere/at.sock` (there is no such socket)"), "{text}");
    }
}

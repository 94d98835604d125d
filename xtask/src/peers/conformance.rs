//! The official conformance suite, against a plugin that offers its fixtures.

use std::path::Path;

use anyhow::Result;

use super::node;
use crate::{
    command,
    report::{Outcome, tail},
    serve::Server,
    tree,
};

/// The last that knows only the revisions with sessions.
const FIRST: &str = "@modelcontextprotocol/conformance@0.1.16";

/// The one that knows 2026-07-28.
const SECOND: &str = "@modelcontextprotocol/conformance@0.2.0-alpha.12";

/// How many checks pass on a server that offers everything; fewer mean that scenarios did not run.
const ACTIVE: usize = 40;
const SESSIONS: usize = 83;
const STATELESS: usize = 197;

pub(crate) fn active(windlass: &Path) -> Result<Outcome> {
    run(windlass, "conformance-0.1", FIRST, &[], ACTIVE)
}

pub(crate) fn sessions(windlass: &Path) -> Result<Outcome> {
    run(windlass, "conformance-0.2", SECOND, &["--requirements", "2025-11-25"], SESSIONS)
}

pub(crate) fn stateless(windlass: &Path) -> Result<Outcome> {
    run(windlass, "conformance-0.2", SECOND, &["--requirements", "2026-07-28"], STATELESS)
}

fn run(
    windlass: &Path,
    folder: &str,
    package: &str,
    selection: &[&str],
    expected: usize,
) -> Result<Outcome> {
    let server = Server::with_jobs(windlass, &[], "conformance")?;
    let listening = server.listen()?;
    let mut suite = node::script(folder, package, "dist/index.js")?;
    suite.args(["server", "--url", &listening.url]).args(selection);
    let revision = selection.last().unwrap_or(&"active");
    let log = tree::made("logs")?.join(format!("conformance-{revision}.log"));
    let (_, output) = command::logged(&mut suite, &log)?;
    Ok(judge(&output, expected))
}

/// The suite's own exit code does not count scenarios that did not run.
fn judge(output: &str, expected: usize) -> Outcome {
    let scenarios: Vec<_> = output.lines().filter_map(scenario).collect();
    let passed: usize = scenarios.iter().map(|(_, passed, _)| passed).sum();
    let failed: usize = scenarios.iter().map(|(_, _, failed)| failed).sum();
    let note = format!("{passed} checks of {expected}, {failed} failed");
    if failed == 0 && passed >= expected {
        return Outcome::passed(note);
    }
    let names = scenarios.iter().filter(|(.., failed)| *failed > 0).map(|(name, ..)| *name);
    let names = names.collect::<Vec<_>>().join(", ");
    println!("{}", tail(output));
    Outcome::failed(format!("{note}: {names}"))
}

/// Name, passed and failed of a line such as `✓ caching: 7 passed, 0 failed`.
fn scenario(line: &str) -> Option<(&str, usize, usize)> {
    let line = line.strip_prefix(['✓', '✗'])?;
    let (name, counts) = line.trim().split_once(": ")?;
    let (passed, failed) = counts.split_once(" passed, ")?;
    let failed = failed.split(' ').next()?;
    Some((name, passed.parse().ok()?, failed.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{judge, scenario};

    #[test]
    fn a_summary_line_has_name_and_counts() {
        assert_eq!(scenario("✓ caching: 7 passed, 0 failed"), Some(("caching", 7, 0)));
        assert_eq!(scenario("✗ tools-list: 1 passed, 2 failed"), Some(("tools-list", 1, 2)));
        assert_eq!(scenario("Total: 107 passed, 57 failed"), None);
        assert_eq!(scenario("  ✓ tasks-lifecycle (extension)"), None);
    }

    #[test]
    fn a_scenario_that_did_not_run_is_missed() {
        let output = "✓ caching: 7 passed, 0 failed\n✓ tasks-lifecycle: 9 passed, 0 failed";
        assert_eq!(judge(output, 16).counts.failed, 0);
        assert_eq!(judge(output, 17).counts.failed, 1);
        assert_eq!(judge("✗ caching: 7 passed, 1 failed", 7).counts.failed, 1);
    }
}

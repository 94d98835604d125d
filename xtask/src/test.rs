//! `cargo xtask test`: everything that must hold, in one go.

use std::{ffi::OsString, path::Path, process::ExitCode};

use anyhow::Result;

use crate::{
    command,
    engine::{Engines, need},
    host, opencode, peers,
    peers::Prism,
    plugins,
    report::{Counts, Outcome, Report, tail},
    tree,
};

/// Runs every step, also after one that failed; only what needs a build that failed is left out.
pub(crate) fn test(filter: Option<&str>) -> Result<ExitCode> {
    let mut report = Report::default();
    if filter.is_none() {
        report.step("fmt", || cargo("fmt", &["fmt", "--all", "--check"]));
    }
    let mut built = None;
    report.step("build", || {
        plugins::build_with_fixtures()?;
        built = Some(host::build_alone(host::DEBUG)?);
        Ok(Outcome::passed("plugins, fixtures, host"))
    });
    if let Some(windlass) = built {
        if filter.is_none() {
            let clippy =
                ["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"];
            report.step("clippy", || cargo("clippy", &clippy));
        }
        let mut engines = None;
        report.step("engines", || {
            let engines = engines.insert(Engines::start()?);
            Ok(Outcome::passed(engines.note()))
        });
        let found = find(&mut report, filter);
        report.step("tests", || tests(&windlass, engines.as_ref(), &found, filter));
        drop(engines);
        peers::run(&mut report, &windlass, filter);
    }
    Ok(report.finish())
}

fn cargo(name: &str, arguments: &[&str]) -> Result<Outcome> {
    let mut cargo = command::cargo();
    let cargo = host::with_bundle(cargo.args(arguments), host::DEBUG)?;
    let log = tree::made("logs")?.join(format!("{name}.log"));
    let (succeeded, output) = command::logged(cargo, &log)?;
    if succeeded {
        return Ok(Outcome::passed("clean"));
    }
    println!("{}", tail(&output));
    Ok(Outcome::failed(format!("see `{}`", log.display())))
}

/// Gets what some tests want, and gives the environment that tells them of it, or why it is not there.
fn find(report: &mut Report, filter: Option<&str>) -> Vec<(&'static str, OsString)> {
    let wanted = |module: &str| filter.is_none_or(|filter| may_want(module, filter));
    let mut told = Vec::new();
    if wanted("opencode") {
        report.step("opencode", || match opencode::build_for_tests() {
            Ok(archive) => Ok(Outcome::passed(archive.display().to_string())),
            Err(error) => {
                told.push(("WINDLASS_TEST_NO_OPENCODE", error.to_string().into()));
                Err(error)
            }
        });
    }
    if wanted("docker::compose") || wanted("deploy") {
        report.step("docker-compose", || {
            need(&["docker-compose"], &["docker-compose"])?;
            Ok(Outcome::passed("installed"))
        });
    }
    if wanted("deploy") {
        report.step("systemd-analyze", || {
            need(&["systemd-analyze"], &["systemd"])?;
            Ok(Outcome::passed("installed"))
        });
    }
    if wanted("coder::prism") {
        report.step("prism", || match Prism::installed() {
            Ok(prism) => {
                let note = prism.script.display().to_string();
                told.push(("WINDLASS_TEST_NODE", prism.node.into()));
                told.push(("WINDLASS_TEST_PRISM", prism.script.into()));
                Ok(Outcome::passed(note))
            }
            Err(error) => {
                told.push(("WINDLASS_TEST_NO_PRISM", error.to_string().into()));
                Err(error)
            }
        });
    }
    told
}

/// Whether a test of this module may have this in its name.
fn may_want(module: &str, filter: &str) -> bool {
    filter.contains(module) || module.contains(filter)
}

fn tests(
    windlass: &Path,
    engines: Option<&Engines>,
    found: &[(&str, OsString)],
    filter: Option<&str>,
) -> Result<Outcome> {
    let mut cargo = command::cargo();
    cargo.args(["test", "--workspace", "--no-fail-fast"]).args(filter);
    // A test that cannot run here says so, and passes: what it says has to be seen.
    cargo.args(["--", "--show-output"]);
    cargo.env("WINDLASS_COMPONENTS", tree::target().join("plugins"));
    cargo.env("WINDLASS_BINARY", windlass);
    if let Some(engines) = engines {
        engines.tell(&mut cargo);
    }
    cargo.envs(found.iter().map(|(name, value)| (name, value)));
    let log = tree::made("logs")?.join("tests.log");
    let cargo = host::with_bundle(&mut cargo, host::DEBUG)?;
    let (succeeded, output) = command::logged(cargo, &log)?;
    let mut counts = count(&output);
    output.lines().filter(|line| line.starts_with(SKIPPED)).for_each(|line| println!("{line}"));
    if !succeeded {
        // Nothing is counted of a test that does not compile or dies.
        counts.failed = counts.failed.max(1);
        let told = failures(&output);
        println!("{}", if told.is_empty() { tail(&output) } else { told });
    }
    Ok(Outcome { counts, note: format!("see `{}`", log.display()) })
}

/// How a test begins to say why it cannot run.
const SKIPPED: &str = "SKIPPED: ";

/// How much is shown of what a test printed: it begins with where it failed.
const SHOWN_LINES: usize = 40;

/// What the tests that failed printed, beneath their names.
fn failures(output: &str) -> String {
    let names =
        output.lines().filter_map(|line| line.strip_suffix(" ... FAILED")?.strip_prefix("test "));
    let told = names.map(|name| {
        let printed = output.split_once(&format!("\n---- {name} stdout ----\n"));
        let printed = printed.map_or("", |(_, rest)| rest).lines();
        let printed =
            printed.take_while(|line| !(line.starts_with("---- ") || *line == "failures:"));
        let lines: Vec<_> = printed.take(SHOWN_LINES).collect();
        format!("FAILED {name}\n{}", lines.join("\n").trim_end())
    });
    told.collect::<Vec<_>>().join("\n")
}

/// Sums lines such as `test result: ok. 3 passed; 0 failed; 1 ignored; ...`.
fn count(output: &str) -> Counts {
    let results = output.lines().filter_map(|line| line.strip_prefix("test result: "));
    let mut counts = results.fold(Counts::default(), |sum, line| Counts {
        passed: sum.passed + number_before(" passed", line),
        failed: sum.failed + number_before(" failed", line),
        skipped: sum.skipped + number_before(" ignored", line),
    });
    let skipped = output.lines().filter(|line| line.starts_with(SKIPPED)).count();
    counts.passed = counts.passed.saturating_sub(skipped);
    counts.skipped += skipped;
    counts
}

fn number_before(word: &str, line: &str) -> usize {
    let before = line.split(';').find_map(|part| part.strip_suffix(word)).unwrap_or_default();
    before.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{count, failures};

    #[test]
    fn what_a_failed_test_says_is_told() {
        let output = "test a::b ... ok\ntest a::c ... FAILED\n\nsuccesses:\n\n---- a::b stdout ----\nfine\n\n\n\
                      successes:\n    a::b\n\nfailures:\n\n---- a::c stdout ----\npanicked: no\n\n\nfailures:\n    a::c\n";
        assert_eq!(failures(output), "FAILED a::c\npanicked: no");
    }

    #[test]
    fn counts_of_all_packages_add_up() {
        let counts = count(
            "running 4 tests\n\
             test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s\n\
             SKIPPED: no disk can be mounted here\n\
             test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s",
        );
        assert_eq!((counts.passed, counts.failed, counts.skipped), (12, 2, 2));
    }
}

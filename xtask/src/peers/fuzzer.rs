//! `mcp-fuzzer`: no crash, no hang, and nothing malformed that is taken.
//!
//! What it calls malformed is judged by `malformed.py` against the tools' schemas and the protocol's types.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::client::CLIENT;
use crate::{
    command, python,
    report::{Outcome, tail},
    serve::{Listening, Server},
    tree,
};

const FUZZER: &str = "mcp-fuzzer==0.7.0";

/// The one category that [`judge`] looks into; every finding of another one is a failure.
const ACCEPTED: &str = "accepted_malformed";

/// Some of what it makes up are very long waits.
const LIMITS: &str = "[limits]\ndeadline_seconds = 5\n";

pub(crate) fn fuzz(windlass: &Path) -> Result<Outcome> {
    let programs = python::environment("peers/fuzzer", &[FUZZER])?;
    let server = Server::configured(windlass, &["echo", "greedy"], LIMITS)?;
    let listening = server.listen()?;
    let home = tempfile::tempdir()?;
    let mut fuzzer = Command::new(programs.join("mcp-fuzzer"));
    fuzzer.args(["--mode", "all", "--phase", "both", "--protocol", "streamablehttp"]);
    fuzzer.args(["--endpoint", &listening.url, "--runs", "5", "--seed", "1"]);
    fuzzer.args(["--no-network", "--allow-host", "127.0.0.1"]);
    fuzzer.arg("--output-dir").arg(home.path()).env("HOME", home.path());
    let (succeeded, output) =
        command::logged(&mut fuzzer, &tree::made("logs")?.join("fuzzer.log"))?;
    if !succeeded {
        println!("{}", tail(&output));
        return Ok(Outcome::failed("the fuzzer did not end well"));
    }
    judge(&listening, home.path())
}

fn judge(server: &Listening, reports: &Path) -> Result<Outcome> {
    let findings = reports.join("findings.json");
    let text = fs::read_to_string(&findings).context("the fuzzer left no `findings.json`")?;
    let parsed: Value = serde_json::from_str(&text)?;
    let others = parsed["findings"].as_array().into_iter().flatten();
    let others: Vec<_> = others.filter(|finding| finding["category"] != ACCEPTED).collect();
    for finding in &others {
        println!("{finding}");
    }
    let programs = python::environment("peers/client", &[CLIENT])?;
    let mut judge = Command::new(programs.join("python"));
    judge.arg(tree::root().join("xtask/peers/malformed.py")).arg(&server.url).arg(&findings);
    let log = tree::made("logs")?.join("fuzzer-judged.log");
    let (well_formed, verdict) = command::logged(&mut judge, &log)?;
    let note =
        format!("{}, {} other findings", verdict.lines().last().unwrap_or("?"), others.len());
    if well_formed && others.is_empty() {
        return Ok(Outcome::passed(note));
    }
    println!("{}", tail(&verdict));
    Ok(Outcome::failed(note))
}

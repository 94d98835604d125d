//! The official inspector: schemas that every client can read, in both eras.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use serde_json::json;

use super::node;
use crate::{
    command,
    report::{Outcome, tail},
    serve::Server,
    tree,
};

const INSPECTOR: &str = "@modelcontextprotocol/inspector@2.12.0";

/// What is asked, in each era. `--strict` fails on a schema that some client cannot read.
const QUESTIONS: [&[&str]; 2] = [
    &["--method", "tools/list", "--strict"],
    &["--method", "tools/call", "--tool-name", "echo", "--tool-arg", "message=hi"],
];

/// Fixtures with every kind of argument that ours have. One more may have jobs: it brings the host's own tools with it.
const FIXTURES: [&str; 5] = ["echo", "asker", "greedy", "noter", "crash"];

pub(crate) fn inspect(windlass: &Path) -> Result<Outcome> {
    let server = Server::with_jobs(windlass, &FIXTURES, "looping")?;
    // The inspector would take our `--config` for its own, so the command stands in a file.
    let words: Vec<_> =
        server.words().iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let (command, arguments) = words.split_first().context("no command")?;
    let entry = json!({ "type": "stdio", "command": command, "args": arguments });
    let session = tempfile::NamedTempFile::with_suffix(".json")?;
    fs::write(session.path(), json!({ "mcpServers": { "windlass": entry } }).to_string())?;
    let log = tree::made("logs")?.join("inspector.log");
    let (mut asked, mut failed) = (0, Vec::new());
    for era in ["legacy", "modern"] {
        for question in QUESTIONS {
            let mut inspector =
                node::script("inspector", INSPECTOR, "clients/launcher/build/index.js")?;
            inspector.args(["--cli", "--config"]).arg(session.path());
            inspector.args(["--server", "windlass", "--protocol-era", era]);
            inspector.args(question).args(["--format", "json", "-q"]);
            let (succeeded, output) = command::logged(&mut inspector, &log)?;
            asked += 1;
            if !succeeded {
                println!("{}", tail(&output));
                failed.push(format!("{era} {}", question.join(" ")));
            }
        }
    }
    if failed.is_empty() {
        return Ok(Outcome::passed(format!("{asked} questions in both eras")));
    }
    Ok(Outcome::failed(failed.join("; ")))
}

//! PyPI's `mcp` as a client; `client.py` holds the claims.

use std::{path::Path, process::Command};

use anyhow::Result;

use crate::{
    command, python,
    report::{Outcome, tail},
    serve::Server,
    tree,
};

/// Also has what `malformed.py` judges with.
pub(super) const CLIENT: &str = "mcp==2.3.0";

/// Plugins that answer, fail and ask.
const FIXTURES: [&str; 3] = ["echo", "crash", "asker"];

pub(crate) fn call(windlass: &Path) -> Result<Outcome> {
    let programs = python::environment("peers/client", &[CLIENT])?;
    let on_stdio = Server::windlass(windlass, &FIXTURES)?;
    let on_http = Server::windlass(windlass, &FIXTURES)?;
    let listening = on_http.listen()?;
    let mut client = Command::new(programs.join("python"));
    client
        .arg(tree::root().join("xtask/peers/client.py"))
        .arg(&listening.url)
        .args(on_stdio.words());
    let log = tree::made("logs")?.join("python-client.log");
    let (succeeded, output) = command::logged(&mut client, &log)?;
    let held = output.lines().filter(|line| line.starts_with("OK ")).count();
    if succeeded && held > 0 {
        return Ok(Outcome::passed(format!("{held} claims held")));
    }
    println!("{}", tail(&output));
    let failed = output.lines().filter(|line| line.starts_with("FAIL ")).count();
    Ok(Outcome::failed(format!("{held} claims held, {failed} did not")))
}

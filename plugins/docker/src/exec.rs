//! `exec-in-container`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Error, Hints, Result, Told, Tool,
    engine::{self, Command, Ran},
};

use crate::{
    amount::Scalar,
    error::{About, validation},
    logs, name,
    words::{self, Words},
};

/// An answer holds it twice, and has room for more than that.
const MOST_BYTES: u32 = 512 << 10;
/// A call has to end while somebody waits for it.
const LONGEST_S: u32 = 250;

/// Runs a command in a container that runs, and waits for its end. An exit code that is not 0 is a result, no error.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ExecInContainer {
    /// Name or id.
    container_name: String,
    /// A line for `sh -c`, or the words of a command, which need no shell in the container.
    command: Words,
    /// Name or number, or both with their group: `1000:1000`.
    user: Option<String>,
    working_dir: Option<String>,
    #[serde(default)]
    environment: BTreeMap<String, Scalar>,
    /// What it reads. It sees the end of it at once where nothing is given.
    stdin: Option<String>,
    /// After that nobody waits any more. The command may go on.
    #[serde(default = "minute")]
    #[schemars(range(min = 1, max = LONGEST_S))]
    timeout_s: u32,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Executed {
    container_name: String,
    /// Null where it still ran when the time was over, or nobody knows.
    exit_code: Option<i64>,
    timed_out: bool,
    stdout: String,
    stderr: String,
    /// Whether what came first was cut off, as it was more than an answer holds.
    cut: bool,
}

impl Tool for ExecInContainer {
    const NAME: &'static str = "exec-in-container";
    const TITLE: Option<&'static str> = Some("Run a command in a container");
    const HINTS: Hints = Hints::DESTRUCTIVE.union(Hints::OPEN_WORLD);
    type Output = Told<Executed>;

    fn run(self, _: &Call) -> Result<Told<Executed>> {
        name::check("container_name", &self.container_name)?;
        let command = self.command()?;
        let name = self.container_name;
        let doing = format!("running a command in container '{name}'");
        let ran = engine::exec(&name, &command)
            .map_err(|error| About::Container.during(&doing, error))?;
        let text =
            format!("{}\n{}", headline(&name, &ran, self.timeout_s), logs::whole(&ran.output));
        let rows = Executed {
            container_name: name,
            exit_code: ran.exit_code,
            timed_out: ran.timed_out,
            stdout: logs::stream(&ran.output, false),
            stderr: logs::stream(&ran.output, true),
            cut: ran.output.cut,
        };
        Ok(Told { text, rows })
    }
}

impl ExecInContainer {
    fn command(&self) -> Result<Command, Error> {
        let argv = match &self.command {
            Words::Line(line) if line.trim().is_empty() => Vec::new(),
            Words::Line(line) => ["sh", "-c", line].map(str::to_owned).to_vec(),
            Words::Each(words) => words.clone(),
        };
        if argv.first().is_none_or(|program| program.trim().is_empty()) {
            return Err(validation("command", "`command` is empty"));
        }
        Ok(Command {
            argv,
            env: words::plain(&self.environment)?,
            user: self.user.clone(),
            working_dir: self.working_dir.clone(),
            stdin: self.stdin.as_ref().map(|it| it.clone().into_bytes()),
            timeout_ms: self.timeout_s.clamp(1, LONGEST_S) * 1000,
            most_bytes: MOST_BYTES,
        })
    }
}

/// How it ended, in one line.
fn headline(name: &str, ran: &Ran, timeout_s: u32) -> String {
    let how = match ran.exit_code {
        _ if ran.timed_out => format!("still ran after {timeout_s} s"),
        Some(code) => format!("ended with exit code {code}"),
        None => "ended, and nobody knows how".to_owned(),
    };
    let cut = if ran.output.cut { " (what it printed first is cut off)" } else { "" };
    format!("Command in container '{name}' {how}{cut}")
}

fn minute() -> u32 {
    60
}

//! `git`: a command line, as the OpenHands server takes it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use windlass_repository::{Command, Ran, Repository, Settings, git_failure};
use windlass_sdk::{Call, Error, Hints, Result, Tool};

/// Runs a git command on the repository of a session. Without more in the configuration these sub-commands are there: add,
/// commit, push, pull, status, checkout, branch, log, diff. Quotes group words as in a shell, but there is no shell: no
/// variables, pipes or redirections. Options that run programs, write files elsewhere or ask somebody are refused, and so is
/// what is only the beginning of an option's name. A commit needs `-m`. Long output is cut, and says so.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Git {
    /// The session's id.
    session_id: String,
    /// Such as `git commit -am "a message"`. The `git` may be left out.
    command: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Done {
    session_id: String,
    /// What was run.
    command: String,
    success: bool,
    #[serde(rename = "isError")]
    is_error: bool,
    /// What git said.
    output: String,
    /// Null where nothing went wrong.
    error: Option<String>,
}

impl Tool for Git {
    const NAME: &'static str = "git";
    const TITLE: Option<&'static str> = Some("Run a git command");
    const HINTS: Hints = Hints::DESTRUCTIVE.union(Hints::OPEN_WORLD);
    type Output = Done;

    fn run(self, call: &Call) -> Result<Done> {
        match self.try_to(call) {
            Ok(done) => Ok(done),
            Err(error) => Err(self.failed(error).into()),
        }
    }
}

impl Git {
    fn try_to(&self, call: &Call) -> Result<Done, Error> {
        let settings: Settings = call.config()?;
        let repository = Repository::open(&self.session_id, &settings)?;
        let command = Command::parse(&self.command, &settings.commands)?;
        let ran = repository.run(&command)?;
        if !ran.succeeded() {
            return Err(failure(&ran));
        }
        let mut output = ran.text() + &ran.complaint();
        if ran.cut {
            output.push_str(&format!("\n[cut: there is more than {} bytes]\n", ran.stdout.len()));
        }
        let (session_id, command) = (self.session_id.clone(), command.told());
        Ok(Done { session_id, command, success: true, is_error: false, output, error: None })
    }

    /// The same failure with the fields that clients of the OpenHands server look at.
    fn failed(&self, error: Error) -> Error {
        let line = self.command.trim();
        let line = line.strip_prefix("git ").unwrap_or(line).trim();
        let mut details = error.known();
        let fields = json!({
            "session_id": self.session_id,
            "command": format!("git {line}"),
            "success": false,
            "isError": true,
            "output": "",
            "error": error.message,
        });
        for (key, value) in fields.as_object().into_iter().flatten() {
            details.entry(key.as_str()).or_insert_with(|| value.clone());
        }
        error.with_details(&details)
    }
}

/// What git complained about. Some of it stands on stdout, as that there is nothing to commit.
pub(crate) fn failure(ran: &Ran) -> Error {
    let (output, complaint) = (ran.text(), ran.complaint());
    let said = if complaint.trim().is_empty() { output.clone() } else { complaint };
    let said = match (said.trim(), ran.code) {
        ("", Some(code)) => format!("git answered {code}, and said nothing"),
        ("", None) => "git was killed".to_owned(),
        (said, _) => said.to_owned(),
    };
    let error = git_failure(&said, &[]);
    let mut details = error.known();
    details.insert("output".to_owned(), output.into());
    details.insert("exit_code".to_owned(), ran.code.into());
    error.with_details(&details)
}

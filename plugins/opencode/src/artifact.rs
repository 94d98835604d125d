//! What a run leaves in the session's second workspace, and the paths under which clients ask for it.

use windlass_sdk::Error;

use crate::{error, id};

/// What the model said last, as opencode tells it.
pub(crate) const RESPONSE: &str = "assistant-response.json";
/// The same as text.
pub(crate) const TEXT: &str = "assistant-response.md";
/// What was asked of whom, and what came of it.
pub(crate) const CONTEXT: &str = "context.json";
pub(crate) const LOG: &str = "run.log";
/// What became different in the files.
pub(crate) const DIFF: &str = "changes.diff";
/// What the run asks, while it waits for answers. It is told with the run's status.
pub(crate) const QUESTIONS: &str = "questions.json";

/// The folder of all runs.
pub(crate) const RUNS: &str = "runs";

/// The folder of a run.
pub(crate) fn folder(run: &str) -> String {
    format!("{RUNS}/{run}")
}

/// Where something of a run is.
pub(crate) fn place(run: &str, name: &str) -> String {
    format!("{RUNS}/{run}/{name}")
}

/// The parts of a path as `list_artifacts` gives it: session, run and name.
pub(crate) fn parse(path: &str) -> Result<(&str, &str, &str), Error> {
    let parts: Vec<_> = path.split('/').collect();
    match parts.as_slice() {
        [session, run, name] if id::is_session(session) && id::is_run(run) && is_name(name) => {
            Ok((session, run, name))
        }
        _ => Err(error::no_artifact(path)),
    }
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.starts_with('.') && (1..=100).contains(&name.len()) && name.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_an_artifact_or_nowhere() {
        assert_eq!(parse("w_1/j_2/run.log").unwrap(), ("w_1", "j_2", "run.log"));
        for bad in [
            "",
            "run.log",
            "j_2/run.log",
            "w_1/j_2/",
            "w_1/j_2/../run.log",
            "w_1/j_2/..",
            "w_1/../run.log",
            "/w_1/j_2/run.log",
            "w_1/j_2/run.log/",
            "w_1/j_2/.hidden",
            "w_1/j_2/a b",
            "w_1/j_2/a\0",
            "w_1/j_2/%2e%2e",
            "../../etc/passwd",
            "/etc/passwd",
        ] {
            assert_eq!(parse(bad).unwrap_err().known()["error_code"], "FILE_NOT_FOUND", "{bad:?}");
        }
    }
}

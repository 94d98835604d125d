//! OpenHands 0.45: a program that does one task and ends. It runs all in one container and needs no engine.

use std::collections::BTreeMap;

use windlass_sdk::{
    Error,
    containers::Container,
    processes::{Ending, Process, ResultOf, Spec},
    types::{Code, Value},
    workspaces::Workspace,
};

use crate::{
    output,
    session::Session,
    settings::{LLM_KEY, Settings},
    task::{Outcome, Settled, Task},
    trajectory::{self, Verdict},
};

/// A trajectory is read whole, and a call has so much memory.
const LARGEST_TRAJECTORY: u64 = 16 << 20;
/// What ollama takes for a key.
const NO_KEY: &str = "ollama";
/// Nothing of the repository is there, and Python looks for its modules where it starts.
const START: &str = "/tmp";

/// The container's environment.
pub(crate) fn environment(
    task: &Task,
    session: &Session,
    settings: &Settings,
) -> BTreeMap<String, Value> {
    let version = settings.image.rsplit_once(':').map_or("0.45", |(_, version)| version);
    let trajectory = format!("/workspace/{}", trajectory_path(task));
    let runtime = format!("docker.all-hands.dev/all-hands-ai/runtime:{version}-nikolaik");
    let timeout = settings.llm_timeout.to_string();
    let plain = [
        ("RUNTIME", "cli"),
        ("WORKSPACE_BASE", "/workspace"),
        ("SANDBOX_VOLUMES", "/workspace:/workspace:rw"),
        ("SANDBOX_RUNTIME_CONTAINER_IMAGE", &runtime),
        ("SANDBOX_USER_ID", "1000"),
        ("SAVE_TRAJECTORY_PATH", &trajectory),
        ("FILE_STORE_PATH", "/tmp/store"),
        ("LOG_ALL_EVENTS", "true"),
        ("LLM_MODEL", &settings.llm_model),
        ("LLM_BASE_URL", &settings.llm_base_url),
        ("LLM_TIMEOUT", &timeout),
        ("LLM_API_KEY", NO_KEY),
        // Each of these wants a server of its own, or a browser.
        ("AGENT_ENABLE_BROWSING", "false"),
        ("AGENT_ENABLE_JUPYTER", "false"),
        ("AGENT_ENABLE_MCP", "false"),
        // Else the prices of models are fetched first.
        ("LITELLM_LOCAL_MODEL_COST_MAP", "True"),
        ("TASK_DESCRIPTION", &task.description),
        ("REPO_URL", &session.repo_url),
        ("BRANCH", &session.branch),
    ];
    let mut variables: BTreeMap<_, _> = plain
        .into_iter()
        .filter(|(name, value)| *name != "LLM_BASE_URL" || !value.is_empty())
        .map(|(name, value)| (name.to_owned(), Value::Plain(value.to_owned())))
        .collect();
    for (name, value) in &settings.environment {
        variables.insert(name.clone(), Value::Plain(value.clone()));
    }
    for name in settings.other_secrets() {
        variables.insert(name.clone(), Value::Secret(name.clone()));
    }
    if settings.has_llm_key() {
        variables.insert(LLM_KEY.to_owned(), Value::Secret(LLM_KEY.to_owned()));
    }
    variables
}

/// Starts the program.
pub(crate) fn start(
    container: &Container,
    task: &Task,
    settings: &Settings,
) -> Result<Process, Error> {
    Process::start(container, &spec(task, settings))
}

fn spec(task: &Task, settings: &Settings) -> Spec {
    let words = ["python", "-m", "openhands.core.main", "-t", &task.description];
    let mut command: Vec<_> = words.map(str::to_owned).into();
    if let Some(most) = settings.max_iterations {
        command.extend(["-i".to_owned(), most.to_string()]);
    }
    Spec {
        cwd: Some(START.to_owned()),
        timeout_ms: settings.task_timeout_s.map(|seconds| u64::from(seconds) * 1000),
        key: Some(task.id.clone()),
        ..Spec::new(command)
    }
}

fn trajectory_path(task: &Task) -> String {
    format!("{}/trajectory.json", task.folder())
}

/// What the task came to. `result` is none where nobody saw it end.
pub(crate) fn settle(
    task: &Task,
    workspace: &Workspace,
    result: Option<&ResultOf>,
    log: &str,
) -> Settled {
    let exit_code = result.and_then(|result| result.exit_code);
    let told = read_trajectory(task, workspace);
    let settled = of(task.cancelled, result, told, output::told_error(log), log);
    Settled { exit_code, ..settled }
}

/// What the trajectory says. None: there is none.
fn read_trajectory(task: &Task, workspace: &Workspace) -> Option<Result<Verdict, String>> {
    let path = trajectory_path(task);
    let unreadable = |error: Error| format!("its trajectory cannot be read: {}", error.message);
    let stat = match workspace.stat(&path) {
        Ok(stat) => stat,
        Err(error) if error.code == Code::NotFound => return None,
        Err(error) => return Some(Err(unreadable(error))),
    };
    if stat.size > LARGEST_TRAJECTORY {
        let size = stat.size;
        return Some(Err(format!(
            "its trajectory has {size} bytes, and no more than {LARGEST_TRAJECTORY} are read"
        )));
    }
    let most = u32::try_from(LARGEST_TRAJECTORY).ok();
    let read = workspace.read(&path, 0, most).map_err(unreadable);
    Some(read.and_then(|part| {
        trajectory::read(&part.data).map_err(|error| format!("its trajectory is none: {error}"))
    }))
}

/// Puts together what the process, the trajectory and the log say.
fn of(
    cancelled: bool,
    result: Option<&ResultOf>,
    told: Option<Result<Verdict, String>>,
    logged: Option<String>,
    log: &str,
) -> Settled {
    let message = || result.and_then(|result| result.message.clone());
    let plain = |outcome, error: Option<String>| Settled { outcome, error, ..Settled::default() };
    let failed = |error: String| {
        let stuck =
            error.contains("AgentStuckInLoopError") || log.contains("AgentStuckInLoopError");
        plain(if stuck { Outcome::Stuck } else { Outcome::Failed }, Some(error))
    };
    match result.map(|result| result.ending) {
        Some(Ending::TimedOut) => {
            return plain(Outcome::Failed, Some("it took longer than it may".to_owned()));
        }
        Some(Ending::Refused) => return plain(Outcome::Error, message()),
        Some(Ending::Cancelled) => return plain(Outcome::Cancelled, None),
        _ if cancelled => return plain(Outcome::Cancelled, None),
        Some(Ending::Exited | Ending::Lost) | None => {}
    }
    match (told, logged) {
        (Some(Ok(Verdict::Finished { text, done })), _) => Settled {
            outcome: if done { Outcome::Completed } else { Outcome::Failed },
            final_message: Some(text).filter(|text| !text.is_empty()),
            error: (!done).then(|| "the agent says that it did not complete the task".to_owned()),
            ..Settled::default()
        },
        (Some(Ok(Verdict::Failed(why))), _) => failed(why),
        (Some(Ok(Verdict::Rejected(why))), _) => plain(Outcome::Failed, Some(why)),
        (_, Some(why)) => failed(why),
        (told, None) => without_an_end(result, told),
    }
}

/// What it came to where nobody said that it ended.
fn without_an_end(result: Option<&ResultOf>, told: Option<Result<Verdict, String>>) -> Settled {
    let exited = result.filter(|result| result.ending == Ending::Exited);
    let final_message = match &told {
        Some(Ok(Verdict::Said(text))) => Some(text.clone()),
        _ => None,
    };
    let (outcome, error) = match (exited.map(|result| result.exit_code), told) {
        (None, _) => {
            let usual = "its container went away, and nothing says that the task was done";
            let message = result.and_then(|result| result.message.clone());
            (Outcome::Error, message.unwrap_or_else(|| usual.to_owned()))
        }
        (Some(code), _) if code != Some(0) => {
            let code = code.map_or("a signal".to_owned(), |code| format!("the code {code}"));
            (Outcome::Failed, format!("OpenHands ended with {code}"))
        }
        (_, Some(Err(why))) => (Outcome::Unknown, why),
        (_, None) => (Outcome::Unknown, "OpenHands left no trajectory".to_owned()),
        (_, Some(Ok(_))) => (Outcome::Failed, "the agent stopped before it was done".to_owned()),
    };
    Settled { outcome, final_message, error: Some(error), ..Settled::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(ending: Ending, exit_code: Option<i32>) -> ResultOf {
        ResultOf {
            ending,
            exit_code,
            signal: None,
            message: None,
            wall_ms: 1,
            cpu_ms: None,
            memory_kib: None,
            ended: 0,
        }
    }

    #[track_caller]
    fn check(
        result: Option<(Ending, Option<i32>)>,
        told: Option<Result<Verdict, String>>,
        logged: Option<&str>,
        outcome: Outcome,
    ) {
        let result = result.map(|(ending, code)| ended(ending, code));
        let settled = of(false, result.as_ref(), told.clone(), logged.map(str::to_owned), "");
        assert_eq!(settled.outcome, outcome, "{settled:?}");
        assert_eq!(of(true, result.as_ref(), told, None, "").error.is_some(), {
            matches!(result.map(|it| it.ending), Some(Ending::TimedOut))
        });
    }

    fn finished(done: bool) -> Option<Result<Verdict, String>> {
        Some(Ok(Verdict::Finished { text: "x".to_owned(), done }))
    }

    #[test]
    fn the_trajectory_says_what_it_came_to_and_not_the_exit_code() {
        let zero = Some((Ending::Exited, Some(0)));
        let one = Some((Ending::Exited, Some(1)));
        let open = || Some(Ok(Verdict::Open));
        check(zero, finished(true), None, Outcome::Completed);
        check(one, finished(true), Some("earlier"), Outcome::Completed);
        check(zero, finished(false), None, Outcome::Failed);
        check(zero, open(), Some("no model"), Outcome::Failed);
        check(zero, open(), Some("AgentStuckInLoopError: x"), Outcome::Stuck);
        check(zero, Some(Ok(Verdict::Failed("no".to_owned()))), None, Outcome::Failed);
        check(zero, Some(Ok(Verdict::Rejected("no".to_owned()))), None, Outcome::Failed);
        check(zero, open(), None, Outcome::Failed);
        check(zero, Some(Ok(Verdict::Said("?".to_owned()))), None, Outcome::Failed);
        check(zero, Some(Err("nonsense".to_owned())), None, Outcome::Unknown);
        check(zero, None, None, Outcome::Unknown);
        check(one, None, None, Outcome::Failed);
        check(Some((Ending::Exited, None)), None, None, Outcome::Failed);
        check(None, None, None, Outcome::Error);
        check(None, finished(true), None, Outcome::Completed);
        check(Some((Ending::Lost, None)), None, None, Outcome::Error);
        check(Some((Ending::TimedOut, None)), finished(true), None, Outcome::Failed);
    }

    #[test]
    fn secrets_go_by_name_and_the_key_of_the_model_has_a_usual_value() {
        let task = Task { id: "t".to_owned(), ..Task::default() };
        let of = |settings: &str| {
            let settings = serde_json::from_str(settings).unwrap();
            environment(&task, &Session::default(), &settings)
        };
        let usual = of("{}");
        let told = |variables: &BTreeMap<String, Value>, name: &str, value: &str| matches!(variables.get(name), Some(Value::Plain(known)) if known == value);
        assert!(told(&usual, "LLM_API_KEY", "ollama") && told(&usual, "RUNTIME", "cli"));
        let path = "/workspace/.git/windlass/t/trajectory.json";
        assert!(told(&usual, "SAVE_TRAJECTORY_PATH", path));
        let set = of(
            r#"{"secrets": ["LLM_API_KEY", "T"], "environment": {"A": "b"}, "llm_base_url": ""}"#,
        );
        assert!(
            matches!(set.get("LLM_API_KEY"), Some(Value::Secret(name)) if name == "LLM_API_KEY")
        );
        assert!(matches!(set.get("T"), Some(Value::Secret(name)) if name == "T"));
        assert!(told(&set, "A", "b") && !set.contains_key("LLM_BASE_URL"));
    }

    #[test]
    fn a_task_is_one_argument_whatever_is_in_it() {
        let description = "-x $(reboot) 'a' \"b\"\n;".to_owned();
        let task = Task { description: description.clone(), ..Task::default() };
        let spec = spec(&task, &Settings { max_iterations: Some(7), ..Settings::default() });
        assert_eq!(spec.command[..4], ["python", "-m", "openhands.core.main", "-t"]);
        assert_eq!(spec.command[4..], [description.as_str(), "-i", "7"]);
    }
}

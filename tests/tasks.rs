//! Jobs as clients see them: as tasks, as results that are waited for, through the host's own tools, and as resources.

mod protocol;
mod asking;
mod strangers;
mod waiting;
mod tools;
mod resources;
mod streams;

use serde_json::{Value, json};

use crate::support::{Host, Setup, until};

/// What `worker` imports.
const GRANTS: &str = "[plugins.worker.grants]\nstore = true\njobs = true\n";

/// Both kinds of clients.
const ERAS: [fn(Setup) -> Host; 2] = [Setup::legacy, Setup::modern];

/// The extension by which a client says that it knows of tasks.
const TASKS: &str = "io.modelcontextprotocol/tasks";

fn worker() -> Setup {
    Setup::new().plugins(&["worker"]).config(GRANTS)
}

/// A client of the second era that knows of tasks and can ask its user.
fn with_tasks(setup: Setup) -> Host {
    let mut host = setup.modern();
    host.capabilities = json!({"elicitation": {"form": {}}, "extensions": {TASKS: {}}});
    host
}

/// A call of the tool that comes to a job, which does these steps.
fn run(steps: &Value) -> Value {
    json!({"name": "work_run", "arguments": {"plan": {"steps": steps}}})
}

/// Begins a task that does these steps, and gives its id.
fn begin(host: &mut Host, steps: &Value) -> String {
    let created = host.request("tools/call", run(steps));
    assert_eq!(created["result"]["resultType"], "task", "{created}");
    created["result"]["taskId"].as_str().unwrap().to_owned()
}

/// Submits a job that does these steps, by a tool that gives a handle.
fn submit(host: &mut Host, steps: &Value) -> String {
    host.text("work_submit", json!({"plan": {"steps": steps}}))
}

/// A task as it is.
fn get(host: &mut Host, id: &str) -> Value {
    let answer = host.request("tasks/get", json!({"taskId": id}));
    answer.get("result").cloned().unwrap_or_else(|| panic!("no task: {answer}"))
}

/// A task as soon as it has this status.
fn task_with(host: &mut Host, id: &str, status: &str) -> Value {
    let mut task = Value::Null;
    until("the task has its status", || {
        task = get(host, id);
        task["status"] == status
    });
    task
}

fn open(host: &mut Host, gate: &str) {
    assert_eq!(host.text("work_open", json!({"gate": gate})), "open");
}

/// A job as the host's own tool tells of it.
fn status(host: &mut Host, id: &str) -> Value {
    host.call("job_status", json!({"job_id": id}))["structuredContent"].clone()
}

/// A job as soon as it is in this state.
fn job_in(host: &mut Host, id: &str, state: &str) -> Value {
    let mut job = Value::Null;
    until("the job is in its state", || {
        job = status(host, id);
        job["state"] == state
    });
    job
}

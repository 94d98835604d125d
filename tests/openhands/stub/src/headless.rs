//! The program of 0.45: it does the task, writes the trajectory, tells of states in its log, and answers 0 whatever happened.

use std::{env, fs, path::Path};

use serde_json::{Value, json};

use crate::script::{self, End, Trajectory};

pub(crate) fn run(task: &str) {
    for (name, wanted) in [("RUNTIME", "cli"), ("WORKSPACE_BASE", "/workspace")] {
        assert_eq!(env::var(name).as_deref(), Ok(wanted), "{name} keeps the contract");
    }
    state("LOADING", "RUNNING");
    let came = script::play(task, || false);
    let mut events = vec![
        json!({"id": 0, "source": "agent", "action": "system", "args": {"content": "You are a stub."}}),
        json!({"id": 1, "source": "user", "action": "message", "args": {"content": task}}),
    ];
    match came.end {
        End::Finished(text) => finish(&mut events, &text, "true"),
        End::GaveUp(text) => finish(&mut events, &text, "false"),
        End::Rejected(why) => {
            events.push(json!({"source": "agent", "action": "reject", "args": {"outputs": {"reason": why}}}));
            state("RUNNING", "REJECTED");
        }
        End::Failed(why) => fail(&format!("BadRequestError: {why}")),
        End::Stuck => fail("AgentStuckInLoopError: Agent got stuck in a loop"),
        End::Silent | End::Interrupted => {}
    }
    match came.trajectory {
        Trajectory::Own => write(&Value::Array(events).to_string()),
        Trajectory::Text(text) => write(&text),
        Trajectory::Nothing => {}
    }
}

fn finish(events: &mut Vec<Value>, text: &str, completed: &str) {
    let arguments = json!({"final_thought": text, "task_completed": completed, "outputs": {}});
    events.push(json!({"id": 2, "source": "agent", "action": "finish", "args": arguments}));
    state("RUNNING", "FINISHED");
}

fn fail(why: &str) {
    println!("\u{1b}[91m18:36:53 - openhands:ERROR\u{1b}[0m: loop.py:24 - {why}");
    state("RUNNING", "ERROR");
}

fn state(before: &str, after: &str) {
    println!(
        "18:36:53 - openhands:INFO: agent_controller.py:556 - [Agent Controller stub] Setting agent(CodeActAgent) state from AgentState.{before} to AgentState.{after}"
    );
}

fn write(text: &str) {
    let path = env::var("SAVE_TRAJECTORY_PATH").unwrap();
    let path = Path::new(&path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

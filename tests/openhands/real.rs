//! The real OpenHands in both forms, in containers without a network, with a model that does as it is told.
//!
//! Each test does three tasks in one session, none of which waits for another: one that succeeds, one whose model fails, one
//! that is cancelled after the host was killed.

use std::{fs, sync::Mutex, thread::sleep, time::Duration};

use serde_json::{Value, json};

use crate::support::{
    bench::{Bench, setup, text},
    engine::{api::Api, with_git},
    githttp::GitServer,
    llm::{Llm, MODEL},
    real, until,
};

/// What only the model may see.
const KEY: &str = "sk-J7vQ2nXw9LtRb4Zc";

const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Each form wants a machine for itself.
static ALONE: Mutex<()> = Mutex::new(());

struct Real {
    bench: Bench,
    llm: Llm,
    session: String,
}

/// How a form is asked for, and what its agents call the tool that runs a command.
struct Form {
    mode: &'static str,
    image: fn(&Api) -> Option<String>,
    shell: &'static str,
}

const SERVER: Form = Form { mode: "agent-server", image: real::server, shell: "terminal" };
const APP: Form = Form { mode: "headless", image: real::app, shell: "execute_bash" };

impl Real {
    /// A host that runs this form, with a session.
    fn start(form: &Form) -> Option<Self> {
        let engine = with_git()?;
        let image = (form.image)(&engine)?;
        let (llm, git) = (Llm::start(), GitServer::open());
        git.repository("project", &[("README.md", "# A project\n")]);
        let (mode, url) = (form.mode, llm.url());
        let places = json!([llm.place(), git.place()]);
        let config = format!(
            "[plugins.openhands.config]\nmode = \"{mode}\"\nimage = \"{image}\"\nserver_image = \"{image}\"\n\
             llm_model = \"{MODEL}\"\nllm_base_url = \"{url}\"\nmax_iterations = 8\nserver_start_s = 280\n\
             environment = {{ LLM_NATIVE_TOOL_CALLING = \"true\" }}\n\
             git = {{ image = \"windlass-test/git:latest\" }}\n\
             [plugins.openhands.grants]\nstore = true\nworkspaces = \"shared\"\n\
             [plugins.openhands.grants.containers]\nmemory_mib = 1024\ncpus = 2.0\negress = {places}\n"
        );
        let key = [("OPENHANDS_SECRET_LLM_API_KEY", KEY)];
        let setup = setup(engine.address(), &config, &key)?.arguments(&["--plugins", "openhands"]);
        let mut bench = Bench::of(engine, setup);
        let started = bench.call("start_session", json!({"repo_url": git.url("project")}));
        Some(Self { bench, llm, session: text(&started["session_id"]) })
    }

    /// Starts a task; gives its id.
    fn begin(&mut self, task: &str) -> String {
        let arguments = json!({"session_id": self.session, "task_description": task});
        text(&self.bench.call("code", arguments)["task_id"])
    }

    fn look(&mut self, task: &str) -> Value {
        let arguments = json!({"session_id": self.session, "task_id": task});
        self.bench.call("get_coding_task_status", arguments)["tasks"][0].clone()
    }

    /// What a task comes to.
    fn settled(&mut self, task: &str) -> Value {
        let mut last = Value::Null;
        until("a task comes to its end", || {
            // Whoever looks takes time from what is looked at.
            sleep(LOOK_EVERY);
            last = self.look(task);
            last["outcome"] != "running"
        });
        assert!(!last.to_string().contains(KEY), "the key is told: {last}");
        last
    }

    /// The containers of tasks.
    fn containers(&self) -> Vec<Value> {
        let mut found = self.bench.containers();
        found.retain(|it| {
            it["Labels"]["windlass.alias"].as_str().is_some_and(|it| it.starts_with("openhands-"))
        });
        found
    }
}

#[track_caller]
fn check(form: &Form) {
    let _alone = ALONE.lock();
    let Some(mut real) = Real::start(form) else { return };
    let shell = form.shell;
    let write = r#"{"command": "echo it works > made.txt && cat made.txt README.md"}"#;
    let succeeding = format!("Write a file. TOOL:{shell}:{write}");
    let tasks = [&succeeding, "FAIL:400", "SLEEP:600 and then nothing"];
    let [made, failed, slow] = tasks.map(|task| real.begin(task));

    let made = real.settled(&made);
    assert_eq!(
        (&made["outcome"], &made["final_message"]),
        (&json!("completed"), &json!("all done")),
        "{made}"
    );
    let workspace = real.bench.state().join("workspaces").join(&real.session);
    assert_eq!(fs::read_to_string(workspace.join("made.txt")).unwrap(), "it works\n");
    assert_eq!(made["changed_files"][0]["path"], "made.txt", "{made}");

    let failed = real.settled(&failed);
    assert_eq!(failed["outcome"], "failed", "{failed}");
    assert!(text(&failed["error"]).contains("scripted failure"), "{failed}");

    let asked = real.llm.authorizations();
    assert!(asked.iter().all(|it| it.as_deref() == Some(&format!("Bearer {KEY}"))), "{asked:?}");
    until("the model is asked by the slow one", || {
        real.llm.prompts().iter().any(|prompt| prompt.to_string().contains("SLEEP:600"))
    });
    let running = real.containers();
    assert_eq!(running.len(), 1, "{running:?}");
    assert_eq!(running[0]["HostConfig"]["NetworkMode"], "none", "{running:?}");
    real.bench.killed(|_| {});
    assert_eq!(real.look(&slow)["outcome"], "running");
    let cancel = json!({"session_id": real.session, "task_id": slow});
    real.bench.call("cancel_coding_task", cancel);
    assert_eq!(real.settled(&slow)["outcome"], "cancelled");
    until("no container is left of a task", || real.containers().is_empty());
}

#[test]
fn the_current_form_does_a_task_and_tells_of_failures_and_of_its_end() {
    check(&SERVER);
}

#[test]
fn the_form_of_2025_does_a_task_and_tells_of_failures_and_of_its_end() {
    check(&APP);
}

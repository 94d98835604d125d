//! A host with the plugin `openhands`, a git server with a repository, and what is asked of both.

use std::{fs, path::PathBuf, time::Duration};

use serde_json::{Value, json};

use crate::support::{
    Setup,
    bench::{Bench, text},
    engine::{GIT_IMAGE, api::Api, with, with_git},
    failure,
    githttp::GitServer,
    inside::inside,
    until,
};

/// What stands in for OpenHands, in both forms.
pub(crate) const STUB: &str = "windlass-test/openhands:latest";

/// No other plugin that the program has inside.
const ALONE: &[&str] = &["--plugins", "openhands"];

/// The files of the repository.
const FILES: [(&str, &str); 2] = [("README.md", "hello\n"), ("src/main.py", "print(1)\n")];

pub(crate) struct Desk {
    pub(crate) bench: Bench,
    pub(crate) git: GitServer,
}

/// How the host is to be.
#[derive(Default)]
pub(crate) struct Wish<'a> {
    /// In the table `config` of the plugin.
    pub(crate) config: &'a str,
    /// In its table `grants.containers`.
    pub(crate) grant: &'a str,
    pub(crate) environment: &'a [(&'a str, &'a str)],
    /// Whether the plugin `git` is there too.
    pub(crate) git: bool,
}

impl Desk {
    pub(crate) fn new() -> Option<Self> {
        Self::with(&Wish::default())
    }

    /// With the agent-server.
    pub(crate) fn served() -> Option<Self> {
        Self::configured("mode = 'agent-server'")
    }

    pub(crate) fn configured(config: &str) -> Option<Self> {
        Self::with(&Wish { config, ..Wish::default() })
    }

    pub(crate) fn with(wish: &Wish<'_>) -> Option<Self> {
        let engine = engine()?;
        inside("openhands")?;
        let git = GitServer::open();
        git.repository("one", &FILES);
        let setup = setup(&engine, &git, wish);
        Some(Self { bench: Bench::of(engine, setup), git })
    }

    #[track_caller]
    pub(crate) fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.bench.call(tool, arguments)
    }

    /// Calls a tool that must fail: its code and message, and what else it tells programs.
    #[track_caller]
    pub(crate) fn fails(&mut self, tool: &str, arguments: Value) -> (String, Value) {
        let result = self.bench.host().call(tool, arguments);
        (failure(&result), result["structuredContent"]["details"].clone())
    }

    /// A session on the repository; gives its id.
    #[track_caller]
    pub(crate) fn session(&mut self) -> String {
        let url = self.git.url("one");
        text(&self.call("start_session", json!({"repo_url": url}))["session_id"])
    }

    /// Starts a task; gives its id.
    #[track_caller]
    pub(crate) fn code(&mut self, session: &str, task: &str) -> String {
        let arguments = json!({"session_id": session, "task_description": task});
        text(&self.call("code", arguments)["task_id"])
    }

    /// The same, which must fail.
    #[track_caller]
    pub(crate) fn code_fails(&mut self, session: &str, task: &str) -> String {
        self.fails("code", json!({"session_id": session, "task_description": task})).0
    }

    /// How a task is.
    #[track_caller]
    pub(crate) fn status(&mut self, session: &str, task: &str) -> Value {
        let arguments = json!({"session_id": session, "task_id": task});
        self.call("get_coding_task_status", arguments)["tasks"][0].clone()
    }

    /// What a task came to.
    #[track_caller]
    pub(crate) fn ended(&mut self, session: &str, task: &str) -> Value {
        self.when(session, task, |status| status["outcome"] != "running")
    }

    /// Waits until a task is as it should be.
    #[track_caller]
    pub(crate) fn when(
        &mut self,
        session: &str,
        task: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Value {
        let mut last = Value::Null;
        until(&format!("task {task}"), || {
            last = self.status(session, task);
            holds(&last) || {
                std::thread::sleep(Duration::from_millis(50));
                false
            }
        });
        last
    }

    /// Runs a task to its end.
    #[track_caller]
    pub(crate) fn ran(&mut self, session: &str, task: &str) -> Value {
        let task = self.code(session, task);
        self.ended(session, &task)
    }

    /// The folder behind a session.
    pub(crate) fn folder(&self, session: &str) -> PathBuf {
        self.bench.state().join("workspaces").join(session)
    }

    /// Lets the tasks go on that wait for a file of this name.
    pub(crate) fn release(&self, session: &str, name: &str) {
        fs::write(self.folder(session).join(name), "").unwrap();
    }

    /// The containers that the engine has of tasks.
    pub(crate) fn task_containers(&self) -> Vec<Value> {
        let mut found = self.bench.containers();
        found.retain(|it| {
            it["Labels"]["windlass.alias"].as_str().is_some_and(|it| it.starts_with("openhands-"))
        });
        found
    }
}

/// The engine, with the images that these tests need.
pub(crate) fn engine() -> Option<Api> {
    with(with_git()?, STUB, "`cargo xtask test` makes it")
}

fn setup(engine: &Api, git: &GitServer, wish: &Wish<'_>) -> Setup {
    let place = git.place();
    let mut text = format!(
        "[plugins.openhands.grants]\nstore = true\nworkspaces = 'shared'\n\
         [plugins.openhands.grants.containers]\nmemory_mib = 256\negress = [{{ to = '{place}', private = true }}]\n{grant}\n\
         [plugins.openhands.config]\nimage = '{STUB}'\nserver_image = '{STUB}'\n{config}\n\
         [plugins.openhands.config.git]\nimage = '{GIT_IMAGE}'\n",
        grant = wish.grant,
        config = wish.config,
    );
    let mut plugins = ALONE;
    if wish.git {
        plugins = &["--plugins", "git,openhands"];
        text.push_str(&format!(
            "[plugins.git.grants]\nstore = true\nworkspaces = 'shared'\n[plugins.git.grants.containers]\n\
             egress = [{{ to = '{place}', private = true }}]\n[plugins.git.config]\nimage = '{GIT_IMAGE}'\n"
        ));
    }
    let setup = Setup::new().arguments(plugins).config(&text);
    let setup = setup.environment("DOCKER_HOST", engine.address());
    wish.environment.iter().fold(setup, |setup, (name, value)| setup.environment(name, value))
}

//! A host with the plugin `opencode`, a model, and what is asked of both.

use std::{
    path::PathBuf,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    thread::sleep,
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{
    Setup,
    bench::{Bench, text},
    engine::{GIT_IMAGE, api::Api, docker, with_git},
    failure,
    inside::inside,
    llm::{Llm, MODEL},
    real, until,
};

/// What only the model may see.
pub(super) const KEY: &str = "sk-Q9rT4mZx2KpVb7Ly";

/// How often it is looked how a run is: whoever looks takes time from what is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Longer than the first run of a server takes on a machine that does much else.
const SILENCE_S: u32 = 110;

/// Held by every test of opencode: who needs the whole machine waits for the others, and they for it.
static MACHINE: RwLock<()> = RwLock::new(());

pub(super) struct Desk {
    pub(super) bench: Bench,
    pub(super) llm: Llm,
    _share: Share,
}

/// Part of the machine.
#[allow(dead_code, reason = "they are held until they are dropped")]
enum Share {
    Some(RwLockReadGuard<'static, ()>),
    All(RwLockWriteGuard<'static, ()>),
}

impl Share {
    fn some() -> Self {
        Self::Some(MACHINE.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn all() -> Self {
        Self::All(MACHINE.write().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How the host is to be.
pub(super) struct Wish<'a> {
    /// In the table `config` of the plugin.
    pub(super) config: &'a str,
    /// In its table `grants.containers`.
    pub(super) grant: &'a str,
    /// Places that are granted besides the model's.
    pub(super) places: Vec<String>,
    /// `request_timeout`.
    pub(super) silence_s: u32,
    pub(super) environment: &'a [(&'a str, &'a str)],
    /// Whether the plugins `git` and `devbench` are there too.
    pub(super) others: bool,
    /// Whether no other test of opencode runs beside it.
    pub(super) alone: bool,
}

impl Default for Wish<'_> {
    fn default() -> Self {
        let (config, grant, environment) = ("", "", &[] as &[_]);
        let (places, silence_s) = (Vec::new(), SILENCE_S);
        Self { config, grant, places, silence_s, environment, others: false, alone: false }
    }
}

impl Desk {
    pub(super) fn new() -> Option<Self> {
        Self::with(&Wish::default())
    }

    pub(super) fn with(wish: &Wish<'_>) -> Option<Self> {
        let engine = if wish.others { with_git()? } else { docker()? };
        inside("opencode")?;
        let image = real::opencode(&engine)?;
        let share = if wish.alone { Share::all() } else { Share::some() };
        let llm = Llm::start();
        let setup = setup(&engine, &image, &llm, wish);
        Some(Self { bench: Bench::of(engine, setup), llm, _share: share })
    }

    /// With nothing but variables, as users of opencode-as-mcp have set them; these, and those of the model.
    pub(super) fn inherited(environment: &[(&str, &str)]) -> Option<Self> {
        let engine = docker()?;
        inside("opencode")?;
        let image = real::opencode(&engine)?;
        let llm = Llm::start();
        let variables = [
            ("DOCKER_HOST", engine.address()),
            ("MCP_RUNTIME_MODE", "docker"),
            ("MCP_RUNTIME_IMAGE", &image),
            ("MCP_OPENCODE_PROVIDER", "openai"),
            ("MCP_OPENCODE_MODEL", MODEL),
            ("MCP_OPENCODE_SMALL_MODEL", MODEL),
            ("MCP_OPENCODE_BASE_URL", &llm.url()),
            ("MCP_OPENCODE_API_KEY", KEY),
            ("MCP_OPENCODE_SERVER_START_TIMEOUT", "280"),
        ];
        let setup = Setup::new().arguments(&["--plugins", "opencode"]);
        let with = |setup: Setup, (name, value): &(&str, &str)| setup.environment(name, value);
        let setup = variables.iter().chain(environment).fold(setup, with);
        Some(Self { bench: Bench::of(engine, setup), llm, _share: Share::some() })
    }

    #[track_caller]
    pub(super) fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.bench.call(tool, arguments)
    }

    /// Calls a tool that must fail; gives its code and message.
    #[track_caller]
    pub(super) fn fails(&mut self, tool: &str, arguments: Value) -> String {
        failure(&self.bench.host().call(tool, arguments))
    }

    /// A session; gives its id.
    #[track_caller]
    pub(super) fn session(&mut self) -> String {
        text(&self.call("create_or_reuse_session", json!({}))["session_id"])
    }

    /// Submits a task; gives the run's id.
    #[track_caller]
    pub(super) fn submit(&mut self, session: &str, task: &str) -> String {
        let arguments = json!({"session_id": session, "task": task});
        text(&self.call("submit_task", arguments)["run_id"])
    }

    /// How a run is.
    #[track_caller]
    pub(super) fn status(&mut self, session: &str, run: &str) -> Value {
        let arguments = json!({"session_id": session, "run_id": run});
        self.call("get_status", arguments)["run"].clone()
    }

    /// Waits until a run is as it should be.
    #[track_caller]
    pub(super) fn when(
        &mut self,
        session: &str,
        run: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Value {
        let mut last = Value::Null;
        until(&format!("run {run}"), || {
            last = self.status(session, run);
            holds(&last) || {
                sleep(LOOK_EVERY);
                false
            }
        });
        assert!(!last.to_string().contains(KEY), "the key is told: {last}");
        last
    }

    /// Waits until a run is in this state; it must not end in another one.
    #[track_caller]
    pub(super) fn comes_to(&mut self, session: &str, run: &str, state: &str) -> Value {
        let over = |run: &Value| run["state"] == state || is_over(run);
        let last = self.when(session, run, over);
        assert_eq!(last["state"], state, "{last}\n{}", self.logs(run));
        last
    }

    /// What a run came to.
    #[track_caller]
    pub(super) fn ended(&mut self, session: &str, run: &str) -> Value {
        self.when(session, run, is_over)
    }

    /// Runs a task to its end.
    #[track_caller]
    pub(super) fn ran(&mut self, session: &str, task: &str) -> Value {
        let run = self.submit(session, task);
        self.ended(session, &run)
    }

    #[track_caller]
    pub(super) fn logs(&mut self, run: &str) -> String {
        text(&self.call("get_run_logs", json!({"run_id": run}))["logs"])
    }

    /// What a run left, by name.
    #[track_caller]
    pub(super) fn artifact(&mut self, session: &str, run: &str, name: &str) -> String {
        let path = format!("{session}/{run}/{name}");
        text(&self.call("read_artifact", json!({"path": path}))["content"])
    }

    /// How often the model was asked with this text as the latest thing that the user said.
    pub(super) fn asked(&self, wanted: &str) -> usize {
        let last = |prompt: &Value| {
            let messages = prompt["messages"].as_array().cloned().unwrap_or_default();
            let last = messages.iter().rfind(|message| message["role"] == "user");
            last.is_some_and(|message| message.to_string().contains(wanted))
        };
        self.llm.prompts().iter().filter(|prompt| last(prompt)).count()
    }

    /// Waits until the model was asked this.
    pub(super) fn until_asked(&self, wanted: &str) {
        until(&format!("the model is asked `{wanted}`"), || self.asked(wanted) > 0);
    }

    /// The folder behind a session.
    pub(super) fn folder(&self, session: &str) -> PathBuf {
        self.bench.state().join("workspaces").join(session)
    }

    /// The folder behind its second workspace.
    #[track_caller]
    pub(super) fn meta(&mut self, session: &str) -> PathBuf {
        let told = self.call("get_status", json!({"session_id": session}));
        let uri = text(&told["session"]["meta_workspace"]);
        let id = uri.trim_start_matches("workspace://").trim_end_matches('/').to_owned();
        self.folder(&id)
    }

    /// The containers that the engine has of sessions.
    pub(super) fn containers(&self) -> Vec<Value> {
        let mut found = self.bench.containers();
        found.retain(|it| {
            it["Labels"]["windlass.alias"].as_str().is_some_and(|it| it.starts_with("opencode-"))
        });
        found
    }
}

pub(super) fn is_over(run: &Value) -> bool {
    ["completed", "failed", "canceled"].iter().any(|state| run["state"] == *state)
}

fn setup(engine: &Api, image: &str, llm: &Llm, wish: &Wish<'_>) -> Setup {
    let granted = [llm.place()].into_iter().chain(wish.places.iter().cloned());
    let granted: Vec<_> = granted.map(|it| format!("{{ to = '{it}', private = true }}")).collect();
    let (granted, url, silence_s) = (granted.join(", "), llm.url(), wish.silence_s);
    let mut text = format!(
        "[plugins.opencode.grants]\nstore = true\njobs = true\nworkspaces = 'shared'\n\
         [plugins.opencode.grants.containers]\nmemory_mib = 1024\negress = [{granted}]\n{grant}\n\
         [plugins.opencode.config]\nimage = '{image}'\nprovider = 'openai'\nmodel = '{MODEL}'\nsmall_model = '{MODEL}'\n\
         base_url = '{url}'\nserver_start_timeout = 280\nrequest_timeout = {silence_s}\n{config}\n",
        grant = wish.grant,
        config = wish.config,
    );
    let mut plugins = "opencode";
    if wish.others {
        plugins = "opencode,git,devbench";
        text.push_str(&format!(
            "[plugins.git.grants]\nstore = true\nworkspaces = 'shared'\n[plugins.git.grants.containers]\negress = [{granted}]\n\
             [plugins.git.config]\nimage = '{GIT_IMAGE}'\nuser_name = 'Test'\nuser_email = 'test@example.com'\n\
             [plugins.devbench.grants]\nstore = true\nworkspaces = 'shared'\n[plugins.devbench.grants.containers]\n"
        ));
    }
    let setup = Setup::new().arguments(&["--plugins", plugins]).config(&text);
    let setup = setup.environment("DOCKER_HOST", engine.address());
    let setup = setup.environment("MCP_OPENCODE_API_KEY", KEY);
    wish.environment.iter().fold(setup, |setup, (name, value)| setup.environment(name, value))
}

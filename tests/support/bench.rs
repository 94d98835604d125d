//! The plugin `devbench` on a real engine, and what that engine says of what it made.

use std::{fs, path::PathBuf, process::Command, time::Instant};

use serde_json::{Value, json};

use super::{
    Host, PATIENCE, Setup,
    engine::{self, IMAGE, api::Api, docker, instance, labelled, sweep},
    failure,
    inside::inside,
    wait,
};

/// No other plugin that the program has inside.
const ALONE: &[&str] = &["--plugins", "devbench"];

/// A host with devbench and nothing else. What it made goes with it.
pub(crate) struct Bench {
    /// None only while it is being started again.
    host: Option<Host>,
    pub(crate) engine: Api,
    environment: Vec<(String, String)>,
}

/// What a process came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i64,
    pub(crate) usage: Value,
    /// Whether the oldest output was dropped.
    pub(crate) truncated: bool,
    pub(crate) messages: Vec<Value>,
}

impl Bench {
    /// With single processes as root, which is the one power that tests need often.
    pub(crate) fn new() -> Option<Self> {
        Self::granted("powers = [\"root\"]")
    }

    /// With this in its table `grants.containers`.
    pub(crate) fn granted(grant: &str) -> Option<Self> {
        Self::with(grant, &[])
    }

    /// With this in its environment as well.
    pub(crate) fn with(grant: &str, environment: &[(&str, &str)]) -> Option<Self> {
        Self::start(docker()?, grant, environment)
    }

    /// On Podman, if `cargo xtask test` could start one.
    pub(crate) fn podman() -> Option<Self> {
        Self::start(engine::podman()?, "powers = [\"root\"]", &[])
    }

    /// One on each engine that there is, with this in its table `grants.containers`.
    pub(crate) fn everywhere(grant: &str) -> impl Iterator<Item = Self> {
        let engines = [docker(), engine::podman()].into_iter().flatten();
        let grant = grant.to_owned();
        engines.filter_map(move |engine| Self::start(engine, &grant, &[]))
    }

    /// As it is without a configuration: nothing but its defaults.
    pub(crate) fn unconfigured(environment: &[(&str, &str)]) -> Option<Self> {
        Self::configured(docker()?, "", environment)
    }

    pub(crate) fn start(engine: Api, grant: &str, environment: &[(&str, &str)]) -> Option<Self> {
        Self::configured(engine, &granting(grant), environment)
    }

    fn configured(engine: Api, text: &str, environment: &[(&str, &str)]) -> Option<Self> {
        let setup = setup(engine.address(), text, environment)?;
        let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        let environment = environment.iter().map(own).collect();
        Some(Self { host: Some(setup.modern()), engine, environment })
    }

    /// Any other host that makes containers on it.
    pub(crate) fn of(engine: Api, setup: Setup) -> Self {
        Self { host: Some(setup.modern()), engine, environment: Vec::new() }
    }

    pub(crate) fn host(&mut self) -> &mut Host {
        self.host.as_mut().unwrap()
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.host.as_ref().unwrap().setup.state()
    }

    /// Who owns what it made.
    pub(crate) fn instance(&self) -> String {
        instance(&self.state())
    }

    /// Calls a tool that must succeed; gives its structured result.
    #[track_caller]
    pub(crate) fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.host().call(tool, arguments);
        assert_ne!(result["isError"], true, "`{tool}` failed: {result}");
        result["structuredContent"].clone()
    }

    /// Calls a tool that must fail: its error code and message.
    #[track_caller]
    pub(crate) fn refused(&mut self, tool: &str, arguments: Value) -> String {
        let result = self.host().call(tool, arguments);
        let structured = &result["structuredContent"];
        assert_eq!(structured["success"], false, "{result}");
        failure(&result)
    }

    /// The same: the code that programs know.
    #[track_caller]
    pub(crate) fn code(&mut self, tool: &str, arguments: Value) -> String {
        let result = self.host().call(tool, arguments);
        assert_eq!(result["isError"], true, "`{tool}` succeeded: {result}");
        text(&result["structuredContent"]["error_code"])
    }

    /// Writes a file of text; gives its tag.
    #[track_caller]
    pub(crate) fn write(&mut self, container: &str, path: &str, content: &str) -> String {
        let arguments = json!({"container_id": container, "path": path, "content": content});
        text(&self.call("fs_write", arguments)["etag"])
    }

    /// Reads a file of text.
    #[track_caller]
    pub(crate) fn read(&mut self, container: &str, path: &str) -> String {
        text(&self.call("fs_read", json!({"container_id": container, "path": path}))["content"])
    }

    /// A fresh container; gives its id.
    #[track_caller]
    pub(crate) fn spawn(&mut self) -> String {
        self.spawn_with(json!({}))
    }

    /// The same with these arguments besides.
    #[track_caller]
    pub(crate) fn spawn_with(&mut self, arguments: Value) -> String {
        let arguments = merged(json!({"image": IMAGE}), arguments);
        text(&self.call("spawn", arguments)["container_id"])
    }

    /// Starts a shell script; gives the id of its process.
    #[track_caller]
    pub(crate) fn begin(&mut self, container: &str, script: &str) -> String {
        self.begin_with(container, script, json!({}))
    }

    #[track_caller]
    pub(crate) fn begin_with(&mut self, container: &str, script: &str, more: Value) -> String {
        let arguments = json!({"container_id": container, "cmd": ["sh", "-c", script]});
        text(&self.call("exec_start", merged(arguments, more))["exec_id"])
    }

    /// Runs a shell script to its end.
    #[track_caller]
    pub(crate) fn run(&mut self, container: &str, script: &str) -> Ran {
        self.run_with(container, script, json!({}))
    }

    #[track_caller]
    pub(crate) fn run_with(&mut self, container: &str, script: &str, more: Value) -> Ran {
        let exec = self.begin_with(container, script, more);
        self.end(&exec)
    }

    /// Polls to the end of a process.
    #[track_caller]
    pub(crate) fn end(&mut self, exec: &str) -> Ran {
        let (begin, mut messages, mut truncated) = (Instant::now(), Vec::new(), false);
        loop {
            let after = messages.last().map_or(0, seq);
            let arguments = json!({"exec_id": exec, "after_seq": after, "wait_s": 10});
            let page = self.call("exec_poll", arguments);
            messages.extend(page["messages"].as_array().unwrap().iter().cloned());
            truncated |= page["truncated"] == true;
            if page["complete"] == true && messages.last().is_some_and(|it| it["complete"] == true)
            {
                return Ran::of(messages, truncated);
            }
            assert!(begin.elapsed() < PATIENCE, "`{exec}` does not end: {messages:?}");
        }
    }

    /// Polls until a process has printed this.
    #[track_caller]
    pub(crate) fn printed(&mut self, exec: &str, wanted: &str) -> String {
        let begin = Instant::now();
        loop {
            let page = self.call("exec_poll", json!({"exec_id": exec, "wait_s": 1}));
            let said = joined(page["messages"].as_array().unwrap(), "stdout");
            if said.contains(wanted) {
                return said;
            }
            assert!(page["complete"] != true, "`{exec}` ended without `{wanted}`: {page}");
            assert!(begin.elapsed() < PATIENCE, "`{exec}` does not print `{wanted}`: {page}");
        }
    }

    /// Ends the host as its client does, and starts it again in the same place.
    pub(crate) fn restart(&mut self) {
        let setup = self.host.take().unwrap().restart();
        self.host = Some(setup.modern());
    }

    /// Kills the host, does something, and starts it again.
    pub(crate) fn killed(&mut self, meanwhile: impl FnOnce(&Self)) {
        self.host().signal("-KILL");
        self.host().wait();
        meanwhile(self);
        self.restart();
    }

    /// Ends the host, does something, and starts it again.
    pub(crate) fn ended(&mut self, meanwhile: impl FnOnce(&Self)) {
        self.host().end();
        meanwhile(self);
        self.restart();
    }

    /// Writes other grants into its configuration while it runs.
    pub(crate) fn grant(&self, grant: &str) {
        self.configure(&granting(grant));
    }

    /// Replaces the configuration.
    pub(crate) fn configure(&self, text: &str) {
        let path = self.host.as_ref().unwrap().setup.path("windlass.toml");
        fs::write(path, text).unwrap();
    }

    /// Runs a command of the program beside it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.host.as_ref().unwrap().setup.command(arguments);
        command.envs(self.environment.iter().cloned());
        command
    }

    /// What the engine has of ours, stopped ones as well.
    pub(crate) fn containers(&self) -> Vec<Value> {
        labelled(&self.engine, &format!("windlass.instance={}", self.instance())).unwrap()
    }

    /// What the engine says of a container.
    #[track_caller]
    pub(crate) fn inspect(&self, container: &str) -> Value {
        let found = labelled(&self.engine, &format!("windlass.id={container}")).unwrap();
        let [one] = found.as_slice() else { panic!("the engine has {found:?}") };
        self.engine.get(&format!("/containers/{}/json", text(&one["Id"]))).unwrap()
    }

    /// The command lines in a container, as the engine sees them.
    pub(crate) fn top(&self, container: &str) -> Vec<String> {
        let id = text(&self.inspect(container)["Id"]);
        let top = self.engine.get(&format!("/containers/{id}/top")).unwrap();
        let last = |row: &Value| row.as_array().and_then(|row| row.last()).map(text);
        top["Processes"].as_array().unwrap().iter().filter_map(last).collect()
    }

    /// The folder behind a container's `/workspace`.
    pub(crate) fn workspace(&self, container: &str) -> PathBuf {
        let mounts = self.inspect(container)["Mounts"].clone();
        let here = |mount: &&Value| mount["Destination"] == "/workspace";
        let mount = mounts.as_array().unwrap().iter().find(here).expect("a workspace");
        text(&mount["Source"]).into()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let Some(host) = &mut self.host else { return };
        let pid = host.pid().to_string();
        // It may have ended already.
        let _ = Command::new("kill").args(["-KILL", &pid]).status();
        host.wait();
        sweep(&self.engine, &self.instance());
    }
}

impl Ran {
    fn of(messages: Vec<Value>, truncated: bool) -> Self {
        let last = messages.last().unwrap();
        Self {
            stdout: joined(&messages, "stdout"),
            stderr: joined(&messages, "stderr"),
            code: last["exit_code"].as_i64().unwrap_or_else(|| panic!("no exit code: {last}")),
            usage: last["usage"].clone(),
            truncated,
            messages,
        }
    }
}

/// A host with this configuration that is told of an engine. None: the program was not built with its plugins inside.
pub(crate) fn setup(address: &str, text: &str, environment: &[(&str, &str)]) -> Option<Setup> {
    inside("devbench")?;
    let plain = Setup::new().arguments(ALONE);
    let mut setup = plain.config(text).environment("DOCKER_HOST", address);
    for (name, value) in environment {
        setup = setup.environment(name, value);
    }
    Some(setup)
}

/// A configuration with this in devbench's table `grants.containers`.
pub(crate) fn granting(grant: &str) -> String {
    format!(
        "[plugins.devbench.grants]\nstore = true\nworkspaces = \"own\"\n[plugins.devbench.grants.containers]\n{grant}\n"
    )
}

/// The arguments of both.
pub(crate) fn merged(mut arguments: Value, more: Value) -> Value {
    let more = more.as_object().unwrap().clone();
    arguments.as_object_mut().unwrap().extend(more);
    arguments
}

#[track_caller]
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

pub(crate) fn seq(message: &Value) -> u64 {
    message["seq"].as_u64().unwrap_or_else(|| panic!("no number: {message}"))
}

/// All that came on one stream.
pub(crate) fn joined(messages: &[Value], stream: &str) -> String {
    let here = messages.iter().filter(|message| message["stream"] == stream);
    here.map(|message| message["data"].as_str().unwrap_or_default()).collect()
}

/// Starts a program and waits for its end.
pub(crate) fn finished(command: &mut Command) -> bool {
    wait(&mut command.spawn().unwrap()).success()
}

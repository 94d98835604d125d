//! A host with the plugin `worker` twice, and what its jobs are told.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Host, Setup, failure, fixture, text_of, until};

pub(super) struct Desk {
    /// None only while it is being started again.
    host: Option<Host>,
}

/// The plugin under two names, and more of the configuration.
pub(super) fn configuration(more: &str) -> String {
    format!(
        "[plugins.one]\ncomponent = '{file}'\n[plugins.one.grants]\nstore = true\njobs = true\n\
         [plugins.other]\ncomponent = '{file}'\nprefix = 'other_'\n[plugins.other.grants]\nstore = true\njobs = true\n{more}\n",
        file = fixture("worker").display()
    )
}

impl Desk {
    pub(super) fn new() -> Self {
        Self::with("")
    }

    pub(super) fn with(more: &str) -> Self {
        Self::of(Setup::new().config(&configuration(more)))
    }

    pub(super) fn of(setup: Setup) -> Self {
        Self { host: Some(setup.modern()) }
    }

    pub(super) fn host(&mut self) -> &mut Host {
        self.host.as_mut().unwrap()
    }

    /// Calls a tool that must succeed; gives what it answers as JSON.
    #[track_caller]
    pub(super) fn call(&mut self, tool: &str, arguments: Value) -> Value {
        serde_json::from_str(&self.text(tool, arguments)).unwrap()
    }

    /// The same, as text.
    #[track_caller]
    pub(super) fn text(&mut self, tool: &str, arguments: Value) -> String {
        let call = self.begin(tool, arguments);
        self.text_of(call)
    }

    pub(super) fn begin(&mut self, tool: &str, arguments: Value) -> u64 {
        self.host().begin("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    #[track_caller]
    pub(super) fn text_of(&mut self, call: u64) -> String {
        let answer = self.host().answer(call);
        assert_eq!(answer["result"]["isError"], false, "it failed: {answer}");
        text_of(&answer["result"])
    }

    /// Calls a tool that must fail.
    #[track_caller]
    pub(super) fn fails(&mut self, tool: &str, arguments: Value) -> String {
        failure(&self.host().call(tool, arguments))
    }

    /// Submits a job of these steps; gives its id.
    #[track_caller]
    pub(super) fn submit(&mut self, steps: Value) -> String {
        self.submit_with(steps, json!({}))
    }

    #[track_caller]
    pub(super) fn submit_with(&mut self, steps: Value, more: Value) -> String {
        let mut arguments = more;
        arguments["plan"]["steps"] = steps;
        self.text("work_submit", arguments)
    }

    #[track_caller]
    pub(super) fn look(&mut self, id: &str) -> Value {
        self.call("work_look", json!({"id": id}))
    }

    /// Waits until a job is as it should be.
    #[track_caller]
    pub(super) fn until(&mut self, id: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        until(&format!("job {id}"), || {
            last = self.look(id);
            holds(&last)
        });
        last
    }

    #[track_caller]
    pub(super) fn ended(&mut self, id: &str) -> Value {
        self.until(id, |job| !job["ended"].is_null())
    }

    #[track_caller]
    pub(super) fn state(&mut self, id: &str) -> String {
        self.look(id)["state"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub(super) fn log(&mut self, id: &str) -> String {
        self.text("work_log", json!({"id": id, "most": 1 << 20}))
    }

    pub(super) fn open(&mut self, gate: &str) {
        self.text("work_open", json!({"gate": gate}));
    }

    pub(super) fn marks(&mut self) -> Vec<String> {
        let marks = self.call("work_marks", json!({}));
        let marks = marks["marks"].as_array().unwrap().iter();
        marks.map(|mark| mark.as_str().unwrap().to_owned()).collect()
    }

    /// Waits until a mark is there.
    #[track_caller]
    pub(super) fn marked(&mut self, mark: &str) {
        until(&format!("mark {mark}"), || self.marks().iter().any(|it| it == mark));
    }

    /// Ends the host in order, and starts another one.
    pub(super) fn restarted(mut self) -> Self {
        self.host = self.host.take().map(|host| host.restart().modern());
        self
    }

    /// The same with another configuration.
    pub(super) fn reconfigured(mut self, text: &str) -> Self {
        let setup = self.host.take().unwrap().restart();
        fs::write(setup.path("windlass.toml"), text).unwrap();
        Self::of(setup)
    }

    /// The same with -9.
    pub(super) fn killed(mut self) -> Self {
        let mut host = self.host.take().unwrap();
        host.signal("-KILL");
        host.wait();
        self.host = Some(host.restart().modern());
        self
    }
}

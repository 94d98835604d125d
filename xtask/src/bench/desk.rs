//! A host with devbench, and a client that reads what it answers.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::line::Line;
use crate::{api::Api, engine::IMAGE, serve::Server};

pub(super) struct Desk<'a> {
    pub(super) line: Line,
    pub(super) server: &'a Server,
    pub(super) engine: &'a Api,
}

impl<'a> Desk<'a> {
    pub(super) fn open(server: &'a Server, engine: &'a Api) -> Result<Self> {
        Ok(Self { line: Line::start(server)?, server, engine })
    }

    /// Calls a tool; gives its structured result.
    pub(super) fn call(&mut self, tool: &str, arguments: &Value) -> Result<Value> {
        result(self.line.answer("tools/call", &parameters(tool, arguments))?)
    }

    pub(super) fn spawn(&mut self) -> Result<String> {
        text(&self.call("spawn", &json!({"image": IMAGE}))?["container_id"])
    }

    pub(super) fn kill(&mut self, container: &str) -> Result<()> {
        let gone = json!({"container_id": container, "force": true, "remove_workspace": true});
        self.call("kill", &gone).map(drop)
    }

    /// Starts a program; gives the id of its process.
    pub(super) fn begin(&mut self, container: &str, cmd: &[&str]) -> Result<String> {
        let arguments = json!({"container_id": container, "cmd": cmd, "timeout_s": 600});
        text(&self.call("exec_start", &arguments)?["exec_id"])
    }

    /// Waits for the end of a process that prints little.
    pub(super) fn end(&mut self, exec: &str) -> Result<()> {
        let arguments = json!({"exec_id": exec, "wait_s": 30});
        loop {
            let page = self.call("exec_poll", &arguments)?;
            if page["complete"] == true {
                return Ok(());
            }
        }
    }

    pub(super) fn run(&mut self, container: &str, script: &str) -> Result<()> {
        let exec = self.begin(container, &["sh", "-c", script])?;
        self.end(&exec)
    }

    /// The next answer to a call that was begun: its id, and the structured result.
    pub(super) fn next(&mut self) -> Result<(usize, Value)> {
        let answer = self.line.split().1.next()?;
        let whole: Value = serde_json::from_str(answer)?;
        let id = whole["id"].as_u64().and_then(|id| usize::try_from(id).ok()).unwrap_or_default();
        Ok((id, result(answer)?))
    }

    /// What the engine calls a container.
    pub(super) fn engine_id(&self, container: &str) -> Result<String> {
        let found =
            labelled(self.engine, "containers/json?all=1&", &format!("windlass.id={container}"))?;
        text(&found.first().context("the engine has no such container")?["Id"])
    }

    /// The folder behind a container's `/workspace`.
    pub(super) fn workspace(&self, container: &str) -> Result<PathBuf> {
        let seen = self.engine.get(&format!("/containers/{}/json", self.engine_id(container)?))?;
        let mut mounts = seen["Mounts"].as_array().into_iter().flatten();
        let mount = mounts.find(|mount| mount["Destination"] == "/workspace");
        Ok(text(&mount.context("no workspace")?["Source"])?.into())
    }
}

/// Removes every container of a server's when it is dropped, which has to be after the desk.
pub(super) struct Sweep<'a> {
    pub(super) server: &'a Server,
    pub(super) engine: &'a Api,
}

impl Drop for Sweep<'_> {
    fn drop(&mut self) {
        let Ok(instance) = instance(self.server) else { return };
        let label = format!("windlass.instance={instance}");
        for container in labelled(self.engine, "containers/json?all=1&", &label).unwrap_or_default()
        {
            let id = container["Id"].as_str().unwrap_or_default();
            // Somebody else may have removed it.
            let _ = self.engine.delete(&format!("/containers/{id}?force=1&v=1"));
        }
    }
}

/// Who owns what a server makes.
pub(super) fn instance(server: &Server) -> Result<String> {
    Ok(fs::read_to_string(server.state()?.join("instance"))?.trim().to_owned())
}

/// What the engine has with a label: of containers, volumes or networks.
pub(super) fn labelled(engine: &Api, what: &str, label: &str) -> Result<Vec<Value>> {
    let filters = json!({"label": [label]}).to_string();
    let filters: String = filters.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let found = engine.get(&format!("/{what}filters={filters}"))?;
    let list = found.get("Volumes").unwrap_or(&found);
    Ok(list.as_array().cloned().unwrap_or_default())
}

pub(super) fn parameters(tool: &str, arguments: &Value) -> String {
    json!({"name": tool, "arguments": arguments}).to_string()
}

/// The structured result in an answer.
fn result(answer: &str) -> Result<Value> {
    let mut answer: Value = serde_json::from_str(answer)?;
    let result = &mut answer["result"];
    if result["isError"] == true || !result.is_object() {
        bail!("a call failed: {answer}");
    }
    Ok(result["structuredContent"].take())
}

pub(super) fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().with_context(|| format!("no text: {value}"))?.to_owned())
}

//! A host with devbench, and a client that reads what it answers.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::line::Line;
use crate::{
    api::{Api, encoded},
    engine::IMAGE,
    serve::Server,
};

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
        let found = labelled(self.engine, &format!("windlass.id={container}"))?;
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
        for container in labelled(self.engine, &label).unwrap_or_default() {
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

/// The containers that the engine has with a label.
pub(super) fn labelled(engine: &Api, label: &str) -> Result<Vec<Value>> {
    let filters = encoded(&json!({"label": [label]}).to_string());
    let found = engine.get(&format!("/containers/json?all=1&filters={filters}"))?;
    Ok(found.as_array().cloned().unwrap_or_default())
}

/// The volumes and networks of an engine, whoever made them. Images can bring volumes that have no labels.
pub(super) struct Stock {
    volumes: BTreeSet<String>,
    networks: BTreeSet<String>,
}

impl Stock {
    pub(super) fn of(engine: &Api) -> Result<Self> {
        let names = |what: &str, list: &Value, name: &str| {
            let list = list.as_array().with_context(|| format!("no list of {what}"))?;
            list.iter().map(|it| text(&it[name])).collect::<Result<_>>()
        };
        let (volumes, networks) = (engine.get("/volumes")?, engine.get("/networks")?);
        let none = json!([]);
        // The engine says null where there is no volume.
        let volumes = volumes.get("Volumes").filter(|it| !it.is_null()).unwrap_or(&none);
        Ok(Self {
            volumes: names("volumes", volumes, "Name")?,
            networks: names("networks", &networks, "Id")?,
        })
    }

    /// How many volumes and networks have come since.
    pub(super) fn added(&self, engine: &Api) -> Result<[usize; 2]> {
        let now = Self::of(engine)?;
        let added = |now: &BTreeSet<_>, before| now.difference(before).count();
        Ok([added(&now.volumes, &self.volumes), added(&now.networks, &self.networks)])
    }
}

/// How many folders of a host's there are, without what all share: where workspaces are made, the supervisor's program.
pub(super) fn folders_in(path: &Path) -> usize {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b".")).count()
}

pub(super) fn parameters(tool: &str, arguments: &Value) -> String {
    json!({"name": tool, "arguments": arguments}).to_string()
}

/// The structured result in an answer.
pub(super) fn result(answer: &str) -> Result<Value> {
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

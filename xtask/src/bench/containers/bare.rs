//! What the engine does itself, asked as plainly as it can be: the floor under every figure.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::desk::text;
use crate::{api::Api, engine::IMAGE};

/// A container like ours, but for the supervisor. It is removed when this is dropped.
pub(super) struct Bare<'a> {
    engine: &'a Api,
    id: String,
}

impl<'a> Bare<'a> {
    pub(super) fn start(engine: &'a Api) -> Result<Self> {
        let host = json!({
            "NetworkMode": "none", "ReadonlyRootfs": true, "CapDrop": ["ALL"], "PidsLimit": 256,
            "SecurityOpt": ["no-new-privileges"], "Memory": 512 << 20, "NanoCpus": 1_000_000_000,
            "CpusetCpus": "0", "Tmpfs": {"/tmp": ""},
        });
        let spec = json!({"Image": IMAGE, "Cmd": ["sleep", "3600"], "User": "1000:1000", "HostConfig": host});
        let id = text(&engine.post("/containers/create", &spec)?["Id"])?;
        let bare = Self { engine, id };
        engine.post(&format!("/containers/{}/start", bare.id), &Value::Null)?;
        Ok(bare)
    }

    /// Runs a program to its end; gives how much it printed, with the heads of the engine's frames.
    pub(super) fn exec(&self, cmd: &[&str]) -> Result<usize> {
        let spec = json!({"Cmd": cmd, "AttachStdout": true, "AttachStderr": true});
        let exec = self.engine.post(&format!("/containers/{}/exec", self.id), &spec)?;
        let id = text(&exec["Id"])?;
        let body = json!({"Detach": false, "Tty": false});
        let path = format!("/exec/{id}/start");
        let output = self.engine.post_for_bytes(&path, &body)?;
        let seen = self.engine.get(&format!("/exec/{id}/json"))?;
        ensure!(seen["ExitCode"] == 0, "an exec failed: {seen}");
        Ok(output.len())
    }
}

impl Drop for Bare<'_> {
    fn drop(&mut self) {
        // Somebody else may have removed it.
        let _ = self.engine.delete(&format!("/containers/{}?force=1&v=1", self.id));
    }
}

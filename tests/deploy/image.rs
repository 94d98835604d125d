//! The image, built of its Dockerfile and run as it is meant to be: nothing to write to but the state, nobody in particular, no
//! capabilities, and the engine outside.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::Path,
    process,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{read, static_program};
use crate::support::{
    MODERN,
    client::Client,
    engine::{IMAGE, api::Api, docker, skip},
    until,
};

/// Whom the image runs as.
const USER: u32 = 1000;

const CONFIG: &str = "
[plugins.devbench.grants]
store = true
workspaces = 'own'
[plugins.devbench.grants.containers]
registries = ['docker.io']
";

/// A container of the image. It goes with the test, and the image with it.
struct Deployed {
    engine: Api,
    image: String,
    id: String,
    state: TempDir,
    client: Client,
}

impl Deployed {
    fn start() -> Option<Self> {
        let (engine, program) = (docker()?, static_program()?);
        let Some(socket) = engine.address().strip_prefix("unix://").map(str::to_owned) else {
            return skip("the engine is another machine's");
        };
        let Ok(state) = TempDir::new().and_then(|state| own(state.path()).map(|()| state)) else {
            return skip("only root can give a folder to the user of the image");
        };
        let image = format!("windlass-test-deploy-{}", process::id());
        build(&engine, &image, &program);
        let at = state.path().to_str().unwrap();
        let group = fs::metadata(&socket).unwrap().gid().to_string();
        let body = json!({
            "Image": image,
            "Env": [
                format!("DOCKER_HOST=unix://{socket}"),
                format!("WINDLASS_STATE_DIR={at}"),
                format!("WINDLASS_CACHE_DIR={at}/cache"),
            ],
            "Cmd": ["serve", "--http", "0.0.0.0:8931", "--config", format!("{at}/windlass.toml")],
            "Healthcheck": {"Interval": 1_000_000_000_u64},
            "HostConfig": {
                "ReadonlyRootfs": true,
                "CapDrop": ["ALL"],
                "SecurityOpt": ["no-new-privileges"],
                "PidMode": "host",
                "NetworkMode": image,
                "GroupAdd": [group],
                "Binds": [format!("{at}:{at}"), format!("{socket}:{socket}")],
            },
        });
        fs::write(state.path().join("windlass.toml"), CONFIG).unwrap();
        // This machine reaches it there, and it reaches nobody.
        let network = json!({"Name": image, "Internal": true});
        engine.post("/networks/create", &network).unwrap();
        let made = engine.post("/containers/create", &body).unwrap();
        let id = made["Id"].as_str().unwrap().to_owned();
        engine.post(&format!("/containers/{id}/start"), &Value::Null).unwrap();
        let found = engine.get(&format!("/containers/{id}/json")).unwrap();
        let address = &found["NetworkSettings"]["Networks"][&image]["IPAddress"];
        let address = address.as_str().unwrap();
        let origin = format!("http://{address}:8931");
        until("it listens", || std::net::TcpStream::connect(&origin[7..]).is_ok());
        Some(Self { client: Client::of(&origin), engine, image, id, state })
    }

    /// What the engine says of it.
    fn inspect(&self) -> Value {
        self.engine.get(&format!("/containers/{}/json", self.id)).unwrap()
    }

    /// Calls a tool that must succeed, and gives its result.
    #[track_caller]
    fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let parameters = json!({"name": tool, "arguments": arguments, "_meta": meta});
        let message =
            json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": parameters});
        let token = fs::read_to_string(self.state.path().join("token")).unwrap();
        let headers = [
            ("Host", "localhost:8931"),
            ("Authorization", &*format!("Bearer {}", token.trim())),
            ("Accept", "application/json, text/event-stream"),
            ("MCP-Protocol-Version", MODERN),
            ("Mcp-Method", "tools/call"),
            ("Mcp-Name", tool),
        ];
        let reply = self.client.ask("POST", "/mcp", &headers, &message).unwrap();
        let body = String::from_utf8_lossy(&reply.body).into_owned();
        let mut data = body.lines().filter_map(|line| line.strip_prefix("data:"));
        let last = data.next_back().unwrap_or(&body);
        let answer: Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("{reply:?}"));
        let result = answer["result"].clone();
        assert!(result["isError"] == false, "{tool}: {answer}");
        result["structuredContent"].clone()
    }
}

impl Drop for Deployed {
    fn drop(&mut self) {
        // What is gone already is no trouble.
        let _ = self.engine.delete(&format!("/containers/{}?force=true&v=true", self.id));
        let _ = self.engine.delete(&format!("/networks/{}", self.image));
        let _ = self.engine.delete(&format!("/images/{}?force=true", self.image));
    }
}

/// Makes a folder that of the image's user.
fn own(folder: &Path) -> std::io::Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    chown(folder, Some(USER), Some(USER))
}

/// Builds the image as `docker build` does: of its Dockerfile, with the program beside it.
fn build(engine: &Api, image: &str, program: &Path) {
    let mut context = tar::Builder::new(Vec::new());
    let dockerfile = read("Dockerfile");
    let mut header = tar::Header::new_gnu();
    header.set_size(dockerfile.len() as u64);
    header.set_mode(0o644);
    context.append_data(&mut header, "Dockerfile", dockerfile.as_bytes()).unwrap();
    context.append_path_with_name(program, "windlass").unwrap();
    let context = context.into_inner().unwrap();
    let length = context.len() as u64;
    engine.post_archive(&format!("/build?t={image}&q=1"), context.as_slice(), length).unwrap();
    engine.get(&format!("/images/{image}/json")).unwrap();
}

#[test]
fn the_image_serves_as_nobody_on_a_root_that_it_cannot_write() {
    let Some(mut deployed) = Deployed::start() else { return };
    let found = deployed.inspect();
    assert_eq!(found["Config"]["User"], "1000:1000");
    assert_eq!(found["Mounts"].as_array().unwrap().len(), 2, "{}", found["Mounts"]);
    until("it is healthy", || deployed.inspect()["State"]["Health"]["Status"] == "healthy");

    // What it makes are containers beside it, whose supervisors reach it by the folder that both see.
    let spawned = deployed.call("spawn", &json!({"image": IMAGE}));
    let id = spawned["container_id"].as_str().unwrap().to_owned();
    let file = json!({"container_id": id, "path": "said", "content": "hello"});
    deployed.call("fs_write", &file);
    let command = json!(["sh", "-c", "cat /workspace/said; id -u"]);
    let started = deployed.call("exec_start", &json!({"container_id": id, "cmd": command}));
    assert_eq!(started["carrier"], "supervisor", "{started}");
    let exec = started["exec_id"].clone();
    let mut output = String::new();
    until("it has ended", || {
        let polled = deployed.call("exec_poll", &json!({"exec_id": exec}));
        output = polled["messages"].to_string();
        polled["complete"] == true
    });
    assert!(output.contains("hello") && output.contains("1000"), "{output}");
    deployed.call("kill", &json!({"container_id": id, "force": true}));

    let stop = format!("/containers/{}/stop?t=60", deployed.id);
    deployed.engine.post(&stop, &Value::Null).unwrap();
    let ended = deployed.inspect();
    assert_eq!(ended["State"]["ExitCode"], 0, "{}", ended["State"]);
}

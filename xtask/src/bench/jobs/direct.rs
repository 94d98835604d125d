//! opencode driven directly, as a script would: its server in a container that the engine makes, asked over this machine's
//! loopback, without a tunnel or a proxy; followed by its events alone.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::chown,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    super::{desk::text, http::Http},
    llm::Llm,
};
use crate::{api::Api, tree};

/// The key of a model that wants none, and as long as a real one.
pub(super) const KEY: &str = "sk-bench-bench-bench-bench";

/// The limits of a container, here and there.
pub(super) struct Limits {
    pub(super) memory_mib: u64,
    pub(super) cpus: u64,
    pub(super) pids: u64,
}

pub(super) const LIMITS: Limits = Limits { memory_mib: 1024, cpus: 2, pids: 512 };

/// Whom the server is run as.
const USER: u32 = 1000;
/// `opencode:p` as the header wants it.
const AUTHORIZATION: &str = "Basic b3BlbmNvZGU6cA==";
const PASSWORD: &str = "p";

/// The provider and its model, as opencode is told.
const PROVIDER: &str = "windlass";
const MODEL: &str = "fake-1";

/// How long the server may take to start, and how often it is tried.
const START_LIMIT: Duration = Duration::from_secs(120);
const TRY_EVERY: Duration = Duration::from_millis(100);

pub(super) struct Direct<'a> {
    engine: &'a Api,
    container: String,
    /// What opencode's files are in.
    _folder: TempDir,
    authority: String,
    session: String,
    events: Events,
    /// The latest message of the model's.
    latest: String,
}

/// What the server tells.
struct Events {
    http: Http,
    text: String,
}

impl<'a> Direct<'a> {
    /// A server that answers, and a session in it.
    pub(super) fn start(engine: &'a Api, image: &str, llm: &Llm) -> Result<Self> {
        let folder = tempfile::tempdir_in(tree::made("tmp")?)?;
        for name in ["workspace", "session-meta"] {
            let path = folder.path().join(name);
            fs::create_dir(&path)?;
            chown(&path, Some(USER), Some(USER))?;
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let spec = spec(image, llm, &folder, port);
        let made = engine.post("/containers/create", &spec)?;
        let container = text(&made["Id"])?;
        let authority = format!("127.0.0.1:{port}");
        let begun = engine.post(&format!("/containers/{container}/start"), &Value::Null);
        let begun = begun.and_then(|_| begin(&authority));
        let (session, events) = begun.inspect_err(|_| remove(engine, &container))?;
        let latest = String::new();
        Ok(Self { engine, container, _folder: folder, authority, session, events, latest })
    }

    /// One run: the milliseconds until the server tells of the first step of the model, and of the end.
    pub(super) fn run(&mut self, task: &str) -> Result<[f64; 2]> {
        let body = json!({
            "model": {"providerID": PROVIDER, "modelID": MODEL},
            "parts": [{"type": "text", "text": task}],
        });
        let start = Instant::now();
        ask(&self.authority, "POST", &format!("/session/{}/prompt_async", self.session), &body)?;
        let (mut first, mut answered) = (None, false);
        loop {
            let event = self.events.next()?;
            let properties = &event["properties"];
            match event["type"].as_str() {
                Some("message.updated") if properties["info"]["role"] == "assistant" => {
                    let info = &properties["info"];
                    let id = text(&info["id"])?;
                    if id > self.latest {
                        first.get_or_insert_with(|| start.elapsed());
                        (self.latest, answered) = (id, false);
                    }
                    ensure!(info["error"].is_null(), "opencode fails: {info}");
                    answered |= first.is_some() && info["finish"] == "stop";
                }
                Some("session.idle") if answered && properties["sessionID"] == *self.session => {
                    let first = first.context("it ended before it began")?;
                    return Ok([first, start.elapsed()].map(|took| took.as_secs_f64() * 1e3));
                }
                _ => {}
            }
        }
    }
}

impl Drop for Direct<'_> {
    fn drop(&mut self) {
        remove(self.engine, &self.container);
    }
}

fn remove(engine: &Api, container: &str) {
    // Somebody else may have removed it.
    let _ = engine.delete(&format!("/containers/{container}?force=1&v=1"));
}

impl Events {
    fn next(&mut self) -> Result<Value> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let event = event.strip_prefix("data: ").map(serde_json::from_str).transpose();
                self.text = rest.to_owned();
                if let Some(event) = event? {
                    return Ok(event);
                }
            } else {
                self.text.push_str(str::from_utf8(self.http.chunk()?)?);
            }
        }
    }
}

/// Waits until the server answers; gives a session and what is told from there on.
fn begin(authority: &str) -> Result<(String, Events)> {
    let start = Instant::now();
    while let Err(error) = ask(authority, "GET", "/global/health", &Value::Null) {
        if start.elapsed() > START_LIMIT {
            bail!(error.context("opencode does not start"));
        }
        sleep(TRY_EVERY);
    }
    let made = ask(authority, "POST", "/session", &json!({"title": "bench"}))?;
    let mut http = Http::connect(authority)?;
    http.ask_for_chunks(&request(authority, "GET", "/event", ""))?;
    Ok((text(&made["id"])?, Events { http, text: String::new() }))
}

fn ask(authority: &str, method: &str, path: &str, body: &Value) -> Result<Value> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut http = Http::connect(authority)?;
    let answer = http.ask(&request(authority, method, path, &body))?;
    if answer.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(answer)?) }
}

fn request(authority: &str, method: &str, path: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: {AUTHORIZATION}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The container: confined as ours are, but for the network.
fn spec(image: &str, llm: &Llm, folder: &TempDir, port: u16) -> Value {
    let Limits { memory_mib, cpus, pids } = LIMITS;
    let bound = |name: &str| format!("{}:/{name}", folder.path().join(name).display());
    let port = port.to_string();
    json!({
        "Image": image,
        "Cmd": ["opencode", "serve", "--hostname", "127.0.0.1", "--port", port],
        "User": format!("{USER}:{USER}"),
        "WorkingDir": "/workspace",
        "Env": [
            "HOME=/session-meta/home",
            format!("OPENCODE_SERVER_PASSWORD={PASSWORD}"),
            format!("OPENCODE_CONFIG_CONTENT={}", config(llm)),
            "OPENCODE_PERMISSION={\"*\":\"allow\",\"question\":\"deny\"}",
            "OPENCODE_DISABLE_MODELS_FETCH=1",
            "OPENCODE_DISABLE_AUTOUPDATE=1",
            "OPENCODE_DISABLE_LSP_DOWNLOAD=1",
            "OPENCODE_DISABLE_SHARE=1",
            "OPENCODE_DISABLE_DEFAULT_PLUGINS=1",
        ],
        "HostConfig": {
            "NetworkMode": "host",
            "ReadonlyRootfs": true,
            "Tmpfs": {"/tmp": ""},
            "Binds": [bound("workspace"), bound("session-meta")],
            "CapDrop": ["ALL"],
            "Memory": memory_mib << 20,
            "NanoCpus": cpus * 1_000_000_000,
            "PidsLimit": pids,
        },
    })
}

/// What the plugin tells opencode, too.
fn config(llm: &Llm) -> Value {
    let limit = json!({"context": 128_000, "output": 8_192});
    let url = format!("http://127.0.0.1:{}/v1", llm.port());
    json!({
        "provider": {PROVIDER: {
            "npm": "@ai-sdk/openai-compatible",
            "name": "bench",
            "options": {"baseURL": url, "apiKey": KEY},
            "models": {MODEL: {"name": MODEL, "tool_call": true, "limit": limit}},
        }},
        "enabled_providers": [PROVIDER],
        "model": format!("{PROVIDER}/{MODEL}"),
        "small_model": format!("{PROVIDER}/{MODEL}"),
        "share": "disabled",
        "autoupdate": false,
    })
}

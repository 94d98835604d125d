//! The program under test, a client on its other end, and the fixtures it loads.

pub(crate) mod bench;
pub(crate) mod client;
pub(crate) mod clock;
pub(crate) mod coder;
mod deployed;
pub(crate) mod ended;
pub(crate) mod engine;
pub(crate) mod http;
pub(crate) mod inside;
pub(crate) mod served;
pub(crate) mod githttp;
pub(crate) mod llm;
pub(crate) mod openid;
pub(crate) mod prism;
pub(crate) mod real;
pub(crate) mod site;
pub(crate) mod small_disk;
pub(crate) mod tls;
mod watch;

use std::{
    collections::VecDeque,
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) use watch::{collect, lines, until, wait};

/// Longer than any machine is slow. Reached only when something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// The protocol's first era, and its second.
pub(crate) const LEGACY: &str = "2025-11-25";
pub(crate) const MODERN: &str = "2026-07-28";

/// Which plugins of those inside are loaded.
const INSIDE: &str = "WINDLASS_PLUGINS";

/// How a host is to be started.
pub(crate) struct Setup {
    directory: TempDir,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

/// A running host with a client on its stdio.
pub(crate) struct Host {
    pub(crate) setup: Setup,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: Arc<Mutex<String>>,
    /// Messages that came while another one was awaited.
    pub(crate) notes: VecDeque<Value>,
    next: u64,
    modern: bool,
    /// What a second-era client says that it can do.
    pub(crate) capabilities: Value,
}

impl Setup {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let setup = Self { directory, arguments: Vec::new(), environment: Vec::new() };
        // Nothing that the program has inside: a test names what it is about.
        let setup = setup.environment(INSIDE, "");
        setup.arguments(&["--cache-dir", &cache().display().to_string()])
    }

    /// Whatever the program has inside and loads by itself.
    pub(crate) fn bundled(mut self) -> Self {
        self.environment.retain(|(name, _)| name != INSIDE);
        self
    }

    /// Loads fixture plugins.
    pub(crate) fn plugins(mut self, names: &[&str]) -> Self {
        for name in names {
            let file = fixture(name);
            self.arguments.extend(["--plugin".to_owned(), file.display().to_string()]);
        }
        self
    }

    /// What stands in `windlass.toml`.
    pub(crate) fn config(self, text: &str) -> Self {
        let path = self.path("windlass.toml");
        fs::write(&path, text).unwrap();
        self.arguments(&["--config", &path.display().to_string()])
    }

    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|&it| it.to_owned()));
        self
    }

    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A path in this test's own directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The state directory of this test's hosts.
    pub(crate) fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// Starts `windlass serve` on stdio.
    pub(crate) fn start(self) -> Host {
        let mut child = self.command(&["serve"]).stdin(Stdio::piped()).spawn().unwrap();
        let lines = lines(child.stdout.take().unwrap());
        let errors = collect(child.stderr.take().unwrap());
        Host {
            stdin: child.stdin.take(),
            setup: self,
            child,
            lines,
            errors,
            notes: VecDeque::new(),
            next: 0,
            modern: false,
            capabilities: json!({}),
        }
    }

    /// Starts it and says hello in the protocol's first era.
    pub(crate) fn legacy(self) -> Host {
        let mut host = self.start();
        host.initialize(LEGACY, &json!({}));
        host
    }

    /// Starts it with a client of the protocol's second era, which needs no hello.
    pub(crate) fn modern(self) -> Host {
        let mut host = self.start();
        host.modern = true;
        host
    }

    /// Runs a command of the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// The program with a command, this setup's arguments, and an environment of its own.
    pub(crate) fn command(&self, command: &[&str]) -> Command {
        let mut program = Command::new(binary());
        program.args(command).args(&self.arguments);
        program.args(["--state-dir", &self.state().display().to_string()]);
        program.env_clear().env("HOME", self.directory.path());
        program.envs(self.environment.iter().map(|(name, value)| (name, value)));
        program.stdout(Stdio::piped()).stderr(Stdio::piped());
        program
    }
}

impl Host {
    /// The first era's hello.
    pub(crate) fn initialize(&mut self, version: &str, capabilities: &Value) -> Value {
        let client = json!({"name": "test", "version": "0"});
        let parameters =
            json!({"protocolVersion": version, "capabilities": capabilities, "clientInfo": client});
        let answer = self.request("initialize", parameters);
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        answer
    }

    /// Sends a request and returns its answer, whole.
    pub(crate) fn request(&mut self, method: &str, parameters: Value) -> Value {
        let id = self.begin(method, parameters);
        self.answer(id)
    }

    /// Sends a request without waiting.
    pub(crate) fn begin(&mut self, method: &str, mut parameters: Value) -> u64 {
        self.next += 1;
        if self.modern {
            let meta = &mut parameters["_meta"];
            meta["io.modelcontextprotocol/protocolVersion"] = MODERN.into();
            meta["io.modelcontextprotocol/clientCapabilities"] = self.capabilities.clone();
        }
        self.send(
            &json!({"jsonrpc": "2.0", "id": self.next, "method": method, "params": parameters}),
        );
        self.next
    }

    /// Waits for the answer to a request. What else comes is kept in `notes`.
    pub(crate) fn answer(&mut self, id: u64) -> Value {
        let wanted = |message: &Value| message["id"] == id && message.get("method").is_none();
        if let Some(place) = self.notes.iter().position(wanted) {
            return self.notes.remove(place).unwrap();
        }
        self.wait_for(wanted)
    }

    /// Waits for a notification or a request of the host's.
    pub(crate) fn note(&mut self, method: &str) -> Value {
        if let Some(place) = self.notes.iter().position(|note| note["method"] == method) {
            return self.notes.remove(place).unwrap();
        }
        self.wait_for(|message| message["method"] == method)
    }

    fn wait_for(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.next_message().expect("the host closed its stdout");
            if wanted(&message) {
                return message;
            }
            self.notes.push_back(message);
        }
    }

    /// The next line of stdout, which always is a message. None at its end.
    pub(crate) fn next_message(&mut self) -> Option<Value> {
        let line = match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {
                panic!("the host is silent; it said: {}", self.errors())
            }
        };
        let message: Value = serde_json::from_str(&line).expect("stdout holds what is no JSON");
        assert_eq!(message["jsonrpc"], "2.0", "stdout holds what is no message: {line}");
        Some(message)
    }

    pub(crate) fn send(&mut self, message: &Value) {
        self.send_bytes(format!("{message}\n").as_bytes());
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(bytes).unwrap();
        stdin.flush().unwrap();
    }

    /// For who writes on a thread of its own. The host ends when it is dropped.
    pub(crate) fn take_stdin(&mut self) -> ChildStdin {
        self.stdin.take().unwrap()
    }

    /// Opens a subscription of the second era, and waits until the host says that it listens.
    pub(crate) fn listen(&mut self, filter: Value) -> u64 {
        let id = self.begin("subscriptions/listen", json!({"notifications": filter}));
        let acknowledged = self.note("notifications/subscriptions/acknowledged");
        assert_eq!(acknowledged["params"]["notifications"], filter, "{acknowledged}");
        id
    }

    /// Calls a tool and returns its result.
    pub(crate) fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.request("tools/call", json!({"name": tool, "arguments": arguments}));
        answer.get("result").cloned().unwrap_or_else(|| panic!("no result: {answer}"))
    }

    /// Calls a tool and returns the text of its result, success or not.
    pub(crate) fn text(&mut self, tool: &str, arguments: Value) -> String {
        text_of(&self.call(tool, arguments))
    }

    /// The names of all tools.
    pub(crate) fn tools(&mut self) -> Vec<String> {
        let answer = self.request("tools/list", json!({}));
        let tools = answer["result"]["tools"].as_array().unwrap();
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    }

    /// What it has written to stderr so far.
    pub(crate) fn errors(&self) -> String {
        self.errors.lock().unwrap().clone()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Closes its stdin and waits for its end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        self.stdin = None;
        wait(&mut self.child)
    }

    /// Closes its stdin and gives all that it said until its end and nobody waited for.
    pub(crate) fn rest(&mut self) -> Vec<Value> {
        self.stdin = None;
        let mut rest: Vec<_> = self.notes.drain(..).collect();
        rest.extend(std::iter::from_fn(|| self.next_message()));
        rest
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait(&mut self.child)
    }

    /// Ends it and gives back its setup, to start another one in the same place.
    pub(crate) fn restart(mut self) -> Setup {
        self.end();
        std::mem::replace(&mut self.setup, Setup::new())
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The text of a result.
pub(crate) fn text_of(result: &Value) -> String {
    let content = result["content"].as_array().unwrap();
    content.iter().filter_map(|block| block["text"].as_str()).collect()
}

/// A call that failed: its error code and its message, which is its text as well.
pub(crate) fn failure(result: &Value) -> String {
    assert_eq!(result["isError"], true, "it did not fail: {result}");
    let structured = &result["structuredContent"];
    assert_eq!(structured["error"], text_of(result));
    format!("{}: {}", structured["error_code"].as_str().unwrap(), text_of(result))
}

/// A request that was refused: its code and message.
pub(crate) fn refusal(answer: &Value) -> String {
    let Some(error) = answer.get("error") else { panic!("it was not refused: {answer}") };
    format!("{}: {}", error["code"], error["message"].as_str().unwrap())
}

/// The file of a fixture plugin.
pub(crate) fn fixture(name: &str) -> PathBuf {
    let file = components().join("fixtures").join(format!("{name}.wasm"));
    assert!(
        file.is_file(),
        "`{}` is missing: `cargo xtask plugins --fixtures` builds it",
        file.display()
    );
    file
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Compiled plugins are shared by all tests, as they are by all hosts of a user.
pub(crate) fn cache() -> PathBuf {
    root().join("target/test-cache")
}

fn components() -> PathBuf {
    env::var_os("WINDLASS_COMPONENTS").map_or_else(|| root().join("target/plugins"), PathBuf::from)
}

fn binary() -> PathBuf {
    let built = || root().join("target/debug/windlass");
    let binary = env::var_os("WINDLASS_BINARY").map_or_else(built, PathBuf::from);
    assert!(binary.is_file(), "`{}` is missing: `cargo xtask build` builds it", binary.display());
    binary
}

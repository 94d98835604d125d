//! The program, run to its end: what it said, and how it ended.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use serde_json::Value;

use super::{Host, Setup, binary, collect, fixture, until, wait};

/// How a command went.
#[derive(Debug)]
pub(crate) struct Ended {
    /// None: a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Setup {
    /// Runs a command to its end, which it must reach by itself.
    pub(crate) fn ended(&self, command: &[&str]) -> Ended {
        Ended::of(self.command(command).stdin(Stdio::null()), "")
    }

    /// The same, with something on stdin.
    pub(crate) fn ended_with(&self, command: &[&str], stdin: &str) -> Ended {
        Ended::of(self.command(command).stdin(Stdio::piped()), stdin)
    }

    /// Runs the program with these arguments and no others.
    pub(crate) fn plain(&self, arguments: &[&str]) -> Ended {
        Ended::of(&mut self.plain_command(arguments), "")
    }

    /// The program with these arguments and no others.
    pub(crate) fn plain_command(&self, arguments: &[&str]) -> Command {
        let mut program = Command::new(binary());
        program.args(arguments).env_clear().env("HOME", self.path("home"));
        program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        program
    }

    /// A cache of compiled plugins that no other test writes.
    pub(crate) fn own_cache(mut self) -> Self {
        let own = self.cache().display().to_string();
        let flag = self.arguments.iter().position(|it| it == "--cache-dir").unwrap();
        self.arguments[flag + 1] = own;
        self
    }

    /// Where [`Setup::own_cache`] is.
    pub(crate) fn cache(&self) -> std::path::PathBuf {
        self.path("cache")
    }

    /// One more plugin, of these bytes. Its file's name is its own.
    pub(crate) fn plugin(self, name: &str, bytes: &[u8]) -> Self {
        let file = self.path(&format!("{name}.wasm"));
        fs::write(&file, bytes).unwrap();
        self.arguments(&["--plugin", &file.display().to_string()])
    }
}

impl Host {
    /// Ends it, and gives all that it ever wrote to stderr.
    pub(crate) fn said(mut self) -> String {
        self.whole_errors()
    }

    /// The same of a host that stays in the hands of somebody else.
    pub(crate) fn whole_errors(&mut self) -> String {
        self.end();
        whole(&self.errors.clone(), 2)
    }
}

impl Ended {
    fn of(command: &mut Command, stdin: &str) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout = collect(child.stdout.take().unwrap());
        let stderr = collect(child.stderr.take().unwrap());
        if let Some(mut pipe) = child.stdin.take() {
            // It may end before it has read all.
            let _ = pipe.write_all(stdin.as_bytes());
        }
        let code = wait(&mut child).code();
        Self { code, stdout: whole(&stdout, 1), stderr: whole(&stderr, 1) }
    }

    /// What stdout holds, which must be JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// All of a stream, once whoever collects it has let go of it.
pub(crate) fn whole(stream: &Arc<Mutex<String>>, held: usize) -> String {
    until("a stream ends", || Arc::strong_count(stream) == held);
    stream.lock().unwrap().clone()
}

/// A fixture with some of its bytes replaced by as many others.
pub(crate) fn patched(name: &str, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "a patch keeps the length");
    let mut bytes = fs::read(fixture(name)).unwrap();
    let places: Vec<usize> =
        (0..bytes.len()).filter(|&at| bytes[at..].starts_with(from.as_bytes())).collect();
    assert!(!places.is_empty(), "`{name}` holds no `{from}`");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

//! Starting a server that is to be tested or measured.

use std::{
    ffi::OsString,
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::tree;

/// How long a server may take to listen; an unoptimized one compiles its plugins first.
const START_LIMIT: Duration = Duration::from_secs(60);

/// What a server says on stderr, before its address.
const LISTENING: &str = "listening on ";

/// A command line of a server, without its transport.
pub(crate) struct Server {
    program: OsString,
    arguments: Vec<OsString>,
    http: &'static [&'static str],
    environment: Vec<(String, String)>,
    /// Its state and its configuration; gone when this is dropped.
    folder: Option<TempDir>,
}

/// A server that listens. It is killed when this is dropped.
pub(crate) struct Listening {
    child: Child,
    pub(crate) url: String,
}

impl Server {
    /// The host with these fixtures, each granted what any of them asks for.
    pub(crate) fn windlass(program: &Path, fixtures: &[&str]) -> Result<Self> {
        Self::configured(program, fixtures, "")
    }

    /// The same, and one that is granted jobs and nothing else.
    pub(crate) fn with_jobs(program: &Path, fixtures: &[&str], name: &str) -> Result<Self> {
        let component = tree::fixture(name);
        let grants = "grants = { jobs = true }";
        let table = format!("[plugins.{name}]\ncomponent = {component:?}\n{grants}\n");
        Self::configured(program, fixtures, &table)
    }

    /// The same with these tables in its configuration besides.
    pub(crate) fn configured(program: &Path, fixtures: &[&str], tables: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut text = tables.to_owned();
        for name in fixtures {
            let component = tree::fixture(name);
            let grants = "grants = { store = true, http = [\"https://example.com\"] }";
            writeln!(text, "[plugins.{name}]\ncomponent = {component:?}\n{grants}")?;
        }
        let configuration = folder.path().join("windlass.toml");
        fs::write(&configuration, text)?;
        let paths = [
            ("--config", configuration),
            ("--state-dir", folder.path().join("state")),
            // Shared by all, so that each plugin is compiled once.
            ("--cache-dir", tree::made("cache")?),
        ];
        let paths = paths.into_iter().flat_map(|(name, path)| [name.into(), path.into()]);
        let arguments = ["serve".into()].into_iter().chain(paths).collect();
        let http = &["--http", "127.0.0.1:0", "--auth", "none"];
        let environment = Vec::new();
        Ok(Self { program: program.into(), arguments, http, environment, folder: Some(folder) })
    }

    /// The same, but that callers over HTTP have to say who they are.
    pub(crate) fn asking(self) -> Self {
        Self { http: &["--http", "127.0.0.1:0"], ..self }
    }

    /// The host with one of its own plugins, granted what the tables say.
    pub(crate) fn alone(
        program: &Path,
        plugin: &str,
        tables: &str,
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let mut server = Self::configured(program, &[], tables)?;
        server.arguments.extend(["--plugins".into(), plugin.into()]);
        let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        server.environment = environment.iter().map(own).collect();
        Ok(server)
    }

    /// Where its state is.
    pub(crate) fn state(&self) -> Result<PathBuf> {
        let folder = self.folder.as_ref().context("this server has no state")?;
        Ok(folder.path().join("state"))
    }

    /// Another command of the program, with the same configuration and state.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        // The first word of its arguments is `serve`.
        command.args(words).args(self.arguments.iter().skip(1));
        command.envs(self.environment.iter().cloned());
        command
    }

    /// The least that a server costs: the crate in `tests/floor`.
    pub(crate) fn floor(program: &Path) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            http: &["--http"],
            environment: Vec::new(),
            folder: None,
        }
    }

    /// The words that start it on stdio.
    pub(crate) fn words(&self) -> Vec<OsString> {
        [self.program.clone()].into_iter().chain(self.arguments.iter().cloned()).collect()
    }

    /// Starts it on stdio.
    pub(crate) fn stdio(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).envs(self.environment.iter().cloned());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        command
    }

    /// Starts it over HTTP on a free port of loopback.
    pub(crate) fn listen(&self) -> Result<Listening> {
        let mut command = self.stdio();
        let command = command.args(self.http).stdin(Stdio::null()).stdout(Stdio::null());
        let mut child =
            command.stderr(Stdio::piped()).spawn().context("cannot start the server")?;
        let stderr = child.stderr.take().context("no stderr")?;
        let mut listening = Listening { child, url: String::new() };
        let (found, url) = mpsc::channel();
        thread::spawn(move || {
            // Reads on to the end, so that the server never waits for a reader.
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let address = line.split_once(LISTENING).map(|(_, address)| address.trim());
                let message = address.map_or(Err(line.clone()), |address| Ok(address.to_owned()));
                // Nobody listens any more once the address is known.
                let _ = found.send(message);
            }
        });
        let mut said = Vec::new();
        loop {
            let message = url.recv_timeout(START_LIMIT);
            match message.with_context(|| format!("the server does not listen: {said:?}"))? {
                Ok(address) => break listening.url = address,
                Err(line) => said.push(line),
            }
        }
        Ok(listening)
    }
}

impl Listening {
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// `host:port`.
    pub(crate) fn authority(&self) -> &str {
        let rest = self.url.strip_prefix("http://").unwrap_or(&self.url);
        rest.split_once('/').map_or(rest, |(authority, _)| authority)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! A host with the plugin `git` and nothing else, and a server that it may reach.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::support::{
    Setup,
    bench::{Bench, text},
    engine::{self, GIT_IMAGE},
    githttp::GitServer,
    inside::inside,
};

/// No other plugin that the program has inside.
const ALONE: &[&str] = &["--plugins", "git"];
/// What attacks leave behind where they get through.
pub(super) const MARKER: &str = "PWNED";

pub(super) struct Desk {
    pub(super) bench: Bench,
    pub(super) server: GitServer,
}

/// What stands in the configuration beside what is needed.
#[derive(Default)]
pub(super) struct Wanted {
    /// Lines of `grants.containers`.
    pub(super) grants: String,
    /// Lines of `config`.
    pub(super) config: String,
    /// Lines of `secrets`.
    pub(super) secrets: String,
    /// Hosts that may be reached besides the server.
    pub(super) places: Vec<String>,
    pub(super) environment: Vec<(&'static str, &'static str)>,
}

impl Desk {
    /// With an open server that has a repository `a` with some files.
    pub(super) fn new() -> Option<Self> {
        let server = GitServer::open();
        server.repository("a", FILES);
        Self::with(server, Wanted::default())
    }

    pub(super) fn with(server: GitServer, wanted: Wanted) -> Option<Self> {
        let place = server.place();
        let places = [place].into_iter().chain(wanted.places.clone());
        let lines: Vec<_> = places.map(|it| format!("{{ to = '{it}', private = true }}")).collect();
        let egress = format!("egress = [{}]\n{}", lines.join(", "), wanted.grants);
        Self::granting(server, &egress, &wanted)
    }

    /// With just this in its table `grants.containers`.
    pub(super) fn granting(server: GitServer, grants: &str, wanted: &Wanted) -> Option<Self> {
        let engine = engine::with_git()?;
        inside("git")?;
        let text = format!(
            "[plugins.git.grants]\nstore = true\nworkspaces = 'shared'\n[plugins.git.grants.containers]\n{grants}\n\
             [plugins.git.config]\nimage = '{GIT_IMAGE}'\n{}\n[plugins.git.secrets]\n{}\n",
            wanted.config, wanted.secrets
        );
        let mut setup = Setup::new().arguments(ALONE).config(&text);
        setup = setup.environment("DOCKER_HOST", engine.address());
        for (name, value) in &wanted.environment {
            setup = setup.environment(name, value);
        }
        Some(Self { bench: Bench::of(engine, setup), server })
    }

    /// Clones the repository `a`; gives the session.
    #[track_caller]
    pub(super) fn session(&mut self) -> String {
        let url = self.server.url("a");
        text(&self.bench.call("git_clone", json!({"url": url}))["session_id"])
    }

    /// Runs a command that must succeed; gives what git said.
    #[track_caller]
    pub(super) fn git(&mut self, session: &str, command: &str) -> String {
        let done = self.bench.call("git", json!({"session_id": session, "command": command}));
        assert_eq!((&done["success"], &done["isError"]), (&json!(true), &json!(false)), "{done}");
        text(&done["output"])
    }

    /// Runs a command that must fail; gives its code and message.
    #[track_caller]
    pub(super) fn refused(&mut self, session: &str, command: &str) -> String {
        self.bench.refused("git", json!({"session_id": session, "command": command}))
    }

    /// Calls a tool of this session that must succeed.
    #[track_caller]
    pub(super) fn tool(&mut self, session: &str, name: &str, arguments: Value) -> Value {
        let mut arguments = arguments;
        arguments["session_id"] = session.into();
        self.bench.call(name, arguments)
    }

    /// Where the session's files are on this machine.
    pub(super) fn folder(&self, session: &str) -> PathBuf {
        self.bench.state().join("workspaces").join(session)
    }

    /// Writes a file of the session as an agent in it would.
    pub(super) fn write(&self, session: &str, path: &str, text: &str) {
        let folder = self.folder(session);
        write(&folder, path, text);
        give_away(&folder);
    }

    /// Reads a file of the session.
    #[track_caller]
    pub(super) fn read(&self, session: &str, path: &str) -> String {
        fs::read_to_string(self.folder(session).join(path)).unwrap()
    }
}

/// What is in the repository `a`.
pub(super) const FILES: &[(&str, &str)] =
    &[("a.txt", "one\ntwo\nthree\n"), ("folder/b.txt", "b\n"), ("c d.txt", "c\n")];

/// Writes a file that can be run, with the folders above it.
pub(super) fn write(folder: &Path, path: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Gives everything in a folder to whoever owns the folder, as if programs in its containers had made it.
pub(super) fn give_away(folder: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    let owner = fs::metadata(folder).unwrap();
    let owner = format!("{}:{}", owner.uid(), owner.gid());
    // Whoever is not root owns all of it already.
    let _ = Command::new("chown").args(["-hR", &owner]).arg(folder).status();
}

//! A git server over HTTP as the large hosts run one: `git http-backend` on bare repositories, with a password or not.

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tempfile::TempDir;

use super::served::{Asked, Reply, THIS_MACHINE, serve};

pub(crate) struct GitServer {
    root: TempDir,
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    mood: Mutex<Mood>,
    requests: Mutex<Vec<Asked>>,
}

/// How it answers.
#[derive(Clone)]
pub(crate) enum Mood {
    /// Everybody reads and writes.
    Open,
    /// Only with this header: `Basic …`.
    Locked(String),
    /// Sends everybody to the same path of another origin.
    Elsewhere(String),
    /// Fails with this status.
    Failing(u16),
}

impl GitServer {
    /// Without a password.
    pub(crate) fn open() -> Self {
        Self::new(Mood::Open)
    }

    /// Refuses who does not give this name and password.
    pub(crate) fn locked(user: &str, password: &str) -> Self {
        let pair = STANDARD.encode(format!("{user}:{password}"));
        Self::new(Mood::Locked(format!("Basic {pair}")))
    }

    /// Has nothing of its own and sends everybody to another one.
    pub(crate) fn leading_to(other: &Self) -> Self {
        Self::new(Mood::Elsewhere(other.origin()))
    }

    fn new(mood: Mood) -> Self {
        let root = TempDir::new().unwrap();
        let shared = Shared { mood: Mutex::new(mood), requests: Mutex::default() };
        let shared = Arc::new(shared);
        let (folder, answers) = (root.path().to_owned(), shared.clone());
        let address = serve(move |asked| answers.answer(&folder, asked));
        Self { root, address, shared }
    }

    /// From the next request on.
    pub(crate) fn turn(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
    }

    /// Makes a bare repository with one commit on `main` that holds these files; gives its folder.
    pub(crate) fn repository(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let bare = self.root.path().join(format!("{name}.git"));
        publish(&bare, files);
        bare
    }

    /// Of a repository, as a container asks for it.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("{}/{name}.git", self.origin())
    }

    /// Of a repository, as this machine asks for it.
    pub(crate) fn local_url(&self, name: &str) -> String {
        format!("http://{}/{name}.git", self.address)
    }

    /// As a grant and a credential name it: `host:port`.
    pub(crate) fn place(&self) -> String {
        format!("{THIS_MACHINE}:{}", self.address.port())
    }

    fn origin(&self) -> String {
        format!("http://{}", self.place())
    }

    /// All requests so far: method and target.
    pub(crate) fn requests(&self) -> Vec<String> {
        let requests = self.shared.requests.lock().unwrap();
        requests.iter().map(|asked| format!("{} {}", asked.method, asked.target)).collect()
    }

    /// What each request so far showed of itself.
    pub(crate) fn authorizations(&self) -> Vec<Option<String>> {
        let requests = self.shared.requests.lock().unwrap();
        requests.iter().map(|asked| asked.header("authorization").map(str::to_owned)).collect()
    }
}

impl Shared {
    fn answer(&self, root: &Path, asked: Asked) -> Reply {
        let mood = self.mood.lock().unwrap().clone();
        self.requests.lock().unwrap().push(asked.clone());
        let text = |status, text: &str| Reply::new(status, "text/plain", text);
        match mood {
            Mood::Open => backend(root, asked),
            Mood::Locked(wanted) if asked.header("authorization") == Some(&wanted) => {
                backend(root, asked)
            }
            Mood::Locked(_) => text(401, "who are you?\n")
                .header("WWW-Authenticate", "Basic realm=\"repositories\""),
            Mood::Elsewhere(origin) => {
                text(302, "").header("Location", &format!("{origin}{}", asked.target))
            }
            Mood::Failing(status) => text(status, "it hurts\n"),
        }
    }
}

/// Runs git's own program for this as a web server does.
fn backend(root: &Path, asked: Asked) -> Reply {
    let mut program = git();
    let (path, query) = asked.path_and_query();
    // Reading is allowed to everybody by the file that each repository would need, writing by the user's name.
    program.arg("http-backend").env("GIT_HTTP_EXPORT_ALL", "1").env("REMOTE_USER", "somebody");
    program.env("GIT_PROJECT_ROOT", root).env("PATH_INFO", path).env("QUERY_STRING", query);
    program.env("REQUEST_METHOD", &asked.method).env("REMOTE_ADDR", "127.0.0.1");
    program.env("CONTENT_LENGTH", asked.body.len().to_string());
    let headers = [
        ("CONTENT_TYPE", "content-type"),
        ("HTTP_CONTENT_ENCODING", "content-encoding"),
        ("HTTP_ACCEPT_ENCODING", "accept-encoding"),
        ("GIT_PROTOCOL", "git-protocol"),
    ];
    let given = headers.map(|(variable, name)| (variable, asked.header(name).unwrap_or_default()));
    program.envs(given.iter().filter(|(_, value)| !value.is_empty()).copied());
    program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = program.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may refuse before it has read all, and answers while it reads.
    thread::spawn(move || stdin.write_all(&asked.body));
    parse(&child.wait_with_output().unwrap().stdout)
}

/// What a program says to a web server: headers, an empty line, and the body.
fn parse(output: &[u8]) -> Reply {
    let end = output.windows(4).position(|it| it == b"\r\n\r\n").unwrap_or(output.len());
    let (head, body) = output.split_at(end);
    let mut reply = Reply { status: 200, ..Reply::default() };
    for line in String::from_utf8_lossy(head).lines() {
        let Some((name, value)) = line.split_once(": ") else { continue };
        if name == "Status" {
            reply.status = value.split(' ').next().unwrap().parse().unwrap();
        } else {
            reply = reply.header(name, value);
        }
    }
    reply.body = body.get(4..).unwrap_or_default().to_vec();
    reply
}

/// Makes a bare repository with one commit on `main` that holds these files.
pub(crate) fn publish(bare: &Path, files: &[(&str, &str)]) {
    let work = TempDir::new().unwrap();
    for (path, text) in files {
        let path = work.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    run(work.path(), &["init", "--quiet", "--initial-branch", "main"]);
    run(work.path(), &["add", "--all"]);
    run(work.path(), &["commit", "--quiet", "--allow-empty", "--message", "first"]);
    let bare = bare.display().to_string();
    run(work.path(), &["clone", "--quiet", "--bare", ".", &bare]);
}

/// This machine's git with what it needs, in a folder; gives what it says.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = git().current_dir(folder).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// Git that knows nothing of whoever runs the tests.
pub(crate) fn git() -> Command {
    let mut git = Command::new("git");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GIT_")) {
        git.env_remove(name);
    }
    git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    git.env("GIT_TERMINAL_PROMPT", "0").env("GIT_ASKPASS", "false");
    for (role, name) in [("AUTHOR", "Ann"), ("COMMITTER", "Carl")] {
        git.env(format!("GIT_{role}_NAME"), name);
        git.env(format!("GIT_{role}_EMAIL"), format!("{name}@example.com"));
    }
    git
}

//! A repository in a workspace, and what can be asked of it.

use windlass_sdk::{
    Error, clock,
    processes::Spec,
    random,
    types::Code,
    workspaces::{Kind, Workspace},
};

use crate::{
    Address, Limits, Ran, Settings, Status,
    config::{self, Config},
    environment::Surroundings,
    failure, run, script, status,
    toolbox::Toolbox,
    writing,
};

/// No name of a file comes between this and `.git`, or hardly one.
const BEFORE_GIT: &str = ".gis\u{10ffff}";
/// How long a command waits for another one that works on the same files.
const PATIENCE_MS: u64 = 10_000;
/// How long it waits before it looks again: at first, and at most.
const PAUSES_MS: (u32, u32) = (20, 320);
/// Sub-commands that may run beside each other and beside all others.
const LOOKING: &[&str] = &[
    "blame",
    "bundle",
    "cat-file",
    "describe",
    "diff",
    "for-each-ref",
    "hash-object",
    "log",
    "ls-files",
    "rev-parse",
    "show",
    "show-ref",
    "status",
];
/// How often a configuration is written that others write too.
const ATTEMPTS: usize = 5;

/// A git repository in a workspace.
pub struct Repository {
    pub(crate) workspace: Workspace,
    pub(crate) id: String,
    pub(crate) settings: Settings,
}

/// One git command.
pub(crate) struct Invocation<'a> {
    pub(crate) arguments: Vec<String>,
    pub(crate) toolbox: Toolbox,
    /// Whom it talks to.
    pub(crate) peers: &'a [Address],
    /// Whether it may change the configuration.
    pub(crate) configures: bool,
    pub(crate) limits: Limits,
}

impl Repository {
    /// The repository of a session. Fails where there is none.
    pub fn open(session_id: &str, settings: &Settings) -> Result<Self, Error> {
        let repository = Self::of(workspace(session_id)?, settings);
        repository.is_there()?;
        Ok(repository)
    }

    pub(crate) fn of(workspace: Workspace, settings: &Settings) -> Self {
        Self { id: workspace.id(), workspace, settings: settings.clone() }
    }

    /// The id of its workspace, which is its session's.
    pub fn session_id(&self) -> &str {
        &self.id
    }

    /// The workspace that it is in.
    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// How its files are, compared with what was committed.
    pub fn status(&self) -> Result<Status, Error> {
        let ran = self.done(&status::ARGUMENTS)?;
        status::parse(&ran.stdout, ran.cut)
    }

    /// Whether anything was not committed, new files included.
    pub fn is_dirty(&self) -> Result<bool, Error> {
        Ok(!self.status()?.clean)
    }

    /// Whether there are commits that no remote is known to have: on a branch, checked out without one, or put aside.
    pub fn has_unpushed(&self) -> Result<bool, Error> {
        let (all, none) = (["--exclude=refs/tags/*", "--all"], ["--not", "--remotes"]);
        let arguments = [&["log", "--format=%H", "--max-count=1"][..], &all, &none].concat();
        Ok(!self.done(&arguments)?.stdout.is_empty())
    }

    /// The commits that its branches and what is put aside end in.
    pub fn tips(&self) -> Result<Vec<String>, Error> {
        let ran =
            self.done(&["for-each-ref", "--format=%(objectname)", "refs/heads", "refs/stash"])?;
        Ok(ran.text().lines().map(str::to_owned).collect())
    }

    /// The commit that is checked out. None: there is none yet.
    pub fn head(&self) -> Result<Option<String>, Error> {
        let ran = self.git(&["rev-parse", "--verify", "--quiet", "HEAD"])?;
        Ok(ran.succeeded().then(|| ran.text().trim().to_owned()))
    }

    /// Where it was cloned from, if that is an address.
    pub fn remote_url(&self) -> Result<Option<String>, Error> {
        let config = self.config()?;
        let origin = config.value("remote", Some("origin"), "url").map(str::to_owned);
        let any =
            || Some(config.value("remote", Some(config.remotes().first()?), "url")?.to_owned());
        Ok(origin.or_else(any))
    }

    /// What git may know of its configuration.
    pub fn config(&self) -> Result<Config, Error> {
        Ok(self.read_config()?.allowed())
    }

    /// Runs a git command without a network, whatever it answers.
    pub fn git<S: AsRef<str>>(&self, arguments: &[S]) -> Result<Ran, Error> {
        self.git_within(arguments, Limits::default())
    }

    /// The same, and keeps only a part of what it prints.
    pub fn git_within<S: AsRef<str>>(&self, arguments: &[S], limits: Limits) -> Result<Ran, Error> {
        let arguments = arguments.iter().map(|it| it.as_ref().to_owned()).collect();
        let toolbox = Toolbox::Local;
        self.invoke(&Invocation { arguments, toolbox, peers: &[], configures: false, limits })
    }

    /// Runs a git command without a network that has to succeed.
    pub fn done<S: AsRef<str>>(&self, arguments: &[S]) -> Result<Ran, Error> {
        let ran = self.git(arguments)?;
        if ran.succeeded() { Ok(ran) } else { Err(failure::git(&ran.complaint(), &[])) }
    }

    /// Runs a git command without a network that may change the configuration.
    pub fn git_configuring<S: AsRef<str>>(&self, arguments: &[S]) -> Result<Ran, Error> {
        let arguments = arguments.iter().map(|it| it.as_ref().to_owned()).collect();
        let (toolbox, limits) = (Toolbox::Local, Limits::default());
        self.invoke(&Invocation { arguments, toolbox, peers: &[], configures: true, limits })
    }

    /// Runs a git command. Where another one holds the index, it waits a while for its end.
    pub(crate) fn invoke(&self, invocation: &Invocation<'_>) -> Result<Ran, Error> {
        self.is_there()?;
        let begin = clock::now();
        let mut pause = PAUSES_MS.0;
        loop {
            let ran = self.invoke_once(invocation)?;
            let waited = clock::now().saturating_sub(begin);
            if ran.succeeded() || !is_in_the_way(&ran, invocation) || waited >= PATIENCE_MS {
                return Ok(ran);
            }
            clock::sleep(pause);
            pause = (pause * 2).min(PAUSES_MS.1);
        }
    }

    fn invoke_once(&self, invocation: &Invocation<'_>) -> Result<Ran, Error> {
        let config = self.config()?;
        let marker = if invocation.configures { nonce() } else { String::new() };
        let surroundings = Surroundings {
            settings: &self.settings,
            config: &config,
            peers: invocation.peers,
            marker: &marker,
            alone: invocation.toolbox == Toolbox::Local && !invocation.looks(),
            local: invocation.toolbox == Toolbox::Local,
        };
        let spec = surroundings.add_to(self.spec(script::IN_REPOSITORY, &invocation.arguments));
        let container = invocation.toolbox.of(&self.id, &self.settings)?;
        let mut ran = run::run(&container, &spec, invocation.limits)?;
        let (output, left) = script::parted(std::mem::take(&mut ran.stdout), &marker);
        ran.stdout = output;
        // One that is cut would seem to have lost something.
        if let Some(left) = left.filter(|_| !ran.cut) {
            self.write_back(&config, &left)?;
        }
        Ok(ran)
    }

    pub(crate) fn spec(&self, script: &str, arguments: &[String]) -> Spec {
        let shell = ["sh", "-c", script, "git"].map(str::to_owned);
        let mut spec = Spec::new(shell.into_iter().chain(arguments.iter().cloned()).collect());
        spec.timeout_ms = Some(u64::from(self.settings.timeout_s) * 1000);
        spec
    }

    /// Brings what git changed in its copy of the configuration into the repository's.
    fn write_back(&self, before: &Config, left: &str) -> Result<(), Error> {
        let left = Config::parse(left)?;
        let path = ".git/config";
        for _ in 0..ATTEMPTS {
            let part = self.workspace.read_all(path).map_err(failure::of)?;
            let original = String::from_utf8_lossy(&part.data);
            let Some(text) = writing::merged(&original, before, &left) else { return Ok(()) };
            let tag = part.stat.etag.unwrap_or_default();
            match self.workspace.swap(path, text, tag) {
                Err(error) if error.code == Code::Conflict => {}
                written => return written.map(drop).map_err(failure::of),
            }
        }
        Err(failure::conflict(
            "`.git/config` changes all the time: git's own changes to it are lost",
        ))
    }

    /// The configuration as it stands in the workspace.
    fn read_config(&self) -> Result<Config, Error> {
        let path = ".git/config";
        let part = match self.workspace.read(path, 0, Some(config::LONGEST)) {
            Err(error) if error.code == Code::NotFound => return Ok(Config::default()),
            part => part.map_err(failure::of)?,
        };
        if part.stat.size > u64::from(config::LONGEST) {
            let message =
                format!("`{path}` has {} bytes, more than {}", part.stat.size, config::LONGEST);
            return Err(failure::of(Error::new(Code::Limit, message)));
        }
        Config::parse(&String::from_utf8_lossy(&part.data))
    }

    /// A `.git` that is a file or a link leads elsewhere, and is nothing that we made. Only a list shows links as links.
    fn is_there(&self) -> Result<(), Error> {
        let page = self.workspace.list("", false, BEFORE_GIT, 1).map_err(failure::of)?;
        match page.entries.first().filter(|entry| entry.path == ".git") {
            Some(entry) if entry.kind == Kind::Directory => Ok(()),
            Some(_) => Err(failure::no_repository(&self.id, "its `.git` is no directory")),
            None => Err(failure::no_repository(&self.id, "`git_clone` makes one")),
        }
    }
}

impl Invocation<'_> {
    /// Whether it changes nothing that other commands read.
    fn looks(&self) -> bool {
        self.arguments.first().is_some_and(|subcommand| LOOKING.contains(&subcommand.as_str()))
    }
}

/// The workspace of a session.
pub(crate) fn workspace(session_id: &str) -> Result<Workspace, Error> {
    Workspace::open(session_id).map_err(|error| match error.code {
        Code::NotFound | Code::Invalid => failure::session_not_found(session_id),
        _ => failure::of(error),
    })
}

/// A word that nobody can foresee.
pub(crate) fn nonce() -> String {
    random::bytes(16).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether it did nothing since another command holds the index, or committed in between.
fn is_in_the_way(ran: &Ran, invocation: &Invocation<'_>) -> bool {
    let complaint = ran.complaint();
    let commits = invocation.arguments.first().is_some_and(|subcommand| subcommand == "commit");
    complaint.contains("index.lock': File exists")
        || commits && complaint.contains("cannot lock ref 'HEAD'")
}

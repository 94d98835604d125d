//! A git command as somebody writes it, checked word by word, and run.

use windlass_sdk::Error;

use crate::{
    Limits, Ran, Repository,
    failure::{self, validation},
    options::{self, Argument, DEFAULT_COMMANDS},
    repository::Invocation,
    table,
    toolbox::Toolbox,
    words,
};

/// Sub-commands that may change the configuration.
const CONFIGURING: &[&str] = &["branch", "checkout", "push", "switch"];
/// Sub-commands that only look, and may be ended when enough was seen.
const LOOKING: &[&str] = &["blame", "diff", "log", "ls-files", "show"];
/// What some sub-commands are told always.
const ALWAYS: &[(&str, &[&str])] = &[
    ("diff", &["--no-ext-diff", "--no-textconv", "--ignore-submodules=all"]),
    ("log", &["--no-ext-diff", "--no-textconv"]),
    ("show", &["--no-ext-diff", "--no-textconv"]),
    ("status", &["--ignore-submodules=all"]),
];
/// As much as is shown of what a command prints.
const MOST_OUTPUT: usize = 256 << 10;

/// A git command that may be run.
#[derive(Debug)]
pub struct Command {
    /// All of it, without the `git`.
    line: String,
    subcommand: String,
    arguments: Vec<Argument>,
}

impl Command {
    /// Reads a line: a sub-command with its arguments, after `git` or without it.
    pub fn parse(line: &str, more: &[String]) -> Result<Self, Error> {
        let mut words = words::split(line)?;
        if words.first().is_some_and(|word| word == "git") {
            words.remove(0);
        }
        let allowed = allowed(more)?;
        let Some((subcommand, arguments)) = words.split_first() else {
            return Err(validation(format!(
                "The command is empty. Allowed commands: {}",
                allowed.join(", ")
            )));
        };
        if !allowed.contains(&subcommand.as_str()) {
            return Err(validation(format!(
                "Command '{}' is not allowed in this context. Allowed commands: {}",
                subcommand.escape_debug(),
                allowed.join(", ")
            )));
        }
        let arguments = options::read(subcommand, arguments)?;
        let line = line.trim();
        let line = line.strip_prefix("git ").unwrap_or(line).trim().to_owned();
        Ok(Self { line, subcommand: subcommand.clone(), arguments })
    }

    /// As it is told again: `git status`.
    pub fn told(&self) -> String {
        format!("git {}", self.line)
    }

    fn limits(&self) -> Limits {
        Limits { most: MOST_OUTPUT, stop: LOOKING.contains(&self.subcommand.as_str()), skip: 0 }
    }

    fn written(&self) -> Vec<String> {
        let always = ALWAYS.iter().find(|(name, _)| *name == self.subcommand);
        let always =
            always.into_iter().flat_map(|(_, words)| words.iter().map(|&word| word.to_owned()));
        let own = std::iter::once(self.subcommand.clone());
        own.chain(always).chain(options::written(&self.arguments)).collect()
    }

    /// The words among the arguments. Where a remote is talked to, a `--` before them changes nothing.
    fn words(&self) -> Vec<&str> {
        self.arguments
            .iter()
            .filter_map(|it| match it {
                Argument::Word(word) => Some(word.as_str()),
                _ => None,
            })
            .collect()
    }

    fn has(&self, name: &str) -> bool {
        self.arguments.iter().any(|it| matches!(it, Argument::Option(known, _) if *known == name))
    }
}

impl Repository {
    /// Runs a command as it was written.
    pub fn run(&self, command: &Command) -> Result<Ran, Error> {
        match command.subcommand.as_str() {
            "push" => self.talk(command, true),
            "fetch" => self.talk(command, false),
            "pull" => self.pull_as_written(command),
            "commit" if is_silent(command) => Err(validation(
                "a commit needs a message, and nobody is there to write one into an editor: add `-m`",
            )),
            subcommand => self.invoke(&Invocation {
                arguments: command.written(),
                toolbox: Toolbox::Local,
                peers: &[],
                configures: CONFIGURING.contains(&subcommand),
                limits: command.limits(),
            }),
        }
    }

    fn talk(&self, command: &Command, pushes: bool) -> Result<Ran, Error> {
        let remotes = command.words().first().map(|word| (*word).to_owned());
        let peers = if command.has("--all") && !pushes {
            self.all_peers()?
        } else {
            self.peers(remotes.as_deref(), pushes)?
        };
        self.talk_to(&peers, command.written(), pushes)
    }

    fn pull_as_written(&self, command: &Command) -> Result<Ran, Error> {
        let words = command.words();
        let is_fetching =
            |name: &str| table::FETCHING.iter().any(|known| known.trim_end_matches('=') == name);
        let (fetching, joining): (Vec<_>, Vec<_>) = command
            .arguments
            .iter()
            .filter(|it| matches!(it, Argument::Option(..)))
            .cloned()
            .partition(|it| matches!(it, Argument::Option(name, _) if is_fetching(name)));
        let rebase = joining.iter().rev().find_map(|it| match it {
            Argument::Option("--rebase", Some(how)) => Some(how != "false"),
            Argument::Option("--rebase" | "-r", None) => Some(true),
            Argument::Option("--no-rebase", _) => Some(false),
            _ => None,
        });
        let about_rebasing =
            |it: &Argument| matches!(it, Argument::Option("--rebase" | "-r" | "--no-rebase", _));
        let joining: Vec<_> = joining.into_iter().filter(|it| !about_rebasing(it)).collect();
        self.pull(&words, options::written(&fetching), options::written(&joining), rebase)
    }
}

/// A commit that would wait for somebody to write its message.
fn is_silent(command: &Command) -> bool {
    let spoken = [
        "-m",
        "--message",
        "-C",
        "--reuse-message",
        "--fixup",
        "--squash",
        "--no-edit",
        "--amend",
        "--dry-run",
        "--short",
        "--porcelain",
        "--allow-empty-message",
    ];
    !spoken.iter().any(|name| command.has(name))
}

/// The sub-commands that may be run.
fn allowed(more: &[String]) -> Result<Vec<&str>, Error> {
    let mut allowed = DEFAULT_COMMANDS.to_vec();
    for name in more.iter().map(String::as_str) {
        if options::of(name).is_none() {
            let names: Vec<_> = table::TABLE.iter().map(|(name, _)| *name).collect();
            return Err(failure::validation(format!(
                "`commands` in the plugin's configuration names `{name}`; there are {}",
                names.join(", ")
            )));
        }
        if !allowed.contains(&name) {
            allowed.push(name);
        }
    }
    Ok(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NINE: &str = "add, commit, push, pull, status, checkout, branch, log, diff";

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let told = match Command::parse(line, &[]) {
            Ok(command) => command.written().join(" "),
            Err(error) => error.message.replace(NINE, "…"),
        };
        assert_eq!(told, expected, "{line}");
    }

    #[test]
    fn only_sub_commands_that_are_allowed_are_taken() {
        check("git status -s", "status --ignore-submodules=all -s");
        check("  log -1 ", "log --no-ext-diff --no-textconv -1");
        check("", "The command is empty. Allowed commands: …");
        check("git", "The command is empty. Allowed commands: …");
        let refused = |name: &str| {
            format!("Command '{name}' is not allowed in this context. Allowed commands: …")
        };
        for name in [
            "config",
            "clone",
            "remote",
            "submodule",
            "gc",
            "fetch",
            "-c",
            "--git-dir=x",
            "--exec-path=x",
            "-C",
            "STATUS",
            "/bin/sh",
            "status;",
        ] {
            check(&format!("git {name} x"), &refused(name));
        }
        check("git git status", &refused("git"));
        check("''", &refused(""));
        check("status 'x", "No closing quotation: a `'` in the command has no second one");
    }

    #[test]
    fn the_configuration_adds_sub_commands() {
        let more = |name: &str| vec![name.to_owned()];
        assert!(Command::parse("fetch origin", &more("fetch")).is_ok());
        let error = Command::parse("status", &more("config")).unwrap_err();
        assert!(
            error.message.starts_with("`commands` in the plugin's configuration names `config`")
        );
    }

    #[test]
    fn whoever_is_talked_to_is_seen_behind_two_hyphens_as_well() {
        let words = |line: &str| Command::parse(line, &[]).unwrap().words().join(" ");
        assert_eq!(words("push origin main"), "origin main");
        assert_eq!(words("push -q -- https://example.com/a main"), "https://example.com/a main");
        assert_eq!(words("pull -- other main"), "other main");
    }

    #[test]
    fn a_commit_says_something() {
        let silent = |line: &str| is_silent(&Command::parse(line, &[]).unwrap());
        assert!(silent("commit") && silent("commit -a") && silent("commit -- -m"));
        assert!(
            !silent("commit -am x") && !silent("commit --amend") && !silent("commit --fixup=HEAD")
        );
    }
}

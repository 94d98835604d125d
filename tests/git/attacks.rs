//! What a repository can hold that makes git run programs, each tried with plain git first, and then here.

use std::{
    fs,
    path::Path,
    process::Stdio,
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::json;
use tempfile::TempDir;

use super::desk::{Desk, FILES, MARKER, give_away, write};
use crate::support::{
    bench::text,
    githttp::{git, run},
};

/// What plain git is told to do with a repository, one after the other, whether it works or not.
const COMMANDS: &[&[&str]] = &[
    &["status"],
    &["add", "--all"],
    &["commit", "--message=attack", "--allow-empty"],
    &["commit", "--amend", "--allow-empty"],
    &["diff", "HEAD~1"],
    &["log", "-p", "-2"],
    &["checkout", "-b", "attacked"],
    &["checkout", "main"],
    &["branch", "--list"],
    &["fetch"],
    &["pull"],
    &["push"],
];

/// Plants something into a clone of the repository `a`, tries plain git on a copy of it, which must fall for it, and then all tools.
#[track_caller]
fn check(desk: &mut Desk, name: &str, plant: impl Fn(&Path)) {
    // Plain git pushes what it fell for, so nobody else may clone that.
    let (plain, repository) = (TempDir::new().unwrap(), nonce());
    desk.server.repository(&repository, FILES);
    run(plain.path(), &["clone", "--quiet", &desk.server.local_url(&repository), "r"]);
    let folder = plain.path().join("r");
    plant(&folder);
    for command in COMMANDS {
        fs::write(folder.join("a.txt"), format!("{command:?}\n")).unwrap();
        let mut git = git();
        // What counts less than `core.editor`.
        git.env("EDITOR", "true").env_remove("VISUAL").stdin(Stdio::null());
        git.current_dir(&folder).args(*command).output().unwrap();
    }
    assert!(folder.join(MARKER).exists(), "plain git does not fall for `{name}`: it is no attack");

    let repository = nonce();
    desk.server.repository(&repository, FILES);
    let url = desk.server.url(&repository);
    let session = text(&desk.bench.call("git_clone", json!({"url": url}))["session_id"]);
    plant(&desk.folder(&session));
    give_away(&desk.folder(&session));
    everything(desk, &session);
    let found = desk.folder(&session).join(MARKER);
    assert!(!found.exists(), "`{name}` got through");
}

/// A name that no other repository has.
fn nonce() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("attacked-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Calls all that works on a session, and does not ask how it went.
pub(super) fn everything(desk: &mut Desk, session: &str) {
    for command in COMMANDS {
        desk.write(session, "a.txt", &format!("{command:?}\n"));
        let command = command.join(" ");
        desk.bench.host().call("git", json!({"session_id": session, "command": command}));
    }
    desk.write(session, "a.txt", "other\n");
    for (tool, more) in [
        ("git_status", json!({})),
        ("git_diff", json!({})),
        ("git_commit", json!({"message": "x", "all": true})),
        ("git_log", json!({})),
        ("git_branch", json!({"action": "switch", "name": "attacked", "force": true})),
        ("git_merge", json!({"ref": "main"})),
        ("git_fetch", json!({})),
        ("git_pull", json!({})),
        ("git_push", json!({})),
    ] {
        let mut arguments = more;
        arguments["session_id"] = session.into();
        desk.bench.host().call(tool, arguments);
    }
}

/// More lines for the repository's own configuration.
fn configure(folder: &Path, text: &str) {
    let path = folder.join(".git/config");
    let config = fs::read_to_string(&path).unwrap();
    fs::write(path, format!("{config}{text}\n")).unwrap();
}

#[test]
fn hooks_do_not_run() {
    let Some(mut desk) = Desk::new() else { return };
    for hook in [
        "pre-commit",
        "commit-msg",
        "post-commit",
        "post-checkout",
        "reference-transaction",
        "post-index-change",
        "pre-push",
    ] {
        check(&mut desk, hook, |folder| {
            write(folder, &format!(".git/hooks/{hook}"), &format!("#!/bin/sh\ntouch {MARKER}\n"));
        });
    }
    check(&mut desk, "core.hooksPath", |folder| {
        write(folder, "hooks/pre-commit", &format!("#!/bin/sh\ntouch {MARKER}\n"));
        configure(folder, "[core]\n\thooksPath = hooks");
    });
}

#[test]
fn programs_of_the_configuration_do_not_run() {
    let Some(mut desk) = Desk::new() else { return };
    let touch = format!("touch {MARKER}");
    for (name, text) in [
        ("core.fsmonitor", format!("[core]\n\tfsmonitor = \"{touch};:\"")),
        ("core.editor", format!("[core]\n\teditor = \"{touch};:\"")),
        ("diff.external", format!("[diff]\n\texternal = {touch}")),
        ("gpg.program", format!("[commit]\n\tgpgSign = true\n[gpg]\n\tprogram = ./evil\n[user]\n\tsigningKey = x; {touch}")),
        ("remote.uploadpack", format!("[remote \"origin\"]\n\tuploadpack = \"{touch}; git-upload-pack\"\n\turl = .\n[remote \"other\"]\n\turl = .\n\tuploadpack = \"{touch}; git-upload-pack\"\n[branch \"main\"]\n\tremote = other")),
        ("core.sshCommand", format!("[core]\n\tsshCommand = \"{touch};false\"\n[remote \"other\"]\n\turl = ssh://nowhere.invalid/x\n[branch \"main\"]\n\tremote = other")),
        ("core.gitProxy", "[core]\n\tgitProxy = ./evil\n[remote \"other\"]\n\turl = git://nowhere.invalid/x\n[branch \"main\"]\n\tremote = other".to_owned()),
        ("url.insteadOf", format!("[protocol \"ext\"]\n\tallow = always\n[url \"ext::sh -c touch% {MARKER}% \"]\n\tinsteadOf = http://")),
        ("remote.vcs", format!("[protocol \"ext\"]\n\tallow = always\n[remote \"other\"]\n\tvcs = ext\n\turl = sh -c touch% {MARKER}\n[branch \"main\"]\n\tremote = other")),
        ("ext in the address", format!("[protocol \"ext\"]\n\tallow = always\n[remote \"other\"]\n\turl = ext::sh -c touch% {MARKER}\n[branch \"main\"]\n\tremote = other")),
        ("ext in the branch", format!("[protocol \"ext\"]\n\tallow = always\n[branch \"main\"]\n\tremote = ext::sh -c touch% {MARKER}")),
    ] {
        check(&mut desk, name, |folder| {
            write(folder, "evil", &format!("#!/bin/sh\n{touch}\n"));
            configure(folder, &text);
        });
    }
}

#[test]
fn filters_and_drivers_do_not_run() {
    let Some(mut desk) = Desk::new() else { return };
    let filter = format!(
        "[filter \"x\"]\n\tclean = \"touch {MARKER}; cat\"\n\tsmudge = \"touch {MARKER}; cat\""
    );
    let process = format!("[filter \"x\"]\n\tprocess = \"touch {MARKER}; false\"");
    let textconv = format!("[diff \"x\"]\n\ttextconv = \"touch {MARKER}; cat\"");
    let command = format!("[diff \"x\"]\n\tcommand = \"touch {MARKER}; true\"");
    for (name, attributes, text) in [
        ("filter", "* filter=x", &filter),
        ("filter.process", "* filter=x", &process),
        ("diff.textconv", "* diff=x", &textconv),
        ("diff.command", "* diff=x", &command),
    ] {
        for file in [".gitattributes", ".git/info/attributes"] {
            check(&mut desk, &format!("{name} in {file}"), |folder| {
                write(folder, file, &format!("{attributes}\n"));
                configure(folder, text);
            });
        }
    }
}

#[test]
fn nothing_is_included() {
    let Some(mut desk) = Desk::new() else { return };
    let evil = format!("[core]\n\tfsmonitor = \"touch {MARKER};:\"\n");
    for (name, text) in [
        ("include.path", "[include]\n\tpath = evil"),
        ("includeIf", "[includeIf \"gitdir:**\"]\n\tpath = evil"),
        ("includeIf onbranch", "[includeIf \"onbranch:**\"]\n\tpath = evil"),
        ("include from the tree", "[include]\n\tpath = ../evil"),
    ] {
        check(&mut desk, name, |folder| {
            write(folder, ".git/evil", &evil);
            write(folder, "evil", &evil);
            configure(folder, text);
        });
    }
    check(&mut desk, "config.worktree", |folder| {
        write(folder, ".git/config.worktree", &evil);
        configure(
            folder,
            "[core]\n\trepositoryFormatVersion = 1\n[extensions]\n\tworktreeConfig = true",
        );
    });
    check(&mut desk, "commondir", |folder| {
        let common = folder.join(".git/common");
        fs::create_dir_all(&common).unwrap();
        for name in ["objects", "refs", "packed-refs"] {
            let from = folder.join(".git").join(name);
            if from.exists() {
                fs::rename(&from, common.join(name)).unwrap();
                std::os::unix::fs::symlink(format!("common/{name}"), from).unwrap();
            }
        }
        write(
            folder,
            ".git/common/config",
            &format!("[core]\n\trepositoryFormatVersion = 0\n{evil}"),
        );
        write(folder, ".git/commondir", "common\n");
    });
}

#[test]
fn nested_repositories_are_not_believed() {
    let Some(mut desk) = Desk::new() else { return };
    let touch = format!("touch {MARKER}");
    // A program that a nested repository names starts in its folder.
    let above = format!("touch ../{MARKER}");
    for (name, text) in [
        ("nested fsmonitor", format!("[core]\n\tfsmonitor = \"{touch}; {above};:\"")),
        (
            "nested filter",
            format!("[filter \"x\"]\n\tclean = \"{touch}; {above}; cat\"\n\trequired = true"),
        ),
    ] {
        for module in ["", "[submodule \"sub\"]\n\tpath = sub\n\turl = ./sub\n\tignore = none\n"] {
            check(&mut desk, name, |folder| {
                let sub = folder.join("sub");
                fs::create_dir_all(&sub).unwrap();
                run(&sub, &["init", "--quiet"]);
                fs::write(sub.join("x"), "x\n").unwrap();
                fs::write(sub.join(".gitattributes"), "* filter=x\n").unwrap();
                run(&sub, &["add", "--all"]);
                run(&sub, &["commit", "--quiet", "--message=sub"]);
                git_add(folder, "sub");
                fs::write(sub.join("x"), "y\n").unwrap();
                configure(&sub, &text);
                if !module.is_empty() {
                    write(folder, ".gitmodules", module);
                }
            });
        }
    }
}

/// Adds a path to the index of a folder that may be somebody else's.
fn git_add(folder: &Path, path: &str) {
    let mut git = git();
    git.current_dir(folder).args(["-c", "safe.directory=*", "add", "--", path]);
    let output = git.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

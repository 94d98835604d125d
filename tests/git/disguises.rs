//! A `.git` that is not what it seems, and files in it that make no sense.

use std::{fs, os::unix::fs::symlink, path::Path};

use serde_json::json;

use super::{
    attacks::everything,
    desk::{Desk, MARKER, give_away, write},
};
use crate::support::githttp::run;

/// A second repository in the folder that would run something.
fn plant_evil(folder: &Path) {
    let evil = folder.join("evil");
    fs::create_dir_all(&evil).unwrap();
    run(&evil, &["init", "--quiet", "--initial-branch", "main"]);
    let config =
        format!("[core]\n\tfsmonitor = \"touch {MARKER};:\"\n[alias]\n\tx = !touch {MARKER}\n");
    fs::write(evil.join(".git/config"), config).unwrap();
    write(&evil, ".git/hooks/pre-commit", &format!("#!/bin/sh\ntouch {MARKER}\n"));
}

#[test]
fn a_git_that_is_no_directory_is_no_repository() {
    let Some(mut desk) = Desk::new() else { return };
    for disguise in ["file", "link", "link to the outside", "gone"] {
        let session = desk.session();
        let folder = desk.folder(&session);
        plant_evil(&folder);
        fs::rename(folder.join(".git"), folder.join("real")).unwrap();
        match disguise {
            "file" => fs::write(folder.join(".git"), "gitdir: evil/.git\n").unwrap(),
            "link" => symlink("evil/.git", folder.join(".git")).unwrap(),
            "link to the outside" => symlink("/tmp", folder.join(".git")).unwrap(),
            _ => {}
        }
        give_away(&folder);
        everything(&mut desk, &session);
        eprintln!("{disguise}");
        let refused = desk.refused(&session, "status");
        assert!(refused.starts_with("NOT_A_REPOSITORY: "), "{disguise}: {refused}");
        assert!(!folder.join(MARKER).exists(), "{disguise}");
    }
}

#[test]
fn parts_of_it_that_are_links_lead_to_nothing_of_worth() {
    let Some(mut desk) = Desk::new() else { return };
    for (part, target) in [
        ("config", "/etc/passwd"),
        ("config", "../evil/.git/config"),
        ("HEAD", "/etc/passwd"),
        ("index", "/etc/passwd"),
        ("objects", "/proc/self"),
        ("refs", "/etc"),
        ("hooks", "../evil/.git/hooks"),
        ("info", "../evil"),
        ("logs", "/tmp"),
    ] {
        let session = desk.session();
        let folder = desk.folder(&session);
        plant_evil(&folder);
        let path = folder.join(".git").join(part);
        let _ = fs::remove_dir_all(&path);
        let _ = fs::remove_file(&path);
        symlink(target, &path).unwrap();
        give_away(&folder);
        everything(&mut desk, &session);
        assert!(!folder.join(MARKER).exists(), "{part} -> {target}");
        let seen = desk
            .bench
            .host()
            .call("git", json!({"session_id": session, "command": "status"}))
            .to_string();
        assert!(!seen.contains("root:"), "{part} -> {target}: {seen}");
    }
}

#[test]
fn a_worktree_that_is_elsewhere_stays_there() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let config = desk.read(&session, ".git/config");
    desk.write(
        &session,
        ".git/config",
        &format!("{config}[core]\n\tworktree = /etc\n\tbare = true\n"),
    );
    assert_eq!(desk.tool(&session, "git_status", json!({}))["clean"], true);
    assert_eq!(desk.git(&session, "status --short"), "");
}

#[test]
fn a_configuration_that_makes_no_sense_is_told_with_its_line() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let config = desk.read(&session, ".git/config");
    for (text, line) in [("[core\n", 1), ("[a]\nx = \"\n", 2), ("\0\0", 1), ("x\n", 1)] {
        desk.write(&session, ".git/config", text);
        let refused = desk.refused(&session, "status");
        let expected =
            format!("VALIDATION_ERROR: `.git/config` cannot be read: line {line} makes no sense");
        assert_eq!(refused, expected);
    }
    desk.write(&session, ".git/config", &"#".repeat(100 << 10));
    assert!(desk.refused(&session, "status").starts_with("LIMIT: "));
    fs::write(desk.folder(&session).join(".git/config"), b"[a \"\xff\"]\n\tx = \xfe\n").unwrap();
    desk.git(&session, "status");
    fs::remove_file(desk.folder(&session).join(".git/config")).unwrap();
    desk.git(&session, "status");
    desk.write(&session, ".git/config", &config);
    assert_eq!(desk.tool(&session, "git_status", json!({}))["upstream"], "origin/main");
}

#[test]
fn what_git_writes_into_its_configuration_leaves_the_rest_as_it_is() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let config = desk.read(&session, ".git/config");
    let own = format!(
        "# mine\n[alias]\n\tx = !touch {MARKER}\n[core]\n\tfsmonitor = touch {MARKER}\n{config}"
    );
    desk.write(&session, ".git/config", &own);
    desk.git(&session, "checkout -b tracked --track origin/main");
    let written = desk.read(&session, ".git/config");
    assert!(written.starts_with(&own), "{written}");
    assert!(written.contains("[branch \"tracked\"]"), "{written}");
    assert!(!written.contains("hooksPath"), "{written}");
    desk.git(&session, "checkout main");
    desk.git(&session, "branch -D tracked");
    assert!(!desk.read(&session, ".git/config").contains("remote = \"origin\""));
    assert!(!desk.folder(&session).join(MARKER).exists());
}

#[test]
fn a_rebase_that_was_planted_is_not_gone_on_with() {
    let server = crate::support::githttp::GitServer::open();
    server.repository("a", super::desk::FILES);
    let config = "commands = ['rebase', 'cherry-pick', 'revert']".to_owned();
    let wanted = super::desk::Wanted { config, ..super::desk::Wanted::default() };
    let Some(mut desk) = Desk::with(server, wanted) else { return };
    let session = desk.session();
    let head = desk.git(&session, "log -1 --format=%H");
    for (path, text) in [
        ("git-rebase-todo", format!("exec touch {MARKER}\n")),
        ("done", String::new()),
        ("head-name", "refs/heads/main\n".to_owned()),
        ("onto", head.clone()),
        ("orig-head", head.clone()),
        ("end", "1\n".to_owned()),
        ("msgnum", "1\n".to_owned()),
        ("interactive", String::new()),
    ] {
        desk.write(&session, &format!(".git/rebase-merge/{path}"), &text);
    }
    for line in [
        "rebase --continue",
        "rebase --skip",
        "rebase --edit-todo",
        "cherry-pick --continue",
        "revert --skip",
    ] {
        assert!(desk.refused(&session, line).contains("is not allowed in this context"), "{line}");
    }
    everything(&mut desk, &session);
    desk.bench.host().call("git", json!({"session_id": session, "command": "rebase HEAD~1"}));
    desk.bench.host().call("git", json!({"session_id": session, "command": "rebase --abort"}));
    assert!(!desk.folder(&session).join(MARKER).exists());
}

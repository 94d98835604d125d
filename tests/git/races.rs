//! Many commands at once, files that change meanwhile, hosts that die, commands that hang.

use std::{
    fs,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use serde_json::{Value, json};

use super::desk::{Desk, FILES, MARKER, Wanted, give_away};
use crate::support::{githttp::GitServer, until};

/// Begins a call of the tool `git`.
fn begin(desk: &mut Desk, session: &str, command: &str) -> u64 {
    let arguments = json!({"session_id": session, "command": command});
    desk.bench.host().begin("tools/call", json!({"name": "git", "arguments": arguments}))
}

fn succeeded(answer: &Value) -> bool {
    answer["result"]["isError"] != true && answer.get("error").is_none()
}

#[test]
fn fifty_statuses_at_once_all_answer() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let asked: Vec<_> = (0..50)
        .map(|_| {
            let call = json!({"name": "git_status", "arguments": {"session_id": session}});
            desk.bench.host().begin("tools/call", call)
        })
        .collect();
    for id in asked {
        let answer = desk.bench.host().answer(id);
        assert!(succeeded(&answer), "{answer}");
        assert_eq!(answer["result"]["structuredContent"]["clean"], true, "{answer}");
    }
    assert_eq!(desk.bench.containers().len(), 2, "a toolbox was made twice");
}

#[test]
fn commands_that_write_at_once_wait_for_each_other() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let asked: Vec<_> = (0..12)
        .map(|number| {
            begin(&mut desk, &session, &format!("commit --allow-empty -m number-{number}"))
        })
        .collect();
    let answers: Vec<_> = asked.into_iter().map(|id| desk.bench.host().answer(id)).collect();
    let failed: Vec<_> = answers.iter().filter(|it| !succeeded(it)).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(desk.git(&session, "log --oneline").lines().count(), 13);
    assert!(!desk.folder(&session).join(".git/index.lock").exists());
}

#[test]
fn a_lock_that_nobody_lets_go_is_told_and_then_removed_by_whoever_set_it() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    desk.write(&session, ".git/index.lock", "");
    let refused = desk.refused(&session, "commit --allow-empty -m x");
    assert!(
        refused.starts_with("CONFLICT: ") && refused.contains("remove `.git/index.lock`"),
        "{refused}"
    );
    desk.git(&session, "status");
    let waiting = begin(&mut desk, &session, "commit --allow-empty -m x");
    fs::remove_file(desk.folder(&session).join(".git/index.lock")).unwrap();
    assert!(succeeded(&desk.bench.host().answer(waiting)));
}

/// Says that it is over when it goes out of scope.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_configuration_that_is_swapped_meanwhile_runs_nothing() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let folder = desk.folder(&session);
    let good = fs::read_to_string(folder.join(".git/config")).unwrap();
    let evil = format!(
        "{good}[core]\n\tfsmonitor = \"touch {MARKER};:\"\n\thooksPath = hooks\n[diff]\n\texternal = touch {MARKER}\n"
    );
    let (done, mut did) = (AtomicBool::new(false), 0);
    thread::scope(|scope| {
        // Whatever becomes of the commands, the thread has to end.
        let _ending = Ending(&done);
        scope.spawn(|| {
            let path = folder.join(".git/config");
            while !done.load(Ordering::Relaxed) {
                for text in [&good, &evil] {
                    fs::write(folder.join(".git/next"), text).unwrap();
                    fs::rename(folder.join(".git/next"), &path).unwrap();
                }
            }
        });
        for number in 0..15 {
            desk.write(&session, "a.txt", &format!("{number}\n"));
            for command in [
                "status",
                "diff",
                "commit -am x",
                &format!("checkout -b b{number} --track origin/main"),
                "checkout main",
            ] {
                let arguments = json!({"session_id": session, "command": command});
                let answer = desk.bench.host().call("git", arguments);
                did += u32::from(answer["result"]["isError"] != true);
            }
        }
    });
    assert!(did > 0, "no command got as far as a configuration");
    assert!(!desk.folder(&session).join(MARKER).exists());
    desk.write(&session, ".git/config", &good);
    desk.git(&session, "status");
}

#[test]
fn a_command_that_hangs_is_ended_and_leaves_no_lock() {
    let server = GitServer::open();
    server.repository("a", FILES);
    let config = "timeout_s = 3".to_owned();
    let Some(mut desk) = Desk::with(server, Wanted { config, ..Wanted::default() }) else { return };
    let session = desk.session();
    // Git opens it to read which files it should not mind, and there is nobody who writes.
    let path = desk.folder(&session).join(".gitignore");
    let made = Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    give_away(&desk.folder(&session));
    let refused = desk.refused(&session, "add -A");
    assert!(refused.starts_with("TIMEOUT: git was ended after 3 seconds"), "{refused}");
    fs::remove_file(path).unwrap();
    until("the lock is gone", || !desk.folder(&session).join(".git/index.lock").exists());
    desk.write(&session, "x", "x\n");
    desk.git(&session, "add -A");
    desk.git(&session, "commit -m x");
}

#[test]
fn sessions_outlive_a_host_that_was_killed() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    desk.write(&session, "x", "x\n");
    let _unanswered = begin(&mut desk, &session, "add -A");
    desk.bench.killed(|_| {});
    desk.git(&session, "add -A");
    desk.git(&session, "commit -m after");
    desk.git(&session, "push");
    assert_eq!(desk.bench.containers().len(), 2, "toolboxes were lost or doubled");
}

//! The tool `git`, which takes a command line, as S1 has it.

use serde_json::json;

use super::desk::{Desk, FILES, MARKER, Wanted};
use crate::support::{
    bench::text,
    githttp::{GitServer, run},
};

const NINE: &str = "Allowed commands: add, commit, push, pull, status, checkout, branch, log, diff";

#[test]
fn a_session_goes_from_clone_to_push() {
    let Some(mut desk) = Desk::new() else { return };
    let bare = desk.server.repository("b", FILES);
    let url = desk.server.url("b");
    let cloned = desk.bench.call("git_clone", json!({"url": url}));
    assert_eq!(
        (&cloned["branch"], &cloned["branch_created"]),
        (&json!("main"), &json!(false)),
        "{cloned}"
    );
    let session = text(&cloned["session_id"]);
    assert_eq!(desk.read(&session, "folder/b.txt"), "b\n");
    assert!(desk.git(&session, "git status").contains("nothing to commit"));
    desk.write(&session, "new.txt", "new\n");
    assert!(desk.git(&session, "status --short").contains("?? new.txt"));
    desk.git(&session, "add -A");
    assert!(desk.git(&session, "git commit -m 'a \"new\" file'").contains("new.txt"));
    assert_eq!(desk.git(&session, "log -1 --format=%s%x20%an").trim(), "a \"new\" file Windlass");
    desk.git(&session, "push");
    assert_eq!(run(&bare, &["log", "-1", "--format=%s", "main"]), "a \"new\" file");
    desk.git(&session, "checkout -b feature/x");
    desk.git(&session, "push -u origin feature/x");
    let config = desk.read(&session, ".git/config");
    assert!(
        config.contains("[branch \"feature/x\"]") && config.contains(&desk.server.url("b")),
        "{config}"
    );
    assert!(desk.git(&session, "branch -vv").contains("[origin/feature/x]"));
    desk.git(&session, "checkout -");
    assert!(desk.git(&session, "pull").contains("up to date"));
}

#[test]
fn a_result_has_the_fields_of_s1_whether_it_succeeds_or_not() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let call = json!({"session_id": session, "command": "  git   status --porcelain "});
    let done = desk.bench.call("git", call);
    assert_eq!(
        done,
        json!({"session_id": session, "command": "git status --porcelain", "success": true, "isError": false, "output": "", "error": null})
    );
    let call = json!({"session_id": session, "command": "commit -m nothing"});
    let failed = desk.bench.host().call("git", call)["structuredContent"].clone();
    let details = &failed["details"];
    assert_eq!(
        (&failed["success"], &failed["error_code"]),
        (&json!(false), &json!("GIT_ERROR")),
        "{failed}"
    );
    assert_eq!(
        (&details["success"], &details["isError"]),
        (&json!(false), &json!(true)),
        "{failed}"
    );
    assert_eq!(
        (&details["session_id"], &details["command"]),
        (&json!(session), &json!("git commit -m nothing"))
    );
    assert!(text(&details["error"]).contains("nothing to commit"), "{failed}");
    assert!(text(&details["output"]).contains("nothing to commit"), "{failed}");
    let gone = "w_00000000-0000-4000-8000-000000000000";
    let refused = desk.refused(gone, "status");
    assert_eq!(refused, format!("SESSION_NOT_FOUND: Session {gone} not found"));
    assert_eq!(desk.refused("../x", "status"), "SESSION_NOT_FOUND: Session ../x not found");
}

#[test]
fn oh_5_other_sub_commands_and_broken_lines_are_refused() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let context = "is not allowed in this context.";
    for (line, expected) in [
        ("git config --list", format!("VALIDATION_ERROR: Command 'config' {context} {NINE}")),
        ("clone x y", format!("VALIDATION_ERROR: Command 'clone' {context} {NINE}")),
        ("fetch", format!("VALIDATION_ERROR: Command 'fetch' {context} {NINE}")),
        ("-c alias.x=!sh x", format!("VALIDATION_ERROR: Command '-c' {context} {NINE}")),
        ("", format!("VALIDATION_ERROR: The command is empty. {NINE}")),
        ("git", format!("VALIDATION_ERROR: The command is empty. {NINE}")),
        ("log 'x", "VALIDATION_ERROR: No closing quotation: a `'` in the command has no second one".to_owned()),
        ("commit", "VALIDATION_ERROR: a commit needs a message, and nobody is there to write one into an editor: add `-m`".to_owned()),
    ] {
        assert_eq!(desk.refused(&session, line), expected, "{line}");
    }
    // There is no shell.
    desk.git(&session, &format!("status ; touch {MARKER}"));
    assert!(!desk.folder(&session).join(MARKER).exists());
    desk.git(&session, &format!("log -1 --grep='$(touch {MARKER})`touch {MARKER}`'"));
    assert!(!desk.folder(&session).join(MARKER).exists());
}

#[test]
fn oh_5_no_option_leads_elsewhere() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    for line in [
        "pull --upload-pack='touch PWNED; git-upload-pack'",
        "pull --upload-pack 'touch PWNED'",
        "pull --upl='touch PWNED'",
        "push --receive-pack='touch PWNED'",
        "push --exec='touch PWNED'",
        "diff --output=PWNED HEAD",
        "diff --outp=PWNED HEAD",
        "log --output PWNED",
        "diff --no-index --output=PWNED /etc/passwd /dev/null",
        "diff --no-index /etc/passwd /dev/null",
        "diff /etc/passwd /dev/null",
        "diff -- ../etc/passwd",
        "log -c core.pager=x",
        "log -OPWNED -p",
        "diff --ext-diff",
        "commit -F /etc/passwd",
        "add --pathspec-from-file=/etc/passwd",
        "checkout --recurse-submodules main",
        "commit -m x --template=PWNED",
        "commit -S -m x",
    ] {
        let refused = desk.refused(&session, line);
        assert!(refused.starts_with("VALIDATION_ERROR: "), "{line}: {refused}");
        let told = refused.contains("Allowed options: ")
            || refused.contains("leads out of the repository");
        assert!(told, "{line}: {refused}");
    }
    for line in [
        "pull 'ext::sh -c touch% PWNED' main",
        "push 'ext::sh -c touch% PWNED' main",
        "pull fd::17/x main",
        "pull ssh://git@example.com/x main",
        "pull git@example.com:x main",
        "pull git://example.com/x main",
        "pull file:///workspace/.git main",
        "pull /workspace/.git main",
        "pull /etc main",
        "pull file:///proc/self/root main",
        "pull ../x main",
        "pull . main",
        "pull nobody main",
        "push https://user:password@example.com/x main",
    ] {
        let refused = desk.refused(&session, line);
        assert!(refused.starts_with("VALIDATION_ERROR: "), "{line}: {refused}");
    }
    assert!(!desk.folder(&session).join(MARKER).exists());
}

#[test]
fn the_operator_adds_sub_commands() {
    let server = GitServer::open();
    server.repository("a", FILES);
    let config = "commands = ['fetch', 'reset', 'show', 'stash', 'rev-parse', 'tag', 'merge', 'rebase', 'restore']".to_owned();
    let Some(mut desk) = Desk::with(server, Wanted { config, ..Wanted::default() }) else { return };
    let session = desk.session();
    desk.git(&session, "fetch --all --prune");
    desk.git(&session, "fetch origin main");
    let head = desk.git(&session, "rev-parse HEAD");
    desk.write(&session, "a.txt", "changed\n");
    desk.git(&session, "stash -m x");
    assert_eq!(desk.read(&session, "a.txt"), FILES[0].1);
    desk.git(&session, "stash pop");
    desk.git(&session, "reset --hard HEAD");
    desk.git(&session, "tag -a v1 -m v1");
    assert!(desk.git(&session, "show --stat v1").contains("first"));
    assert_eq!(desk.git(&session, "rev-parse v1^{commit}"), head);
    assert!(
        desk.refused(&session, "rebase -x 'touch PWNED' HEAD~0")
            .contains("Option '-x' of 'rebase'")
    );
    assert!(desk.refused(&session, "gc").contains("log, diff, fetch, reset"));
}

#[test]
fn long_output_is_cut_and_says_so() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    desk.write(&session, "a.txt", &"a line that is not short\n".repeat(100_000));
    let output = desk.git(&session, "diff");
    assert!(output.ends_with("\n[cut: there is more than 262144 bytes]\n"), "{}", output.len());
    assert!(output.len() < 300_000, "{}", output.len());
    assert!(desk.git(&session, "diff --shortstat").contains("100000 insertions"));
}

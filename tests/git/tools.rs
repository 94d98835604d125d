//! The structured tools on one repository.

use expect_test::expect_file;
use serde_json::json;

use super::desk::{Desk, FILES, Wanted};
use crate::support::{
    bench::text,
    githttp::{GitServer, run},
};

#[test]
fn its_tools_are_those_of_the_surface_file() {
    let Some(mut desk) = Desk::new() else { return };
    let tools = desk.bench.host().request("tools/list", json!({}))["result"]["tools"].clone();
    let shown = serde_json::to_string_pretty(&tools).unwrap();
    expect_file!["../surface/git.json"].assert_eq(&format!("{shown}\n"));
}

#[test]
fn a_branch_is_checked_out_or_made_and_that_is_said() {
    let Some(mut desk) = Desk::new() else { return };
    let bare = desk.server.repository("b", FILES);
    run(&bare, &["branch", "other"]);
    let url = desk.server.url("b");
    let cloned = desk.bench.call("git_clone", json!({"url": url, "branch": "other"}));
    assert_eq!((&cloned["branch"], &cloned["branch_created"]), (&json!("other"), &json!(false)));
    let made = desk.bench.call("git_clone", json!({"url": url, "branch": "mine/x"}));
    assert_eq!((&made["branch"], &made["branch_created"]), (&json!("mine/x"), &json!(true)));
    assert_eq!(made["head"], cloned["head"]);
    let session = text(&made["session_id"]);
    assert_eq!(desk.tool(&session, "git_status", json!({}))["branch"], "mine/x");
    run(&bare, &["symbolic-ref", "HEAD", "refs/heads/other"]);
    assert_eq!(desk.bench.call("git_clone", json!({"url": url}))["branch"], "other");
    for branch in ["-x", "a..b", "", "--upload-pack=x"] {
        assert_eq!(
            desk.bench.code("git_clone", json!({"url": url, "branch": branch})),
            "VALIDATION_ERROR"
        );
    }
}

#[test]
fn a_clone_is_as_deep_and_as_wide_as_asked() {
    let Some(mut desk) = Desk::new() else { return };
    let bare = desk.server.repository("b", FILES);
    for number in 0..3 {
        let tree = run(&bare, &["rev-parse", "main^{tree}"]);
        let commit = run(&bare, &["commit-tree", "-p", "main", "-m", &number.to_string(), &tree]);
        run(&bare, &["update-ref", "refs/heads/main", &commit]);
    }
    run(&bare, &["branch", "other", "main~1"]);
    let url = desk.server.url("b");
    let mut cloned = |options: serde_json::Value| {
        let mut arguments = options;
        arguments["url"] = url.clone().into();
        let session = text(&desk.bench.call("git_clone", arguments)["session_id"]);
        let commits =
            desk.tool(&session, "git_log", json!({}))["commits"].as_array().unwrap().len();
        let branches =
            desk.tool(&session, "git_branch", json!({"remotes": true}))["branches"].to_string();
        (commits, branches.contains("origin/other"))
    };
    assert_eq!(cloned(json!({})), (4, true));
    // Two of each branch, and they are not the same two.
    assert_eq!(cloned(json!({"depth": 2})), (3, true));
    assert_eq!(cloned(json!({"depth": 1, "single_branch": true})), (1, false));
    assert_eq!(cloned(json!({"single_branch": true})), (4, false));
}

#[test]
fn an_empty_repository_can_be_cloned_and_begun() {
    let Some(mut desk) = Desk::new() else { return };
    let bare = desk.server.repository("b", FILES);
    run(&bare, &["update-ref", "-d", "refs/heads/main"]);
    let cloned = desk.bench.call("git_clone", json!({"url": desk.server.url("b")}));
    assert_eq!(cloned["head"], json!(null), "{cloned}");
    let session = text(&cloned["session_id"]);
    assert_eq!(desk.tool(&session, "git_log", json!({}))["commits"], json!([]));
    desk.write(&session, "x", "x\n");
    desk.tool(&session, "git_commit", json!({"message": "begun", "all": true}));
    desk.tool(&session, "git_push", json!({}));
    assert_eq!(run(&bare, &["log", "-1", "--format=%s", "main"]), "begun");
}

#[test]
fn a_clone_that_fails_leaves_nothing() {
    let Some(mut desk) = Desk::new() else { return };
    let missing = desk.server.url("missing");
    let refused = desk.bench.refused("git_clone", json!({"url": missing}));
    assert!(refused.starts_with("GIT_ERROR: ") && refused.contains("not found"), "{refused}");
    let folder = desk.bench.state().join("workspaces");
    let left = std::fs::read_dir(folder)
        .unwrap()
        .filter(|it| it.as_ref().unwrap().file_name().to_string_lossy().starts_with("w_"));
    assert_eq!(left.count(), 0);
    assert_eq!(desk.bench.containers().len(), 0);
    let session = desk.session();
    let url = desk.server.url("a");
    let refused = desk.bench.refused("git_clone", json!({"url": url, "session_id": session}));
    assert!(refused.starts_with("CONFLICT: "), "{refused}");
}

#[test]
fn a_status_tells_what_was_done() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let clean = desk.tool(&session, "git_status", json!({}));
    assert_eq!(
        (&clean["clean"], &clean["branch"], &clean["upstream"]),
        (&json!(true), &json!("main"), &json!("origin/main"))
    );
    assert_eq!((&clean["ahead"], &clean["behind"]), (&json!(0), &json!(0)), "{clean}");
    desk.write(&session, "a.txt", "changed\n");
    desk.write(&session, "new/x", "x\n");
    desk.write(&session, "staged", "s\n");
    desk.git(&session, "add staged");
    let status = desk.tool(&session, "git_status", json!({}));
    assert_eq!(status["clean"], false);
    assert_eq!(status["staged"], json!([{"path": "staged", "change": "added"}]));
    assert_eq!(status["unstaged"], json!([{"path": "a.txt", "change": "modified"}]));
    assert_eq!(status["untracked"], json!(["new/"]));
}

#[test]
fn a_diff_comes_in_pages() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    let lines: String = (0..5000).map(|number| format!("line {number} ü\n")).collect();
    desk.write(&session, "a.txt", &lines);
    let whole = desk.git(&session, "diff");
    let (mut joined, mut cursor, mut pages) = (String::new(), json!(0), 0);
    while !cursor.is_null() {
        let page = desk.tool(&session, "git_diff", json!({"cursor": cursor, "limit": 10_000}));
        assert!(text(&page["diff"]).len() <= 10_000);
        assert_eq!(page["files"].as_array().unwrap().len(), usize::from(pages == 0));
        joined.push_str(&text(&page["diff"]));
        cursor = page["next_cursor"].clone();
        pages += 1;
    }
    assert!(pages > 5);
    assert_eq!(joined, whole);
    let stat = desk.tool(&session, "git_diff", json!({"stat": true}));
    assert_eq!(
        (&stat["diff"], &stat["files_changed"], &stat["insertions"]),
        (&json!(""), &json!(1), &json!(5000))
    );
    assert_eq!(desk.tool(&session, "git_diff", json!({"staged": true}))["diff"], "");
    assert_eq!(desk.tool(&session, "git_diff", json!({"paths": ["folder"]}))["diff"], "");
    desk.tool(&session, "git_commit", json!({"message": "lines", "paths": ["a.txt"]}));
    let between =
        desk.tool(&session, "git_diff", json!({"from": "HEAD~1", "to": "HEAD", "stat": true}));
    assert_eq!(between["deletions"], 3);
    for wrong in
        [json!({"from": "--output=x"}), json!({"to": "HEAD"}), json!({"from": "-x", "to": "HEAD"})]
    {
        let mut arguments = wrong;
        arguments["session_id"] = session.clone().into();
        assert_eq!(desk.bench.code("git_diff", arguments), "VALIDATION_ERROR");
    }
    let outside = json!({"session_id": session, "paths": ["/etc/passwd"]});
    assert_eq!(desk.bench.code("git_diff", outside), "GIT_ERROR");
    // Of two files git needs no repository, and on a later page nobody looks at how much differs.
    let both = json!({"session_id": session, "paths": ["/dev/null", "/bin/git"], "cursor": 1, "limit": 1000});
    let refused = desk.bench.refused("git_diff", both);
    assert!(refused.contains("`/dev/null` leads out of the repository"), "{refused}");
}

#[test]
fn commits_are_made_and_listed() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    desk.write(&session, "x", "x\n");
    desk.write(&session, "y", "y\n");
    let message = "subject\n\nbody with 'quotes' and $HOME\n-- a line\n";
    let only = desk.tool(
        &session,
        "git_commit",
        json!({"message": message, "paths": ["x"], "author": "Ann <ann@example.com>"}),
    );
    assert_eq!(only["branch"], "main");
    assert_eq!(desk.tool(&session, "git_status", json!({}))["untracked"], json!(["y"]));
    let log = desk.tool(&session, "git_log", json!({"limit": 1}));
    let commit = &log["commits"][0];
    assert_eq!(
        (&commit["id"], &commit["subject"], &commit["author"]),
        (&only["commit"], &json!("subject"), &json!("Ann"))
    );
    assert_eq!(commit["body"], "body with 'quotes' and $HOME\n-- a line");
    assert_eq!(log["next_skip"], 1);
    let amended = desk.tool(&session, "git_commit", json!({"amend": true, "all": true}));
    assert_ne!(amended["commit"], only["commit"]);
    assert_eq!(
        desk.tool(&session, "git_log", json!({"path": "y"}))["commits"][0]["id"],
        amended["commit"]
    );
    std::fs::remove_file(desk.folder(&session).join("x")).unwrap();
    desk.tool(&session, "git_commit", json!({"message": "gone", "all": true}));
    assert_eq!(desk.tool(&session, "git_status", json!({}))["ahead"], 2);
    for (arguments, code) in [
        (json!({"message": "nothing"}), "GIT_ERROR"),
        (json!({}), "VALIDATION_ERROR"),
        (json!({"message": " "}), "VALIDATION_ERROR"),
        (json!({"message": "x", "all": true, "paths": ["a"]}), "VALIDATION_ERROR"),
        (json!({"message": "x", "paths": ["../../etc/passwd"]}), "GIT_ERROR"),
    ] {
        let mut arguments = arguments;
        arguments["session_id"] = session.clone().into();
        assert_eq!(desk.bench.code("git_commit", arguments.clone()), code, "{arguments}");
    }
    desk.tool(&session, "git_commit", json!({"message": "empty", "allow_empty": true}));
}

#[test]
fn commits_are_by_whom_the_operator_says() {
    let server = GitServer::open();
    server.repository("a", FILES);
    let config = "user_name = 'A \"B\" \\ C'\nuser_email = 'a@example.com'".to_owned();
    let Some(mut desk) = Desk::with(server, Wanted { config, ..Wanted::default() }) else { return };
    let session = desk.session();
    desk.tool(&session, "git_commit", json!({"message": "x", "allow_empty": true}));
    assert_eq!(
        desk.git(&session, "log -1 --format=%an,%ae,%cn").trim(),
        "A \"B\" \\ C,a@example.com,A \"B\" \\ C"
    );
}

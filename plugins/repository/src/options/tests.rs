//! What git may be given, and all the ways to give it something else.

use super::*;

fn words(line: &str) -> Vec<String> {
    crate::words::split(line).unwrap()
}

#[track_caller]
fn check(subcommand: &str, line: &str, expected: &str) {
    let read = read(subcommand, &words(line));
    let told = match read {
        Ok(read) => written(&read).join(" "),
        Err(error) => error.message.split(" Allowed options").next().unwrap().to_owned(),
    };
    assert_eq!(told, expected, "{subcommand} {line}");
}

#[test]
fn options_are_taken_as_git_takes_them() {
    check("commit", "-am 'a b'", "-a -ma b");
    check("commit", "-m a --amend -- x y", "-ma --amend -- x y");
    check("commit", "--message a --message=b", "--message=a --message=b");
    check("commit", "-m ''", "-m ");
    check("commit", "-m --upload-pack=x", "-m--upload-pack=x");
    check("log", "-5 --oneline main..feature -- src/a", "-5 --oneline main..feature -- src/a");
    check("log", "-n 3 --not origin/main", "-n3 --not origin/main");
    check("diff", "--stat --stat=80 -M90 -M HEAD~1", "--stat --stat=80 -M90 -M HEAD~1");
    check("push", "-fu origin +a:b :c", "-f -u origin +a:b :c");
    check("branch", "-vv --contains abc", "-v -v --contains abc");
    check("checkout", "- ", "-");
    check("add", "-- -x --upload-pack", "-- -x --upload-pack");
    check("diff", "/workspace/a a/../b", "/workspace/a a/../b");
}

#[test]
fn what_is_not_in_the_table_is_refused() {
    for (subcommand, line, name) in [
        ("pull", "--upload-pack=x", "--upload-pack"),
        ("pull", "--upload-pack x", "--upload-pack"),
        ("pull", "--upl=x", "--upl"),
        ("fetch", "--upload-pack=x", "--upload-pack"),
        ("push", "--receive-pack=x", "--receive-pack"),
        ("push", "--exec=x", "--exec"),
        ("push", "--exe=x", "--exe"),
        ("push", "--recurse-submodules=check", "--recurse-submodules"),
        ("diff", "--output=/tmp/x", "--output"),
        ("diff", "--outp=/tmp/x", "--outp"),
        ("log", "--output x", "--output"),
        ("diff", "--no-index a b", "--no-index"),
        ("diff", "--ext-diff", "--ext-diff"),
        ("log", "--textconv", "--textconv"),
        ("diff", "-Ox", "-O"),
        ("diff", "-pO x", "-O"),
        ("log", "-c", "-c"),
        ("status", "-c core.fsmonitor=x", "-c"),
        ("commit", "-aF /etc/passwd", "-F"),
        ("commit", "--file=/etc/passwd", "--file"),
        ("commit", "-e", "-e"),
        ("commit", "-S", "-S"),
        ("commit", "--template=x", "--template"),
        ("commit", "-p", "-p"),
        ("add", "-i", "-i"),
        ("add", "--pathspec-from-file=/etc/passwd", "--pathspec-from-file"),
        ("checkout", "--recurse-submodules", "--recurse-submodules"),
        ("branch", "--edit-description", "--edit-description"),
        ("rebase", "-x touch", "-x"),
        ("rebase", "--exec=touch", "--exec"),
        ("rebase", "-i", "-i"),
        ("rebase", "--continue", "--continue"),
        ("merge", "-s evil", "-s"),
        ("merge", "--strategy=evil", "--strategy"),
        ("pull", "-s evil", "-s"),
        ("blame", "--contents=/etc/passwd x", "--contents"),
        ("log", "--mailmap", "--mailmap"),
        ("log", "--show-signature", "--show-signature"),
        ("rev-parse", "--git-dir", "--git-dir"),
        ("add", "-5", "-5"),
        ("log", "---x", "---x"),
        ("push", "--ALL", "--ALL"),
        ("log", "-é", "-é"),
    ] {
        let expected = format!("Option '{name}' of '{subcommand}' is not allowed in this context.");
        check(subcommand, line, &expected);
    }
    check("add", "--all=yes", "the option `--all` takes no value");
    check("commit", "-m", "the option `-m` needs a value");
    check("commit", "--message", "the option `--message` needs a value");
}

#[test]
fn no_path_leads_out() {
    for path in
        ["/etc/passwd", "/", "../x", "a/../../x", "/workspace/../etc", "/workspace_evil", ".."]
    {
        check("diff", path, &format!("`{path}` leads out of the repository"));
        check("diff", &format!("-- {path}"), &format!("`{path}` leads out of the repository"));
    }
    check("log", "main..x/y ./a", "main..x/y ./a");
}

#[test]
fn every_row_of_the_table_can_be_used() {
    for (subcommand, groups) in TABLE {
        let names: Vec<&str> = groups.iter().flat_map(|group| group.iter().copied()).collect();
        for (place, row) in names.iter().enumerate() {
            assert!(!names[..place].contains(row), "`{row}` of `{subcommand}` stands there twice");
            let name = row.trim_end_matches("[=]").trim_end_matches('=');
            let word = if name == "-#" { "-7" } else { name };
            let line = if row.ends_with('=') { format!("{word} v") } else { word.to_owned() };
            assert!(read(subcommand, &words(&line)).is_ok(), "{subcommand} {line}");
        }
    }
    assert!(DEFAULT_COMMANDS.iter().all(|name| of(name).is_some()));
}

#[test]
fn branches_and_revisions_have_names() {
    for good in ["main", "feature/x", "a.b", "ünï", "x-1"] {
        assert!(check_branch(good).is_ok(), "{good}");
    }
    for bad in [
        "", "-x", "/x", "x/", "x.", ".x", "a/.b", "a..b", "a b", "a~1", "a^", "a:b", "a?", "a*",
        "a[", "a\\b", "a@{1}", "@", "HEAD", "a\nb", "a\0b", "a.lock", "a.lock/b", "a//b",
    ] {
        assert!(check_branch(bad).is_err(), "{bad:?}");
    }
    assert!(check_revision("HEAD~1").is_ok());
    for bad in ["", "-x", "--output=x", "a\nb"] {
        assert!(check_revision(bad).is_err(), "{bad:?}");
    }
}

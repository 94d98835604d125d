//! What is read as git reads it, and what of that git may know.

use super::*;

fn flat(config: &Config) -> Vec<String> {
    let name = |entry: &Entry| match &entry.subsection {
        None => entry.section.clone(),
        Some(name) => format!("{}.{name}", entry.section),
    };
    config.entries.iter().map(|it| format!("{}.{}={}", name(it), it.key, it.value)).collect()
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let config = Config::parse(text).unwrap();
    assert_eq!(flat(&config), expected, "{text}");
    assert_eq!(
        flat(&Config::parse(&config.text()).unwrap()),
        expected,
        "written: {}",
        config.text()
    );
}

#[test]
fn a_file_is_read_as_git_reads_it() {
    check("", &[]);
    check("[core]\n\tbare = false\n", &["core.bare=false"]);
    check("[Core]\nBARE\n; no\n# no\n", &["core.bare=true"]);
    check("[a \"B c\"]x=1\r\ny = 2 # no\r\n", &["a.B c.x=1", "a.B c.y=2"]);
    check("[a.B]x=1", &["a.b.x=1"]);
    check("[a]x = \" b # c \" d ; e", &["a.x= b # c  d"]);
    check("[a]x = b\\\n  c\ny=\\\"\\\\\\t", &["a.x=b  c", "a.y=\"\\\t"]);
    check("[a \"q\\\"\\\\\"]x=1", &["a.q\"\\.x=1"]);
    check("\u{feff}[a]\nx=\n", &["a.x="]);
}

#[test]
fn what_makes_no_sense_names_its_line() {
    for (text, line) in [
        ("x=1", 1),
        ("[a]\n=1", 2),
        ("[a]\nx=\"1\n", 2),
        ("[a\n", 1),
        ("[a \"b]\n", 1),
        ("[a]\nx=\\q", 2),
        ("[a]\nx=\\", 2),
        ("[a]\n\n\0", 3),
        ("[a]\nx y\n", 2),
    ] {
        let message = Config::parse(text).unwrap_err().message;
        assert_eq!(message, format!("`.git/config` cannot be read: line {line} makes no sense"));
    }
}

#[track_caller]
fn lets_through(text: &str, expected: &[&str]) {
    assert_eq!(flat(&Config::parse(text).unwrap().allowed()), expected, "{text}");
}

#[test]
fn nothing_that_runs_or_includes_is_let_through() {
    for key in [
        "[core]\nfsmonitor=x",
        "[core]\nhooksPath=x",
        "[core]\nsshCommand=x",
        "[core]\ngitProxy=x",
        "[core]\neditor=x",
        "[core]\npager=x",
        "[core]\naskPass=x",
        "[core]\nworktree=/x",
        "[core]\nattributesFile=x",
        "[core]\nexcludesFile=x",
        "[core]\nalternateRefsCommand=x",
        "[core]\nbare=true",
        "[extensions]\nworktreeConfig=true",
        "[extensions]\npartialClone=origin",
        "[include]\npath=x",
        "[includeIf \"gitdir:/\"]\npath=x",
        "[filter \"x\"]\nclean=x",
        "[filter.x]\nsmudge=x",
        "[diff]\nexternal=x",
        "[diff \"x\"]\ntextconv=x",
        "[diff \"x\"]\ncommand=x",
        "[merge \"x\"]\ndriver=x",
        "[alias]\nx=!x",
        "[credential]\nhelper=x",
        "[credential \"https://a\"]\nhelper=x",
        "[http]\nproxy=x",
        "[http]\nsslVerify=false",
        "[http \"https://a\"]\nextraHeader=x",
        "[url \"https://evil/\"]\ninsteadOf=https://a/",
        "[gpg]\nprogram=x",
        "[commit]\ngpgSign=true",
        "[uploadpack]\npackObjectsHook=x",
        "[protocol]\nallow=always",
        "[safe]\ndirectory=*",
        "[submodule \"x\"]\nupdate=!x",
        "[remote \"x\"]\nuploadpack=x",
        "[remote \"x\"]\nreceivepack=x",
        "[remote \"x\"]\nvcs=x",
        "[remote \"x\"]\nproxy=x",
        "[remote \"x\"]\nurl=ext::sh -c x",
        "[remote \"x\"]\nurl=--upload-pack=x",
        "[remote \"x\"]\nurl=https://u:p@example.com/x",
        "[remote \"x\"]\npushurl=ssh://a/b",
        "[remote \"x\"]\nfetch=--upload-pack=x",
        "[remote \"x\"]\ntagopt=--upload-pack=x",
        "[remote \"-x\"]\nurl=https://example.com/x",
        "[remote \"a/../b\"]\nurl=https://example.com/x",
        "[branch \"a\"]\nremote=ext::sh -c x",
        "[branch \"a\"]\nremote=https://evil.example/",
        "[branch \"a\"]\npushRemote=ext::x",
        "[branch \"a\"]\nmergeOptions=--x",
        "[trailer \"x\"]\ncommand=x",
        "[user]\nname=a\\nb",
        "[user]\nsigningKey=x",
    ] {
        lets_through(key, &[]);
    }
}

#[test]
fn what_git_needs_is_let_through() {
    lets_through(
        "[remote \"o\"]\nurl=https://example.com/x\nfetch=+refs/heads/*:refs/remotes/o/*\n[branch \"a\"]\nremote=o\nmerge=refs/heads/a\n[branch \"b\"]\nremote=.\n",
        &[
            "remote.o.url=https://example.com/x",
            "remote.o.fetch=+refs/heads/*:refs/remotes/o/*",
            "branch.a.remote=o",
            "branch.a.merge=refs/heads/a",
            "branch.b.remote=.",
        ],
    );
    lets_through(
        "[core]\nrepositoryFormatVersion=1\nfileMode=true\n[extensions]\nobjectFormat=sha256",
        &["core.repositoryformatversion=1", "core.filemode=true", "extensions.objectformat=sha256"],
    );
    lets_through("[user]\nname=A B\nemail=a@b", &["user.name=A B", "user.email=a@b"]);
}

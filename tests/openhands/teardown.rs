//! Sessions end: their containers first, then what would be lost is archived, then the files go.

use std::{collections::BTreeMap, fs, io::Read as _, path::Path};

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use super::desk::Desk;
use crate::support::bench::text;

/// The files of an archive, by path, with what they hold.
pub(super) fn unpacked(desk: &Desk, archive: &Value) -> BTreeMap<String, String> {
    let path = text(archive);
    let place = path.strip_prefix("workspace://").expect("a place in a workspace");
    let file = fs::File::open(desk.bench.state().join("workspaces").join(place)).unwrap();
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(GzDecoder::new(file)).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        files.insert(path, String::from_utf8_lossy(&bytes).into_owned());
    }
    files
}

#[track_caller]
fn tear_down(desk: &mut Desk, session: &str) -> Value {
    let told = desk.call("teardown", json!({"session_id": session}));
    assert_eq!((&told["success"], &told["session_id"]), (&json!(true), &json!(session)));
    told
}

#[test]
fn oh_4_teardown_ends_all_and_archives_what_would_be_lost() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    desk.ran(&session, "WRITE a.txt precious\nWRITE README.md changed");
    desk.code(&session, "AWAIT never");
    desk.code(&session, "RUN sleep 3600");
    assert_eq!(desk.task_containers().len(), 2);
    let told = tear_down(&mut desk, &session);
    assert_eq!(told["archived"], true);
    assert_eq!(desk.bench.containers(), Vec::<Value>::new(), "no container is left");
    assert!(!desk.folder(&session).exists());
    let files = unpacked(&desk, &told["archive_path"]);
    let read = |path: &str| files.get(path).map(String::as_str);
    assert_eq!((read("a.txt"), read("README.md")), (Some("precious\n"), Some("changed\n")));
    assert_eq!(read("src/main.py"), Some("print(1)\n"));
    assert!(read(".git/HEAD").is_some(), "{:?}", files.keys());
    assert_eq!(desk.call("list_sessions", json!({})), json!({}));
    let (gone, _) = desk.fails("get_coding_task_status", json!({"session_id": session}));
    assert!(gone.starts_with("SESSION_NOT_FOUND: "), "{gone}");
}

#[test]
fn an_archive_holds_no_secret() {
    let config = "archive_exclude = ['**/.env', 'keys/**']";
    let Some(mut desk) = Desk::configured(config) else { return };
    let session = desk.session();
    let task = "RUN mkdir -p keys sub\nWRITE .env A=b\nWRITE sub/.env A=b\nWRITE keys/id x\n\
                WRITE .openhands_secrets x\nWRITE sub/.openhands_secrets x\nWRITE kept x";
    desk.ran(&session, task);
    let told = tear_down(&mut desk, &session);
    let files = unpacked(&desk, &told["archive_path"]);
    assert!(files.contains_key("kept"), "{:?}", files.keys());
    for path in files.keys() {
        let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
        let bad = [".env", ".openhands_secrets", "id", "trajectory.json", "task.txt"];
        assert!(!bad.contains(&name.as_ref()) && !path.contains("windlass"), "{path} is archived");
    }
}

#[test]
fn what_is_pushed_and_clean_is_not_archived() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    desk.ran(&session, "SAY nothing was to be done");
    let told = tear_down(&mut desk, &session);
    assert_eq!((&told["archived"], &told["archive_path"]), (&json!(false), &Value::Null));
    let dirty = desk.session();
    desk.ran(&dirty, "WRITE a.txt x");
    let told = desk.call("teardown", json!({"session_id": dirty, "archive_changes": false}));
    assert_eq!((&told["archived"], &told["archive_path"]), (&json!(false), &Value::Null));
    let committed = desk.session();
    desk.ran(
        &committed,
        "WRITE README.md x\nRUN git -c user.name=a -c user.email=a@b commit -qam x",
    );
    let told = tear_down(&mut desk, &committed);
    assert_eq!(told["archived"], true, "a commit that nobody else has");
    for aside in ["checkout -q --detach && git $ME commit -qam x", "$ME stash -q"] {
        let session = desk.session();
        let task =
            format!("WRITE README.md x\nRUN ME='-c user.name=a -c user.email=a@b'; git {}", aside);
        desk.ran(&session, &task);
        assert_eq!(tear_down(&mut desk, &session)["archived"], true, "{aside}");
    }
}

#[test]
fn a_repository_that_was_broken_is_archived_as_it_is() {
    let Some(mut desk) = Desk::new() else { return };
    for breaking in [
        "rm -rf .git",
        "rm -rf .git; ln -s /etc .git",
        "echo nonsense > .git/HEAD",
        "rm -rf .git; echo x > .git",
    ] {
        let session = desk.session();
        desk.ran(&session, &format!("WRITE a.txt precious\nNOTRAJECTORY\nRUN {breaking}"));
        let told = tear_down(&mut desk, &session);
        assert_eq!(told["archived"], true, "{breaking}");
        let files = unpacked(&desk, &told["archive_path"]);
        assert_eq!(files.get("a.txt").map(String::as_str), Some("precious\n"), "{breaking}");
        assert!(files.keys().all(|path| !path.contains("passwd")), "{breaking}");
    }
}

#[test]
fn teardown_is_answered_the_same_again() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    desk.ran(&session, "WRITE a.txt x");
    let told = tear_down(&mut desk, &session);
    assert_eq!(tear_down(&mut desk, &session), told);
    desk.bench.restart();
    assert_eq!(tear_down(&mut desk, &session), told);
    assert!(unpacked(&desk, &told["archive_path"]).contains_key("a.txt"));
}

#[test]
fn two_teardowns_at_once_make_one_archive() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    desk.ran(&session, "WRITE a.txt x\nRUN head -c 3000000 /dev/urandom > big");
    desk.code(&session, "AWAIT never");
    let call = json!({"name": "teardown", "arguments": {"session_id": session}});
    let host = desk.bench.host();
    let begun: Vec<_> = (0..4).map(|_| host.begin("tools/call", call.clone())).collect();
    let answers: Vec<_> = begun.into_iter().map(|id| host.answer(id)["result"].clone()).collect();
    let told = tear_down(&mut desk, &session);
    let mut succeeded = 0;
    for answer in &answers {
        if answer["isError"] != true {
            assert_eq!(answer["structuredContent"], told);
            succeeded += 1;
        }
    }
    assert!(succeeded > 0, "{answers:?}");
    let files = unpacked(&desk, &told["archive_path"]);
    assert!(files.contains_key("a.txt") && files.contains_key(".git/HEAD"), "{:?}", files.keys());
    let place = text(&told["archive_path"]);
    let folder = place.trim_start_matches("workspace://").split('/').next().unwrap().to_owned();
    let kept = fs::read_dir(desk.bench.state().join("workspaces").join(folder)).unwrap().count();
    assert_eq!(kept, 1, "those that lost have taken theirs back");
    assert_eq!(desk.bench.containers(), Vec::<Value>::new());
}

#[test]
fn archives_lie_side_by_side() {
    let Some(mut desk) = Desk::new() else { return };
    let mut kept = Vec::new();
    for text in ["one", "two"] {
        let session = desk.session();
        desk.ran(&session, &format!("WRITE a.txt {text}"));
        kept.push(tear_down(&mut desk, &session)["archive_path"].clone());
    }
    for (archive, text) in kept.iter().zip(["one\n", "two\n"]) {
        assert_eq!(unpacked(&desk, archive)["a.txt"], text);
    }
}

#[test]
fn a_session_that_is_on_its_way_out_takes_no_task() {
    let Some(mut desk) = Desk::new() else { return };
    let session = desk.session();
    tear_down(&mut desk, &session);
    let told = desk.code_fails(&session, "x");
    assert_eq!(told, format!("SESSION_NOT_FOUND: Session {session} not found"));
}

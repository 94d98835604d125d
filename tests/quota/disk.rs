//! What the workspaces of a caller hold.

use expect_test::expect;
use serde_json::{Value, json};

use super::{Caller, failed, killed};
use crate::{
    rooms::act,
    support::{Setup, failure, fixture, http::HttpHost, text_of},
};

/// Two plugins, of whose workspaces the sum counts.
pub(super) fn config(quota: &str) -> String {
    format!(
        "[access.quota]\n{quota}\n\
         [plugins.one]\ncomponent = '{file}'\n[plugins.one.grants]\nworkspaces = 'own'\n\
         containers = {{ registries = ['docker.io'], memory_mib = 64, cpus = 0.25 }}\n\
         [plugins.other]\ncomponent = '{file}'\nprefix = 'other_'\n[plugins.other.grants]\n\
         workspaces = 'own'\ncontainers = {{}}\n",
        file = fixture("rooms").display()
    )
}

fn host() -> HttpHost {
    Setup::new().config(&config("disk_mib = 4")).http()
}

fn text(caller: &Caller, host: &HttpHost, tool: &str, name: &str, more: Value) -> String {
    let result = caller.call(host, tool, act(name, more));
    assert_eq!(result["isError"], false, "{result}");
    text_of(&result)
}

fn workspace(caller: &Caller, host: &HttpHost, tool: &str) -> String {
    let result = caller.call(host, tool, json!({"act": "workspace"}));
    assert_eq!(result["isError"], false, "{result}");
    text_of(&result)
}

fn write(workspace: &str, path: &str, kib: usize) -> Value {
    act("write", json!({"workspace": workspace, "path": path, "text": "x".repeat(kib << 10)}))
}

#[test]
fn a_write_that_is_too_much_leaves_all_as_it_was() {
    let host = host();
    let [ann, bob] = ["ann", "bob"].map(|name| Caller::new(&host.setup, name, &["admin"]));
    let one = workspace(&ann, &host, "room_do");
    let other = workspace(&ann, &host, "other_room_do");
    let put = |caller: &Caller, tool: &str, workspace: &str, path: &str, kib: usize| {
        caller.call(&host, tool, write(workspace, path, kib))
    };
    assert_eq!(put(&ann, "room_do", &one, "a/b/c", 1024)["isError"], false);
    assert_eq!(put(&ann, "other_room_do", &other, "a", 2048)["isError"], false);
    let refused = put(&ann, "room_do", &one, "new/deep/file", 1536);
    let said = failure(&refused);
    assert!(said.starts_with("QUOTA_EXCEEDED: quota: 1.5"), "{said}");
    assert!(
        said.contains(&format!(
            "are over the 4 of `access.quota.disk_mib`: 3.02 are taken, by `{other}` (2"
        )),
        "{said}"
    );
    assert_eq!(refused["structuredContent"]["error_code"], "QUOTA_EXCEEDED", "{refused}");
    let read =
        ann.call(&host, "room_do", act("read", json!({"workspace": one, "path": "new/deep/file"})));
    assert!(failure(&read).contains("File not found"), "{read}");
    // What is there already keeps its content where a larger one has no room.
    assert_eq!(failed(&[put(&ann, "room_do", &one, "a/b/c", 2560)]), 1);
    let kept = text(&ann, &host, "room_do", "read", json!({"workspace": one, "path": "a/b/c"}));
    assert_eq!(kept.len(), 1 << 20);
    // Nobody else is meant, and room that is made counts at once.
    let his = workspace(&bob, &host, "room_do");
    assert_eq!(put(&bob, "room_do", &his, "a", 3072)["isError"], false);
    text(&ann, &host, "other_room_do", "delete", json!({"workspace": other, "path": "a"}));
    assert_eq!(put(&ann, "room_do", &one, "new/deep/file", 1536)["isError"], false);
    // A copy counts like anything else, and one that is too much is not there.
    let second = workspace(&ann, &host, "room_do");
    let copying = json!({"workspace": second, "origin": one, "path": "", "target": "copy"});
    let copied = ann.call(&host, "room_do", act("copy_from", copying));
    assert!(failure(&copied).contains("`access.quota.disk_mib`"), "{copied}");
    let read =
        ann.call(&host, "room_do", act("read", json!({"workspace": second, "path": "copy/a/b/c"})));
    assert!(failure(&read).contains("File not found"), "{read}");
}

#[test]
fn of_many_writes_at_once_as_many_are_done_as_there_is_room_for() {
    let host = host();
    let ann = Caller::new(&host.setup, "ann", &["admin"]);
    let workspaces: Vec<_> = (0..2).map(|_| workspace(&ann, &host, "room_do")).collect();
    let call =
        |number: usize| ("room_do", write(&workspaces[number % 2], &number.to_string(), 1024));
    let results = ann.call_at_once(&host, 20, call);
    assert_eq!(
        results.len() - failed(&results),
        3,
        "{:?}",
        results.iter().map(|it| &it["isError"]).collect::<Vec<_>>()
    );
    let host = killed(host);
    let again = ann.call(&host, "room_do", write(&workspaces[0], "more", 1024));
    assert!(failure(&again).contains("`access.quota.disk_mib`"), "{again}");
}

#[test]
fn workspaces_themselves_are_not_free() {
    let host = Setup::new().config(&config("disk_mib = 0")).http();
    let ann = Caller::new(&host.setup, "ann", &["admin"]);
    let refused = ann.call(&host, "room_do", json!({"act": "workspace"}));
    expect!["QUOTA_EXCEEDED: quota: 0 MiB more are over the 0 of `access.quota.disk_mib`: 0 are taken; remove something, or ask for less"].assert_eq(&failure(&refused));
}

//! Workspaces that a container sees beside the one at `/workspace`: seen, held, let go, and found again.

use serde_json::{Value, json};

use crate::{
    rooms::{OWN, SHARED, refused, rooms, told, workspace_of},
    support::{bench::Bench, engine::IMAGE, until},
};

/// Where they are, unless a test says otherwise.
const META: &str = "/session-meta";

fn workspace(bench: &mut Bench, tool: &str) -> String {
    bench.host().text(tool, json!({"act": "workspace"}))
}

/// What is asked for to have a container that sees this workspace.
fn beside(workspace: &str) -> Value {
    json!({"image": IMAGE, "beside": [[workspace, META]]})
}

fn run(bench: &mut Bench, container: &str, script: &str) -> String {
    told(bench, "room_do", "run", json!({"name": container, "script": script}))
}

fn read(bench: &mut Bench, workspace: &str, path: &str) -> String {
    told(bench, "room_do", "read", json!({"workspace": workspace, "path": path}))
}

fn destroy(workspace: &str) -> Value {
    json!({"workspace": workspace})
}

/// Forgets all that the host wrote down.
fn lose_records(bench: &mut Bench) {
    bench.killed(|bench| {
        let connection = rusqlite::Connection::open(bench.state().join("windlass.db")).unwrap();
        connection.execute("DELETE FROM records", []).unwrap();
    });
    bench.host().text("room_do", json!({"act": "reconcile"}));
}

#[test]
fn a_workspace_beside_is_read_and_written_and_stays_when_the_container_goes() {
    let Some(mut bench) = rooms(OWN, OWN) else { return };
    let meta = workspace(&mut bench, "room_do");
    let file = json!({"workspace": meta, "path": "asked", "text": "from the plugin"});
    told(&mut bench, "room_do", "write", file);
    let id = told(&mut bench, "room_do", "make", beside(&meta));
    let own = workspace_of(&mut bench, &id);
    let script = format!("cat {META}/asked; echo answer > {META}/answered; touch here; ls {META}");
    assert_eq!(run(&mut bench, &id, &script), "from the pluginanswered\nasked\n");
    assert_eq!(read(&mut bench, &meta, "answered"), "answer\n");
    let labels = bench.inspect(&id)["Config"]["Labels"].clone();
    assert_eq!(labels["windlass.beside"], format!("{meta}:{META}"), "{labels}");
    // It goes on where it stopped.
    told(&mut bench, "room_do", "stop", json!({"name": id}));
    assert_eq!(run(&mut bench, &id, &format!("cat {META}/answered")), "answer\n");
    told(&mut bench, "room_do", "remove", json!({"name": id}));
    let gone = refused(&mut bench, "room_do", "read", json!({"workspace": own, "path": "here"}));
    assert!(gone.starts_with("NOT_FOUND: "), "{gone}");
    assert_eq!(read(&mut bench, &meta, "answered"), "answer\n");
    told(&mut bench, "room_do", "destroy", destroy(&meta));
}

#[test]
fn two_containers_meet_in_one_and_a_container_has_several() {
    let Some(mut bench) = rooms(OWN, OWN) else { return };
    let (one, two) = (workspace(&mut bench, "room_do"), workspace(&mut bench, "room_do"));
    let spec = json!({"image": IMAGE, "beside": [[one, "/one"], [two, "/two"]]});
    let both = told(&mut bench, "room_do", "make", spec);
    let other = told(&mut bench, "room_do", "make", json!({"image": IMAGE, "workspace": two}));
    run(&mut bench, &both, "echo 1 > /one/f; echo 2 > /two/f");
    assert_eq!(run(&mut bench, &other, "cat f; ls -d /one 2>&1 | wc -l; echo 3 >> f"), "2\n1\n");
    assert_eq!(run(&mut bench, &both, "cat /one/f /two/f"), "1\n2\n3\n");
}

#[test]
fn what_is_not_the_plugin_s_own_is_none_that_it_can_have_beside() {
    let Some(mut bench) = rooms(OWN, SHARED) else { return };
    let theirs = workspace(&mut bench, "other_room_do");
    let why = refused(&mut bench, "room_do", "make", beside(&theirs));
    assert!(why.starts_with("NOT_FOUND: ") && why.contains(&theirs), "{why}");
    let nowhere = "w_00000000-0000-4000-8000-000000000000";
    for workspace in [nowhere, "", "../..", "/etc"] {
        let why = refused(&mut bench, "room_do", "make", beside(workspace));
        assert!(why.starts_with("NOT_FOUND: "), "{workspace}: {why}");
    }
    assert_eq!(bench.host().text("room_do", json!({"act": "containers"})), "");
    // Who is granted everybody's has it.
    let ours = workspace(&mut bench, "room_do");
    let id = told(&mut bench, "other_room_do", "make", beside(&ours));
    let script = json!({"name": id, "script": format!("echo theirs > {META}/f")});
    told(&mut bench, "other_room_do", "run", script);
    assert_eq!(read(&mut bench, &ours, "f"), "theirs\n");
}

#[test]
fn a_path_that_is_no_place_for_a_workspace_is_refused() {
    let Some(mut bench) = rooms(OWN, OWN) else { return };
    let meta = workspace(&mut bench, "room_do");
    for path in ["/workspace", "/etc", "/tmp", "/.windlass", "/a/b", "a", "/", "/A", "/a:ro"] {
        let spec = json!({"image": IMAGE, "beside": [[meta, path]]});
        let why = refused(&mut bench, "room_do", "make", spec);
        assert!(why.starts_with("INVALID: ") && why.contains(path), "{path}: {why}");
    }
    let twice = json!({"image": IMAGE, "beside": [[meta, "/a"], [meta, "/a"]]});
    let why = refused(&mut bench, "room_do", "make", twice);
    assert!(why.contains("two workspaces at `/a`"), "{why}");
    let many: Vec<_> = (0..5).map(|number| json!([meta, format!("/a{number}")])).collect();
    let many = json!({"image": IMAGE, "beside": many});
    let why = refused(&mut bench, "room_do", "make", many);
    assert!(why.contains("more than 4"), "{why}");
    assert_eq!(bench.host().text("room_do", json!({"act": "containers"})), "");
    // Nothing holds it.
    told(&mut bench, "room_do", "destroy", destroy(&meta));
}

#[test]
fn one_that_is_held_beside_stands_against_its_end_unless_the_container_yields() {
    let Some(mut bench) = rooms(OWN, SHARED) else { return };
    let meta = workspace(&mut bench, "room_do");
    let firm = told(&mut bench, "room_do", "make", beside(&meta));
    for restarted in [false, true] {
        if restarted {
            bench.restart();
        }
        let why = refused(&mut bench, "room_do", "destroy", destroy(&meta));
        assert!(why.starts_with("CONFLICT: ") && why.contains("1 containers"), "{why}");
        assert_eq!(run(&mut bench, &firm, &format!("ls -d {META}")), format!("{META}\n"));
    }
    told(&mut bench, "room_do", "remove", json!({"name": firm}));
    let mut spec = beside(&meta);
    spec["yields"] = true.into();
    let yielding = told(&mut bench, "room_do", "make", spec.clone());
    let own = workspace_of(&mut bench, &yielding);
    let other = workspace(&mut bench, "room_do");
    spec["workspace"] = other.clone().into();
    told(&mut bench, "room_do", "make", spec);
    told(&mut bench, "other_room_do", "destroy", destroy(&meta));
    until("all containers go", || bench.containers().is_empty());
    // What came with a container went with it, and what it was given stays.
    let left = bench.host().text("room_do", json!({"act": "workspaces"}));
    assert_eq!(left, other, "{own} or {meta} is there");
}

#[test]
fn a_host_that_was_killed_finds_it_again() {
    let Some(mut bench) = rooms(OWN, OWN) else { return };
    let meta = workspace(&mut bench, "room_do");
    let id = told(&mut bench, "room_do", "make", beside(&meta));
    let script = format!("echo before > {META}/f; exec sleep 98757");
    told(&mut bench, "room_do", "start", json!({"name": id, "script": script}));
    until("the program runs", || bench.top(&id).iter().any(|line| line.contains("98757")));
    bench.killed(|_| ());
    assert_eq!(run(&mut bench, &id, &format!("cat {META}/f")), "before\n");
    assert!(bench.top(&id).iter().any(|line| line.contains("98757")));
    let why = refused(&mut bench, "room_do", "destroy", destroy(&meta));
    assert!(why.starts_with("CONFLICT: "), "{why}");
    // Its labels say the same where the records are lost.
    lose_records(&mut bench);
    assert_eq!(run(&mut bench, &id, &format!("cat {META}/f")), "before\n");
    let why = refused(&mut bench, "room_do", "destroy", destroy(&meta));
    assert!(why.starts_with("CONFLICT: "), "{why}");
    told(&mut bench, "room_do", "remove", json!({"name": id}));
    assert_eq!(read(&mut bench, &meta, "f"), "before\n");
}

#[test]
fn a_container_whose_workspace_has_vanished_does_not_start_and_says_so() {
    let Some(mut bench) = rooms(OWN, OWN) else { return };
    let meta = workspace(&mut bench, "room_do");
    let id = told(&mut bench, "room_do", "make", beside(&meta));
    told(&mut bench, "room_do", "stop", json!({"name": id}));
    bench.ended(|bench| {
        std::fs::remove_dir_all(bench.state().join("workspaces").join(&meta)).unwrap();
    });
    let start = json!({"name": id, "script": "true"});
    let why = refused(&mut bench, "room_do", "run", start.clone());
    let gone = format!("`{meta}`, which `{id}` has at `{META}`, is gone");
    assert!(why.starts_with("UNAVAILABLE: ") && why.contains(&gone), "{why}");
    // The record of it goes as well, sooner or later, and that changes nothing.
    until("its record goes", || {
        let listed = bench.host().text("room_do", json!({"act": "workspaces"}));
        !listed.contains(&meta)
    });
    assert!(refused(&mut bench, "room_do", "run", start).contains(&gone));
    told(&mut bench, "room_do", "remove", json!({"name": id}));
    assert!(bench.containers().is_empty());
}

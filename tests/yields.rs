//! Containers that give way when their workspace is to go, and all that may come between; copies between workspaces; the
//! end of an output.

use serde_json::{Value, json};

use crate::{
    rooms::{OWN, SHARED, act, make, refused, rooms, told, workspace_of},
    support::{
        bench::{Bench, text},
        engine::IMAGE,
        until,
    },
};

fn workspace(bench: &mut Bench) -> String {
    bench.host().text("room_do", json!({"act": "workspace"}))
}

/// What is asked for to have a container that goes with this workspace.
fn yielding(workspace: &str) -> Value {
    json!({"image": IMAGE, "workspace": workspace, "yields": true})
}

fn toolbox(bench: &mut Bench, workspace: &str) -> String {
    told(bench, "room_do", "make", yielding(workspace))
}

fn destroy(workspace: &str) -> Value {
    json!({"workspace": workspace})
}

/// Nothing is left of a workspace, nor of what used it.
#[track_caller]
fn check_gone(bench: &mut Bench, workspace: &str) {
    until("all containers go", || bench.containers().is_empty());
    assert_eq!(bench.host().text("room_do", json!({"act": "containers"})), "");
    assert_eq!(bench.host().text("room_do", json!({"act": "workspaces"})), "");
    assert!(refused(bench, "room_do", "destroy", destroy(workspace)).starts_with("NOT_FOUND"));
    assert!(!bench.state().join("workspaces").join(workspace).exists());
}

#[test]
fn what_yields_goes_with_its_workspace_whoever_ends_it() {
    let Some(mut bench) = rooms(OWN, SHARED) else { return };
    for tool in ["room_do", "other_room_do"] {
        let workspace = workspace(&mut bench);
        let id = toolbox(&mut bench, &workspace);
        let theirs = told(&mut bench, "other_room_do", "make", yielding(&workspace));
        let labels = bench.inspect(&id)["Config"]["Labels"].clone();
        assert_eq!(labels["windlass.yields"], "true", "{labels}");
        // What runs goes as well, and what stands still.
        let sleep = json!({"name": id, "script": "exec sleep 98758"});
        told(&mut bench, "room_do", "start", sleep);
        told(&mut bench, "other_room_do", "stop", json!({"name": theirs}));
        told(&mut bench, tool, "destroy", destroy(&workspace));
        check_gone(&mut bench, &workspace);
        assert!(refused(&mut bench, "room_do", "open", json!({"name": id})).contains(&id));
    }
}

#[test]
fn one_that_does_not_yield_stands_against_it_and_the_others_stay() {
    let Some(mut bench) = rooms(OWN, SHARED) else { return };
    let workspace = workspace(&mut bench);
    let id = toolbox(&mut bench, &workspace);
    let firm = json!({"image": IMAGE, "workspace": workspace});
    let firm = told(&mut bench, "other_room_do", "make", firm);
    let before = bench.inspect(&id)["State"]["StartedAt"].clone();
    let told_why = refused(&mut bench, "room_do", "destroy", destroy(&workspace));
    assert!(told_why.starts_with("CONFLICT: ") && told_why.contains("1 containers"), "{told_why}");
    assert_eq!(bench.inspect(&id)["State"]["StartedAt"], before);
    assert_eq!(
        told(&mut bench, "room_do", "run", json!({"name": id, "script": "pwd"})),
        "/workspace\n"
    );
    told(&mut bench, "other_room_do", "remove", json!({"name": firm}));
    told(&mut bench, "room_do", "destroy", destroy(&workspace));
    check_gone(&mut bench, &workspace);
}

#[test]
fn what_yields_is_no_reason_to_keep_the_workspace_of_another_container() {
    let Some(mut bench) = rooms(OWN, OWN) else { return };
    let id = make(&mut bench);
    let workspace = workspace_of(&mut bench, &id);
    toolbox(&mut bench, &workspace);
    told(&mut bench, "room_do", "remove", json!({"name": id}));
    check_gone(&mut bench, &workspace);
    // One that has its own, and yields to the end of that.
    let spec = json!({"image": IMAGE, "yields": true});
    for end in ["remove", "destroy"] {
        let id = told(&mut bench, "room_do", "make", spec.clone());
        let workspace = workspace_of(&mut bench, &id);
        let more = if end == "remove" { json!({"name": id}) } else { destroy(&workspace) };
        told(&mut bench, "room_do", end, more);
        check_gone(&mut bench, &workspace);
    }
}

#[test]
fn what_yields_is_known_by_its_label_where_the_records_are_lost() {
    let Some(mut bench) = rooms(OWN, OWN) else { return };
    let workspace = workspace(&mut bench);
    toolbox(&mut bench, &workspace);
    bench.ended(|bench| {
        let connection = rusqlite::Connection::open(bench.state().join("windlass.db")).unwrap();
        connection.execute("DELETE FROM records", []).unwrap();
    });
    bench.host().text("room_do", json!({"act": "reconcile"}));
    told(&mut bench, "room_do", "destroy", destroy(&workspace));
    check_gone(&mut bench, &workspace);
}

#[test]
fn a_host_that_is_killed_meanwhile_leaves_nothing_half_done() {
    let Some(mut bench) = rooms(OWN, OWN) else { return };
    for round in 0..4 {
        let workspace = workspace(&mut bench);
        let file = json!({"workspace": workspace, "path": "f", "text": "kept"});
        told(&mut bench, "room_do", "write", file);
        (0..3).for_each(|_| drop(toolbox(&mut bench, &workspace)));
        let call = json!({"name": "room_do", "arguments": act("destroy", destroy(&workspace))});
        bench.host().begin("tools/call", call);
        // Somewhere in the middle: looks that are answered came after it.
        (0..round * 3).for_each(|_| drop(bench.host().text("room_do", json!({"act": "running"}))));
        bench.killed(|_| ());
        let read = act("read", json!({"workspace": workspace, "path": "f"}));
        let result = bench.host().call("room_do", read);
        // All of it is there, or none; and where it is, it can go.
        if result["isError"] != true {
            assert_eq!(text(&result["content"][0]["text"]), "kept");
            told(&mut bench, "room_do", "destroy", destroy(&workspace));
        }
        check_gone(&mut bench, &workspace);
    }
}

#[test]
fn one_that_is_made_meanwhile_goes_too_or_is_not_made() {
    let Some(mut bench) = rooms(OWN, OWN) else { return };
    for _ in 0..3 {
        let workspace = workspace(&mut bench);
        toolbox(&mut bench, &workspace);
        let mut begin = |name: &str, more: Value| {
            let call = json!({"name": "room_do", "arguments": act(name, more)});
            bench.host().begin("tools/call", call)
        };
        let mut calls =
            vec![begin("make", yielding(&workspace)), begin("make", yielding(&workspace))];
        let end = begin("destroy", destroy(&workspace));
        calls.push(begin("make", yielding(&workspace)));
        let second = begin("destroy", destroy(&workspace));
        calls.push(begin("make", yielding(&workspace)));
        // One of two that end it does so; the other one finds it going, or gone.
        let ends = [end, second].map(|call| bench.host().answer(call)["result"].clone());
        let failed: Vec<_> = ends.iter().filter(|it| it["isError"] == true).collect();
        assert_eq!(failed.len(), 1, "{ends:?}");
        let made: Vec<_> = calls.into_iter().map(|call| bench.host().answer(call)).collect();
        for answer in made.iter().filter(|it| it["result"]["isError"] == true) {
            let why = crate::support::failure(&answer["result"]);
            assert!(why.starts_with("CONFLICT: ") || why.starts_with("NOT_FOUND: "), "{why}");
        }
        check_gone(&mut bench, &workspace);
    }
}

#[test]
fn a_destroy_keeps_nobody_else_waiting() {
    let Some(mut bench) = rooms(OWN, OWN) else { return };
    let workspace = workspace(&mut bench);
    (0..3).for_each(|_| drop(toolbox(&mut bench, &workspace)));
    let other = make(&mut bench);
    let call = json!({"name": "room_do", "arguments": act("destroy", destroy(&workspace))});
    let end = bench.host().begin("tools/call", call);
    let script = json!({"name": other, "script": "echo meanwhile"});
    assert_eq!(told(&mut bench, "room_do", "run", script), "meanwhile\n");
    // It came while the end was not answered, or in no time at all.
    assert_ne!(bench.host().answer(end)["result"]["isError"], true);
    assert_eq!(bench.containers().len(), 1);
}

#[test]
fn the_tail_of_an_output_is_its_end_also_when_the_container_is_gone() {
    let Some(mut bench) = rooms(OWN, OWN) else { return };
    let id = make(&mut bench);
    let script = "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; echo end";
    let exec = told(&mut bench, "room_do", "start", json!({"name": id, "script": script}));
    let all = told(&mut bench, "room_do", "output", json!({"id": exec}));
    let check = |bench: &mut Bench, tool: &str| {
        for most in [0, 3, 4, 100, 1000, 1 << 30] {
            let tail = told(bench, tool, "tail", json!({"id": exec, "most": most}));
            let (dropped, tail) = tail.split_once(' ').unwrap();
            assert!(all.ends_with(tail) && tail.len() <= most as usize, "{most}: {tail}");
            assert!(tail.len() as i64 > most.min(3) - 1, "{most}: {tail}");
            assert_eq!(dropped == "0", tail.len() == all.len(), "{most}: {dropped}");
        }
    };
    check(&mut bench, "room_do");
    check(&mut bench, "room_peek");
    told(&mut bench, "room_do", "remove", json!({"name": id}));
    check(&mut bench, "room_do");
    bench.restart();
    check(&mut bench, "room_peek");
    let theirs = refused(&mut bench, "other_room_do", "tail", json!({"id": exec, "most": 10}));
    assert!(theirs.starts_with("NOT_FOUND: "), "{theirs}");
}

#[test]
fn a_copy_between_workspaces_needs_both() {
    let Some(mut bench) = rooms(OWN, SHARED) else { return };
    let (one, two) = (workspace(&mut bench), workspace(&mut bench));
    let theirs = bench.host().text("other_room_do", json!({"act": "workspace"}));
    for (workspace, text) in [(&one, "one"), (&two, "two")] {
        let file = json!({"workspace": workspace, "path": format!("d/{text}"), "text": text});
        told(&mut bench, "room_do", "write", file);
    }
    let whole =
        |to: &str, from: &str| json!({"workspace": to, "origin": from, "path": "", "target": ""});
    assert_eq!(told(&mut bench, "room_do", "copy_from", whole(&one, &two)), "2 ");
    let both = told(&mut bench, "room_do", "read", json!({"workspace": one, "path": "d/two"}));
    assert_eq!(both, "two");
    // Who shares takes from everybody, and gives to everybody; who does not, does neither.
    told(&mut bench, "other_room_do", "copy_from", whole(&theirs, &one));
    told(&mut bench, "other_room_do", "copy_from", whole(&two, &theirs));
    for more in [whole(&one, &theirs), whole(&theirs, &one)] {
        assert!(refused(&mut bench, "room_do", "copy_from", more).starts_with("NOT_FOUND: "));
    }
    let itself = refused(&mut bench, "room_do", "copy_from", whole(&one, &one));
    assert!(itself.starts_with("INVALID"), "{itself}");
    let missing = json!({"workspace": one, "origin": two, "path": "none", "target": "n"});
    assert!(refused(&mut bench, "room_do", "copy_from", missing).starts_with("FILE_NOT_FOUND: "));
}

//! The engine goes away and comes back.

use std::{
    fs, io,
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use serde_json::json;
use tempfile::TempDir;

use crate::{
    rooms::{OWN, configuration, refused, told},
    support::{
        Setup,
        bench::Bench,
        engine::{IMAGE, api::Api, docker},
        until,
    },
};

/// A socket that leads to the engine, for as long as it is open.
struct Relay {
    directory: TempDir,
    engine: PathBuf,
    open: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<UnixStream>>>,
}

impl Relay {
    /// None: the engine has no socket of this kind.
    fn new(engine: &Api) -> Option<Self> {
        let engine = engine.address().strip_prefix("unix://")?.into();
        let directory = TempDir::new().unwrap();
        Some(Self { directory, engine, open: Arc::default(), streams: Arc::default() })
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("engine")
    }

    fn api(&self) -> Api {
        Api::new(format!("unix://{}", self.socket().display()))
    }

    fn open(&self) {
        let listener = UnixListener::bind(self.socket()).unwrap();
        self.open.store(true, Ordering::SeqCst);
        let (engine, open, streams) =
            (self.engine.clone(), self.open.clone(), self.streams.clone());
        thread::spawn(move || {
            for here in listener.incoming().map_while(Result::ok) {
                if !open.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(there) = UnixStream::connect(&engine) else { continue };
                let clone = |stream: &UnixStream| stream.try_clone().unwrap();
                streams.lock().unwrap().extend([clone(&here), clone(&there)]);
                carry(clone(&here), clone(&there));
                carry(there, here);
            }
        });
    }

    fn close(&self) {
        self.open.store(false, Ordering::SeqCst);
        // Wakes the thread that waits for the next one, so that its listener goes.
        drop(UnixStream::connect(self.socket()));
        fs::remove_file(self.socket()).unwrap();
        for stream in self.streams.lock().unwrap().drain(..) {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn carry(mut from: UnixStream, mut to: UnixStream) {
    thread::spawn(move || {
        // Either end may go at any time.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}

fn relayed() -> Option<(Relay, Api)> {
    let engine = docker()?;
    let Some(relay) = Relay::new(&engine) else {
        eprintln!("SKIPPED: the engine is at no unix socket");
        return None;
    };
    Some((relay, engine))
}

#[test]
fn an_engine_that_goes_and_comes_takes_nothing_along() {
    let Some((relay, engine)) = relayed() else { return };
    relay.open();
    let Some(mut bench) = Bench::start(relay.api(), "", &[]) else { return };
    bench.engine = engine;
    let id = bench.spawn();
    let exec = bench.begin(&id, "echo up; while [ ! -e go ]; do usleep 1000; done; echo on");
    bench.printed(&exec, "up");
    relay.close();
    let health = bench.call("health", json!({}));
    assert_eq!(
        (&health["status"], &health["docker_connected"]),
        (&json!("degraded"), &json!(false))
    );
    let refused = bench.refused("spawn", json!({"image": IMAGE}));
    assert!(refused.starts_with("DOCKER_ERROR: "), "{refused}");
    // What needs no engine goes on.
    bench.write(&id, "go", "");
    assert_eq!(bench.end(&exec).stdout, "up\non\n");
    assert_eq!(bench.run(&id, "echo still").stdout, "still\n");
    relay.open();
    until("it is found again", || bench.call("health", json!({}))["docker_connected"] == true);
    let second = bench.spawn();
    assert_eq!(bench.run(&second, "echo new").stdout, "new\n");
    assert_eq!(bench.containers().len(), 2, "the refused spawn left something");
}

#[test]
fn a_host_starts_without_an_engine_and_finds_it_later() {
    let Some((relay, engine)) = relayed() else { return };
    let Some(mut bench) = Bench::start(relay.api(), "", &[]) else { return };
    bench.engine = engine;
    assert!(bench.host().tools().contains(&"spawn".to_owned()));
    assert_eq!(bench.call("health", json!({}))["docker_connected"], false);
    let refused = bench.refused("spawn", json!({"image": IMAGE}));
    assert!(refused.starts_with("DOCKER_ERROR: "), "{refused}");
    relay.open();
    until("it is found", || bench.call("health", json!({}))["docker_connected"] == true);
    bench.spawn();
}

#[test]
fn an_engine_that_falls_silent_in_the_middle_of_a_spawn_leaves_no_orphan() {
    let Some((relay, engine)) = relayed() else { return };
    relay.open();
    let Some(mut bench) = Bench::start(relay.api(), "", &[]) else { return };
    bench.engine = engine;
    bench.call("health", json!({}));
    let spawn = json!({"name": "spawn", "arguments": {"image": IMAGE}});
    let calls: Vec<u64> = (0..4).map(|_| bench.host().begin("tools/call", spawn.clone())).collect();
    bench.call("list_containers", json!({}));
    relay.close();
    for call in calls {
        bench.host().answer(call);
    }
    relay.open();
    until("it is found again", || bench.call("health", json!({}))["docker_connected"] == true);
    bench.call("reconcile", json!({}));
    let listed = bench.call("list_containers", json!({}))["containers"].clone();
    let known: Vec<String> =
        listed.as_array().unwrap().iter().map(|it| it["id"].to_string()).collect();
    for container in bench.containers() {
        let id = container["Labels"]["windlass.id"].to_string();
        assert!(known.contains(&id), "{id} is an orphan");
    }
}

#[test]
fn a_workspace_whose_containers_cannot_go_yet_stays_as_it_was() {
    let Some((relay, engine)) = relayed() else { return };
    relay.open();
    let setup = Setup::new().config(&configuration(OWN, OWN)).environment("TOKEN", "no secret");
    let setup = setup.environment("DOCKER_HOST", relay.api().address());
    let mut bench = Bench::of(engine, setup);
    let workspace = bench.host().text("room_do", json!({"act": "workspace"}));
    let file = json!({"workspace": workspace, "path": "f", "text": "kept"});
    told(&mut bench, "room_do", "write", file);
    let yielding = json!({"image": IMAGE, "workspace": workspace, "yields": true});
    told(&mut bench, "room_do", "make", yielding.clone());
    relay.close();
    let read = json!({"workspace": workspace, "path": "f"});
    for _ in 0..2 {
        let why = refused(&mut bench, "room_do", "destroy", json!({"workspace": workspace}));
        assert!(why.starts_with("UNAVAILABLE: "), "{why}");
        assert_eq!(told(&mut bench, "room_do", "read", read.clone()), "kept");
    }
    relay.open();
    // What was begun is finished, by this host or the next one, and another can be made meanwhile.
    bench.killed(|_| ());
    bench.host().text("room_do", json!({"act": "reconcile"}));
    until("what gave way goes", || bench.containers().is_empty());
    told(&mut bench, "room_do", "make", yielding);
    assert_eq!(told(&mut bench, "room_do", "read", read), "kept");
    told(&mut bench, "room_do", "destroy", json!({"workspace": workspace}));
    assert!(bench.containers().is_empty());
}

//! A host in a folder of its own, and the other end of its sockets.

use std::{collections::BTreeMap, path::PathBuf};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};
use windlass_supervisor::protocol::{
    ChunkHead, Demand, Ended, Hello, How as Said, Kind as FrameKind, Order, Report, Start, VERSION,
};

use crate::{
    capability::types::Value,
    config::{ContainersGrant, Grants},
    database::Database,
    figures::Figures,
    inside::{Inside, Owner, Owners, frames},
    policy::{Approved, Named, NewProcess, Policy, Reach},
    secrets::{Reference, Secrets},
};

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

/// Longer than any machine needs.
pub(super) const LONG: Duration = Duration::from_secs(60);
pub(super) const SECRET: &str = "the-value-of-the-secret";

/// The state folder of a host, and the grants of its plugin `coder`, which tests may change.
pub(super) struct State {
    folder: tempfile::TempDir,
    pub(super) grant: Arc<Mutex<ContainersGrant>>,
}

impl State {
    pub(super) fn new() -> Self {
        let grant = ContainersGrant { secrets: vec!["token".to_owned()], ..Default::default() };
        Self { folder: tempfile::tempdir().unwrap(), grant: Arc::new(Mutex::new(grant)) }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn inside(&self) -> Inside {
        let file = self.path("secret");
        std::fs::write(&file, SECRET).unwrap();
        let grant = self.grant.clone();
        let owners: Owners = Arc::new(move |plugin| {
            let policy = policy_of(plugin, &grant.lock().unwrap());
            let token = BTreeMap::from([("token".to_owned(), Reference::File(file.clone()))]);
            let secrets = Secrets::fetch(plugin, &token).unwrap();
            Some(Owner { policy, secrets })
        });
        let database = Database::at(&self.path("state.db"));
        let (containers, results) = (self.path("containers"), self.path("results"));
        Inside::new(&containers, &results, b"a program", database, owners, Figures::default())
            .unwrap()
    }

    /// A host, and a container `c_1` whose supervisor has said hello.
    pub(super) async fn furnished(&self) -> (Inside, Control) {
        let inside = self.inside();
        let control = self.greet(&inside, &[]).await;
        (inside, control)
    }

    pub(super) async fn greet(&self, inside: &Inside, processes: &[&str]) -> Control {
        inside.prepare("coder", "c_1", Reach::Granted).await.unwrap();
        inside.trust("c_1", std::process::id());
        let control = self.control(processes).await;
        assert!(inside.ready("c_1", LONG).await.unwrap());
        control
    }

    pub(super) async fn control(&self, processes: &[&str]) -> Control {
        let processes = processes.iter().map(|&id| id.to_owned()).collect();
        let mut control = Control(self.dial(&Hello::Control { version: VERSION, processes }).await);
        assert_eq!(control.0.hear::<Order>().await, Order::Welcome { version: VERSION });
        assert!(matches!(control.0.hear::<Order>().await, Order::Listen { .. }));
        control
    }

    pub(super) async fn dial(&self, hello: &Hello) -> Line {
        let path = self.path("containers").join("c_1/host");
        let mut line = Line(UnixStream::connect(path).await.unwrap());
        // A host that does not trust this end may have hung up already.
        let _ = line.0.write_all(&frames::message(hello).unwrap()).await;
        line
    }

    pub(super) async fn process(&self, id: &str, again: bool) -> Line {
        self.dial(&Hello::Process { id: id.to_owned(), again }).await
    }
}

pub(super) fn policy_of(plugin: &str, grant: &ContainersGrant) -> Policy {
    let containers = Some(grant.clone());
    Policy::new(plugin, Grants { containers, ..Grants::default() }).unwrap()
}

pub(super) fn wanted(key: Option<&str>) -> Approved<NewProcess> {
    let grant = ContainersGrant { secrets: vec!["token".to_owned()], ..Default::default() };
    let process = NewProcess {
        command: vec!["true".to_owned()],
        env: vec![("TOKEN".to_owned(), Value::Secret("token".to_owned()))],
        cwd: "/".to_owned(),
        key: key.map(str::to_owned),
        ..NewProcess::default()
    };
    policy_of("coder", &grant).approve_process(process).unwrap()
}

pub(super) fn named(plugin: &str, id: &str) -> Approved<Named> {
    policy_of(plugin, &ContainersGrant::default()).approve_looking(id.to_owned()).unwrap()
}

/// One connection of the supervisor's.
pub(super) struct Line(pub(super) UnixStream);

impl Line {
    pub(super) async fn say(&mut self, message: &impl serde::Serialize) {
        self.0.write_all(&frames::message(message).unwrap()).await.unwrap();
    }

    pub(super) async fn print(&mut self, seq: u64, data: &[u8]) {
        let mut head = Vec::new();
        ChunkHead { seq, time: 1, stderr: false }.write(&mut head);
        let frame = frames::frame(FrameKind::Chunk, &[&head, data]);
        self.0.write_all(&frame).await.unwrap();
    }

    pub(super) async fn end(&mut self, last: u64) {
        self.say(&Report::Ended(ended(last))).await;
    }

    pub(super) async fn hear<T: serde::de::DeserializeOwned>(&mut self) -> T {
        tokio::time::timeout(LONG, frames::first(&mut self.0)).await.unwrap().unwrap()
    }

    /// Waits until the host has hung up.
    pub(super) async fn closed(mut self) {
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(LONG, self.0.read_to_end(&mut rest)).await.unwrap();
    }
}

/// The connection for orders.
pub(super) struct Control(pub(super) Line);

impl Control {
    pub(super) async fn order(&mut self) -> Order {
        self.0.hear().await
    }

    pub(super) async fn start(&mut self) -> Start {
        match self.order().await {
            Order::Start(start) => start,
            other => panic!("{other:?}"),
        }
    }
}

pub(super) fn ended(last: u64) -> Ended {
    Ended {
        how: Said::Exited,
        code: Some(0),
        signal: None,
        message: None,
        wall_ms: 1,
        cpu_ms: 1,
        memory_kib: 1,
        last,
    }
}

/// Plays a process from its start to its end.
pub(super) async fn play(state: &State, id: &str) {
    let mut line = state.process(id, false).await;
    line.say(&Report::Started { pid: 2 }).await;
    line.end(0).await;
    assert_eq!(line.hear::<Demand>().await, Demand::Forget);
}

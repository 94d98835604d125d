//! A Coder to ask: one deployment with its users, templates, workspaces, tasks and chats, over HTTP on this machine.
//!
//! Everything that it has changes only when it is asked: each read of a workspace, task or chat brings it one step
//! further in its life, so that no test depends on a clock. What a host is told of it is left to `deployed`.

mod answer;
mod builds;
mod catalogue;
mod chats;
mod faults;
mod fleet;
mod life;
mod logs;
mod messages;
mod query;
mod route;
mod server;
mod tasks;
mod templates;
mod wire;
mod workspaces;
mod world;

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    thread::{self, JoinHandle},
};

pub(crate) use faults::{ALWAYS, Fault};
pub(crate) use life::{Life, Step, Turn};
pub(crate) use wire::Request;
pub(crate) use world::Generation;

use faults::Rule;
use server::Shared;
use world::World;

/// The session token that it takes. It is ann's.
pub(crate) const TOKEN: &str = "kT9pWq2sXz-hVn5RmYc8JbLd3FgTwPa7eUs";

/// The id of the task that works.
pub(crate) const BUSY: &str = "6f1a3c58-7a14-4a67-9a55-2f3f6c1d0b01";

/// A deployment that answers until it is dropped.
pub(crate) struct Coder {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

impl Coder {
    /// With three tasks: `fix-login` and `upgrade` of ann's, `docs` of bob's.
    pub(crate) fn new(generation: Generation) -> Self {
        let listener = server::listen();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::of(World::new(generation, TOKEN)));
        let served = shared.clone();
        let listening = Some(thread::spawn(move || server::accept(&listener, &served)));
        Self { address, shared, listening }
    }

    /// `http://127.0.0.1:port`
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From the next request on it is of this generation, with all that it has.
    pub(crate) fn turn(&self, generation: Generation) {
        self.shared.world().turn(generation);
    }

    /// From the next request on it takes this token only.
    pub(crate) fn take_token(&self, token: &str) {
        token.clone_into(&mut self.shared.world().token);
    }

    /// The life of the next task or workspace that is created, started or resumed. The first step is in the answer.
    pub(crate) fn next(&self, steps: impl Into<Vec<Step>>) {
        self.shared.world().next_steps.push_back(steps.into());
    }

    /// The next turn of a chat: what follows on the next message that a chat is given.
    pub(crate) fn next_turns(&self, turns: &[Turn]) {
        self.shared.world().next_turns.push_back(turns.to_vec());
    }

    /// The next requests of this method (any, if empty) whose path begins so fare like this, as often as it says.
    pub(crate) fn fault(&self, method: &str, path: &str, times: usize, fault: Fault) {
        self.shared.rules().push(Rule::new(method, path, times, fault));
    }

    /// From the next request on it has no fault.
    pub(crate) fn heal(&self) {
        self.shared.rules().clear();
    }

    /// Nothing but this many agents: tasks of every status and state and of both users, or ann's chats where it has no tasks.
    pub(crate) fn fleet(&self, agents: usize) {
        self.shared.world().fill(agents);
    }

    /// From the next request on a task, or the agent of a workspace, has this many lines in its log.
    pub(crate) fn many_logs(&self, id: &str, lines: u64) {
        self.shared.world().many_lines.insert(id.to_owned(), lines);
    }

    /// From the next request on no page has more than this, whatever is asked for.
    pub(crate) fn most_on_page(&self, most: u64) {
        self.shared.world().most_on_page = most;
    }

    /// How many connections came so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Ends all connections that are open.
    pub(crate) fn end_connections(&self) {
        self.shared.end_connections();
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests().clone()
    }

    /// The path of each request so far, with its query.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.shared.requests().iter().map(|request| request.path.clone()).collect()
    }

    /// How often a method was asked of paths that begin so.
    pub(crate) fn count(&self, method: &str, path: &str) -> usize {
        let asked = |request: &&Request| request.method == method && request.path.starts_with(path);
        self.shared.requests().iter().filter(asked).count()
    }

    /// Forgets the requests so far.
    pub(crate) fn forget(&self) {
        self.shared.requests().clear();
    }
}

impl Drop for Coder {
    fn drop(&mut self) {
        self.shared.stop(self.address);
        if let Some(listening) = self.listening.take() {
            // It has panicked, if at all, in a test that fails for it.
            let _ = listening.join();
        }
    }
}

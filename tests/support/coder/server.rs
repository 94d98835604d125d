//! The connections: a thread for each, kept for as many requests as come.

use std::{
    collections::BTreeMap,
    io::{BufReader, Read as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use super::{
    answer::{Answer, of_status},
    faults::{self, Fault, Rule},
    route,
    wire::{self, Request},
    world::World,
};

/// What all connections and the test see.
pub(super) struct Shared {
    world: Mutex<World>,
    requests: Mutex<Vec<Request>>,
    rules: Mutex<Vec<Rule>>,
    /// Those that are open, so that they can be ended.
    open: Mutex<BTreeMap<usize, TcpStream>>,
    pub(super) connections: AtomicUsize,
    stopped: AtomicBool,
}

impl Shared {
    pub(super) fn of(world: World) -> Self {
        Self {
            world: Mutex::new(world),
            requests: Mutex::default(),
            rules: Mutex::default(),
            open: Mutex::default(),
            connections: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        }
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub(super) fn requests(&self) -> MutexGuard<'_, Vec<Request>> {
        self.requests.lock().unwrap()
    }

    pub(super) fn rules(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.rules.lock().unwrap()
    }

    /// Ends all connections, and what waits for more of them.
    pub(super) fn stop(&self, address: SocketAddr) {
        self.stopped.store(true, Ordering::SeqCst);
        // Who waits for a connection looks up when one comes.
        drop(TcpStream::connect(address));
        self.end_connections();
    }

    pub(super) fn end_connections(&self) {
        for stream in self.open.lock().unwrap().values() {
            // It may have ended already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

pub(super) fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

pub(super) fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming().map_while(Result::ok) {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        let number = shared.connections.fetch_add(1, Ordering::SeqCst);
        let Ok(copy) = stream.try_clone() else { continue };
        shared.open.lock().unwrap().insert(number, copy);
        let shared = shared.clone();
        thread::spawn(move || {
            serve(&stream, &shared);
            shared.open.lock().unwrap().remove(&number);
            // Whoever asked may have ended it first.
            let _ = stream.shutdown(Shutdown::Both);
        });
    }
}

/// Answers what comes over one connection until it ends.
fn serve(stream: &TcpStream, shared: &Shared) {
    // An answer in two pieces would wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream);
    while let Some(request) = Request::read(&mut reader) {
        shared.requests().push(request.clone());
        let fault = faults::take(&mut shared.rules(), &request.method, &request.path);
        if !reply(stream, shared, &request, fault) || request.closes() {
            return;
        }
    }
}

/// Whether the connection goes on.
fn reply(mut stream: &TcpStream, shared: &Shared, request: &Request, fault: Option<Fault>) -> bool {
    let answer = match &fault {
        Some(Fault::Status(status, retry_after)) => {
            let answer = of_status(*status);
            match retry_after {
                Some(when) => answer.with_header("Retry-After", when),
                None => answer,
            }
        }
        Some(Fault::Answer(status, body)) => Answer::json(*status, body),
        Some(Fault::Garbage) => {
            let page = "<!DOCTYPE html><html><body>Sign in to go on</body></html>";
            Answer::text(200, "text/html", page.to_owned())
        }
        Some(Fault::Redirect(to)) => Answer::empty(302).with_header("Location", to),
        _ => route::answer(&mut shared.world(), request),
    };
    match fault {
        Some(Fault::Delay(time)) => thread::sleep(time),
        Some(Fault::CloseBeforeAnswer) => return false,
        Some(Fault::Cut) => {
            // Whoever asked may have gone.
            let _ = wire::write_half(&mut stream, answer);
            return false;
        }
        Some(Fault::Stall) => {
            let _ = wire::write_half(&mut stream, answer);
            while stream.read(&mut [0]).is_ok_and(|length| length > 0) {}
            return false;
        }
        Some(Fault::Hang) => {
            while stream.read(&mut [0]).is_ok_and(|length| length > 0) {}
            return false;
        }
        _ => {}
    }
    wire::write(&mut stream, answer).is_ok()
}

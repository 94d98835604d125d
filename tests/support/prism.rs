//! The vendor's document of an API between two programs: Prism holds every request and every answer to it.
//!
//! Before it stands a recorder of ours, which notes what Prism objects to.

use std::{
    env, fs,
    io::{BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    client::{Client, Reply},
    coder::Request,
    collect,
    engine::skip,
    until,
};

/// How Prism says where it listens.
const READY: &str = "Prism is listening on ";

/// Where it names what breaks the document.
const VIOLATIONS: &str = "sl-violations";

/// What it says, with status 404, of a path that the document does not have: no objection to what is behind it.
const ELSEWHERE: &str = "Selected route not found";

/// What of an answer's head reaches whoever asked.
const PASSED_ON: [&str; 3] = ["content-type", "retry-after", "location"];

/// Prism before a server, and the recorder before Prism.
pub(crate) struct Prism {
    child: Child,
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    _document: TempDir,
}

/// A request, and how it was answered.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Method, path and status.
    pub(crate) line: String,
    /// What breaks the document, in the request or in the answer.
    pub(crate) violations: Option<String>,
}

impl Prism {
    /// None: it is not installed, and the test cannot run.
    pub(crate) fn before(upstream: &str, document: &Value) -> Option<Self> {
        let script = program()?;
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("api.json");
        fs::write(&file, document.to_string()).unwrap();
        let mut node = Command::new(env::var_os("WINDLASS_TEST_NODE").unwrap_or("node".into()));
        node.arg(script).args(["proxy", "-h", "127.0.0.1", "-p", "0"]).arg(file).arg(upstream);
        node.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = node.spawn().unwrap();
        let said = collect(child.stdout.take().unwrap());
        let origin = || {
            let said = said.lock().unwrap();
            let (_, rest) = said.split_once(READY)?;
            Some(rest.split_once('\n')?.0.trim().to_owned())
        };
        until("Prism listens", || {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "Prism ended: {}", said.lock().unwrap());
            origin().is_some()
        });
        let seen = Arc::default();
        let address = record(origin().unwrap(), &seen);
        Some(Self { child, address, seen, _document: folder })
    }

    /// Where it is asked.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All that was asked so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Prism {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Option<String> {
    if let Ok(reason) = env::var("WINDLASS_TEST_NO_PRISM") {
        return skip(&format!("no Prism: {reason}"));
    }
    let program = env::var("WINDLASS_TEST_PRISM").ok();
    program.or_else(|| skip("no Prism: `cargo xtask test` installs it"))
}

/// Listens, and passes everything on to Prism.
fn record(prism: String, seen: &Arc<Mutex<Vec<Seen>>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = seen.clone();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (prism, seen) = (prism.clone(), seen.clone());
            thread::spawn(move || pass_on(&stream, &mut Client::of(&prism), &seen));
        }
    });
    address
}

fn pass_on(mut stream: &TcpStream, prism: &mut Client, seen: &Mutex<Vec<Seen>>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = Request::read(&mut reader) {
        let own = ["host", "connection", "content-length", "content-type", "transfer-encoding"];
        let passed = request.headers.iter().filter(|(name, _)| !own.contains(&name.as_str()));
        let headers: Vec<_> = passed.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let reply = prism.ask(&request.method, &request.path, &headers, &request.body);
        let Some(reply) = reply else { return };
        let violations = reply.header(VIOLATIONS).filter(|it| !it.contains(ELSEWHERE));
        seen.lock().unwrap().push(Seen {
            line: format!("{} {} {}", request.method, request.path, reply.status),
            violations: violations.map(str::to_owned),
        });
        // Whoever asked may have gone.
        if stream.write_all(&written(&reply)).is_err() {
            return;
        }
    }
}

fn written(reply: &Reply) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} .\r\n", reply.status);
    for name in PASSED_ON {
        if let Some(value) = reply.header(name) {
            head += &format!("{name}: {value}\r\n");
        }
    }
    if reply.status != 204 {
        head += &format!("Content-Length: {}\r\n", reply.body.len());
    }
    [format!("{head}\r\n").as_bytes(), &reply.body].concat()
}

//! A container in small: the real program as first process of a pid namespace, and this test as its host.
#![allow(dead_code, reason = "each of the tests uses a part of it")]
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "it is a test that starts a container, and says where it cannot"
)]

use std::{
    cell::RefCell,
    collections::VecDeque,
    fs,
    io::{Read as _, Write as _},
    os::unix::{
        fs::PermissionsExt as _,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Serialize, de::DeserializeOwned};
use tempfile::TempDir;
use windlass_supervisor::{
    frames::{Frames, frame, message},
    protocol::{ChunkHead, Demand, Ended, Hello, Kind, Order, Report, Start, VERSION},
};

/// So long that only what hangs meets it.
const FOR_EVER: Duration = Duration::from_secs(60);

/// Whether a process namespace can be made here. If not, says so.
pub(crate) fn possible() -> bool {
    let made = Command::new("unshare").args(["--pid", "--fork", "--mount-proc", "true"]).status();
    let possible = made.is_ok_and(|status| status.success()) && rustix::process::getuid().is_root();
    if !possible {
        println!("SKIPPED: no process namespace can be made here");
    }
    possible
}

pub(crate) struct Container {
    folder: TempDir,
    listener: RefCell<Option<UnixListener>>,
    unshare: Child,
    /// Connections that nobody has asked for yet.
    waiting: RefCell<VecDeque<(Hello, Line)>>,
    pub(crate) control: RefCell<Line>,
}

/// One connection of the supervisor.
pub(crate) struct Line {
    pub(crate) stream: UnixStream,
    frames: Frames,
}

impl Line {
    fn new(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(FOR_EVER)).unwrap();
        stream.set_write_timeout(Some(FOR_EVER)).unwrap();
        Self { stream, frames: Frames::default() }
    }

    pub(crate) fn say(&mut self, what: &impl Serialize) {
        self.stream.write_all(&message(what)).unwrap();
    }

    pub(crate) fn input(&mut self, bytes: &[u8]) {
        self.stream.write_all(&frame(Kind::Input, bytes)).unwrap();
    }

    /// The next frame; none at the end of the connection.
    pub(crate) fn next(&mut self) -> Option<(Kind, Vec<u8>)> {
        let mut bytes = vec![0; 256 << 10];
        loop {
            if let Some((kind, body)) = self.frames.take().unwrap() {
                return Some((kind, body.to_vec()));
            }
            match self.stream.read(&mut bytes) {
                Ok(0) => return None,
                Ok(read) => self.frames.push(&bytes[..read]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("nothing came: {error}"),
            }
        }
    }

    pub(crate) fn hear<T: DeserializeOwned>(&mut self) -> T {
        let (kind, body) = self.next().expect("the connection ended");
        assert_eq!(kind, Kind::Message);
        serde_json::from_slice(&body).unwrap()
    }
}

/// All that a process has said, and its end.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) last: u64,
    pub(crate) pid: i32,
}

impl Heard {
    /// Takes what comes until the end, acknowledging; none when the connection ended first.
    pub(crate) fn hear(&mut self, line: &mut Line) -> Option<Ended> {
        self.hear_until(line, |_| false)
    }

    pub(crate) fn hear_until(
        &mut self,
        line: &mut Line,
        enough: impl Fn(&Self) -> bool,
    ) -> Option<Ended> {
        while !enough(self) {
            let (kind, body) = line.next()?;
            if kind == Kind::Message {
                match serde_json::from_slice(&body).unwrap() {
                    Report::Started { pid } => self.pid = pid,
                    Report::Ended(ended) => return Some(ended),
                }
                continue;
            }
            let (head, output) = ChunkHead::split(&body).unwrap();
            assert_eq!(head.seq, self.last + 1, "a chunk is missing, or came twice");
            self.last = head.seq;
            if head.stderr { &mut self.stderr } else { &mut self.stdout }.extend(output);
            // The end may be on its way already, and the connection with it.
            let _ = line.stream.write_all(&message(&Demand::Acknowledge { seq: head.seq }));
        }
        None
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }
}

/// A script for the shell, with five seconds of grace.
pub(crate) fn shell(id: &str, script: &str) -> Start {
    Start {
        id: id.to_owned(),
        command: ["sh", "-c", script].map(str::to_owned).into(),
        cwd: "/".to_owned(),
        grace_ms: 5000,
        ..Start::default()
    }
}

impl Container {
    pub(crate) fn start() -> Self {
        Self::start_with("256")
    }

    /// With a user of its own, so that its limit of processes counts only its own.
    pub(crate) fn start_with(processes: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let user = 100_000
            + std::process::id() * 64 % 1_000_000_000
            + COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let program = folder.path().join("supervisor");
        fs::copy(program_under_test(), &program).unwrap();
        let listener = listen(folder.path());
        let unshare = Command::new("unshare")
            .args(["--pid", "--fork", "--mount-proc", "--", "setpriv"])
            .args([format!("--reuid={user}"), format!("--regid={user}")])
            .args(["--clear-groups", "--no-new-privs", "--", "prlimit"])
            .args([&format!("--nproc={processes}"), "--"])
            .arg(&program)
            .arg("--folder")
            .arg(folder.path())
            .env("OF_THE_CONTAINER", "yes")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let control = welcome(&listener, &mut VecDeque::new());
        Self {
            folder,
            listener: RefCell::new(Some(listener)),
            unshare,
            waiting: RefCell::default(),
            control: RefCell::new(control),
        }
    }

    pub(crate) fn order(&self, order: &Order) {
        self.control.borrow_mut().say(order);
    }

    /// Starts a process; gives its connection.
    pub(crate) fn begin(&self, start: Start) -> Line {
        let id = start.id.clone();
        self.order(&Order::Start(start));
        self.of_process(&id, false)
    }

    /// The connection that this process dials.
    pub(crate) fn of_process(&self, id: &str, again: bool) -> Line {
        let wanted = Hello::Process { id: id.to_owned(), again };
        self.accept(|hello| *hello == wanted).1
    }

    pub(crate) fn accept(&self, wanted: impl Fn(&Hello) -> bool) -> (Hello, Line) {
        let mut waiting = self.waiting.borrow_mut();
        loop {
            if let Some(index) = waiting.iter().position(|(hello, _)| wanted(hello)) {
                return waiting.remove(index).unwrap();
            }
            waiting.push_back(accept(self.listener.borrow().as_ref().unwrap()));
        }
    }

    /// From start to end.
    pub(crate) fn run(&self, start: Start) -> (Heard, Ended) {
        let mut line = self.begin(start);
        let mut heard = Heard::default();
        let ended = heard.hear(&mut line).expect("the connection ended first");
        assert_eq!(ended.last, heard.last);
        line.say(&Demand::Forget);
        (heard, ended)
    }

    /// The host is gone: nobody listens, and all connections that it keeps are closed.
    pub(crate) fn lose_host(&self) {
        drop(self.listener.take());
        self.waiting.borrow_mut().clear();
        // The other side may have ended it.
        let _ = self.control.borrow().stream.shutdown(std::net::Shutdown::Both);
        fs::remove_file(self.folder.path().join("host")).unwrap();
    }

    /// Another host; gives the processes that are reported to it.
    pub(crate) fn find_host(&self) -> Vec<String> {
        let listener = listen(self.folder.path());
        let mut waiting = VecDeque::new();
        *self.control.borrow_mut() = welcome(&listener, &mut waiting);
        let Some((Hello::Control { processes, .. }, _)) = waiting.pop_back() else { panic!() };
        self.waiting.borrow_mut().extend(waiting);
        *self.listener.borrow_mut() = Some(listener);
        processes
    }

    /// The first process as it is seen from outside.
    pub(crate) fn outside(&self) -> i32 {
        let id = self.unshare.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        children.trim().parse().unwrap()
    }

    /// All processes that live inside but the first, as their command lines.
    pub(crate) fn others(&self) -> Vec<String> {
        let first = self.outside();
        let space = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let own = space(first);
        let all = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|it| it.unwrap().file_name().to_str()?.parse().ok());
        let inside = all.filter(|pid| *pid != first && space(*pid) == own);
        inside
            .map(|pid| {
                let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                line.replace('\0', " ").trim().to_owned()
            })
            // One that waits to be reaped has none.
            .filter(|line| !line.is_empty())
            .collect()
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.order(&Order::Ping { ticket: 7 });
        let answer: windlass_supervisor::protocol::Event = self.control.borrow_mut().hear();
        answer == windlass_supervisor::protocol::Event::Alive { ticket: 7 }
    }

    /// How it ended, once it has.
    pub(crate) fn wait(&mut self) -> std::process::ExitStatus {
        self.unshare.wait().unwrap()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let id = self.unshare.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let first = children.ok().and_then(|text| text.trim().parse().ok());
        if let Some(first) = first.and_then(Pid::from_raw) {
            let _ = kill_process(first, Signal::KILL);
        }
        let _ = self.unshare.wait();
    }
}

fn program_under_test() -> PathBuf {
    // The static one, where it is to be tried or measured.
    let chosen = std::env::var_os("WINDLASS_SUPERVISOR").map(PathBuf::from);
    chosen.unwrap_or_else(|| env!("CARGO_BIN_EXE_windlass-supervisor").into())
}

fn listen(folder: &Path) -> UnixListener {
    // It is there only when it listens and may be connected to.
    let made = folder.join("made");
    let listener = UnixListener::bind(&made).unwrap();
    fs::set_permissions(&made, fs::Permissions::from_mode(0o777)).unwrap();
    fs::rename(&made, folder.join("host")).unwrap();
    listener
}

fn accept(listener: &UnixListener) -> (Hello, Line) {
    rustix::io::ioctl_fionbio(listener, true).unwrap();
    let deadline = Instant::now() + FOR_EVER;
    let stream = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(_) if Instant::now() < deadline => {
                let mut waits =
                    [rustix::event::PollFd::new(listener, rustix::event::PollFlags::IN)];
                rustix::event::poll(&mut waits, None).unwrap();
            }
            Err(error) => panic!("nobody dials: {error}"),
        }
    };
    rustix::io::ioctl_fionbio(&stream, false).unwrap();
    let mut line = Line::new(stream);
    let hello = line.hear();
    (hello, line)
}

/// Welcomes the supervisor. Other connections wait, and last is what it said of its processes, on a dead line.
fn welcome(listener: &UnixListener, waiting: &mut VecDeque<(Hello, Line)>) -> Line {
    loop {
        let (hello, mut line) = accept(listener);
        if matches!(hello, Hello::Control { .. }) {
            line.say(&Order::Welcome { version: VERSION });
            waiting.push_back((hello, Line::new(UnixStream::pair().unwrap().0)));
            return line;
        }
        waiting.push_back((hello, line));
    }
}

/// Waits until something holds that has to come.
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + FOR_EVER;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

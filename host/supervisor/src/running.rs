//! A process from its start until the host has forgotten it: its connection, and how it ends.

use std::{
    cell::Cell,
    future::{pending, poll_fn},
    io,
    pin::Pin,
    rc::Rc,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::from_slice;
use tokio::{
    io::Interest,
    sync::{mpsc, oneshot},
    task::spawn_local,
    time::{Instant, sleep_until},
};
use windlass_supervisor::{
    frames::message,
    protocol::{Demand, Ended, Hello, How, Kind, Report, Start},
};

use crate::{
    ending,
    input::Input,
    kernel::Exit,
    link::{Link, Pause, dial},
    output::Output,
    start,
    supervisor::{Entry, Nudge, Supervisor, ticks},
};

/// Starts a process that the host has not started yet.
pub(crate) fn start(supervisor: &Rc<Supervisor>, order: Start) {
    let (nudges, nudged) = mpsc::unbounded_channel();
    let began = ticks();
    let started = start::start(&order, &supervisor.score);
    let ended = Cell::new(started.is_err().then_some(began));
    let leader = Cell::new(started.as_ref().ok().map(|started| started.pid));
    let entry = Rc::new(Entry { id: order.id.clone(), leader, began, ended, nudges });
    supervisor.entries.borrow_mut().insert(order.id.clone(), Rc::clone(&entry));
    let now = Instant::now();
    let deadline = order.timeout_ms.and_then(|ms| now.checked_add(Duration::from_millis(ms)));
    let mut running = Running {
        supervisor: Rc::clone(supervisor),
        entry,
        pid: None,
        began: now,
        deadline,
        grace: Duration::from_millis(order.grace_ms),
        output: Output::default(),
        input: Input::default(),
        line: Line { link: None, pause: Pause::none(), again: false, resumed: false, told: false },
        exited: None,
        exit: None,
        ending: None,
        how: How::Exited,
        message: None,
        wall_ms: 0,
        ended: None,
        draining: false,
    };
    match started {
        Ok(started) => {
            running.exited = Some(supervisor.await_exit(started.pid));
            running.pid = Some(started.pid);
            running.output = Output::new(started.pipes);
            running.input = started.input;
        }
        Err(message) => running.refuse(message),
    }
    running.dial();
    spawn_local(running.run(nudged));
}

struct Running {
    supervisor: Rc<Supervisor>,
    entry: Rc<Entry>,
    pid: Option<Pid>,
    began: Instant,
    deadline: Option<Instant>,
    grace: Duration,
    output: Output,
    input: Input,
    line: Line,
    exited: Option<oneshot::Receiver<Exit>>,
    exit: Option<Exit>,
    ending: Option<Pin<Box<dyn Future<Output = Option<String>>>>>,
    how: How,
    message: Option<String>,
    wall_ms: u64,
    /// Once all its output was read.
    ended: Option<Ended>,
    /// Whether what is in its pipes is all that counts.
    draining: bool,
}

/// The connection of a process, if the host is there.
struct Line {
    link: Option<Link>,
    pause: Pause,
    /// Whether there was one before.
    again: bool,
    /// Whether the host has said where to go on.
    resumed: bool,
    /// Whether the end was told on this connection.
    told: bool,
}

/// What happened.
enum Step {
    Exited(Option<Exit>),
    EndedAll(Option<String>),
    Nudged(Option<Nudge>),
    Dial,
    Received(io::Result<()>),
    Writable,
    Readable(usize),
    Thirsty,
    Late,
}

impl Running {
    async fn run(mut self, mut nudged: mpsc::UnboundedReceiver<Nudge>) {
        while !self.go_on() {
            match self.next(&mut nudged).await {
                Step::Exited(exit) => self.exited(exit),
                Step::EndedAll(message) => {
                    (self.ending, self.exited) = (None, None);
                    self.message = message;
                    self.is_over();
                }
                Step::Nudged(Some(Nudge::Dial)) => {
                    self.hang_up();
                    self.line.pause = Pause::none();
                    self.dial();
                }
                Step::Nudged(Some(Nudge::Cancel)) => self.end(How::Cancelled),
                Step::Nudged(None) | Step::Writable => {}
                Step::Dial => self.dial(),
                Step::Received(Ok(())) => {}
                Step::Received(Err(_)) => self.lose(),
                Step::Readable(pipe) => self.output.read(pipe, &self.supervisor),
                Step::Thirsty => self.input.write(),
                Step::Late => {
                    self.deadline = None;
                    self.end(How::TimedOut);
                }
            }
        }
    }

    async fn next(&mut self, nudged: &mut mpsc::UnboundedReceiver<Nudge>) -> Step {
        let Self { supervisor, output, input, line, exited, ending, deadline, .. } = self;
        let late = async {
            match deadline {
                Some(deadline) => sleep_until(*deadline).await,
                None => pending().await,
            }
        };
        let unsent =
            line.link.as_ref().is_some_and(Link::is_saying) || line.resumed && !output.is_sent();
        let has_room = input.has_room();
        let Line { link, pause, .. } = line;
        let stream = async {
            let Some(link) = link else {
                sleep_until(pause.until).await;
                let _ = supervisor.welcomed.subscribe().wait_for(|welcomed| *welcomed).await;
                return Step::Dial;
            };
            if !unsent {
                return match has_room {
                    true => Step::Received(link.receive().await),
                    false => pending().await,
                };
            }
            let interest = Interest::READABLE.add(Interest::WRITABLE);
            let ready = match has_room {
                true => link.stream().ready(interest).await,
                false => link.stream().ready(Interest::WRITABLE).await,
            };
            match ready {
                Ok(ready) if ready.is_readable() => Step::Received(link.receive().await),
                Ok(_) => Step::Writable,
                Err(error) => Step::Received(Err(error)),
            }
        };
        tokio::select! {
            biased;
            exit = some(exited) => Step::Exited(exit.ok()),
            message = some(ending) => Step::EndedAll(message),
            nudge = nudged.recv() => Step::Nudged(nudge),
            () = late => Step::Late,
            step = stream => step,
            () = input.writable() => Step::Thirsty,
            pipe = poll_fn(|context| output.poll_readable(context)) => Step::Readable(pipe),
        }
    }

    /// Does what can be done without waiting; true when the host has forgotten the process.
    fn go_on(&mut self) -> bool {
        match self.obey() {
            Ok(true) => return true,
            Ok(false) => {}
            Err(_) => self.lose(),
        }
        if self.draining && self.ended.is_none() && self.output.is_read() {
            self.ended = Some(self.account());
            self.input.close();
        }
        if self.flush().is_err() {
            self.lose();
        }
        false
    }

    /// Carries out what the host has said; true when that was to forget the process.
    fn obey(&mut self) -> io::Result<bool> {
        while let Some(link) = &mut self.line.link {
            let demand = match link.take()? {
                None => break,
                Some((Kind::Input, body)) => {
                    self.input.push(body);
                    continue;
                }
                Some((Kind::Chunk, _)) => return Err(io::ErrorKind::InvalidData.into()),
                Some((Kind::Message, body)) => from_slice(body)?,
            };
            match demand {
                Demand::Resume { after } => self.resume(after),
                Demand::Acknowledge { seq } => self.output.acknowledge(seq, &self.supervisor),
                Demand::Signal { number } => self.signal(number),
                Demand::Cancel => self.end(How::Cancelled),
                Demand::Forget if self.ended.is_some() => {
                    self.supervisor.forget(&self.entry);
                    return Ok(true);
                }
                Demand::Forget => {}
            }
        }
        Ok(false)
    }

    /// Sends messages, then output, then the end.
    fn flush(&mut self) -> io::Result<()> {
        let Some(link) = &mut self.line.link else { return Ok(()) };
        if !link.flush()? || !self.line.resumed || !self.output.send(link.stream())? {
            return Ok(());
        }
        if let Some(ended) = self.ended.as_ref().filter(|_| !self.line.told) {
            self.line.told = true;
            link.say(&message(&Report::Ended(ended.clone())));
            link.flush()?;
        }
        Ok(())
    }

    fn dial(&mut self) {
        let Ok(stream) = dial(&self.supervisor.socket) else { return self.line.pause.lengthen() };
        let link = self.line.link.insert(Link::new(stream));
        link.say(&message(&Hello::Process { id: self.entry.id.clone(), again: self.line.again }));
        if !self.line.again {
            self.line.again = true;
            self.greet();
        }
    }

    /// The first time that the host says where to go on counts: then chunks are on their way.
    fn resume(&mut self, after: u64) {
        if !self.line.resumed {
            self.output.resume(after, &self.supervisor);
            self.greet();
        }
    }

    fn greet(&mut self) {
        self.line.resumed = true;
        if let (Some(link), Some(pid)) = (&mut self.line.link, self.pid) {
            link.say(&message(&Report::Started { pid: pid.as_raw_nonzero().get() }));
        }
    }

    fn hang_up(&mut self) {
        self.line.link = None;
        (self.line.resumed, self.line.told) = (false, false);
        self.output.interrupt();
    }

    fn lose(&mut self) {
        if self.line.resumed {
            self.line.pause = Pause::none();
        }
        self.line.pause.lengthen();
        self.hang_up();
    }

    fn signal(&self, number: i32) {
        if let (Some(leader), Some(signal)) =
            (self.entry.leader.get(), Signal::from_named_raw(number))
        {
            let _ = kill_process_group(leader, signal);
        }
    }

    /// Ends all that belongs to the process. If it has ended by itself, what it has left behind ends.
    fn end(&mut self, how: How) {
        let Some(pid) = self.pid else { return };
        if self.ending.is_some() {
            return;
        }
        let (supervisor, entry) = (Rc::clone(&self.supervisor), Rc::clone(&self.entry));
        let ending = ending::end(supervisor, entry, pid, self.grace);
        if self.draining {
            spawn_local(ending);
        } else {
            self.how = how;
            self.deadline = None;
            self.ending = Some(Box::pin(ending));
        }
    }

    fn exited(&mut self, exit: Option<Exit>) {
        self.exited = None;
        self.exit = exit;
        if self.ending.is_none() {
            self.is_over();
        }
    }

    /// Nothing of it runs any more, or only what it has left behind by its own will.
    fn is_over(&mut self) {
        self.deadline = None;
        self.wall_ms = milliseconds(self.began.elapsed());
        self.entry.ended.set(Some(ticks()));
        self.output.end();
        self.draining = true;
        if !self.supervisor.is_busy() {
            spawn_local(ending::end_suspects(Rc::clone(&self.supervisor)));
        }
    }

    fn refuse(&mut self, message: String) {
        self.how = How::Refused;
        self.message = Some(message);
        self.draining = true;
    }

    fn account(&self) -> Ended {
        Ended {
            how: self.how,
            code: self.exit.and_then(|exit| exit.code),
            signal: self.exit.and_then(|exit| exit.signal),
            message: self.message.clone(),
            wall_ms: self.wall_ms,
            cpu_ms: self.exit.map_or(0, |exit| exit.cpu_ms),
            memory_kib: self.exit.map_or(0, |exit| exit.memory_kib),
            last: self.output.last,
        }
    }
}

/// What this comes to; never, where there is nothing.
async fn some<F: Future + Unpin>(future: &mut Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

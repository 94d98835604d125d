//! A run of opencode, followed to its end: by its events, and by looks at what is true.
//!
//! Events come in time and may be missed; looks miss nothing and come late.

use windlass_sdk::{
    Error, clock,
    log::{self, Level},
    port::Stream,
    progress,
    types::Code,
};

use crate::{
    ending::Ending,
    event::{self, Request},
    server::{Answered, Reply, Server},
    settings::Permission,
    sse::Events,
    summary::Tally,
    watch::{self, Line, Watch},
};

/// How often it is looked what is true where no event says that it is time.
const LOOK_MS: u64 = 5_000;
/// How soon it is looked again at a run that seems to have ended, in a session that is still at work.
const SOON_MS: u64 = 100;
/// How long a session may be idle with nothing to show for it. It is so at its first run, while opencode loads itself.
const STALLED_MS: u64 = 60_000;
/// How long nothing may come on a connection: opencode sends something every ten seconds.
const DEAF_MS: u64 = 40_000;
/// How long one wait for an event is.
const WAIT_MS: u32 = 5_000;
/// Between two tries to hear events again.
const PAUSE_MS: u32 = 200;

/// How following it ended.
pub(crate) enum End {
    Over(Box<Answered>, Ending),
    /// It failed, or stopped, without a message that says so.
    Failed(String),
    /// It waits for these.
    Asks(Vec<Request>),
    /// It showed no sign of life for too long, and was stopped.
    Silent,
    /// The server went away, with these last words.
    Lost(String),
}

/// A run that is followed.
pub(crate) struct Follow<'a> {
    pub(crate) server: &'a Server,
    /// The session as opencode calls it.
    pub(crate) conversation: &'a str,
    /// The message that began it.
    pub(crate) message: &'a str,
    pub(crate) permission: Permission,
    pub(crate) silence_ms: u64,
    pub(crate) watch: Watch,
    /// Notes what was counted so far.
    pub(crate) note: &'a dyn Fn(&Tally) -> Result<(), Error>,
}

/// Where events come from.
struct Ear {
    stream: Option<Stream>,
    events: Events,
    heard: u64,
}

impl Follow<'_> {
    /// Follows it to its end, beginning with the events of this stream.
    pub(crate) fn await_end(&mut self, stream: Stream) -> Result<End, Error> {
        let mut ear = Ear { stream: Some(stream), events: Events::default(), heard: clock::now() };
        let mut next_look = clock::now() + LOOK_MS;
        loop {
            if self.watch.look || clock::now() >= next_look {
                self.watch.look = false;
                match self.look() {
                    Ok(Some(end)) => return Ok(end),
                    Ok(None) => self.watch.unanswered = false,
                    Err(error) => {
                        if let Some(end) = self.server.end()? {
                            return Ok(End::Lost(end.words));
                        }
                        self.tell_once(&error);
                    }
                }
                next_look = clock::now() + if self.watch.look { SOON_MS } else { LOOK_MS };
                self.watch.look = false;
            }
            let until = next_look.saturating_sub(clock::now());
            let wait = u32::try_from(until).unwrap_or(WAIT_MS).clamp(1, WAIT_MS);
            for text in self.hear(&mut ear, wait)? {
                self.take(&text)?;
            }
            if let Some(asked) = self.answer()? {
                return Ok(End::Asks(asked));
            }
            if clock::now() > self.watch.life + self.silence_ms {
                self.server.stop(self.conversation)?;
                return Ok(End::Silent);
            }
        }
    }

    fn tell_once(&mut self, error: &Error) {
        if !std::mem::replace(&mut self.watch.unanswered, true) {
            let told = format!("opencode cannot be asked: {}", error.message);
            tell(&Line::Warning(told), &mut self.watch.tally);
        }
    }

    /// The events that came. Where the connection breaks, another one is made; what was missed meanwhile is seen by a look.
    fn hear(&mut self, ear: &mut Ear, wait: u32) -> Result<Vec<String>, Error> {
        let now = clock::now();
        let Some(stream) = &mut ear.stream else {
            clock::sleep(PAUSE_MS);
            self.watch.look = true;
            if let Ok(stream) = self.server.events() {
                *ear = Ear { stream: Some(stream), events: Events::default(), heard: clock::now() };
            }
            return Ok(Vec::new());
        };
        match stream.next(wait) {
            Ok(Some(bytes)) => {
                ear.heard = now;
                return Ok(ear.events.take(&bytes));
            }
            Err(error) if error.code == Code::Timeout && now < ear.heard + DEAF_MS => {}
            Ok(None) | Err(_) => ear.stream = None,
        }
        Ok(Vec::new())
    }

    fn take(&mut self, text: &str) -> Result<(), Error> {
        let Some(event) = event::read(text, self.conversation) else { return Ok(()) };
        let steps = self.watch.tally.steps;
        if let Some(line) = self.watch.take(event, clock::now()) {
            tell(&line, &mut self.watch.tally);
        }
        if self.watch.tally.steps != steps {
            (self.note)(&self.watch.tally)?;
        }
        Ok(())
    }

    /// What is true.
    fn look(&mut self) -> Result<Option<End>, Error> {
        let latest = self.server.latest(self.conversation)?;
        let own = latest.filter(|it| it.message.info.is_of(self.message));
        if let Some(Answered { message, .. }) = &own {
            if let Some(line) = self.watch.note(message, clock::now()) {
                tell(&line, &mut self.watch.tally);
            }
            self.watch.look = false;
        }
        let ending = own.as_ref().map_or(Ending::None, |it| it.message.info.ending());
        if !self.server.is_idle(self.conversation)? {
            self.watch.idle_since = None;
            // The last message is there before the session is at rest.
            self.watch.look = ending != Ending::None;
            if ending == Ending::None {
                self.ask_for_permissions()?;
            }
            return Ok(None);
        }
        if let Some(own) = own
            && ending != Ending::None
        {
            if let Some(line) = self.watch.last_words(&own.message) {
                tell(&line, &mut self.watch.tally);
            }
            return Ok(Some(End::Over(Box::new(own), ending)));
        }
        if let Some(failure) = &self.watch.failure {
            return Ok(Some(End::Failed(failure.text())));
        }
        let now = clock::now();
        let since = *self.watch.idle_since.get_or_insert(now);
        let stalled = now > since + STALLED_MS;
        Ok(stalled
            .then(|| End::Failed("opencode stopped in the middle and does not say why".to_owned())))
    }

    /// What is waited for and was asked while nobody heard it. What an aborted run asked is asked for ever: ids tell which.
    fn ask_for_permissions(&mut self) -> Result<(), Error> {
        for request in self.server.permissions()? {
            let own = request.tool.as_ref().is_none_or(|tool| tool.message.as_str() > self.message);
            let known = self.watch.permissions.iter().any(|it| it.id == request.id);
            if own && !known {
                self.watch.permissions.push(request);
            }
        }
        Ok(())
    }

    /// Answers what opencode wants to know. Gives what has to be asked somebody else.
    fn answer(&mut self) -> Result<Option<Vec<Request>>, Error> {
        for question in std::mem::take(&mut self.watch.questions) {
            self.server.reject(&question)?;
        }
        let requests = std::mem::take(&mut self.watch.permissions);
        let reply = match self.permission {
            _ if requests.is_empty() => return Ok(None),
            Permission::Ask => {
                // There may be more of them by now.
                self.watch.permissions = requests;
                self.ask_for_permissions()?;
                return Ok(Some(std::mem::take(&mut self.watch.permissions)));
            }
            Permission::Allow => Reply::Once,
            Permission::Deny => Reply::Reject("this is not allowed here"),
        };
        for request in &requests {
            self.server.reply(&request.id, reply)?;
            let done = if reply == Reply::Once { "allowed" } else { "refused" };
            let told = format!("{done}: {}", watch::wanted(request));
            tell(&Line::Plain(told), &mut self.watch.tally);
        }
        Ok(None)
    }
}

/// Writes a line to the log of the run, and tells it to who waits.
pub(crate) fn tell(line: &Line, tally: &mut Tally) {
    let (level, text) = match line {
        Line::Plain(text) => (Level::Info, text),
        Line::Warning(text) => (Level::Warn, text),
    };
    tally.lines += 1;
    log::write(level, text);
    progress::report(f64::from(tally.lines), None, text);
}

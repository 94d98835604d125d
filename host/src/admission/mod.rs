//! Who may take how much: a place among the running calls when it is somebody's turn, calls within a minute, and what counts
//! for whom. `policy` says how much that is.

mod minute;
mod quotas;
mod turns;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::oneshot,
    time::{Instant, interval, timeout_at},
};

use crate::{
    capability::types::{Code, Error},
    config::{Bounded, ServerConfig},
    plugin::{Observer, Plugin, Progress},
    policy::Quota,
};

use turns::{Entered, Turns, Wanted, Way, Wish};

pub use quotas::{Quotas, Refused};

/// How often a client that waits hears its place.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// The places of all calls, and the room in which others wait for one.
pub struct Queue {
    turns: Mutex<Turns>,
    waiting: Mutex<HashMap<u64, Waiter>>,
    patience: Duration,
    refused: AtomicU64,
}

struct Waiter {
    wish: Wish,
    told: oneshot::Sender<Told>,
}

/// What somebody hears who waits.
enum Told {
    Runs(Admission),
    /// Somebody else waits in this one's place, who has fewer calls that do.
    MakesRoom,
}

/// The place of a call among all that run.
pub struct Admission {
    queue: Arc<Queue>,
    wish: Wish,
    in_plugin: AtomicBool,
}

/// Gives up a place in the room when nobody waits for it any more.
struct Waiting<'a> {
    queue: &'a Arc<Queue>,
    number: u64,
}

/// Why a call gets no place.
enum Refusal {
    NoRoom,
    TooLong,
}

impl Queue {
    pub fn new(config: &ServerConfig) -> Arc<Self> {
        Arc::new(Self {
            turns: Mutex::new(Turns::new(config.concurrent_calls, config.waiting_calls)),
            waiting: Mutex::default(),
            patience: Duration::from_secs(config.waiting_seconds),
            refused: AtomicU64::new(0),
        })
    }

    /// How many calls run.
    pub fn running(&self) -> usize {
        self.turns().running()
    }

    /// How many calls wait for a place.
    pub fn waiting(&self) -> usize {
        self.turns().waiting()
    }

    /// How many calls were answered "busy".
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Takes a place, when it is the caller's turn. `plugin` is what the call enters, where that is one. The observer hears
    /// how many are before it.
    pub async fn enter(
        self: &Arc<Self>,
        (caller, quota): (&str, &Quota),
        plugin: Option<&Plugin>,
        observer: &dyn Observer,
    ) -> Result<Admission, Error> {
        let most_of_caller = quota.get(Bounded::ConcurrentCalls).map(crate::policy::Bound::whole);
        let wish = Wish {
            caller: caller.to_owned(),
            most_of_caller: most_of_caller.unwrap_or(usize::MAX),
            plugin: plugin.map(|plugin| Wanted {
                name: plugin.name().to_owned(),
                most: plugin.limits().concurrent_calls,
            }),
        };
        let (number, told) = {
            let mut turns = self.turns();
            match turns.enter(&wish) {
                Entered::Runs => return Ok(self.admission(wish)),
                Entered::Full => {
                    drop(turns);
                    return Err(self.refuse(&wish, quota, Refusal::NoRoom));
                }
                Entered::Waits { number, instead_of } => {
                    let (tell, told) = oneshot::channel();
                    let waiter = Waiter { wish: wish.clone(), told: tell };
                    let mut waiting = self.waiters();
                    waiting.insert(number, waiter);
                    let gone = instead_of.and_then(|number| waiting.remove(&number));
                    drop((waiting, turns));
                    if let Some(gone) = gone {
                        // Who has gone meanwhile need not hear it.
                        let _ = gone.told.send(Told::MakesRoom);
                    }
                    (number, told)
                }
            }
        };
        let _waiting = Waiting { queue: self, number };
        // Boxed, so that a call that waits for nothing is no larger for it.
        let waited = Box::pin(self.wait(number, told, observer)).await;
        waited.map_err(|why| self.refuse(&wish, quota, why))
    }

    async fn wait(
        &self,
        number: u64,
        mut told: oneshot::Receiver<Told>,
        observer: &dyn Observer,
    ) -> Result<Admission, Refusal> {
        let until = Instant::now() + self.patience;
        let mut again = interval(TELL_EVERY);
        let mut nearest = usize::MAX;
        let waiting = async {
            loop {
                tokio::select! {
                    biased;
                    told = &mut told => return told,
                    _ = again.tick() => {}
                }
                let before = self.turns().before(number);
                // Progress only ever goes on: others may have come in between.
                if let Some(before) = before.filter(|it| *it < nearest) {
                    nearest = before;
                    observer.progress(progress(before));
                }
            }
        };
        match timeout_at(until, waiting).await {
            Ok(Ok(Told::Runs(admission))) => Ok(admission),
            Ok(Ok(Told::MakesRoom) | Err(_)) => Err(Refusal::NoRoom),
            Err(_) => Err(Refusal::TooLong),
        }
    }

    fn admission(self: &Arc<Self>, wish: Wish) -> Admission {
        Admission { queue: self.clone(), wish, in_plugin: AtomicBool::new(true) }
    }

    /// Gives places to those whose turn it is.
    fn let_in(self: &Arc<Self>) {
        loop {
            let waiter = {
                let mut turns = self.turns();
                let Some(number) = turns.next() else { return };
                self.waiters().remove(&number)
            };
            if let Some(Waiter { wish, told }) = waiter {
                // A place that nobody takes is left again.
                let _ = told.send(Told::Runs(self.admission(wish)));
            }
        }
    }

    /// What a call hears that gets no place: how many run and how many wait, and which bound would have to be another.
    fn refuse(&self, wish: &Wish, quota: &Quota, why: Refusal) -> Error {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let turns = self.turns();
        let (running, waiting) = (turns.running(), turns.waiting());
        let (who, key) = match (turns.way(wish), &wish.plugin) {
            (Way::Plugin, Some(Wanted { name, .. })) => {
                let running = turns.running_in(name);
                let who = format!("plugin `{name}` runs {running} calls");
                (who, format!("plugins.{name}.limits.concurrent_calls"))
            }
            (Way::Caller, _) => {
                let line = quota.get(Bounded::ConcurrentCalls).map(|it| it.line.clone());
                let running = turns.running_of(&wish.caller);
                (format!("`{}` runs {running} calls", wish.caller), line.unwrap_or_default())
            }
            _ => (format!("{} calls run", running), "server.concurrent_calls".to_owned()),
        };
        drop(turns);
        let (waited, key) = match why {
            Refusal::TooLong => {
                (format!(", and this one waited {} s", self.patience.as_secs()), key)
            }
            Refusal::NoRoom if waiting > 0 => (String::new(), "server.waiting_calls".to_owned()),
            Refusal::NoRoom => (String::new(), key),
        };
        let message = format!(
            "busy: {who} and {waiting} wait{waited}; try again in a moment, or raise `{key}`"
        );
        Error::new(Code::Limit, message)
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiters(&self) -> MutexGuard<'_, HashMap<u64, Waiter>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admission {
    /// The call waits for its client: meanwhile its plugin may run another one.
    pub fn leave_plugin(&self) {
        if self.in_plugin.swap(false, Ordering::Relaxed) {
            self.queue.turns().leave_plugin(&self.wish);
            self.queue.let_in();
        }
    }

    /// It goes on.
    pub fn enter_plugin(&self) {
        if !self.in_plugin.swap(true, Ordering::Relaxed) {
            self.queue.turns().enter_plugin(&self.wish);
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.enter_plugin();
        self.queue.turns().leave(&self.wish);
        self.queue.let_in();
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut turns = self.queue.turns();
        turns.give_up(self.number);
        drop(turns);
        let waiter = self.queue.waiters().remove(&self.number);
        drop(waiter);
    }
}

/// Negative, so that what the call itself reports is further on.
#[allow(clippy::cast_precision_loss, reason = "nobody waits behind so many")]
fn progress(before: usize) -> Progress {
    let message = match before {
        0 => "waits for a place: it is the next".to_owned(),
        before => format!("waits for a place: {before} before it"),
    };
    Progress { done: -(before as f64) - 1.0, total: None, message }
}

//! Ending a process with all that came from it. Nothing is left, or it is said what is.

use std::{collections::HashSet, rc::Rc, time::Duration};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    supervisor::{Entry, Supervisor},
    tree::{self, Identity, Seen},
};

/// How long those that were killed have to be gone. One that hangs in the kernel never is.
const KILLED: Duration = Duration::from_secs(5);
/// How often those that are to be killed are stopped before all others have to stand still for it too.
const STOPS: usize = 8;
/// How long to wait between two looks, at first and at last.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LAST_LOOK: Duration = Duration::from_millis(50);

/// Ends all that belongs to a process; says what could not be.
pub(crate) async fn end(
    supervisor: Rc<Supervisor>,
    entry: Rc<Entry>,
    leader: Pid,
    grace: Duration,
) -> Option<String> {
    let number = leader.as_raw_nonzero().get();
    let members = |all: &[Seen]| tree::members(&supervisor, &entry, number, all);
    if !grace.is_zero() {
        ask(&entry, &members(&tree::scan()));
        let deadline = Instant::now() + grace;
        let mut look = FIRST_LOOK;
        while entry.leader.get().is_some() || !members(&tree::scan()).is_empty() {
            if Instant::now() >= deadline {
                break;
            }
            pause(&supervisor, &mut look, deadline).await;
        }
    }
    let mut alive = kill(&supervisor, members).await;
    // By now they are orphans, if they were hidden: nothing else is left that could start any.
    alive.extend(kill(&supervisor, |all| tree::orphans(&supervisor, &entry, all).0).await);
    let (_, left) = tree::orphans(&supervisor, &entry, &tree::scan());
    supervisor.suspects.borrow_mut().extend(left.iter().map(|seen| seen.identity));
    said(&alive, &left)
}

fn said(alive: &[Identity], left: &[Seen]) -> Option<String> {
    let list = |all: &mut dyn Iterator<Item = &Identity>| {
        let numbers = all.take(10).map(|it| it.pid.as_raw_nonzero().to_string());
        numbers.collect::<Vec<_>>().join(", ")
    };
    if !alive.is_empty() {
        return Some(format!(
            "{} processes could not be ended: {}",
            alive.len(),
            list(&mut alive.iter())
        ));
    }
    (!left.is_empty()).then(|| {
        format!(
            "{} processes without a marker may belong to others that run, and end with the last of those: {}",
            left.len(),
            list(&mut left.iter().map(|seen| &seen.identity))
        )
    })
}

/// What was left because others ran ends once none do.
pub(crate) async fn end_suspects(supervisor: Rc<Supervisor>) {
    let suspects: HashSet<Identity> = supervisor.suspects.borrow_mut().drain(..).collect();
    if suspects.is_empty() {
        return;
    }
    let of_them = |all: &[Seen]| {
        let found = all.iter().filter(|seen| suspects.contains(&seen.identity)).cloned();
        tree::with_descendants(found.collect(), all)
    };
    kill(&supervisor, of_them).await;
}

/// Tells them to end; those that are stopped have to run for it.
fn ask(entry: &Entry, members: &[Seen]) {
    if let Some(leader) = entry.leader.get() {
        let _ = kill_process_group(leader, Signal::TERM);
        let _ = kill_process_group(leader, Signal::CONT);
    }
    for seen in members.iter().filter(|seen| seen.group() != entry.leader.get()) {
        let _ = kill_process(seen.identity.pid, Signal::TERM);
        let _ = kill_process(seen.identity.pid, Signal::CONT);
    }
}

/// Kills until none are found; gives those that stay.
async fn kill(supervisor: &Supervisor, which: impl Fn(&[Seen]) -> Vec<Seen>) -> Vec<Identity> {
    let deadline = Instant::now() + KILLED;
    let mut look = FIRST_LOOK;
    loop {
        let found = kill_once(&which);
        if found.is_empty() || Instant::now() >= deadline {
            return found;
        }
        pause(supervisor, &mut look, deadline).await;
    }
}

/// Stops them before any is killed: the death of one makes room for another to start two.
fn kill_once(which: impl Fn(&[Seen]) -> Vec<Seen>) -> Vec<Identity> {
    let mut found: HashSet<Identity> = HashSet::new();
    let mut still = false;
    for _ in 0..STOPS {
        let before = found.len();
        for seen in which(&tree::scan()) {
            if found.insert(seen.identity) {
                let _ = kill_process(seen.identity.pid, Signal::STOP);
            }
        }
        still = found.len() == before;
        if still {
            break;
        }
    }
    if !still {
        stop_all(&which, &mut found);
    }
    for identity in &found {
        let _ = kill_process(identity.pid, Signal::KILL);
    }
    found.into_iter().collect()
}

/// They start others faster than they are found: all stand still at once, then those that are not meant go on.
fn stop_all(which: impl Fn(&[Seen]) -> Vec<Seen>, found: &mut HashSet<Identity>) {
    let _ = kill_process_group(Pid::INIT, Signal::STOP);
    let all = tree::scan();
    found.extend(which(&all).into_iter().map(|seen| seen.identity));
    for seen in all.iter().filter(|seen| !found.contains(&seen.identity)) {
        let _ = kill_process(seen.identity.pid, Signal::CONT);
    }
}

/// Waits until a child was reaped, or for a growing while.
async fn pause(supervisor: &Supervisor, look: &mut Duration, deadline: Instant) {
    let longest = (*look).min(deadline.saturating_duration_since(Instant::now()));
    let _ = timeout(longest, supervisor.reaped.notified()).await;
    // Many may end one after the other, and each look costs something.
    sleep(Duration::ZERO).await;
    *look = (*look * 2).min(LAST_LOOK);
}
